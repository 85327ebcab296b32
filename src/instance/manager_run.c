/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_run: a job gets its place, starts there, and gives back what it has no more use for. */
#include "src/instance/bypass.h"
#include "src/instance/change.h"
#include "src/instance/manager_impl.h"
#include "src/instance/mapping.h"
#include "src/instance/record.h"

#include <errno.h>
#include "src/common/log.h"
#include "src/common/util.h"

double manager_expiration(const struct leader *ld, const struct job *job)
{
    double limit = job->sj.duration > 0 ? job->t_run + job->sj.duration : 0;
    const struct job *base = grant_base(ld, job);
    double end = base && base->expiration > 0 ? base->expiration : ld->config.expiration;
    return limit > 0 && end > 0 ? MIN(limit, end) : MAX(limit, end);
}

int manager_place(struct leader *ld, struct job *job, struct placement *pl, double when,
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
    int rc = manager_place(ld, job, pl, time_now(), &err);
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

struct job *manager_take(struct leader *ld, struct job *job)
{
    if (job->rest)
        return elements_next(ld, job);
    sched_remove(ld->sched, &job->sj);
    return job;
}

void manager_began(struct leader *ld, struct job *job, double when)
{
    struct error err;
    if (job->state < JOB_RUN) {
        if (manager_place(ld, job, take(job->pl), when, &err) < 0)
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

void manager_node_ready(struct leader *ld, struct job *job, unsigned index, double when,
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
    manager_node_ready(ld, job, index, when, true);
}

void manager_tell_released(struct leader *ld, struct job *job, const struct rset *r,
                           bool final)
{
    cleanup_free char *ranks = r ? rset_ranks(r) : xstrdup("all");
    cleanup_free char *context =
        xasprintf("{\"ranks\":\"%s\",\"final\":%s}", ranks, final ? "true" : "false");
    job_event(ld, job, time_now(), "release", context);
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
    manager_tell_released(ld, job, r, false);
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
