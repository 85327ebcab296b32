/* SPDX-License-Identifier: BSD-3-Clause */
/* job_end: how a job ends: told to, by its time limit, with its tasks; and what is told of it. */
#include "src/exec/job_impl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/exec/job_doom.h"
#include "src/exec/lane.h"
#include "src/exec/lease.h"
#include "src/exec/memcg.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/exec/sweep.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"

#define SHORT 0.02       /* s: a job of a burst */
#define LINGER_STEP 0.02 /* seconds between looks at who holds a pipe open */
#define LINGER_STEPS 50

/* --- because somebody wants it to --------------------------------------------------------- */

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

/* --- because of its time limit --------------------------------------------------------------- */

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

void job_stop_timers(struct job *job)
{
    timer_stop(&job->expire_timer);
    timer_stop(&job->warn_timer);
    timer_stop(&job->kill_timer);
    timer_stop(&job->doom_timer);
    timer_stop(&job->linger_timer);
}

/* --- what is told of it ------------------------------------------------------------------------ */

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

/* --- when nothing of it is left ----------------------------------------------------------------- */

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
    job_stop_timers(job);
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

/* --- a task of it has ended --------------------------------------------------------------------- */

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
