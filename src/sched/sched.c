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
    job->queued = 1;
    job->ticket = ++s->tickets;
    queue_insert(&s->queue, job);
    s->queued += job->count;
    s->changed = true;
}

void sched_remove(struct sched *s, struct sched_job *job)
{
    if (!job->queued)
        return;
    queue_remove(&s->queue, job);
    job->queued = 0;
    s->queued -= job->count;
    s->changed = true;
}

void sched_reprioritize(struct sched *s, struct sched_job *job, uint64_t priority)
{
    if (job->queued && priority != job->priority) {
        queue_remove(&s->queue, job);
        job->priority = priority;
        queue_insert(&s->queue, job);
        s->changed = true;
    }
    job->priority = priority;
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

struct sched_job *sched_first(struct sched *s)
{
    return unless_held(s->queue.first);
}

struct sched_job *sched_next(struct sched *s, struct sched_job *job)
{
    (void)s;
    return unless_held(queue_next(job));
}

void sched_start(struct sched *s, struct sched_job *job, struct placement *pl)
{
    assert(job->queued && job->count > 0 && job->priority > 0);
    s->queued--;
    s->started++;
    if (--job->count == 0) {
        queue_remove(&s->queue, job);
        job->queued = 0;
    }
    if (s->policy->started)
        s->policy->started(s, job, pl->rset, s->now);
    s->start(job, pl, s->arg); /* last: it may end the life of the job */
}

size_t sched_run(struct sched *s, double now)
{
    if (s->running || (!s->changed && s->gains == pool_gains(s->pool)))
        return 0;
    s->running = true;
    s->changed = false;
    s->gains =
        pool_gains(s->pool); /* before: what comes back meanwhile is seen next time */
    s->now = now;
    s->started = 0;
    s->policy->pass(s, now);
    s->running = false;
    return s->started;
}

size_t sched_queued(const struct sched *s)
{
    return s->queued;
}
