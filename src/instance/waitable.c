/* SPDX-License-Identifier: BSD-3-Clause */
/* waitable: jobs with the flag of that name, whose ends are told one by one to who waits for any of them. */
#include "src/instance/leader_impl.h"
#include "src/instance/stream_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"

struct waitables {
    struct any_waiter *first, **last; /* who waits for one */
    jobid_t *over;                    /* [from, n) have ended, and were not told yet */
    size_t from, n, room;
    bool ended; /* one has, since the last turn */
};

struct any_waiter {
    struct any_waiter *next;
    struct request rq;
};

static struct waitables *waitables(struct leader *ld)
{
    if (!ld->waitables) {
        ld->waitables = xcalloc(1, sizeof(*ld->waitables));
        ld->waitables->last = &ld->waitables->first;
    }
    return ld->waitables;
}

static void add(struct waitables *w, jobid_t id)
{
    if (w->n == w->room && w->from > w->n / 2) {
        memmove(w->over, w->over + w->from, (w->n - w->from) * sizeof(*w->over));
        w->n -= w->from;
        w->from = 0;
    }
    if (w->n == w->room) {
        w->room = MAX(2 * w->room, 64u);
        w->over = xrealloc(w->over, w->room * sizeof(*w->over));
    }
    w->over[w->n++] = id;
}

void waitable_over(struct leader *ld, const struct submission *sub, jobid_t first,
                   uint64_t n)
{
    if (!(sub->flags & JOB_WAITABLE))
        return;
    struct waitables *w = waitables(ld);
    w->ended = true;
    for (uint64_t i = 0; i < n; i++)
        add(w, jobid_nth(first, i));
    leader_wake(ld);
}

void waitable_told(struct leader *ld, jobid_t id)
{
    struct waitables *w = ld->waitables;
    for (size_t i = w ? w->from : 0; w && i < w->n; i++) {
        if (w->over[i] != id)
            continue;
        memmove(w->over + i, w->over + i + 1, (w->n - i - 1) * sizeof(*w->over));
        w->n--;
        return;
    }
}

static bool any_active(struct leader *ld)
{
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->sub->flags & JOB_WAITABLE)
            return true;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        if (jobtable_array(ld->jobs, i)->flags & JOB_WAITABLE)
            return true;
    return false;
}

void waitable_wait(struct leader *ld, const struct request *rq)
{
    struct waitables *w = waitables(ld);
    struct any_waiter *waiter = xcalloc(1, sizeof(*waiter));
    waiter->rq = *rq;
    *w->last = waiter;
    w->last = &waiter->next;
    w->ended = true; /* perhaps there is none */
    leader_wake(ld);
}

static struct any_waiter *take_waiter(struct waitables *w)
{
    struct any_waiter *waiter = w->first;
    w->first = waiter->next;
    if (!w->first)
        w->last = &w->first;
    return waiter;
}

void waitable_turn(struct leader *ld)
{
    struct waitables *w = ld->waitables;
    struct error err;
    while (w && w->first && w->from < w->n) {
        json_object *end = stream_find_end(ld, w->over[w->from++], &err);
        if (!end) /* it was purged */
            continue;
        struct any_waiter *waiter = take_waiter(w);
        reply_when_safe(ld, &waiter->rq, end);
        free(waiter);
    }
    if (!w || !w->first || !w->ended)
        return;
    w->ended = false;
    if (any_active(ld))
        return;
    error_set(&err, ECHILD, "there are no more waitable jobs");
    while (w->first) {
        struct any_waiter *waiter = take_waiter(w);
        reply_error(ld, &waiter->rq, &err);
        free(waiter);
    }
}

void waitable_client_gone(struct leader *ld, const struct client *c)
{
    struct waitables *w = ld->waitables;
    if (!w)
        return;
    for (struct any_waiter **p = &w->first, *waiter; (waiter = *p);) {
        if (c && waiter->rq.client != c) {
            p = &waiter->next;
            continue;
        }
        *p = waiter->next;
        free(waiter);
    }
    w->last = &w->first;
    while (*w->last)
        w->last = &(*w->last)->next;
}

void waitable_free(struct leader *ld)
{
    if (!ld->waitables)
        return;
    waitable_client_gone(ld, NULL);
    free(ld->waitables->over);
    free(take(ld->waitables));
}
