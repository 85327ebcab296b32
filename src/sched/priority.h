/* SPDX-License-Identifier: BSD-3-Clause */
/* priority: a job's place in the queue from several factors, each of them weighted.
 *
 * A factor is a share from 0 to 1: of the urgency, 16 being in the middle; of the size, the part of the cores of the instance that it asks for (or, with
 * small_first, that it leaves); and the fair share of who pays for it, which comes from outside.  Weights say how much
 * each counts.  The age's weight is what a wait of age_max is worth, and longer waits are worth more in proportion: so the
 * order of two jobs is not changed by time alone, and a priority that counts ages from any fixed moment is good for as
 * long as a job waits. */
#ifndef HBATCH_SCHED_PRIORITY_H
#define HBATCH_SCHED_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

struct priority_weights {
    double urgency, age, size, fairshare; /* >= 0 */
    double age_max;                       /* s, > 0 */
    bool small_first;
};

struct priority_factors {
    int urgency;      /* 0 (held) to 31 (expedite) */
    double age;       /* s, of any sign */
    double size;      /* share of the cores, 0 to 1 */
    double fairshare; /* 0 (used too much) to 1 */
};

/* Urgency before all, then age, a week of which is worth less than a step of urgency; no size, no fair share. */
extern const struct priority_weights priority_default;

/* For sched_reprioritize: 0 if the job is held, UINT64_MAX if its urgency is 31, else between.  Factors
 * beyond their range count as its ends. */
uint64_t priority_make(const struct priority_weights *w,
                       const struct priority_factors *f);
/* The same as a number: the sum of weights times factors, whatever the urgency. */
double priority_sum(const struct priority_weights *w, const struct priority_factors *f);

#endif
