/* SPDX-License-Identifier: BSD-3-Clause */
/* timeline: how much of each node will be free, and when.
 *
 * It begins with what is free at one time; after that, amounts go (what is planned begins) and come back
 * (what runs or is planned ends).  What is free all the time from one moment to another is found by counts
 * alone: which cores are meant is decided when a job starts, and any will do. */
#ifndef HBATCH_SCHED_TIMELINE_H
#define HBATCH_SCHED_TIMELINE_H

#include "src/sched/pool.h"

struct timeline;

/* Of the nodes of P, with what is free now, at time NOW.  It may be kept while time goes on, if it is told of all that
 * comes and goes. */
struct timeline *timeline_create(const struct pool *p, double now);
void timeline_destroy(struct timeline *t); /* NULL is allowed */

/* AMOUNT of node I is in use from BEGIN (-INFINITY: it is not free now) to END (INFINITY: for ever);
 * SIGN -1: it is not any more. */
void timeline_use(struct timeline *t, size_t i, struct pool_amount amount, double begin,
                  double end, int sign);

/* All is told that was known at first; later on there is less to tell. */
void timeline_ready(struct timeline *t);

/* AMOUNT of the node of RANK is not free now any more, until END; SIGN -1: it is, from now on, and was not until END. */
void timeline_take(struct timeline *t, unsigned rank, struct pool_amount amount,
                   double end, int sign);
/* It is NOW.  False: it is to be made anew, as what is free now is not what was foretold, or as too much in it is over. */
bool timeline_advance(struct timeline *t, double now);
double timeline_now(const struct timeline *t);

/* The first time, now or later, at which REQ has a place that stays free for DURATION (INFINITY: for ever).
 * Return the place (*N spots), valid until the next call, and the time; NULL: never. */
const struct pool_spot *timeline_find(struct timeline *t, const struct pool_request *req,
                                      double duration, double *when, size_t *n);

#endif
