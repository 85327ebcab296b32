/* SPDX-License-Identifier: BSD-3-Clause */
/* preempt: jobs that were submitted with the option preemptible make room for more urgent ones, where the configuration says
 * so: they are warned by SIGTERM, end within their grace, and are queued again.
 *
 * It is looked for after a pass of the scheduler, for the first job that waits (of each group of queues), and only if that
 * or what is free has changed since: what would be free without the least urgent and youngest of them, until the job fits;
 * then those that are not needed for it are left alone. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static json_object *option_of(const struct submission *sub)
{
    json_object *o = jobspec_option(sub->spec, "preemptible");
    bool off = o && !jsonutil_string(o) && !json_object_get_boolean(o);
    return off ? NULL : o;
}

int preempt_check(const struct jobspec *spec, struct error *err)
{
    double grace;
    struct error why;
    json_object *o = jobspec_option(spec, "preemptible");
    const char *text = jsonutil_string(o);
    if (text && *text && duration_decode(text, &grace, &why) < 0)
        return error_set(err, EINVAL, "option preemptible: %s", why.text);
    return 0;
}

static double grace_of(const struct leader *ld, const struct job *job)
{
    double grace;
    const char *text = jsonutil_string(option_of(job->sub));
    if (text && *text && duration_decode(text, &grace, NULL) == 0 && isfinite(grace))
        return grace;
    return ld->queues->config->grace;
}

void preempt_started(struct leader *ld, const struct job *job)
{
    if (!option_of(job->sub) || job->sub->grant)
        return;
    if (ld->npreemptible == ld->preemptible_room) {
        ld->preemptible_room = MAX(2 * ld->preemptible_room, (size_t)16);
        ld->preemptible =
            xrealloc(ld->preemptible, ld->preemptible_room * sizeof(*ld->preemptible));
    }
    ld->preemptible[ld->npreemptible++] = job->sj.id;
}

/* --- what would be free ----------------------------------------------------------------------- */

static bool is_preempted(const struct job *job)
{
    return job->requeue && job->ending && job->exception &&
           strcmp(job->exception->type, "preempt") == 0;
}

/* Those that run; they leave the list when they do not any more. */
static struct job **running(struct leader *ld, size_t *n)
{
    struct job **jobs = xcalloc(ld->npreemptible + 1, sizeof(struct job *));
    size_t kept = 0;
    for (size_t i = 0; i < ld->npreemptible; i++) {
        struct job *job = jobtable_find(ld->jobs, ld->preemptible[i]);
        if (!job || job->state != JOB_RUN || !job->nodes)
            continue;
        jobs[kept] = job;
        ld->preemptible[kept++] = ld->preemptible[i];
    }
    *n = ld->npreemptible = kept;
    return jobs;
}

static int least_urgent_first(const void *a, const void *b)
{
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    if (x->urgency != y->urgency)
        return x->urgency - y->urgency;
    return x->t_run > y->t_run ? -1 : x->t_run < y->t_run;
}

/* What JOB has is free in V, or (SIGN -1) is not. */
static void give(const struct leader *ld, struct pool_view *v, const struct job *job,
                 int sign)
{
    const struct rset *r = job_held(job);
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *n = &r->nodes[i];
        size_t at = pool_position(ld->pool, n->rank);
        if (at >= pool_nnodes(ld->pool) || !pool_counts(ld->pool, at).up)
            continue;
        struct pool_amount amount = pool_view_get(v, at);
        unsigned cores = (unsigned)hwloc_bitmap_weight(n->cores),
                 gpus = rset_node_ngpus(n);
        amount.cores = sign > 0 ? amount.cores + cores : amount.cores - cores;
        amount.gpus = sign > 0 ? amount.gpus + gpus : amount.gpus - gpus;
        amount.memory = sign > 0 ? amount.memory + n->memory : amount.memory - n->memory;
        pool_view_set(v, at, amount);
    }
}

static struct pool_view *view_free(const struct leader *ld)
{
    struct pool_view *v = pool_view_create(ld->pool);
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_counts c = pool_counts(ld->pool, i);
        if (c.up)
            pool_view_set(v, i, c.free);
    }
    return v;
}

static bool fits(const struct leader *ld, struct pool_view *v, const struct job *job)
{
    size_t n;
    return pool_fits(ld->pool, v, &job->sj.req, &n);
}

/* --- who goes --------------------------------------------------------------------------------- */

static void evict(struct leader *ld, struct job *job, const struct job *for_job)
{
    char id[JOBID_BUFSIZE];
    jobid_encode(for_job->sj.id, JOBID_F58_PLAIN, id, sizeof(id));
    cleanup_free char *note =
        xasprintf("preempted by job %s, whose urgency is %d", id, for_job->urgency);
    job->requeue = true;
    manager_exception(ld, job, "preempt", 1, note);
    job->ending = true;
    launch_end(ld, job, grace_of(ld, job), note);
}

/* HEAD waits. */
static void make_room(struct leader *ld, const struct job *head)
{
    size_t n, chosen = 0;
    cleanup_free struct job **jobs = running(ld, &n);
    struct pool_view *v = view_free(ld);
    qsort(jobs, n, sizeof(struct job *), least_urgent_first);
    for (size_t i = 0; i < n; i++) /* on their way out already */
        if (is_preempted(jobs[i]))
            give(ld, v, jobs[i], 1);
    bool room = fits(ld, v, head);
    bool enough = room; /* without any other */
    for (size_t i = 0; i < n && !room; i++) {
        if (jobs[i]->ending || jobs[i]->urgency >= head->urgency)
            continue;
        give(ld, v, jobs[i], 1);
        jobs[chosen++] = jobs[i];
        room = fits(ld, v, head);
    }
    for (size_t i = 0; room && !enough && i < chosen; i++) {
        give(ld, v, jobs[i], -1);
        if (!fits(ld, v, head)) {
            give(ld, v, jobs[i], 1);
            evict(ld, jobs[i], head);
        }
    }
    pool_view_destroy(v);
}

void preempt_turn(struct leader *ld)
{
    uint64_t gains = pool_gains(ld->pool);
    if (!ld->queues->config->preemption || ld->npreemptible == 0 || ld->shutdown)
        return;
    for (unsigned g = 0; g < sched_ngroups(ld->sched); g++) {
        struct sched_job *sj = sched_ngroups(ld->sched) == 1
                                   ? sched_first(ld->sched)
                                   : sched_group_first(ld->sched, g);
        struct preempt_seen *seen = &ld->preempt_seen[g];
        if (!sj)
            continue;
        const struct job *head = job_of(sj);
        const struct preempt_seen now = {sj->ticket, gains, ld->npreemptible,
                                         head->urgency};
        if (memcmp(&now, seen, sizeof(now)) == 0)
            continue;
        *seen = now;
        make_room(ld, head);
    }
}
