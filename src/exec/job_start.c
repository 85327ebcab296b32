/* SPDX-License-Identifier: BSD-3-Clause */
/* job_start: from a start message to tasks that run. */
#include "src/exec/job_impl.h"

#include <errno.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/files.h"
#include "src/exec/lane.h"
#include "src/exec/memcg.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/exec/shares.h"
#include "src/job/jsonutil.h"

static hwloc_bitmap_t get_idset(json_object *o, const char *key, struct error *err)
{
    const char *s = jsonutil_string(jsonutil_get(o, key));
    hwloc_bitmap_t set = idset_decode(s ? s : "", err);
    if (!set)
        error_prefix(err, "start: \"%s\"", key);
    return set;
}

static int get_unsigned(json_object *o, const char *key, unsigned low, unsigned *out,
                        struct error *err)
{
    int64_t n;
    if (!jsonutil_int(jsonutil_get(o, key), low, IDSET_MAX, &n))
        return error_set(err, EINVAL, "start: \"%s\" must be an integer of at least %u",
                         key, low);
    *out = (unsigned)n;
    return 0;
}

/* Which task ranks are this node's. */
int job_get_tasks(struct job *job, json_object *o, struct error *err)
{
    hwloc_const_bitmap_t ranks = NULL;
    unsigned nlocal = job->ntasks;
    if (job->nnodes > 1) {
        json_object *v = jsonutil_get(o, "taskmap");
        const char *text = json_object_is_type(v, json_type_string)
                               ? jsonutil_string(v)
                               : (v ? json_object_to_json_string(v) : NULL);
        if (!text)
            return error_set(err, EINVAL, "start: \"taskmap\" is missing");
        if (!(job->map = taskmap_decode(text, err)))
            return error_prefix(err, "start");
        ranks = taskmap_tasks(job->map, job->node);
        if (!ranks || taskmap_ntasks(job->map) != job->ntasks)
            return error_set(err, EINVAL,
                             "start: task map %s does not have node %u, or not %u tasks",
                             text, job->node, job->ntasks);
        nlocal = (unsigned)hwloc_bitmap_weight(ranks);
    }
    job->nlocal = nlocal;
    job->tasks = xcalloc(nlocal, sizeof(*job->tasks));
    int rank = -1;
    for (unsigned i = 0; i < job->nlocal; i++) {
        struct task *task = &job->tasks[i];
        rank = ranks ? hwloc_bitmap_next(ranks, rank) : rank + 1;
        task->job = job;
        task->index = i;
        task->rank = (unsigned)rank;
        for (int k = 0; k < 2; k++) {
            task->out[k].w.fd = -1;
            task->out[k].task = task;
        }
    }
    return 0;
}

/* Of many jobs in one, which one it is is told as the index of an array's element is. */
int job_take_row(struct job *job, struct error *err)
{
    const struct bulk_words *bulk = job->spec ? job->spec->bulk : NULL;
    if (!bulk)
        return 0;
    const char *cc = take(job->cc);
    job->row =
        cc && *cc ? bulk_words_row(bulk, strtoull(cc, NULL, 10), &job->nrow) : NULL;
    if (job->row)
        return 0;
    return error_set(err, EINVAL, "start: there are %zu jobs in one, and no job %s",
                     bulk_words_count(bulk), cc ? cc : "without a number");
}

static int decode(struct job *job, json_object *o, struct error *err)
{
    struct exec *x = job->x;
    const char *hash = jsonutil_string(jsonutil_get(o, "h"));
    if (!x->node)
        return error_set(err, EINVAL, "start came before init");
    if (!hash)
        return error_set(err, EINVAL, "start: \"h\" is missing");
    job->spec = specs_get(x->specs, hash, jsonutil_get(o, "parent") != NULL, err);
    job->cc = jsonutil_string(jsonutil_get(o, "cc"));
    json_object *ranks = jsonutil_get(o, "ranks");
    job->nnodes = json_object_is_type(ranks, json_type_array)
                      ? (unsigned)json_object_array_length(ranks)
                      : 1;
    double expiration = 0;
    if (jsonutil_number(jsonutil_get(o, "expiration"), &expiration))
        job->expiration = expiration;
    if (!job->spec || job_take_row(job, err) < 0 ||
        get_unsigned(o, "ntasks", 1, &job->ntasks, err) < 0 ||
        get_unsigned(o, "node", 0, &job->node, err) < 0 ||
        job_get_tasks(job, o, err) < 0 || !(job->cores = get_idset(o, "cores", err)) ||
        !(job->gpus = get_idset(o, "gpus", err)))
        return -1;
    json_object *parts = jsonutil_get(o, "parts");
    if (parts && !(job->shares = shares_create(job, parts, err)))
        return -1;
    int64_t memory = 0;
    jsonutil_int(jsonutil_get(o, "mem"), 1, (int64_t)BYTES_MAX, &memory);
    job->memory = (uint64_t)memory;
    job->limited = json_object_get_boolean(jsonutil_get(o, "limit"));
    if (job->nnodes == 1)
        jsonutil_int(jsonutil_get(o, "class"), 1, INT64_MAX, &job->class);
    return 0;
}

/* What cannot be enforced is told once; the memory is the job's anyway. */
static void limit_memory(struct job *job)
{
    struct exec *x = job->x;
    struct error err;
    if (!job->limited || x->no_memcg)
        return;
    if (!x->memcg) {
        cleanup_free char *name =
            xasprintf("hbatch-%s-%u", x->node->instance, x->node->rank);
        x->memcg = memcg_create("/proc/self/cgroup", "/sys/fs/cgroup", name, &err);
    }
    if (x->memcg)
        job->memcg =
            memcg_add(x->memcg, job->id, job->memory, job->spec->options.instance, &err);
    if (job->memcg)
        return;
    x->no_memcg = true;
    log_warning("host %s: jobs are not kept to the memory that they ask for, as there is "
                "no control group for that: %s",
                x->node->host, err.text);
}

/* What it needs of the machine before its tasks can start. */
int job_prepare(struct job *job, struct error *err)
{
    struct exec *x = job->x;
    if (job->spec->env->ascii_ids)
        jobid_encode(job->id, JOBID_F58_PLAIN, job->f58, sizeof(job->f58));
    if (!(job->tmpdir = tmpdir_get(x->tmpdirs, err)))
        return -1;
    if (files_write(jobspec_files(job->spec->js), tmpdir_path(job->tmpdir), err) < 0)
        return -1;
    limit_memory(job);
    if (job_start_pmi(job, err) < 0 || outputs_open(job, err) < 0)
        return -1;
    return 0;
}

static void start_event(struct job *job)
{
    struct strbuf *b =
        conn_event_begin_at(job->x->conn, job->id, job->run, "start", job->begun);
    job->begun = 0;
    strbuf_add(b, "\"pids\":{");
    for (unsigned i = 0; i < job->nlocal; i++)
        strbuf_addf(b, "%s\"%u\":%d", i ? "," : "", job->tasks[i].rank,
                    (int)job->tasks[i].pid);
    strbuf_add(b, "}");
    conn_event_end(job->x->conn);
    job->started = true;
    job->start_seq = conn_next_seq(job->x->conn);
}

void job_start_tasks(struct job *job)
{
    struct error err;
    int code = 126;
    job->starting = true;
    job->since = time_mono();
    for (unsigned i = 0; i < job->nlocal; i++)
        if (task_start(&job->tasks[i], &code, &err) < 0) {
            job->tasks[i].status = code << 8;
            job->status = code << 8;
            job->ending = true; /* before the exception, which would be gentle */
            job_exception(job, "exec", 0, "%s", err.text);
            job_kill(job);
            break;
        }
    job->starting = false;
    if (job->ending) /* nobody has its pipes: their end need not be waited for */
        for (unsigned i = 0; job->nrunning == 0 && i < job->nlocal; i++)
            task_drain(&job->tasks[i]);
    if (!job->ending) {
        if (!job->begun)
            start_event(job);
        job_set_timers(job);
    }
    job_check_finished(job);
}

void job_tell_started(struct job *job, bool wait)
{
    if (!job->begun || job->starting || job->finished || job->after)
        return;
    if (!lane_try_settle(job, wait))
        conn_lazy(job->x->conn);
    else if (job->nrunning > 0 && !job->finished)
        start_event(job);
}

void job_start(struct exec *x, json_object *o)
{
    struct error err;
    int64_t id, run = 0;
    if (!jsonutil_int(jsonutil_get(o, "id"), 1, INT64_MAX, &id)) {
        log_error("start: a job without a valid \"id\"");
        return;
    }
    if (job_find(x, (uint64_t)id)) {
        log_info("start: job %lld already runs here", (long long)id);
        return;
    }
    jsonutil_int(jsonutil_get(o, "run"), 0, INT64_MAX, &run);
    if (remember_has(x, (uint64_t)id, run) &&
        json_object_get_boolean(jsonutil_get(o, "again"))) {
        log_info("start: job %lld has already run here", (long long)id);
        return;
    }
    bool attach = json_object_get_boolean(jsonutil_get(o, "attach"));
    struct job *job = job_create(x, (uint64_t)id, run, o);
    if (decode(job, o, &err) < 0 || job_prepare(job, &err) < 0) {
        job_not_started(job, err.text);
        if (attach)
            reader_create(x, job->id, 0, NULL, 0, false, NULL);
        return;
    }
    idmap_put(&x->jobs, job->id, job);
    if (attach)
        reader_create(x, job->id, 0, job, 0, false, NULL);
    job_start_tasks(job);
}
