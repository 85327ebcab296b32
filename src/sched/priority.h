/* SPDX-License-Identifier: BSD-3-Clause */
/* priority: a job's place in the queue from several factors, each of them weighted.
 *
 * A factor is a share from 0 to 1: of the urgency, 16 being in the middle; of the age, the time that the job has
 * waited, up to a longest one; of the size, the part of the cores of the instance that it asks for (or, with
 * small_first, that it leaves); and the fair share of who pays for it, which comes from outside.
 * Weights say how much each counts. */
#ifndef HBATCH_SCHED_PRIORITY_H
#define HBATCH_SCHED_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>
#include "src/common/error.h"

struct priority_weights {
    double urgency, age, size, fairshare; /* >= 0 */
    double age_max;                       /* s, > 0 */
    bool small_first;
};

struct priority_factors {
    int urgency;      /* 0 (held) to 31 (expedite) */
    double age;       /* s */
    double size;      /* share of the cores, 0 to 1 */
    double fairshare; /* 0 (used too much) to 1 */
};

/* Urgency before all, then age up to a week; no size, no fair share. */
extern const struct priority_weights priority_default;

/* KEY=NUMBER[,...] with keys urgency, age, size, fairshare and age-max (seconds); small-first alone.  What
 * is not named is as in priority_default. -1 with err set. */
int priority_weights_parse(struct priority_weights *w, const char *text,
                           struct error *err);

/* For sched_reprioritize: 0 if the job is held, UINT64_MAX if its urgency is 31, else between.  Factors
 * beyond their range count as its ends. */
uint64_t priority_make(const struct priority_weights *w,
                       const struct priority_factors *f);

#endif
