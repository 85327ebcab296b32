/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_end: how a job ends: with its tasks, by an exception; and what is done when it is over. */
#include "src/instance/change.h"
#include "src/instance/manager_impl.h"
#include "src/instance/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"

/* HEIR runs where JOB did.  It cannot fail with one node, and without a task map: see lease.c, is_eligible. */
static void begin_after(struct leader *ld, struct job *heir, const struct job *job)
{
    struct error err;
    if (manager_place(ld, heir, take(heir->pl), job->heir_since, &err) < 0)
        log_error("%s", err.text);
}

void manager_pass_on(struct leader *ld, struct job *job,
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

static void job_over(struct leader *ld, struct job *job)
{
    double now = time_now();
    depend_forget(ld, job);
    queues_count(ld, job->sub, -1);
    if (job->pl) {
        queues_count_running(ld, job, -1);
        lease_slot_over(ld, job);
        manager_tell_released(ld, job, job->held, true);
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
    manager_pass_on(ld, job, change_ended);
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

void manager_cleanup(struct leader *ld, struct job *job, double when)
{
    char context[64];
    if (job->requeue && (!ld->shutdown || manager_keeps_jobs(ld)) &&
        !(job->exception && job->exception->severity == 0)) {
        manager_requeue(ld, job);
        return;
    }
    if (manager_retry(ld, job, when)) {
        manager_requeue(ld, job);
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
        manager_cleanup(ld, job, time_now());
    else
        manager_enqueue(ld, job);
    leader_wake(ld);
}

void manager_node_finished(struct leader *ld, struct job *job, unsigned index, int status,
                           json_object *report, double when)
{
    if (job->nodes[index].done)
        return;
    /* what ends well was started: its start event may have been told to a leader that is gone */
    if (report && !job->nodes[index].started &&
        !(job->exception && job->exception->severity == 0))
        manager_node_ready(ld, job, index, job->slot ? job->t_run : when,
                           job->nodes_running > 1);
    job_node_done(job, index, status, report);
    if (job->nodes_running == 0) {
        manager_cleanup(ld, job, when);
        return;
    }
    change_node_done(ld, job, index, status, report);
    if (ld->config.publish)
        record_run(ld->store, job);
    manager_give_back(ld, job);
}

void manager_exception(struct leader *ld, struct job *job, const char *type, int severity,
                       const char *note)
{
    if (job->rest) {
        elements_end_rest(ld, job, type, note);
        return;
    }
    if (severity == 0 && manager_is_cut_short(ld, job, type)) {
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
        manager_cleanup(ld, job, time_now());
    } else if (job->nodes_running ==
               0) /* it was given resources and could not be mapped */
        manager_cleanup(ld, job, time_now());
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

void manager_refuse(struct leader *ld, struct job *job, const char *why)
{
    if (job->state >= JOB_RUN) {
        launch_withdraw(ld, job);
        job->nodes_starting = job->nodes_running = 0;
    }
    manager_exception(ld, job, "cancel", 0, why);
}
