/* SPDX-License-Identifier: BSD-3-Clause */
/* specs: texts that go to an executor once and are referred to by name after that: jobspecs
 * and environments.  Equal texts share one name. */
#ifndef HBATCH_INSTANCE_SPECS_H
#define HBATCH_INSTANCE_SPECS_H

#include <stdbool.h>
#include <stddef.h>
#include <hwloc/bitmap.h>

struct specs;

enum text_kind { TEXT_JOBSPEC, TEXT_ENV };

struct text {
    enum text_kind kind;
    char name[24]; /* unique among all texts of this instance's life and store */
    char *data;    /* JSON, one line */
    size_t len;
    unsigned refs;
    bool streamed;        /* the other ranks have it (change.c) */
    hwloc_bitmap_t known; /* ranks whose executor has it, NULL: none */
    unsigned long long hash;
    struct text *chain, *prev, *next; /* bucket; the unused ones */
};

/* DROP is called when a text is forgotten, for the ranks that know it. */
struct specs *specs_create(void (*drop)(const struct text *t, void *arg), void *arg);
void specs_destroy(struct specs *s); /* NULL is allowed; without drop calls */

/* The text with this content, a reference for the caller: specs_put drops it. */
struct text *specs_get(struct specs *s, enum text_kind kind, const char *data,
                       size_t len);
/* Another reference to T. */
struct text *specs_hold(struct specs *s, struct text *t);
/* Unused texts are kept for a while: the next job is often like the last. */
void specs_put(struct specs *s, struct text *t); /* NULL is allowed */
/* The text NAME that is in use or still kept, or NULL. */
struct text *specs_find(const struct specs *s, const char *name);
/* The texts go on in a leader's hands: references of the stream (t->streamed) are dropped, as the
 * former leader had none for them, and no executor is known to have any. */
void specs_adopt(struct specs *s, void (*drop)(const struct text *t, void *arg),
                 void *arg);
/* Ranks join, who have no text but those of active jobs: all forget what the others have.  HELD: the
 * stream's references are dropped, as by a copy of the leader's tables. */
void specs_unstream(struct specs *s, bool held);
/* Whether the executor of RANK has T; it has. */
bool text_known(const struct text *t, unsigned rank);
void text_set_known(struct text *t, unsigned rank);
/* The executor of RANK is a new one: it knows nothing. */
void specs_forget_rank(struct specs *s, unsigned rank);

#endif
