/* SPDX-License-Identifier: BSD-3-Clause */
/* job_next: jobs of a lease, which begin where others have ended. */
#include <stdio.h>
#include "src/common/util.h"
#include "src/exec/job_impl.h"
#include "src/exec/lane.h"
#include "src/job/jsonutil.h"

/* It asks for the same, so all is as it was for PREV but the specification. */
static int inherit(struct job *job, const struct job *prev, const char *hash,
                   struct error *err)
{
    job->nnodes = prev->nnodes;
    job->ntasks = prev->ntasks;
    job->node = prev->node;
    job->class = prev->class;
    job->expiration = prev->expiration;
    job->cores = hwloc_bitmap_dup(prev->cores);
    job->gpus = hwloc_bitmap_dup(prev->gpus);
    job->memory = prev->memory;
    job->limited = prev->limited;
    if (job_get_tasks(job, NULL, err) < 0)
        return -1;
    job->spec = specs_get(job->x->specs, hash, false, err);
    return job->spec && job_take_row(job, err) == 0 ? 0 : -1;
}

static struct job *create_next(struct job *prev, const struct leased *l)
{
    struct job *job = job_create(prev->x, l->id, 0, prev->start);
    snprintf(job->cc_text, sizeof(job->cc_text), "%s", l->cc);
    job->cc = l->cc[0] ? job->cc_text : NULL;
    job->prompt = l->prompt;
    job->duration = l->duration;
    job->latest = l->end;
    return job;
}

/* Its time begins. */
static void begin(struct job *job)
{
    job->begun = time_now();
    if (job->duration <= 0)
        return;
    job->expiration = job->begun + job->duration;
    if (job->latest > 0)
        job->expiration = MIN(job->expiration, job->latest);
}

void job_start_next(struct job *prev, const struct leased *l)
{
    struct error err;
    struct exec *x = prev->x;
    struct job *job = create_next(prev, l);
    if (inherit(job, prev, jsonutil_string(l->hash), &err) < 0 ||
        job_prepare(job, &err) < 0) {
        job_not_started(job, err.text);
        return;
    }
    begin(job);
    idmap_put(&x->jobs, job->id, job);
    conn_lazy(x->conn);
    job_start_tasks(job);
    if (!job->finished && !job->ending)
        lane_follow(prev, job);
}

struct job *job_make_next(struct job *prev, const struct leased *l)
{
    struct error err;
    if (prev->limited) /* in its own control group, which another one cannot share */
        return NULL;
    struct job *job = create_next(prev, l);
    if (inherit(job, prev, jsonutil_string(l->hash), &err) == 0 &&
        !job->spec->not_in_lanes && job_prepare(job, &err) == 0)
        return job;
    job_drop(job);
    return NULL;
}

void job_drop(struct job *job)
{
    job_free(job);
}

void job_adopt(struct job *job)
{
    begin(job);
    job->since = time_mono();
    job->nrunning = 1;
    idmap_put(&job->x->jobs, job->id, job);
    conn_lazy(job->x->conn);
    job_set_timers(job);
}

void job_start_failed(struct job *job, int code, const struct error *err)
{
    job->nrunning = 0;
    job->tasks[0].status = job->status = code << 8;
    job->ending = true; /* before the exception, which would be gentle */
    job_exception(job, "exec", 0, "%s", err->text);
    task_drain(&job->tasks[0]);
    job_check_finished(job);
}
