/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/spools.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/job/jsonutil.h"

static void on_lost(void *arg, uint64_t id, int error)
{
    struct job *job = job_find(arg, id);
    if (job)
        job_output_lost(job, "spool", error);
}

static bool is_output_in_use(void *arg, uint64_t id)
{
    const struct exec *x = arg;
    return job_find(x, id) || remember_output(x, id) || reader_reads(x, id);
}

int spools_open(struct exec *x, struct error *err)
{
    cleanup_free char *path = xasprintf("%s/output-%u.spool", x->rundir, x->number);
    x->spool = spool_open(path, on_lost, x, err);
    return x->spool ? 0 : -1;
}

/* Before the first job: what an executor that was found has captured stays where it is. */
static void move(struct exec *x)
{
    struct error err;
    const char *path = x->node->spool;
    if (!path || !spool_is_empty(x->spool) || strcmp(spool_path(x->spool), path) == 0)
        return;
    struct spool *spool = spool_open(path, on_lost, x, &err);
    if (!spool) {
        log_error("%s; output is captured in the run directory, and goes with it",
                  err.text);
        return;
    }
    unlink(spool_path(x->spool));
    spool_close(x->spool);
    x->spool = spool;
}

void spools_init(struct exec *x)
{
    move(x);
    spool_set_limit(x->spool, x->node->output_limit, is_output_in_use);
}

/* Of jobs of a former life, in its own file; NULL: it cannot be opened. */
static struct spool *former_spool(const char *path)
{
    struct error err;
    struct spool *former = spool_open_former(path, &err);
    if (!former)
        log_warning("%s", err.text);
    return former;
}

void spools_forget(struct exec *x, const char *path, json_object *jobs)
{
    bool own = !path || strcmp(path, spool_path(x->spool)) == 0;
    struct spool *former = own ? NULL : former_spool(path), *s = own ? x->spool : former;
    if (!s)
        return;
    size_t n =
        json_object_is_type(jobs, json_type_array) ? json_object_array_length(jobs) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        int64_t id, pos;
        if (json_object_is_type(job, json_type_array) &&
            jsonutil_int(json_object_array_get_idx(job, 0), 1, INT64_MAX, &id) &&
            jsonutil_int(json_object_array_get_idx(job, 1), 1, INT64_MAX, &pos))
            spool_forget(s, (uint64_t)id, (uint64_t)pos);
    }
    spool_trim(s);
    spool_close(former);
}
