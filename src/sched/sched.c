/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/sched.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "src/common/util.h"
#include "src/sched/policy.h"
#include "src/sched/queue.h"

struct sched {
    struct pool *pool;
    const struct sched_policy *policy;
    void *priv; /* the policy's */
    sched_start_f start;
    void *arg;
    struct queue queue;
    struct queue late; /* jobs that cannot end before END any more */
    double end;        /* 0: never */
    size_t queued;
    uint64_t tickets; /* given out by sched_add */
    bool changed;     /* the queue, since the last pass */
    uint64_t gains;   /* pool_gains at the last pass */
    bool running;     /* in a pass */
    double now;
    size_t started; /* in this pass */
};

const struct sched_policy *const sched_policies[] = {&policy_fcfs, NULL};

const struct sched_policy *sched_policy_find(const char *name)
{
    for (size_t i = 0; name && sched_policies[i]; i++)
        if (strcmp(sched_policies[i]->name, name) == 0)
            return sched_policies[i];
    return NULL;
}

struct sched *sched_create(struct pool *pool, const struct sched_policy *policy,
                           sched_start_f start, void *arg)
{
    struct sched *s = xcalloc(1, sizeof(*s));
    s->pool = pool;
    s->policy = policy;
    s->start = start;
    s->arg = arg;
    if (policy->init && policy->init(s) < 0)
        free(take(s));
    return s;
}

void sched_destroy(struct sched *s)
{
    if (!s)
        return;
    if (s->policy->fini)
        s->policy->fini(s);
    free(s);
}

enum { IN_QUEUE = 1, IN_LATE };

static struct queue *queue_of(struct sched *s, const struct sched_job *job)
{
    return job->queued == IN_LATE ? &s->late : &s->queue;
}

struct pool *sched_pool(struct sched *s)
{
    return s->pool;
}

void **sched_priv(struct sched *s)
{
    return &s->priv;
}

void sched_add(struct sched *s, struct sched_job *job)
{
    assert(!job->queued && job->count > 0);
    job->queued = IN_QUEUE;
    job->ticket = ++s->tickets;
    queue_insert(&s->queue, job);
    s->queued += job->count;
    s->changed = true;
}

void sched_remove(struct sched *s, struct sched_job *job)
{
    if (!job->queued)
        return;
    queue_remove(queue_of(s, job), job);
    job->queued = 0;
    s->queued -= job->count;
    s->changed = true;
}

void sched_reprioritize(struct sched *s, struct sched_job *job, uint64_t priority)
{
    if (job->queued && priority != job->priority) {
        struct queue *q = queue_of(s, job);
        queue_remove(q, job);
        job->priority = priority;
        queue_insert(q, job);
        s->changed = true;
    }
    job->priority = priority;
}

static void leave(struct sched *s, struct sched_job *job)
{
    s->queued--;
    if (--job->count == 0) {
        queue_remove(queue_of(s, job), job);
        job->queued = 0;
    }
}

void sched_take(struct sched *s, struct sched_job *job)
{
    assert(job->queued && job->count > 0);
    leave(s, job);
    s->changed = true;
}

void sched_hand_over(struct sched *s, const struct sched_job *job, const struct rset *r,
                     double now)
{
    if (s->policy->ended)
        s->policy->ended(s, r);
    if (s->policy->started)
        s->policy->started(s, job, r, now);
}

void sched_end(struct sched *s, const struct rset *r)
{
    if (s->policy->ended)
        s->policy->ended(s, r);
    pool_free(s->pool, r);
}

static struct sched_job *unless_held(struct sched_job *job)
{
    return job && job->priority > 0 ? job : NULL; /* held ones are at the end */
}

static bool is_late(const struct sched *s, const struct sched_job *job)
{
    return s->end > 0 && job->duration > 0 && s->now + job->duration > s->end;
}

/* Time only goes on: what is late once stays so, and is not looked at again. */
static void set_aside(struct sched *s, struct sched_job *job)
{
    queue_remove(&s->queue, job);
    queue_insert(&s->late, job);
    job->queued = IN_LATE;
}

void sched_set_end(struct sched *s, double end)
{
    s->end = end;
    s->changed = true;
    for (struct sched_job *job; (job = s->late.first);) {
        queue_remove(&s->late, job);
        queue_insert(&s->queue, job);
        job->queued = IN_QUEUE;
    }
}

double sched_next_late(const struct sched *s)
{
    const struct sched_job *job = unless_held(s->queue.first);
    return s->end > 0 && job && job->duration > 0 ? s->end - job->duration : 0;
}

struct sched_job *sched_first(struct sched *s)
{
    struct sched_job *job;
    while ((job = unless_held(s->queue.first)) && is_late(s, job))
        set_aside(s, job);
    return job;
}

struct sched_job *sched_next(struct sched *s, struct sched_job *job)
{
    struct sched_job *next;
    while ((next = unless_held(queue_next(job))) && is_late(s, next))
        set_aside(s, next);
    return next;
}

void sched_start(struct sched *s, struct sched_job *job, struct placement *pl)
{
    assert(job->queued && job->count > 0 && job->priority > 0);
    s->started++;
    leave(s, job);
    if (s->policy->started)
        s->policy->started(s, job, pl->rset, s->now);
    s->start(job, pl, s->arg); /* last: it may end the life of the job */
}

size_t sched_run(struct sched *s, double now)
{
    if (s->running)
        return 0;
    s->now = now;
    struct sched_job *head = unless_held(s->queue.first);
    if (!s->changed && s->gains == pool_gains(s->pool) && !(head && is_late(s, head)))
        return 0;
    s->running = true;
    s->changed = false;
    s->gains =
        pool_gains(s->pool); /* before: what comes back meanwhile is seen next time */
    s->started = 0;
    s->policy->pass(s, now);
    s->running = false;
    return s->started;
}

size_t sched_queued(const struct sched *s)
{
    return s->queued;
}
