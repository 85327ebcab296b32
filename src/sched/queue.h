/* SPDX-License-Identifier: BSD-3-Clause */
/* queue: the pending jobs in order: greater priority first, then smaller id.
 *
 * A treap that lives in the jobs themselves: a search tree by order that is also a heap by
 * a pseudo-random weight, so that it stays about 2 log2(n) deep whatever order jobs come in,
 * without memory of its own. */
#ifndef HBATCH_SCHED_QUEUE_H
#define HBATCH_SCHED_QUEUE_H

#include "src/sched/sched.h"

struct queue {
    struct sched_job *root, *first, *last;
    uint64_t seed; /* of the weights; any value */
};

/* JOB is in no queue; its id and priority do not change while it is in one. */
void queue_insert(struct queue *q, struct sched_job *job);
void queue_remove(struct queue *q, struct sched_job *job);
struct sched_job *queue_next(struct sched_job *job);

#endif
