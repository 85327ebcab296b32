/* SPDX-License-Identifier: BSD-3-Clause */
/* book: what runs until when, for policies that plan.
 *
 * The book counts, for each node, what comes back before and until a certain time, its *horizon*,
 * which can be moved to and fro.  It knows a job by the cores that it has: what ends is told by an R,
 * which may be a part of what was added. */
#ifndef HBATCH_SCHED_BOOK_H
#define HBATCH_SCHED_BOOK_H

#include "src/sched/pool.h"

struct book;

struct book *book_create(void);
void book_destroy(struct book *b); /* NULL is allowed */

/* R runs until END (INFINITY: nobody knows); R, or some of it, has ended. Unknown cores are
 * passed over. */
void book_add(struct book *b, const struct rset *r, double end);
void book_remove(struct book *b, const struct rset *r);

/* What ends before the horizon, and what ends until then; -INFINITY at first. */
void book_set_horizon(struct book *b, double t);
double book_horizon(const struct book *b);
struct pool_amount book_before(const struct book *b, unsigned rank);
struct pool_amount book_until(const struct book *b, unsigned rank);
/* The latest end before the horizon, the first one after it. -INFINITY, NAN: there is none. */
double book_previous_end(const struct book *b);
double book_next_end(const struct book *b);

/* The ranks for which the counts have changed since the last call, until the next change. */
const unsigned *book_changes(struct book *b, size_t *n);

/* Call F for each part of what runs, in the order of their ends. */
void book_each(const struct book *b,
               void (*f)(void *arg, unsigned rank, struct pool_amount amount, double end),
               void *arg);
/* When what has the first core of R ends; NAN: that is unknown. */
double book_end_of(const struct book *b, const struct rset *r);

#endif
