/* SPDX-License-Identifier: BSD-3-Clause */
/* place: strategies of placement: on which nodes a request goes, of all those that would do.
 *
 * Each is complete: where there is a place it finds one, so whether a job fits does not depend on its
 * strategy, and policies need not know of them.  A pool has one for all (pool_set_strategy), and a request may
 * have its own.  What "roomy" and "tight" mean is told in each file. */
#ifndef HBATCH_SCHED_PLACE_H
#define HBATCH_SCHED_PLACE_H

#include <stdbool.h>

struct query;

struct place_strategy {
    const char *name; /* "best" */
    const char *summary;
    bool tight; /* within a node, too: the smallest run of cores that will do */
    /* Fill the spots found (found_add), ascending nodes; false: there is no place, and what is found is
     * what there is.  For requests of nodes, and of slots alone. */
    bool (*nodes)(const struct query *q);
    bool (*slots)(const struct query *q);
};

extern const struct place_strategy place_best, place_first, place_spread;

/* Known strategies, ended by NULL; the first is the default. */
extern const struct place_strategy *const place_strategies[];
const struct place_strategy *place_strategy_find(const char *name); /* or NULL */

#endif
