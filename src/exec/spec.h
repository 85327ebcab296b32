/* SPDX-License-Identifier: BSD-3-Clause */
/* spec: jobspecs and environments by hash, and all that is worked out once per jobspec: programs,
 * words, options.  Jobs hold references, so "unspec" is safe at any time. */
#ifndef HBATCH_EXEC_SPEC_H
#define HBATCH_EXEC_SPEC_H

#include <stdbool.h>
#include "src/common/error.h"
#include "src/exec/env.h"
#include "src/job/bulk.h"
#include "src/job/launch_options.h"
#include "src/job/jobspec.h"

struct app {     /* one program of a job; most jobs have one */
    char **argv; /* argv[-1] is there; NULL ended */
    unsigned argc;
    bool templated;     /* a word holds a tag */
    unsigned ntasks;    /* 0: all tasks */
    const char *cwd;    /* or NULL */
    const char *search; /* directories to look for the program in, before PATH; or NULL */
    struct envset *env;
    bool own_env;
    json_object *expand; /* borrowed: {"NAME":"TEMPLATE"} or NULL */
    char *path;          /* where the program was found last; NULL: look */
};

struct spec {
    unsigned refs;
    struct jobspec *js;
    bool compiled;
    struct app *apps;
    unsigned napps;
    struct envset *env;
    struct envtab *envtab; /* environment by hash, or NULL */
    struct launch_options options;
    bool not_in_lanes;       /* its jobs are started by the loop alone (lane.h) */
    struct bulk_words *bulk; /* of many jobs in one: words of each, or NULL */
    bool bulk_templated;     /* one of them holds a tag */
};

struct specs;

struct specs *specs_create(void);
void specs_destroy(struct specs *specs); /* NULL is allowed */

/* Remember, or replace, jobspec JS / environment ENV under HASH. */
int specs_add(struct specs *specs, const char *hash, json_object *js, struct error *err);
int specs_add_env(struct specs *specs, const char *hash, json_object *env,
                  struct error *err);
void specs_forget(struct specs *specs, const char *hash);

/* The spec of HASH, ready for use, with a reference for the caller (spec_put).  SPAWNED: see
 * envset_create. */
struct spec *specs_get(struct specs *specs, const char *hash, bool spawned,
                       struct error *err);
void spec_put(struct spec *spec); /* NULL is allowed */

/* Find APP's program along the PATH of its environment, from directory CWD; the path stays the
 * app's. NULL with err set: code ENOENT or EACCES, text "PROGRAM: reason". */
const char *app_find(struct app *app, const char *name, const char *cwd,
                     struct error *err);

#endif
