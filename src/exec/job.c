/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/job.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "src/common/bytes.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/files.h"
#include "src/exec/job_doom.h"
#include "src/exec/job_impl.h"
#include "src/exec/lane.h"
#include "src/exec/lease.h"
#include "src/exec/memcg.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/exec/shares.h"
#include "src/exec/sweep.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"

#define SHORT 0.02       /* s: a job of a burst */
#define LINGER_STEP 0.02 /* seconds between looks at who holds a pipe open */
#define LINGER_STEPS 50

struct job *job_find(const struct exec *x, uint64_t id)
{
    return idmap_get(&x->jobs, id);
}

/* --- templates --------------------------------------------------------------------------- */

static const char *nodelist(struct job *job)
{
    json_object *hosts = jsonutil_get(job->start, "hosts");
    if (job->nodelist || !json_object_is_type(hosts, json_type_array))
        return job->nodelist;
    struct hostlist *hl = hostlist_create();
    for (size_t i = 0; i < json_object_array_length(hosts); i++)
        hostlist_append_name(hl,
                             json_object_get_string(json_object_array_get_idx(hosts, i)));
    job->nodelist = hostlist_encode(hl);
    hostlist_destroy(hl);
    return job->nodelist;
}

void job_template_vars(struct job *job, const struct task *task,
                       struct template_vars *vars)
{
    *vars = (struct template_vars){
        .id = job->id,
        .ascii_ids = job->spec->env->ascii_ids,
        .name = jobspec_name(job->spec->js),
        .nodelist = nodelist(job),
        .cc = job->cc,
        .tmpdir = job->tmpdir ? tmpdir_path(job->tmpdir) : NULL,
        .host = job->x->node->host,
        .cores = jsonutil_string(jsonutil_get(job->start, "cores")),
        .gpus = jsonutil_string(jsonutil_get(job->start, "gpus")),
        .size = job->ntasks,
        .nnodes = job->nnodes,
        .node = job->node,
        .node_rank = job->x->rank,
        .ncores = (unsigned)MAX(hwloc_bitmap_weight(job->cores), 0),
        .has_task = task != NULL,
        .task = task ? task->rank : 0,
        .local = task ? task->index : 0,
    };
}

char *job_render(struct job *job, const struct task *task, const char *text)
{
    if (!strchr(text, '{'))
        return xstrdup(text);
    struct template_vars vars;
    job_template_vars(job, task, &vars);
    return template_render(text, &vars);
}

void job_count_reader(struct job *job, int n)
{
    job->nreaders += (unsigned)n;
    for (unsigned i = 0; n > 0 && i < job->nlocal; i++)
        task_watch_streams(&job->tasks[i]);
}

/* --- output ------------------------------------------------------------------------------ */

void job_output_lost(struct job *job, const char *where, int error)
{
    if (job->lost)
        return;
    job->lost = true;
    job_exception(job, "output", 0, "output of the job could not be written (%s): %s",
                  where, strerror(error));
}

void job_output(struct job *job, unsigned rank, unsigned stream, const char *data,
                size_t len)
{
    while (len > 0 && !job->lost) {
        size_t n = MIN(len, (size_t)SPOOL_RECORD_MAX);
        uint64_t pos =
            spool_append(job->x->spool, &job->spool, job->id, rank, stream, data, n);
        if (!pos) {
            job_output_lost(job, "spool", errno);
            return;
        }
        if (job->nreaders > 0)
            reader_record(job->x, job, pos);
        data += n;
        len -= n;
    }
}

/* --- end ----------------------------------------------------------------------------------- */

void job_signal(struct job *job, int signum)
{
    for (unsigned i = 0; i < job->nlocal; i++)
        task_signal(&job->tasks[i], signum);
}

static void on_kill_timer(void *arg)
{
    job_signal(arg, SIGKILL);
}

double job_grace(const struct job *job, double grace)
{
    return job->spec->options.instance ? grace + subend_margin(job->x->node->level)
                                       : grace;
}

void job_end(struct job *job, double grace)
{
    job->ending = true;
    job_signal(job, SIGTERM);
    job_signal(job, SIGCONT);
    timer_start(&job->kill_timer, job->x->loop, grace, on_kill_timer, job);
}

void job_kill(struct job *job)
{
    job->ending = true;
    job_signal(job, SIGKILL);
}

static void exception_event(const struct job *job, const char *type, int severity,
                            const char *text)
{
    struct strbuf *b = conn_event_begin(job->x->conn, job->id, job->run, "exception");
    strbuf_addf(b, "\"type\":\"%s\",\"severity\":%d,\"note\":", type, severity);
    conn_quote(b, text, strlen(text));
    conn_event_end(job->x->conn);
}

static void tell_expired(struct job *job)
{
    exception_event(job, "timeout", 0, "resource allocation expired");
    job->ending = job->expired = true;
}

void job_exception(struct job *job, const char *type, int severity, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    exception_event(job, type, severity, text);
    if (severity == 0 && !job->ending)
        job_end(job, job_grace(job, job->spec->options.kill_timeout < 0
                                        ? SUBEND_GRACE
                                        : job->spec->options.kill_timeout));
}

/* [ID,"CORES","GPUS"]: where NEXT begins. */
static void add_next(struct strbuf *b, const struct job *job, uint64_t next)
{
    const char *cores = jsonutil_string(jsonutil_get(job->start, "cores"));
    const char *gpus = jsonutil_string(jsonutil_get(job->start, "gpus"));
    strbuf_addc(b, '[');
    strbuf_addu(b, next);
    strbuf_add(b, ",\"");
    strbuf_add(b, cores ? cores : "");
    strbuf_add(b, "\",\"");
    strbuf_add(b, gpus ? gpus : "");
    strbuf_add(b, "\"]");
}

static void describe_end(struct strbuf *b, const struct job *job, int status)
{
    strbuf_addf(b, "\"status\":%d,\"tasks\":{", status);
    unsigned told = 0;
    for (unsigned i = 0; i < job->nlocal && told < 64; i++)
        if (job->tasks[i].status)
            strbuf_addf(b, "%s\"%u\":%d", told++ ? "," : "", job->tasks[i].rank,
                        job->tasks[i].status);
    strbuf_addf(b, "},%s\"output\":[%llu,%llu],\"pos\":",
                job->ending && job->status == 0 ? "\"ended\":true," : "",
                (unsigned long long)job->bytes[0], (unsigned long long)job->bytes[1]);
    if (job->spool.first)
        strbuf_addu(b, job->spool.first);
    else
        strbuf_add(b, "null");
}

/* NEXT: the job that takes its place, or 0. */
static void finish_event(const struct job *job, int status, uint64_t next)
{
    struct conn *c = job->x->conn;
    bool quiet = status == 0 && !job->ending && job->bytes[0] + job->bytes[1] == 0 &&
                 !job->spool.first && job->run == 0;
    bool lazily = next && !job->prompt && time_mono() - job->since < SHORT;
    remember_ended(job->x, job->id, job->run, job->spool.first);
    if (next && quiet) {
        add_next(conn_entry_begin(c, job->id, "ran", 0), job, next);
        conn_entry_end(c, lazily);
        return;
    }
    struct strbuf *b = conn_event_begin(c, job->id, job->run, "finish");
    describe_end(b, job, status);
    if (next) {
        strbuf_add(b, ",\"next\":");
        add_next(b, job, next);
    }
    strbuf_addc(b, '}');
    conn_entry_end(c, lazily);
}

static void stop_timers(struct job *job)
{
    timer_stop(&job->expire_timer);
    timer_stop(&job->warn_timer);
    timer_stop(&job->kill_timer);
    timer_stop(&job->doom_timer);
    timer_stop(&job->linger_timer);
}

void job_free(struct job *job)
{
    lane_forget(job);
    stop_timers(job);
    input_destroy(job);
    outputs_close(job);
    pmi_job_destroy(job->pmi);
    for (unsigned i = 0; i < job->nlocal; i++)
        for (int k = 0; k < 2; k++) {
            io_close(job->x->io, &job->tasks[i].out[k].w);
            free(job->tasks[i].out[k].part);
        }
    shares_destroy(job->shares);
    hwloc_bitmap_free(job->cores);
    hwloc_bitmap_free(job->gpus);
    memcg_remove(job->memcg);
    taskmap_destroy(job->map);
    free(job->tasks);
    tmpdir_put(job->x->tmpdirs, job->tmpdir);
    free(job->nodelist);
    spec_put(job->spec);
    json_object_put(job->start);
    free(job);
}

/* HEIR has begun already, and may even have ended. */
static void succeed(struct job *job, struct job *heir)
{
    if (heir != job->heir) {
        lane_adopt(job);
        return;
    }
    heir->after = NULL;
    conn_lazy(heir->x->conn); /* its beginning could not be told before */
    job_check_finished(heir);
}

static void finish(struct job *job)
{
    struct exec *x = job->x;
    if (job->finished || job->after)
        return;
    job->finished = true;
    doom_outlive(job);
    stop_timers(job);
    input_destroy(job);
    outputs_close(job);
    if (job->spec->options.instance)
        sweep_job(x, job->id); /* its executor and what that has, if it was killed */
    tmpdir_put(x->tmpdirs, take(job->tmpdir));
    pmi_job_destroy(take(job->pmi));
    if (job->lost)
        spool_forget_lost(x->spool, &job->spool);
    struct job *heir = lane_heir(job);
    struct leased *next = heir ? NULL : lease_next(job);
    finish_event(job, job->status ? job->status : job->ended_status,
                 heir   ? heir->id
                 : next ? next->id
                        : 0);
    idmap_del(&x->jobs, job->id);
    if (job->nreaders > 0)
        reader_job_ended(x, job);
    job->next = x->ended;
    x->ended = job;
    sweep_later(x);
    if (heir)
        succeed(job, heir);
    else if (next)
        lease_hand_over(job, next);
    else
        lane_leave(job);
    exec_job_finished(x);
}

void job_free_ended(struct exec *x)
{
    while (x->ended) {
        struct job *job = x->ended;
        x->ended = job->next;
        job_free(job);
    }
}

void job_free_all(struct exec *x)
{
    job_free_ended(x);
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        job_free(job);
    idmap_fini(&x->jobs);
}

/* All tasks are gone, but a pipe is open: somebody whom a task left behind holds it. */
static void on_linger(void *arg)
{
    struct job *job = arg;
    for (unsigned i = 0; i < job->nlocal; i++)
        task_drain(&job->tasks[i]);
    if (job->finished)
        return;
    if (++job->lingered < LINGER_STEPS) {
        sweep_job(job->x, job->id);
        timer_start(&job->linger_timer, job->x->loop, LINGER_STEP, on_linger, job);
        return;
    }
    for (unsigned i = 0; i < job->nlocal; i++)
        task_close_streams(&job->tasks[i]);
}

void job_check_finished(struct job *job)
{
    /* prep: a lane's thread has started it, and its pipes may have ended before that is known here */
    if (job->nrunning > 0 || job->starting || job->finished || job->prep)
        return;
    if (job->nstreams == 0)
        finish(job);
    else if (!job->linger_timer)
        timer_start(&job->linger_timer, job->x->loop, LINGER_STEP, on_linger, job);
}

void job_stream_ended(struct job *job)
{
    job->nstreams--;
    job_check_finished(job);
}

static void judge(struct job *job, const struct task *task, int status, bool unclean)
{
    const struct launch_options *o = &job->spec->options;
    char how[96];
    doom_describe(status, how, sizeof(how));
    if (o->exit_on_error && status != 0)
        job_exception(job, "exec", 0, "task %u on host %s %s and exit-on-error is set",
                      task->rank, job->x->node->host, how);
    else if (job->pmi && job->ntasks > 1 && WIFSIGNALED(status))
        job_exception(job, "exec", 0, "task %u on host %s %s", task->rank,
                      job->x->node->host, how);
    else if (unclean && job->ntasks > 1 && !(o->instance && status == 0))
        job_exception(job, "exec", 0, "task %u on host %s %s without MPI_Finalize",
                      task->rank, job->x->node->host, how);
    else
        doom_task_ended(job, task, status);
}

/* An instance whose time was over has one exit code, whatever its program and its ranks made of their signals.
 * It may have seen its limit a moment before the timer here did. */
static int instance_status(struct job *job, int status)
{
    if (!job->expired && !job->ending && status == EXIT_EXPIRED << 8 &&
        job->expiration > 0 && time_now() >= job->expiration - SUBEND_NEAR)
        tell_expired(job);
    return job->expired ? EXIT_EXPIRED << 8 : status;
}

/* What was killed may be a process of the task, which went on. */
static void check_memory(struct job *job, const struct task *task, int status)
{
    if (!job->memcg || job->ending || memcg_killed(job->memcg) == 0)
        return;
    job_exception(job, "oom", status ? 0 : 1,
                  "%stask %u on host %s was killed: the job used all of the %s of memory "
                  "that it has there",
                  status ? "" : "a process of ", task->rank, job->x->node->host,
                  bytes_encode(job->memory).s);
}

void job_task_ended(struct job *job, struct task *task, int status)
{
    bool unclean = false;
    pid_t group = task->pid;
    if (job->spec->options.instance)
        status = instance_status(job, status);
    task->pid = 0;
    task->status = status;
    int *worst = job->ending ? &job->ended_status : &job->status;
    *worst = MAX(*worst, status);
    job->nrunning--;
    input_task_ended(job, task);
    if (job->pmi)
        pmi_task_exited(job->pmi, task->rank, &unclean);
    check_memory(job, task, status);
    if (!job->ending && !job->starting)
        judge(job, task, status, unclean);
    /* The number is still the group's own: either it has members, which keep it, or it was given
     * free a moment ago. Later it could be another job's. */
    if (job->nrunning == 0 && !job->starting)
        kill(-group, SIGKILL);
    else
        task->group_left = kill(-group, 0) == 0;
    task_drain(task);
    if (job->nrunning == 0 && job->nstreams > 0 && !job->starting) {
        lane_await_starts(job->x); /* else those would seem to write to its pipes */
        task_drain(task);
    }
    if (job->nrunning == 0 && !job->starting)
        for (unsigned i = 0; i < job->nlocal; i++)
            if (job->tasks[i].group_left) {
                sweep_job(job->x, job->id);
                break;
            }
    job_check_finished(job);
}

/* --- start ----------------------------------------------------------------------------------- */

static void on_warn(void *arg)
{
    struct job *job = arg;
    job_signal(job, job->spec->options.warn_signal);
}

static void on_expire(void *arg)
{
    struct job *job = arg;
    double grace = job->spec->options.kill_timeout;
    if (job->ending)
        return;
    tell_expired(job);
    /* an instance ends in order, and its program is asked to */
    job_signal(job, job->spec->options.instance ? SIGTERM : SIGALRM);
    if (grace >= 0)
        timer_start(&job->kill_timer, job->x->loop, job_grace(job, grace), on_kill_timer,
                    job);
}

void job_set_timers(struct job *job)
{
    const struct launch_options *o = &job->spec->options;
    if (job->expiration <= 0)
        return;
    double left = job->expiration - time_now();
    timer_start(&job->expire_timer, job->x->loop, left, on_expire, job);
    if (o->warn_signal)
        timer_start(&job->warn_timer, job->x->loop, MAX(left - o->warn_left, 0.0),
                    on_warn, job);
}

void job_set_expiration(struct job *job, double when)
{
    job->expiration = when;
    job->class = 0; /* who comes after it has no such limit */
    timer_stop(&job->expire_timer);
    timer_stop(&job->warn_timer);
    if (!job->ending && job->nrunning > 0)
        job_set_timers(job);
}

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

char **job_words(const struct job *job, const struct app *app)
{
    char **room = xcalloc(app->argc + job->nrow + 2u, sizeof(*room));
    const char *word = job->row;
    memcpy(room + 1, app->argv, app->argc * sizeof(*room));
    for (unsigned i = 0; i < job->nrow; i++, word += strlen(word) + 1)
        room[1 + app->argc + i] = (char *)(uintptr_t)word;
    return room + 1;
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

struct job *job_create(struct exec *x, uint64_t id, int64_t run, json_object *start)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->x = x;
    job->id = id;
    job->run = run;
    job->start = json_object_get(start);
    job->outputs.fd[0] = job->outputs.fd[1] = -1;
    jobid_encode(id, JOBID_F58, job->f58, sizeof(job->f58));
    return job;
}

void job_not_started(struct job *job, const char *why)
{
    struct exec *x = job->x;
    struct leased *next = lease_next(job);
    exception_event(job, "exec", 0, why);
    finish_event(job, 126 << 8, next ? next->id : 0);
    job->next = x->ended;
    x->ended = job;
    if (next)
        lease_hand_over(job, next);
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
