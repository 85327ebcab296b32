/* SPDX-License-Identifier: BSD-3-Clause */
/* manager: a job's life, RFC 21: submitted, queued, given resources, started, over. */
#include "src/instance/bypass.h"
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"
#include "src/instance/mapping.h"
#include "src/instance/record.h"
#include "src/instance/standing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/sched/setup.h"

enum { RETRY_MAX = 1000 };

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
    if (tries && !jsonutil_int(tries, 0, RETRY_MAX, &n))
        return error_set(err, EINVAL,
                         "option retry: must be a number from 0 to %d, not %s", RETRY_MAX,
                         jsonutil_show(tries).text);
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

/* Elements of arrays, unless told otherwise, and jobs that were told to. */
bool manager_may_requeue(const struct job *job)
{
    json_object *option = jobspec_option(job->sub->spec, "requeue");
    if (option)
        return json_object_get_boolean(option);
    return job->sub->count > 1 && !(job->sub->flags & JOB_BULK);
}

double manager_expiration(const struct leader *ld, const struct job *job)
{
    double limit = job->sj.duration > 0 ? job->t_run + job->sj.duration : 0;
    const struct job *base = grant_base(ld, job);
    double end = base && base->expiration > 0 ? base->expiration : ld->config.expiration;
    return limit > 0 && end > 0 ? MIN(limit, end) : MAX(limit, end);
}

/* JOB gets PL at WHEN; -1 with err set: its tasks cannot be mapped. */
static int place(struct leader *ld, struct job *job, struct placement *pl, double when,
                 struct error *err)
{
    job->pl = pl;
    job->t_run = when;
    job->expiration = manager_expiration(ld, job);
    pl->rset->starttime = job->t_run;
    pl->rset->expiration = job->expiration;
    job->state = JOB_RUN;
    queues_count_running(ld, job, 1);
    preempt_started(ld, job);
    int rc = mapping_make(job, err);
    job_event(ld, job, job->t_run, "alloc", NULL);
    return rc;
}

void manager_start(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct leader *ld = arg;
    struct job *job = job_of(sj);
    struct error err;
    if (job->rest)
        job = elements_next(ld, job);
    int rc = place(ld, job, pl, time_now(), &err);
    change_placed(ld, job);
    if (job->sub->grant)
        grant_placed(ld, job);
    if (rc < 0) { /* the scheduler is in the middle of its pass: ended after it */
        job->unmapped = xstrdup(err.text);
        leader_wake(ld);
        ld->have_unmapped = true;
        return;
    }
    job_await_nodes(job);
    /* what must not run twice is known to have begun before it begins */
    bool once = ld->config.keeps && !manager_may_requeue(job);
    if (ld->config.publish || once)
        record_run(ld->store, job);
    ld->start_recorded |= once;
    launch_job(ld, job);
    stream_launched(ld, job);
}

struct job *manager_head(struct leader *ld)
{
    struct sched_job *sj = sched_first(ld->sched);
    return sj ? job_of(sj) : NULL;
}

struct job *manager_take_head(struct leader *ld)
{
    struct job *job = manager_head(ld);
    if (job->rest)
        return elements_next(ld, job);
    sched_remove(ld->sched, &job->sj);
    return job;
}

/* HEIR runs where JOB did.  It cannot fail with one node, and without a task map: see lease.c, is_eligible. */
static void begin_after(struct leader *ld, struct job *heir, const struct job *job)
{
    struct error err;
    if (place(ld, heir, take(heir->pl), job->heir_since, &err) < 0)
        log_error("%s", err.text);
}

/* What JOB had is its heir's at the moment in which JOB is over, or queued again. */
static void pass_on(struct leader *ld, struct job *job,
                    void (*tell)(struct leader *, const struct job *))
{
    struct job *heir = take(job->heir);
    if (!heir) {
        tell(ld, job);
        return;
    }
    change_hold(ld);
    if (tell == change_ended && heir->site && heir->site == job->site) {
        begin_after(ld, heir, job);
        change_followed(ld, job, heir);
    } else {
        tell(ld, job);
        begin_after(ld, heir, job);
        change_placed(ld, heir);
    }
    change_let_go(ld);
}

void manager_began(struct leader *ld, struct job *job, double when)
{
    struct error err;
    if (job->state < JOB_RUN) {
        if (place(ld, job, take(job->pl), when, &err) < 0)
            log_error("%s", err.text);
        change_placed(ld, job);
    }
    sched_hand_over(ld->sched, &job->sj, job->pl->rset, when);
    job_await_nodes(job);
    if (ld->config.publish)
        record_run_later(&ld->untold_runs, job);
    stream_launched(ld, job);
    if (job->ending) /* meanwhile */
        launch_end(ld, job, ld->end_grace, NULL);
    else if (ld->shutdown)
        manager_wind_up(ld, job, ld->shutdown);
}

void manager_end_unmapped(struct leader *ld)
{
    if (!ld->have_unmapped)
        return;
    ld->have_unmapped = false;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        cleanup_free char *why = take(job->unmapped);
        if (why)
            manager_exception(ld, job, "exec", 0, why);
    }
}

/* R was the job's; NULL: all that it ever had. */
static void tell_released(struct leader *ld, struct job *job, const struct rset *r,
                          bool final)
{
    cleanup_free char *ranks = r ? rset_ranks(r) : xstrdup("all");
    cleanup_free char *context =
        xasprintf("{\"ranks\":\"%s\",\"final\":%s}", ranks, final ? "true" : "false");
    job_event(ld, job, time_now(), "release", context);
}

static void job_over(struct leader *ld, struct job *job)
{
    double now = time_now();
    depend_forget(ld, job);
    queues_count(ld, job->sub, -1);
    if (job->pl) {
        queues_count_running(ld, job, -1);
        lease_slot_over(ld, job);
        tell_released(ld, job, job->held, true);
        if (!job->former && !job->handed)
            sched_end(ld->sched, job_held(job));
        job_event(ld, job, now, "free", NULL);
    }
    if (job->ngrants)
        grant_base_ends(ld, job, true);
    if (job->sub->grant)
        grant_over(ld, job);
    grow_job_over(ld, job);
    orders_job_over(ld, job);
    job->t_inactive = now;
    job->state = JOB_INACTIVE;
    job_event(ld, job, now, "clean", NULL);
    job->sub->left--;
    if (job->sub->array)
        array_end_one(job->sub->array, element_position(job));
    record_end(ld->store, job);
    pass_on(ld, job, change_ended);
    depend_over(ld, job);
    stream_job_over(ld, job);
    if (job->sub->spawn_from >= 0 && !job->started)
        spawn_answer(ld, job, ECANCELED,
                     job->exception ? job->exception->note
                                    : "the job ended before its start");
    if (ld->nspawned)
        spawn_over(ld, job);
    account_removed(ld, job);
    jobtable_remove(ld->jobs, job);
    if (job->sub->array) {
        if (job->sub->left == 0)
            elements_array_over(ld, job->sub);
    } else {
        specs_put(ld->specs, job->sub->jobspec_text);
        specs_put(ld->specs, job->sub->env_text);
    }
    job_free(job);
    leader_wake(ld);
}

/* An element of an array: its times no longer tell its story. */
void manager_keep_log(struct leader *ld, struct job *job)
{
    if (job_is_logged(job))
        return;
    joblog_add(&ld->joblog, job, ld->store, job_log(job)->s);
    job->logged = job->told = true;
    change_log(ld, job);
}

/* Back to the queue, as if it had never started: what remains of the try is in its log. */
static void requeue(struct leader *ld, struct job *job)
{
    job_event(ld, job, time_now(), "requeue", NULL);
    manager_keep_log(ld, job);
    grant_base_ends(ld, job, true);
    grow_job_over(ld, job);
    orders_job_over(ld, job);
    lease_slot_over(ld, job);
    if (job->pl)
        queues_count_running(ld, job, -1);
    if (job->pl && !job->former && !job->handed)
        sched_end(ld->sched, job_held(job));
    job_reset(job);
    pass_on(ld, job, change_requeued);
    store_job_requeue(ld->store, job->sj.id);
    manager_enqueue(ld, job);
    leader_wake(ld);
}

/* Whether it is to be tried again, as its tasks failed by themselves; then there is an event of it. */
static bool retry(struct leader *ld, struct job *job, double when)
{
    int64_t tries = 0;
    const struct job_exception *e =
        job->exception && job->exception->severity == 0 ? job->exception : NULL;
    json_object *option = jobspec_option(job->sub->spec, "retry");
    bool failed = e ? strcmp(e->type, "abort") == 0 ||
                          (strcmp(e->type, "exec") == 0 && job->started)
                    : job->status > 0;
    if (!option || !jsonutil_int(option, 0, RETRY_MAX, &tries) || ld->shutdown ||
        !job->pl || !failed)
        return false;
    unsigned before =
        joblog_count(ld->store, job, "\"name\":\"retry\",\"context\":{\"try\":");
    if (before >= tries)
        return false;
    cleanup_free char *ranks = rset_ranks(job->pl->rset);
    cleanup_free char *context =
        xasprintf("{\"try\":%u,\"left\":%u,\"status\":%d,\"ranks\":\"%s\"}", before + 1,
                  (unsigned)tries - before - 1, job->status, ranks);
    job_event(ld, job, when, "retry", context);
    return true;
}

/* What is not over at the instance's end is for the next one. */
static bool keeps(const struct leader *ld)
{
    return ld->config.keeps && !ld->keep_nothing;
}

/* All nodes have ended their tasks, or none has begun. */
static void job_cleanup(struct leader *ld, struct job *job, double when)
{
    char context[64];
    if (job->requeue && (!ld->shutdown || keeps(ld)) &&
        !(job->exception && job->exception->severity == 0)) {
        requeue(ld, job);
        return;
    }
    if (retry(ld, job, when)) {
        requeue(ld, job);
        return;
    }
    job->state = JOB_CLEANUP;
    job->t_cleanup = when;
    if (job->status >= 0) {
        snprintf(context, sizeof(context), "{\"status\":%d}", job->status);
        job_event(ld, job, when, "finish", context);
    }
    job_over(ld, job);
}

void manager_returned(struct leader *ld, struct job *job)
{
    job->sj.count = 1;
    if (job->ending)
        job_cleanup(ld, job, time_now());
    else
        manager_enqueue(ld, job);
    leader_wake(ld);
}

void manager_give_back(struct leader *ld, struct job *job)
{
    /* ranks of a grant leave when the instance they are in has no need of them */
    cleanup_bitmap hwloc_bitmap_t ranks =
        job->sub->grant ? hwloc_bitmap_alloc_full() : job_returned(job);
    struct rset *r = job_release(job, ranks);
    if (!r)
        return;
    manager_keep_log(ld, job);
    tell_released(ld, job, r, false);
    change_released(ld, job, r);
    if (ld->config.publish)
        record_run(ld->store, job);
    sched_end(ld->sched, r);
    account_running(ld, job->sub, 0, -(double)rset_ncores(r));
    if (job->sub->grant || job->ngrants)
        grant_released(ld, job, r);
    rset_destroy(r);
    leader_wake(ld);
}

/* TELL: the other ranks, which will not hear in the same moment that it is over. */
static void node_started(struct leader *ld, struct job *job, unsigned index, double when,
                         bool tell)
{
    if (job->nodes[index].started)
        return;
    job->nodes[index].started = true;
    if (--job->nodes_starting > 0 || job->started)
        return;
    job->started = true;
    job_event(ld, job, when, "start", NULL);
    if (tell)
        change_started(ld, job);
    depend_started(ld, job);
    if (job->sub->spawn_from >= 0)
        spawn_answer(ld, job, 0, NULL);
}

void manager_node_started(struct leader *ld, struct job *job, unsigned index, double when)
{
    node_started(ld, job, index, when, true);
}

void manager_node_finished(struct leader *ld, struct job *job, unsigned index, int status,
                           json_object *report, double when)
{
    if (job->nodes[index].done)
        return;
    /* what ends well was started: its start event may have been told to a leader that is gone */
    if (report && !job->nodes[index].started &&
        !(job->exception && job->exception->severity == 0))
        node_started(ld, job, index, job->slot ? job->t_run : when,
                     job->nodes_running > 1);
    job_node_done(job, index, status, report);
    if (job->nodes_running == 0) {
        job_cleanup(ld, job, when);
        return;
    }
    change_node_done(ld, job, index, status, report);
    if (ld->config.publish)
        record_run(ld->store, job);
    manager_give_back(ld, job);
}

/* The end of the allocation, not a limit of its own, ends a job that the next one may run again. */
static bool is_cut_short(const struct leader *ld, const struct job *job, const char *type)
{
    double end = ld->config.expiration;
    return keeps(ld) && strcmp(type, "timeout") == 0 && job->pl &&
           manager_may_requeue(job) && !job->sub->grant && end > 0 &&
           job->expiration >= end &&
           (job->sj.duration <= 0 || job->t_run + job->sj.duration > end);
}

void manager_exception(struct leader *ld, struct job *job, const char *type, int severity,
                       const char *note)
{
    if (job->rest) {
        elements_end_rest(ld, job, type, note);
        return;
    }
    if (severity == 0 && is_cut_short(ld, job, type)) {
        severity = 1;
        job->requeue = true;
    }
    job_except(job, type, severity, note);
    change_excepted(ld, job);
    cleanup_json json_object *context = json_object_new_object();
    json_object_object_add(context, "type", json_object_new_string(type));
    json_object_object_add(context, "severity", json_object_new_int(severity));
    json_object_object_add(context, "userid", json_object_new_int64(geteuid()));
    json_object_object_add(context, "note", json_object_new_string(note ? note : ""));
    job_event(ld, job, time_now(), "exception",
              json_object_to_json_string_ext(context, JSON_C_TO_STRING_PLAIN));
    if (severity > 0)
        return;
    if (job->ahead >= 0) { /* it may have begun: over when that is known */
        job->ending = true;
        lease_recall(ld, (unsigned)job->ahead);
    } else if (job->state < JOB_RUN) {
        sched_remove(ld->sched, &job->sj);
        job_cleanup(ld, job, time_now());
    } else if (job->nodes_running ==
               0) /* it was given resources and could not be mapped */
        job_cleanup(ld, job, time_now());
    else if (!job->ending || job->expired) {
        job->ending = true;
        job->expired = false;
        grant_base_ends(ld, job, false);
        launch_end(ld, job, ld->end_grace, NULL);
    }
}

/* Each of its executors ends it, with a signal and a grace of its own. */
void manager_expired(struct leader *ld, struct job *job, const char *note)
{
    if (job->ending &&
        job->nodes_running > 0) /* another one said so, or it was to end before */
        return;
    bool runs = job->ahead < 0 && job->nodes_running > 0;
    if (runs) {
        job->ending = true;
        grant_base_ends(ld, job, false);
    }
    manager_exception(ld, job, "timeout", 0, note);
    job->expired = runs;
}

void manager_node_lost(struct leader *ld, struct job *job, const char *why)
{
    if (!manager_may_requeue(job) || (ld->shutdown && !keeps(ld))) {
        manager_exception(ld, job, "node-failure", 0, why);
        return;
    }
    job->requeue = true;
    manager_exception(ld, job, "node-failure", 1, why);
    if (!job->ending) {
        job->ending = true;
        launch_end(ld, job, ld->end_grace, NULL);
    }
}

void manager_lost_ahead(struct leader *ld, struct job *job, const char *why)
{
    cleanup_free char *note =
        xasprintf("%s; it was ahead there, and may have begun", why);
    manager_exception(ld, job, "node-failure", 1, note);
    requeue(ld, job);
}

void manager_refuse(struct leader *ld, struct job *job, const char *why)
{
    if (job->state >= JOB_RUN) {
        launch_withdraw(ld, job);
        job->nodes_starting = job->nodes_running = 0;
    }
    manager_exception(ld, job, "cancel", 0, why);
}

void manager_end_former(struct leader *ld, struct job *job, const char *why)
{
    bool ended = job->exception && job->exception->severity == 0;
    if (!ended && manager_may_requeue(job)) {
        job->requeue = true;
        manager_exception(ld, job, "node-failure", 1, why);
    }
    if (ended || job->requeue)
        job_cleanup(ld, job, time_now());
    else
        manager_exception(ld, job, "node-failure", 0, why);
}

/* Others are part of something that ends now: of a job, or of a connection. */
bool manager_keeps(const struct leader *ld, const struct job *job)
{
    return keeps(ld) && job->state < JOB_RUN && !job->sub->parent && !job->sub->grant &&
           !tie_is(job);
}

void manager_wind_up(struct leader *ld, struct job *job, const char *reason)
{
    bool ended = job->exception && job->exception->severity == 0;
    if (manager_keeps(ld, job))
        return;
    if (keeps(ld) && !ended && job->nodes_running > 0 && manager_may_requeue(job) &&
        !job->sub->parent && !job->sub->grant && !tie_is(job))
        manager_node_lost(ld, job, reason);
    else
        manager_exception(ld, job, "cancel", 0, reason);
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
