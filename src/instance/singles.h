/* SPDX-License-Identifier: BSD-3-Clause */
/* singles: jobs that wait until all that were submitted before them under the same name are over (dependency singleton).
 *
 * By name there are those that wait, in order, and before each how many others are active.  What is submitted or over
 * changes one number, which is found by bisection; a singleton whose number comes to 0, and that nobody waits before, is
 * free.  An array counts as one, by the id of its first element. */
#ifndef HBATCH_INSTANCE_SINGLES_H
#define HBATCH_INSTANCE_SINGLES_H

#include <stdbool.h>
#include "src/common/jobid.h"

struct singles;
struct dependency; /* depend.h */

struct singles *singles_create(void);
void singles_destroy(struct singles *s); /* NULL is allowed */

/* ID is active, under NAME; it may wait itself, and singles_add will say so. */
void singles_count(struct singles *s, const char *name, jobid_t id);
/* Whether nothing is active that has this name, but ID, which is counted, and what came after it; ID 0: nothing at
 * all. */
bool singles_is_first(const struct singles *s, const char *name, jobid_t id);
/* D is of ID, which is counted, and which waits; several may be of one. */
void singles_add(struct singles *s, const char *name, jobid_t id, struct dependency *d);
/* D waits no more, for another reason. */
void singles_remove(struct singles *s, const char *name, jobid_t id,
                    struct dependency *d);
/* ID is over.  True: there are some that are free now, *N of them, in *LIST, to be freed. */
bool singles_over(struct singles *s, const char *name, jobid_t id,
                  struct dependency ***list, size_t *n);

#endif
