/* SPDX-License-Identifier: BSD-3-Clause */
/* fold: what waits of an array, for who lists it: all elements in state DEPEND or SCHED with one urgency are one *fold*,
 * whether they have jobs of their own (as those have that an executor has ahead) or not. */
#ifndef HBATCH_INSTANCE_FOLD_H
#define HBATCH_INSTANCE_FOLD_H

#include "src/instance/element.h"

struct fold {
    uint64_t first, count;
    int urgency;
    const struct job *rest; /* with elements, or NULL */
    const struct job *job;  /* of the first one of those that have a job, or NULL */
    uint64_t *own;          /* [nown] the positions of these, ascending */
    size_t nown;
};

struct folds {
    struct fold at[ARRAY_GROUPS]; /* [n] the last one first, by their first elements */
    int n;
};

/* The folds of SUB, an array whose jobs are in T, in STATES. */
void folds_find(struct folds *f, const struct jobtable *t, const struct submission *sub,
                int states);
void folds_clear(struct folds *f);
/* Whether JOB is in one of them. */
bool fold_takes(const struct job *job);
/* The first element, as a job to look at. */
struct job fold_view(const struct fold *fold);
/* The indices, as an index set that is no longer than MAX or ends in ",..."; new. */
char *fold_ccs(const struct fold *fold, const struct submission *sub, size_t max);

#endif
