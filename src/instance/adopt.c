/* SPDX-License-Identifier: BSD-3-Clause */
/* adopt: a leader that goes on from the tables of another: of the one that was lost, as this rank
 * had copied them, or of an instance whose ranks were started again, as the store had them; and
 * what executors say they have, against what the tables say. */
#include "src/instance/bypass.h"
#include "src/instance/change.h"
#include "src/instance/journal.h"
#include "src/instance/leader_impl.h"
#include "src/instance/replica_impl.h"
#include "src/instance/standing.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* For nodes that were down when this leader came. */
#define AWAY_S 6.0

/* --- the tables ----------------------------------------------------------------------------- */

/* The orders to executors are given when these say hello. */
static void adopt_running(struct leader *ld, struct job *job)
{
    sched_adopt(ld->sched, job_held(job),
                job->sj.duration > 0 ? job->t_run + job->sj.duration : 0);
    const struct job_exception *e = job->exception;
    if (job->former)
        return;
    preempt_started(ld, job);
    if (!job->map) {
        job->unmapped = xstrdup("its task map is not possible");
        ld->have_unmapped = true;
    } else if (e && e->severity == 0)
        job->ending = true;
    else if (e && e->severity == 1 &&
             (strcmp(e->type, "node-failure") == 0 || strcmp(e->type, "preempt") == 0))
        job->requeue = job->ending = true;
    for (unsigned i = 0; job->nodes && !job->started && i < job->pl->rset->nnodes; i++)
        if (job->nodes[i].done && !job->nodes[i].started) {
            job->nodes[i].started = true;
            job->nodes_starting--;
        }
}

/* What it depends on may have been decided while nobody led. */
static void adopt_waiting(struct leader *ld, struct job *job)
{
    struct error err;
    free(take(job->reason));
    if (!job->sub->wishes && depend_lookup(ld, job->sub, &err) < 0) {
        ld->adopting = false;
        manager_exception(ld, job, "dependency", 0, err.text);
    } else if (!depend_wait(ld, job)) {
        ld->adopting = false;
        manager_release(ld, job);
    }
    ld->adopting = true;
}

/* What is down may still come back with its tasks, as far as this leader knows. */
static void adopt_nodes(struct leader *ld, const struct replica *rp)
{
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_node at = pool_nth(ld->pool, i);
        struct leader_node *node = &ld->nodes[at.rank];
        node->exec_pid = rp->execs[at.rank].pid;
        node->exec_since = rp->execs[at.rank].since;
        node->lost = node->away = at.state == POOL_DOWN;
        node->away_until = time_now() + AWAY_S;
        if (at.state == POOL_DRAINED)
            node->drained = xstrdup(at.reason ? at.reason : "");
        else if (rp->drained[at.rank])
            node->drained = xstrdup(rp->drained[at.rank]);
        journal_drained(ld->config.journal, at.rank, &node->drained_at);
    }
}

static void adopt_array(struct leader *ld, struct submission *sub)
{
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (sub->rests[g])
            job_log(sub->rests[g]);
    elements_queue(ld, sub);
}

/* Each rest by itself; it may be the last one, whose end takes the array along. */
static void adopt_waiting_array(struct leader *ld, struct submission *sub)
{
    sub->refs++;
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (sub->rests[g] && sub->rests[g]->state == JOB_DEPEND)
            adopt_waiting(ld, sub->rests[g]);
    submission_drop(sub);
}

/* Why a job of a former life cannot go on in this one, or NULL. */
static const char *why_not_here(const struct job *job)
{
    if (job->sub->parent)
        return "the job that spawned it ended with the last life of the instance";
    if (job->sub->grant)
        return "the job that it was for ended with the last life of the instance";
    return tie_is(job) ? "its client was lost with the last life of the instance" : NULL;
}

static void begin_again(struct leader *ld, struct job *job)
{
    char context[64];
    const char *why = why_not_here(job);
    double now = time_now();
    if (job->sub->count == 1 || job->logged) {
        job_event(ld, job, now, "flux-restart", NULL);
        snprintf(context, sizeof(context), "{\"priority\":%lld}",
                 (long long)standing_shown(ld->queues, job, now));
        if (job->state == JOB_SCHED)
            job_event(ld, job, now, "priority", context);
    }
    if (job->former)
        manager_end_former(
            ld, job, "the instance, which the job ran in, has ended: its tasks are gone");
    else if (why)
        manager_exception(ld, job, "cancel", 0, why);
}

void adopt_begin_again(struct leader *ld)
{
    if (!ld->begins_again)
        return;
    ld->begins_again = false;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        begin_again(ld, job);
    }
    for (size_t i = jobtable_narrays(ld->jobs); i-- > 0;) {
        struct submission *sub = jobtable_array(ld->jobs, i);
        const char *why = why_not_here(element_rest_any(sub));
        if (why)
            elements_end(ld, sub, (struct array_run){0, sub->count}, "cancel", why);
    }
}

void leader_adopt(struct leader *ld, const struct replica *rp)
{
    adopt_nodes(ld, rp);
    queues_recount(ld);
    ld->adopting = true; /* events are in the logs already */
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        job->told = job->sub->count == 1 || job->logged;
        if (job->sub->count == 1)
            job_log(job); /* which the store has, but for one of an old version */
        if (job->sub->parent && jobspec_is_instance(job->sub->spec))
            spawn_note_instance(ld, job->sj.id);
        if (job->state == JOB_SCHED && job->ahead >= 0)
            lease_adopt(ld, job, (unsigned)job->ahead);
        else if (job->state == JOB_SCHED && bypass_is(job->sub->spec))
            ld->have_bypass = true;
        else if (job->state == JOB_SCHED && !job->reason)
            queues_enqueue(ld, job);
        else if (job->state == JOB_RUN)
            adopt_running(ld, job);
    }
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        adopt_array(ld, jobtable_array(ld->jobs, i));
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        if (job->state == JOB_DEPEND)
            adopt_waiting(ld, job);
    }
    for (size_t i = jobtable_narrays(ld->jobs); i-- > 0;)
        adopt_waiting_array(ld, jobtable_array(ld->jobs, i));
    ld->adopting = false;
    ld->begins_again = rp->anew; /* in its first turn, too */
    grant_adopt(ld);
    if (rp->shutdown) /* in its first turn, when there is a way to the executors */
        ld->shut_down_as = xstrdup(rp->shutdown), ld->exit_code = rp->exit_code;
    leader_wake(ld);
}

/* --- executors ------------------------------------------------------------------------------ */

static void send_end(struct leader *ld, unsigned rank, jobid_t id, double grace)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("end"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "grace", json_object_new_double(grace));
    exec_send(ld, rank, o);
}

/* Whether the executor has, or had, the job's present run: not an earlier one. */
static bool has_run(json_object *hello, const struct job *job)
{
    char id[24];
    int64_t run = 0;
    snprintf(id, sizeof(id), "%llu", (unsigned long long)job->sj.id);
    jsonutil_int(jsonutil_get(jsonutil_get(hello, "runs"), id), 0, INT64_MAX, &run);
    return run == job->run && jsonutil_has_int(jsonutil_get(hello, "jobs"), job->sj.id);
}

/* A job that this rank's node has its part of. */
static void compare_job(struct leader *ld, struct job *job, unsigned index, unsigned rank,
                        json_object *hello)
{
    if (!has_run(hello, job)) {
        if (job->requeue || (job->exception && job->exception->severity == 0))
            /* told to end, and not started here: nothing will come */
            manager_node_finished(ld, job, index, SIGKILL, NULL, time_now());
        else
            launch_again(ld, job, index); /* the order to start it never came */
        return;
    }
    if (job->ending)
        send_end(ld, rank, job->sj.id, ld->end_grace);
    else if (joblog_count(ld->store, job, "\"name\":\"resource-update\"") > 0)
        update_tell_executors(ld, job); /* it may not have been heard */
}

/* Jobs that it has and that are not its any more: they were given up with its rank. */
static void end_stale(struct leader *ld, unsigned rank, json_object *ids)
{
    struct leader_node *node = &ld->nodes[rank];
    size_t n =
        json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
    node->nstale = 0;
    for (size_t i = 0; i < n; i++) {
        jobid_t id = (jobid_t)json_object_get_int64(json_object_array_get_idx(ids, i));
        const struct job *job = jobtable_find(ld->jobs, id);
        if (job && (job_node_open(job, rank) >= 0 || job->ahead == (int)rank))
            continue;
        node->stale = xrealloc(node->stale, (node->nstale + 1) * sizeof(*node->stale));
        node->stale[node->nstale++] = id;
        send_end(ld, rank, id, 0);
    }
}

static void come_up(struct leader *ld, unsigned rank)
{
    struct leader_node *node = &ld->nodes[rank];
    if (jsonutil_get(ld->config.nodes[rank], "refused")) /* leader_refuse */
        return;
    node->lost = node->away = false;
    pool_set_state(ld->pool, rank, node->drained ? POOL_DRAINED : POOL_UP, node->drained);
    change_node(ld, rank);
    stream_rank_back(ld, rank);
    leader_wake(ld);
}

/* Another one than the last leader knew: the tasks of that one are gone, and nobody may have been
 * there to say so. */
static void check_executor(struct leader *ld, unsigned rank, json_object *msg)
{
    struct leader_node *node = &ld->nodes[rank];
    int64_t pid = 0;
    double since = 0;
    jsonutil_int(jsonutil_get(msg, "pid"), 1, INT64_MAX, &pid);
    jsonutil_number(jsonutil_get(msg, "since"), &since);
    if (pid == node->exec_pid && since == node->exec_since)
        return;
    if (node->exec_pid)
        report_lost(ld, rank, true);
    node->exec_pid = pid;
    node->exec_since = since;
    change_exec(ld, rank);
}

void adopt_hello(struct leader *ld, unsigned rank, json_object *msg)
{
    json_object *ids = jsonutil_get(msg, "jobs");
    json_object *started = jsonutil_get(msg, "started");
    struct leader_node *node = &ld->nodes[rank];
    int64_t seq = 0;
    log_debug("rank %u: executor: %s", rank, jsonutil_show(msg).text);
    check_executor(ld, rank, msg);
    jsonutil_int(jsonutil_get(msg, "seq"), 0, INT64_MAX, &seq);
    node->seen = node->acked = seq;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        int index = job_node_open(job, rank);
        if (index < 0)
            continue;
        /* the leader that was told so is gone, and had told nobody: other nodes were to come */
        if (!job->nodes[index].started && jsonutil_has_int(started, job->sj.id) &&
            has_run(msg, job))
            manager_node_started(ld, job, (unsigned)index, time_now());
        compare_job(ld, job, (unsigned)index, rank, msg);
    }
    lease_hello(ld, rank, msg);
    end_stale(ld, rank, ids);
    if (node->lost && node->nstale == 0)
        come_up(ld, rank);
}

bool adopt_stale_ended(struct leader *ld, unsigned rank, jobid_t id)
{
    struct leader_node *node = &ld->nodes[rank];
    for (size_t i = 0; i < node->nstale; i++) {
        if (node->stale[i] != id)
            continue;
        node->stale[i] = node->stale[--node->nstale];
        if (node->lost && node->nstale == 0)
            come_up(ld, rank);
        return true;
    }
    return false;
}
