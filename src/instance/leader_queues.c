/* SPDX-License-Identifier: BSD-3-Clause */
/* leader_queues: what the configuration and the state of queues mean to the leader's scheduler, and who waits for queues
 * to be empty or idle. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"
#include "src/instance/standing.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* --- the scheduler ---------------------------------------------------------------------------- */

/* Jobs of a queue that is not configured any more have their own. */
enum { NO_LANE = SCHED_LANES - 1 };

static unsigned lane_of(const struct leader *ld, const struct jobspec *spec)
{
    const struct queues *q = ld->queues;
    if (q->config->nqueues == 0)
        return 0;
    const struct queue_state *s = queues_find(q, jobspec_queue(spec));
    return s ? (unsigned)(s - q->v) : NO_LANE;
}

void queues_enqueue(struct leader *ld, struct job *job)
{
    job->sj.lane = lane_of(ld, job->sub->spec);
    job->sj.priority = standing_priority(ld->queues, job);
    sched_add(ld->sched, &job->sj);
}

/* A queue's jobs hold up those of its parent, and of no other one. */
static void set_lanes(struct leader *ld)
{
    const struct queues *q = ld->queues;
    bool named = q->config->nqueues > 0;
    char why[8];
    sched_halt(ld->sched, !named && q->v[0].stopped);
    for (size_t i = 0; named && i < q->n; i++)
        sched_set_lane(ld->sched, (unsigned)i,
                       (unsigned)(queues_parent(q, &q->v[i]) - q->v),
                       queues_why_stopped(q, &q->v[i], why, sizeof(why)) != NULL);
}

/* How many more jobs of S may run. */
static void set_room(struct leader *ld, const struct queue_state *s)
{
    int64_t most = queues_limits(ld->queues, s)->max_running;
    uint64_t room = most < 0                       ? UINT64_MAX
                    : s->running >= (uint64_t)most ? 0
                                                   : (uint64_t)most - s->running;
    if (ld->sched)
        sched_set_room(ld->sched, (unsigned)(s - ld->queues->v), room);
}

int queues_make_sched(struct leader *ld, struct error *err)
{
    struct sched_setup setup = ld->queues->config->setup;
    if (!setup.policy && sched_setup_parse(&setup, ld->config.policy, err) < 0)
        return -1;
    ld->sched = sched_create(ld->pool, setup.policy, manager_start, ld);
    sched_set_depth(ld->sched, setup.depth);
    pool_set_strategy(ld->pool, setup.place);
    sched_set_end(ld->sched, ld->config.expiration);
    set_lanes(ld);
    return 0;
}

/* Out of the old scheduler's queue, to be put into the new one's. */
struct moved {
    struct job **v;
    size_t n, room;
};

static void take_out(struct leader *ld, struct moved *m, struct job *job)
{
    if (!job->sj.queued)
        return;
    sched_remove(ld->sched, &job->sj);
    if (m->n == m->room) {
        m->room = MAX(2 * m->room, (size_t)64);
        m->v = xrealloc(m->v, m->room * sizeof(struct job *));
    }
    m->v[m->n++] = job;
}

void queues_configured(struct leader *ld)
{
    struct moved m = {0};
    struct error err;
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        take_out(ld, &m, job);
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        for (int g = 0; g < ARRAY_GROUPS; g++)
            if (jobtable_array(ld->jobs, i)->rests[g])
                take_out(ld, &m, jobtable_array(ld->jobs, i)->rests[g]);
    sched_destroy(take(ld->sched));
    queues_make_sched(ld, &err); /* which was possible before */
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->state == JOB_RUN && job->pl && !job->former && !job->handed)
            sched_adopt(ld->sched, job_held(job),
                        job->sj.duration > 0 ? job->t_run + job->sj.duration : 0);
    for (size_t i = 0; i < m.n; i++)
        queues_enqueue(ld, m.v[i]);
    free(m.v);
    queues_recount(ld);
    change_config(ld);
    ld->trim.at = 0; /* its limits are others */
    lease_recall_all(ld);
    leader_wake(ld);
}

void queues_set(struct leader *ld)
{
    set_lanes(ld);
    change_config(ld);
    lease_recall_all(ld);
    leader_wake(ld);
}

/* --- counts ----------------------------------------------------------------------------------- */

void queues_count(struct leader *ld, struct submission *sub, int64_t n)
{
    queues_of(ld->queues, sub->spec)->active += (uint64_t)n;
    account_count(ld, sub, n);
}

void queues_count_running(struct leader *ld, struct job *job, int n)
{
    const struct rset *r = job_held(job);
    struct queue_state *s = queues_of(ld->queues, job->sub->spec);
    s->running += (uint64_t)(int64_t)n;
    set_room(ld, s);
    if (!job->former)
        account_running(ld, job->sub, n, r ? n * (double)rset_ncores(r) : 0);
}

void queues_recount(struct leader *ld)
{
    for (size_t i = 0; i < ld->queues->n; i++)
        ld->queues->v[i].active = ld->queues->v[i].running = 0;
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        struct queue_state *q = queues_of(ld->queues, job->sub->spec);
        q->active++;
        q->running += job->pl && job->state == JOB_RUN;
    }
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        const struct submission *sub = jobtable_array(ld->jobs, i);
        queues_of(ld->queues, sub->spec)->active += array_number(sub->array, ARRAY_REST);
    }
    account_recount(ld);
    for (size_t i = 0; i < ld->queues->n; i++)
        set_room(ld, &ld->queues->v[i]);
}

/* --- who waits -------------------------------------------------------------------------------- */

struct queue_waiter {
    struct queue_waiter *next;
    struct request rq;
    bool idle;  /* else until it is empty */
    char *name; /* of a queue, NULL: all */
};

static bool counts_for(const struct leader *ld, const struct queue_waiter *w,
                       const struct queue_state *s)
{
    const struct queue_state *parent = queues_parent(ld->queues, s);
    return !w->name || (s->name && strcmp(s->name, w->name) == 0) ||
           (parent->name && strcmp(parent->name, w->name) == 0);
}

static bool is_met(const struct leader *ld, const struct queue_waiter *w)
{
    for (size_t i = 0; i < ld->queues->n; i++) {
        const struct queue_state *s = &ld->queues->v[i];
        if (counts_for(ld, w, s) && (w->idle ? s->running : s->active) > 0)
            return false;
    }
    return true;
}

static void free_waiter(struct queue_waiter *w)
{
    free(w->name);
    free(w);
}

void queues_wait(struct leader *ld, const struct request *rq, const char *name, bool idle)
{
    struct queue_waiter *w = xcalloc(1, sizeof(*w));
    *w = (struct queue_waiter){.next = ld->queue_waiters,
                               .rq = *rq,
                               .idle = idle,
                               .name = name ? xstrdup(name) : NULL};
    ld->queue_waiters = w;
    leader_wake(ld);
}

void queues_turn(struct leader *ld)
{
    for (struct queue_waiter **p = &ld->queue_waiters, *w; (w = *p);) {
        if (!is_met(ld, w)) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        reply_when_safe(ld, &w->rq, json_object_new_object());
        free_waiter(w);
    }
}

void queues_client_gone(struct leader *ld, const struct client *c)
{
    for (struct queue_waiter **p = &ld->queue_waiters, *w; (w = *p);) {
        if (c && w->rq.client != c) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        free_waiter(w);
    }
}
