/* SPDX-License-Identifier: BSD-3-Clause */
/* pending: requests to another executor or the leader that wait for their answer, each with a token
 * of its own and, where that was asked for, a time after which nobody waits any more. */
#ifndef HBATCH_PMI_PENDING_H
#define HBATCH_PMI_PENDING_H

#include <stdint.h>
#include <uv.h>

struct pending_list { /* zeroed, but for the loop */
    uv_loop_t *loop;
    uint64_t tokens;
    struct pending *first;
};

/* The first member of a request, which comes from malloc. */
struct pending {
    struct pending *next, **pprev;
    uint64_t token;
    uv_timer_t timer;
    void (*expired)(struct pending *p);
};

/* P becomes one of LIST; EXPIRED is called after TIMEOUT seconds (0: never), with P still there. */
void pending_add(struct pending_list *list, struct pending *p, double timeout,
                 void (*expired)(struct pending *p));
struct pending *pending_find(const struct pending_list *list,
                             uint64_t token); /* or NULL */
/* P is done: it is freed, once its timer has closed; what its request refers to is the caller's. */
void pending_remove(struct pending *p);

#endif
