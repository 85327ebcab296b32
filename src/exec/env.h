/* SPDX-License-Identifier: BSD-3-Clause */
/* env: the environment of a task.
 *
 * Most of it is the same for all tasks of all jobs that came with one environment object: a
 * struct envset, filtered and laid out once.  Per task a struct envbuf takes these pointers
 * over and adds a few strings in memory that is used again for the next task. */
#ifndef HBATCH_EXEC_ENV_H
#define HBATCH_EXEC_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/compatenv.h"

struct envset {
    char **v; /* "NAME=VALUE", n of them */
    unsigned n;
    unsigned *templated; /* indices of values that hold {cc} or {{cc}} */
    unsigned ntemplated;
    char *block;
    const struct compat_variable
        *compat; /* ncompat names of other systems for what a task is told */
    size_t ncompat;
    bool ascii_ids; /* job ids begin with a plain f, as the locale is not UTF-8 */
};

/* From {"NAME":"VALUE",...} and OVERLAY (or NULL), whose values win.  Both may be NULL.
 * SPAWNED: keep what MPI_Comm_spawn left for its children. */
struct envset *envset_create(json_object *env, json_object *overlay, bool spawned);
void envset_destroy(struct envset *set); /* NULL is allowed */
/* Value of NAME, or NULL. */
const char *envset_get(const struct envset *set, const char *name);

struct envbuf {
    char **v; /* the array for execve, NULL ended after envbuf_end */
    unsigned n, size;
    struct env_chunk *chunks, *spare;
};

void envbuf_fini(struct envbuf *b);
/* Start anew with the variables of SET. */
void envbuf_begin(struct envbuf *b, const struct envset *set);
/* Set NAME to VALUE, to PREFIX and N, to what the format gives, without looking whether there is one (for names that
 * launchenv_is_left kept out).  envbuf_set replaces one that is there when REPLACE. */
void envbuf_put(struct envbuf *b, const char *name, const char *value);
void envbuf_putu(struct envbuf *b, const char *name, const char *prefix, uint64_t n);
void envbuf_add(struct envbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void envbuf_set(struct envbuf *b, const char *name, const char *value, bool replace);
/* What B has, under the names that SET has for other systems. */
void envbuf_compat(struct envbuf *b, const struct envset *set);
/* Whether NAME (ends at '=' or terminator) is there. */
bool envbuf_has(const struct envbuf *b, const char *name);
char **envbuf_end(struct envbuf *b);

#endif
