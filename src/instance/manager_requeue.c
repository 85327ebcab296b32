/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_requeue: jobs that are queued again: who may be, after what, and what then remains of them. */
#include "src/instance/change.h"
#include "src/instance/manager_impl.h"

#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* Elements of arrays, unless told otherwise, and jobs that were told to. */
bool manager_may_requeue(const struct job *job)
{
    json_object *option = jobspec_option(job->sub->spec, "requeue");
    if (option)
        return json_object_get_boolean(option);
    return job->sub->count > 1 && !(job->sub->flags & JOB_BULK);
}

bool manager_keeps_jobs(const struct leader *ld)
{
    return ld->config.keeps && !ld->keep_nothing;
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

void manager_requeue(struct leader *ld, struct job *job)
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
    manager_pass_on(ld, job, change_requeued);
    store_job_requeue(ld->store, job->sj.id);
    manager_enqueue(ld, job);
    leader_wake(ld);
}

bool manager_retry(struct leader *ld, struct job *job, double when)
{
    int64_t tries = 0;
    const struct job_exception *e =
        job->exception && job->exception->severity == 0 ? job->exception : NULL;
    json_object *option = jobspec_option(job->sub->spec, "retry");
    bool failed = e ? strcmp(e->type, "abort") == 0 ||
                          (strcmp(e->type, "exec") == 0 && job->started)
                    : job->status > 0;
    if (!option || !jsonutil_int(option, 0, MANAGER_RETRY_MAX, &tries) || ld->shutdown ||
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

bool manager_is_cut_short(const struct leader *ld, const struct job *job,
                          const char *type)
{
    double end = ld->config.expiration;
    return manager_keeps_jobs(ld) && strcmp(type, "timeout") == 0 && job->pl &&
           manager_may_requeue(job) && !job->sub->grant && end > 0 &&
           job->expiration >= end &&
           (job->sj.duration <= 0 || job->t_run + job->sj.duration > end);
}

void manager_node_lost(struct leader *ld, struct job *job, const char *why)
{
    if (!manager_may_requeue(job) || (ld->shutdown && !manager_keeps_jobs(ld))) {
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
    manager_requeue(ld, job);
}

void manager_end_former(struct leader *ld, struct job *job, const char *why)
{
    bool ended = job->exception && job->exception->severity == 0;
    if (!ended && manager_may_requeue(job)) {
        job->requeue = true;
        manager_exception(ld, job, "node-failure", 1, why);
    }
    if (ended || job->requeue)
        manager_cleanup(ld, job, time_now());
    else
        manager_exception(ld, job, "node-failure", 0, why);
}

/* Others are part of something that ends now: of a job, or of a connection. */
bool manager_keeps(const struct leader *ld, const struct job *job)
{
    return manager_keeps_jobs(ld) && job->state < JOB_RUN && !job->sub->parent &&
           !job->sub->grant && !tie_is(job);
}

void manager_wind_up(struct leader *ld, struct job *job, const char *reason)
{
    bool ended = job->exception && job->exception->severity == 0;
    if (manager_keeps(ld, job))
        return;
    if (manager_keeps_jobs(ld) && !ended && job->nodes_running > 0 &&
        manager_may_requeue(job) && !job->sub->parent && !job->sub->grant && !tie_is(job))
        manager_node_lost(ld, job, reason);
    else
        manager_exception(ld, job, "cancel", 0, reason);
}
