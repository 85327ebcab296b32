/* SPDX-License-Identifier: BSD-3-Clause */
/* manager: a job's life, RFC 21: submitted and queued (here), given resources and started (manager_run.c), over
 * (manager_end.c) or queued again (manager_requeue.c). */
#include "src/instance/bypass.h"
#include "src/instance/change.h"
#include "src/instance/manager_impl.h"
#include "src/instance/record.h"
#include "src/instance/standing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/sched/setup.h"

void job_event(struct leader *ld, struct job *job, double when, const char *name,
               const char *context)
{
    if (ld->adopting)
        return;
    job->t_event = when = MAX(when, job->t_event); /* they may come from several clocks */
    bool plain = job_event_is_plain(name), element = job->sub->count > 1 && !job->rest;
    if (element && plain && !job->logged && job->log.len == 0 && !job->streams)
        return;
    if (element && !plain)
        job_log(job);
    job->odd |= !plain;
    size_t start = job->log.len;
    strbuf_add(&job->log, "{\"timestamp\":");
    strbuf_add_time(&job->log, when);
    strbuf_add(&job->log, ",\"name\":\"");
    strbuf_add(&job->log, name);
    strbuf_add(&job->log, "\"");
    if (context) {
        strbuf_add(&job->log, ",\"context\":");
        strbuf_add(&job->log, context);
    }
    strbuf_add(&job->log, "}\n");
    if (job->streams)
        stream_event(ld, job, job->log.s + start, job->log.len - start - 1);
    /* the log of an element is made up from its times when it is asked for */
    if (job_is_logged(job)) {
        joblog_add(&ld->joblog, job, ld->store, job->log.s + start);
        change_event(ld, job, job->log.s + start);
    }
}

/* A job that is longer than the instance lives; one that is longer than it lives now waits. */
int manager_check_duration(const struct leader *ld, const struct job_shape *shape,
                           struct error *err)
{
    double life = ld->config.expiration - ld->config.starttime;
    char want[DURATION_BUFSIZE], have[DURATION_BUFSIZE];
    if (ld->config.expiration <= 0 || shape->duration <= life)
        return 0;
    return error_set(
        err, EINVAL,
        "a job of %s can never run: this instance lives for %s, from its start "
        "on; ask for a shorter --time-limit",
        duration_encode(shape->duration, want), duration_encode(round(life), have));
}

/* The most tasks that a job of this shape can come to have here. */
static uint64_t most_tasks(const struct leader *ld, const struct job_shape *shape)
{
    uint64_t nodes = MIN((uint64_t)shape->nnodes_max, pool_nnodes(ld->pool));
    return shape->ntasks ? shape->ntasks
                         : MAX(nodes, 1u) * shape->nslots * shape->tasks_per_slot;
}

static int check_submission(struct leader *ld, struct submission *sub,
                            const struct submit_options *opts, struct error *err)
{
    const struct job_shape *shape = jobspec_shape(sub->spec);
    struct pool_request req = {.shape = *shape, .constraint = sub->constraint};
    if (ld->shutdown)
        return error_set(err, ESHUTDOWN, "the instance is shutting down (%s)",
                         ld->shutdown);
    if (most_tasks(ld, shape) > TASKMAP_NTASKS_MAX)
        return error_set(err, EINVAL, "%ju tasks were asked for; a job has at most %u",
                         (uintmax_t)most_tasks(ld, shape), TASKMAP_NTASKS_MAX);
    const char *placement = jobspec_placement(sub->spec);
    if (placement && !sched_setup_place(placement, err))
        return -1;
    json_object *tries = jobspec_option(sub->spec, "retry");
    int64_t n;
    if (tries && !jsonutil_int(tries, 0, MANAGER_RETRY_MAX, &n))
        return error_set(err, EINVAL,
                         "option retry: must be a number from 0 to %d, not %s",
                         MANAGER_RETRY_MAX, jsonutil_show(tries).text);
    const struct queue_state *queue = queues_of(ld->queues, sub->spec);
    bool queued = !bypass_is(sub->spec);
    if (preempt_check(sub->spec, err) < 0 ||
        (queued && queues_check_size(ld->queues, queue, shape, err) < 0) ||
        (queued && queues_check_room(ld->queues, queue, sub->count, err) < 0) ||
        manager_check_duration(ld, shape, err) < 0 || depend_lookup(ld, sub, err) < 0)
        return -1;
    if (!queued)
        return bypass_check(ld, sub, err);
    if (opts->parent) {
        struct job *parent = jobtable_find(ld->jobs, opts->parent);
        if (parent && parent->pl)
            return pool_satisfiable_beside(ld->pool, &req, job_held(parent), err);
    }
    return pool_satisfiable(ld->pool, &req, err);
}

void manager_enqueue(struct leader *ld, struct job *job)
{
    if (bypass_is(job->sub->spec)) {
        ld->have_bypass = true; /* started when its submission was told */
        leader_wake(ld);
        return;
    }
    /* what was accepted here can run here */
    if (!ld->config.keeps || job_check(job, ld->pool))
        queues_enqueue(ld, job);
}

static void queue_for_resources(struct leader *ld, struct job *job, double now)
{
    char context[64];
    job_event(ld, job, now, "depend", NULL);
    snprintf(context, sizeof(context), "{\"priority\":%lld}",
             (long long)standing_shown(ld->queues, job, now));
    job_event(ld, job, now, "priority", context);
    if (job->rest)
        elements_queue(ld, job->sub);
    else
        manager_enqueue(ld, job);
}

/* INDEX: of an array of one. */
static void queue_job(struct leader *ld, struct submission *sub, int64_t index,
                      double now, const struct submit_options *opts)
{
    char context[128];
    struct job *job = sub->array ? element_rest_make(sub, opts->urgency, NULL, now)
                                 : job_create(sub, 0, index, opts->urgency, now);
    if (sub->array)
        jobtable_add_array(ld->jobs, sub);
    else
        jobtable_add(ld->jobs, job);
    snprintf(context, sizeof(context),
             "{\"userid\":%u,\"urgency\":%d,\"flags\":%u,\"version\":1}", geteuid(),
             job->urgency, sub->flags & ~(unsigned)JOB_BULK);
    job_event(ld, job, now, "submit", context);
    if (!depend_wait(ld, job))
        queue_for_resources(ld, job, now);
}

void manager_release(struct leader *ld, struct job *job)
{
    job->state = JOB_SCHED;
    free(take(job->reason));
    queue_for_resources(ld, job, time_now());
    change_depends(ld, job);
    leader_wake(ld);
}

struct submission *manager_submit(struct leader *ld, json_object *o,
                                  const struct submit_options *opts, struct error *err)
{
    int64_t index = -1;
    struct submission *sub = submission_make(ld, o, opts->cc, err);
    if (!sub)
        return NULL;
    sub->count = sub->left = 1;
    if ((sub->cc && element_array(sub, sub->cc, opts->urgency, &index, err) < 0) ||
        check_submission(ld, sub, opts, err) < 0) {
        specs_put(ld->specs, sub->jobspec_text);
        specs_put(ld->specs, sub->env_text);
        submission_drop(sub);
        return NULL;
    }
    double now = time_now();
    sub->first = jobid_gen_next(&ld->gen, (uint64_t)(now * 1000), sub->count);
    sub->grant = sub->count == 1 ? job_grant_of(sub->spec) : 0;
    sub->key = opts->key ? xstrdup(opts->key) : NULL;
    if (opts->key)
        keys_add(ld->keys, opts->key, sub->first, sub->count);
    sub->flags |= opts->flags;
    sub->parent = opts->parent;
    sub->parent_rank = opts->parent_rank;
    sub->preput = json_object_get(opts->preput);
    sub->spawn_from = opts->spawn_from;
    sub->spawn_token = opts->spawn_token;
    record_submission(ld->store, sub, now, opts->urgency);
    queues_count(ld, sub, (int64_t)sub->count);
    depend_submitted(ld, sub);
    queue_job(ld, sub, index, now, opts);
    change_submitted(ld, sub, now, opts->urgency);
    if (sub->grant)
        grant_queued(ld, jobtable_find(ld->jobs, sub->first));
    submission_drop(sub); /* its job, or the table, holds it */
    leader_wake(ld);
    return sub;
}

void manager_urgency(struct leader *ld, struct job *job, int urgency)
{
    char context[64];
    job->urgency = urgency;
    snprintf(context, sizeof(context), "{\"userid\":%u,\"urgency\":%d}", geteuid(),
             urgency);
    double now = time_now();
    job_event(ld, job, now, "urgency", context);
    uint64_t priority = standing_priority(ld->queues, job);
    int64_t shown = standing_shown(ld->queues, job, now);
    if (job->state < JOB_RUN) {
        snprintf(context, sizeof(context), "{\"priority\":%lld}", (long long)shown);
        if (job->state != JOB_DEPEND) /* else when it is released */
            job_event(ld, job, now, "priority", context);
        sched_reprioritize(ld->sched, &job->sj, priority);
        if (job->ahead >= 0)
            lease_recall(ld, (unsigned)job->ahead);
    }
    change_urgency(ld, job);
    store_job_urgency(ld->store, job->sj.id, urgency, shown);
    leader_wake(ld);
}

void manager_memo(struct leader *ld, struct job *job, json_object *memo, bool logged)
{
    const int plain = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    job_note(job, memo);
    if (job->sub->parent && jsonutil_get(memo, "detached"))
        stream_let_go(ld, job);
    if (logged)
        job_event(ld, job, time_now(), "memo",
                  json_object_to_json_string_ext(memo, plain));
    change_memo(ld, job, memo);
    grow_noted(ld, job);
    grant_noted(ld, job);
    leader_wake(ld);
}
