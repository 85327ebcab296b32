/* SPDX-License-Identifier: BSD-3-Clause */
/* queue: the pending jobs in order: greater priority first, then smaller id. */
#ifndef HBATCH_SCHED_QUEUE_H
#define HBATCH_SCHED_QUEUE_H

#include "src/sched/sched.h"

struct queue {
    struct tree tree;
};

void queue_init(struct queue *q);
/* JOB is in no queue; its id and priority do not change while it is in one. */
void queue_insert(struct queue *q, struct sched_job *job);
void queue_remove(struct queue *q, struct sched_job *job);
struct sched_job *queue_first(const struct queue *q); /* or NULL */
struct sched_job *queue_next(struct sched_job *job);
/* How many are before JOB in its queue. */
size_t queue_position(struct sched_job *job);
bool queue_before(const struct sched_job *a, const struct sched_job *b);

#endif
