/* SPDX-License-Identifier: BSD-3-Clause */
/* subend: what an instance and its parent count on when it ends as a job.
 *
 * Programs, and tasks of jobs inside, have the same time on each level from the polite signal to SIGKILL: the
 * grace, which the parent tells its child at the start.  A job that is an instance gets a margin beside it, to take
 * down what did not end in that time, and to close its store in order.  The margin of a level is half of its
 * parent's: what is further down is over first. */
#ifndef HBATCH_JOB_SUBEND_H
#define HBATCH_JOB_SUBEND_H

/* Exit code of an instance: the time limit came before the program had ended (as timeout(1) says it). */
#define EXIT_EXPIRED 124
/* s, from SIGTERM to SIGKILL. */
#define SUBEND_GRACE 5.0
/* Who gives less is in a hurry, and nobody gets a margin. */
#define SUBEND_HURRY 1.0
/* s before its limit: what ends an instance so late is that limit. Timers of two processes are not one. */
#define SUBEND_NEAR 0.5

/* s beside its grace for a job that is an instance, in an instance of LEVEL. */
static inline double subend_margin(unsigned level)
{
    double margin = 8;
    while (level-- > 0)
        margin /= 2;
    return margin;
}

#endif
