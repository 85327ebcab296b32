/* SPDX-License-Identifier: BSD-3-Clause */
/* kinds: the pending jobs sorted by what they ask for.
 *
 * All jobs of one *kind* ask for the same resources, so when one of them finds no place, none
 * does.  A policy that looks at the whole queue looks at its kinds instead, which are few where jobs
 * are many. */
#ifndef HBATCH_SCHED_KINDS_H
#define HBATCH_SCHED_KINDS_H

#include "src/sched/sched.h"

struct sched_kind {
    struct pool_request req;
    struct tree jobs; /* in the queue's order */
    uint64_t hash;
    struct sched_kind *chain; /* next of the same hash */
    size_t slot;              /* where kinds->list has it */
    bool gone;                /* has no jobs, and is freed when it is not held */
    /* the policy's; zero in a new one */
    struct sched_job *candidate;
    uint64_t full;    /* found no place at this state of the pool */
    uint64_t refused; /* none for a job that is long, in this state of things */
};

struct kinds {
    struct sched_kind **list; /* [n] in no order */
    size_t n, room;
    struct sched_kind **table;
    size_t size;
    bool held;                /* no kind is freed now */
    struct sched_kind *freed; /* those that are to be, by chain */
};

void kinds_init(struct kinds *ks);
void kinds_clear(struct kinds *ks);
/* JOB's kind is in job->kind while it is there. */
void kinds_insert(struct kinds *ks, struct sched_job *job);
void kinds_remove(struct kinds *ks, struct sched_job *job);
/* While kinds are held, those that lose all their jobs stay as objects (gone is set). */
void kinds_hold(struct kinds *ks);
void kinds_release(struct kinds *ks);

/* The first job of KIND in order, not before what PRIORITY and ID say, whose duration is at most
 * LIMIT (0, which is unlimited, counts as INFINITY); held ones are not shown. */
struct sched_job *kind_next(const struct sched_kind *k, uint64_t priority, uint64_t id,
                            double limit);

#endif
