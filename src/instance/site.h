/* SPDX-License-Identifier: BSD-3-Clause */
/* site: where a job runs, and what is written of that: one for all jobs that follow each other in one place (lease.h),
 * whose texts are made once for all of them. */
#ifndef HBATCH_INSTANCE_SITE_H
#define HBATCH_INSTANCE_SITE_H

#include <json-c/json.h>
#include "src/job/taskmap.h"
#include "src/sched/pool.h"

struct site_texts { /* as the store has them */
    char *R;        /* without times */
    char *nodelist, *ranks, *taskmap;
    int nnodes, ncores, ngpus;
};

struct site {
    unsigned refs;
    struct placement *pl;
    struct taskmap *map;
    unsigned ntasks;
    struct site_texts *texts; /* NULL until they are asked for */
    /* [[RANK, REPORT]]: what is noted of a job on one node whose tasks ended well and wrote nothing; the same as
     * text.  NULL until that is asked for. */
    json_object *quiet;
    const char *quiet_text;
};

/* PL and MAP are taken over. */
struct site *site_create(struct placement *pl, struct taskmap *map, unsigned ntasks);
struct site *site_ref(struct site *site);
void site_drop(struct site *site); /* NULL is allowed */
const struct site_texts *site_texts(struct site *site);
json_object *site_quiet(struct site *site); /* site->quiet, made if need be */
json_object *site_quiet_report(struct site *site);
/* The texts of R, which may be a part of a job's placement, and of MAP (or NULL). */
struct site_texts site_describe(const struct rset *r, const struct taskmap *map);
void site_texts_clear(struct site_texts *t);

#endif
