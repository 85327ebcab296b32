/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/job_doom.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/exec/job.h"

struct doom { /* of a job that has ended on this node */
    struct doom *next;
    struct exec *x;
    uint64_t id;
    int64_t run;
    struct timer *timer;
    char *text;
};

void doom_describe(int status, char *buf, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(buf, size, "was killed by signal %d (%s)%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
    else if (WEXITSTATUS(status) != 0)
        snprintf(buf, size, "exited with exit code %d", WEXITSTATUS(status));
    else
        snprintf(buf, size, "exited");
}

static void describe(char *text, size_t size, const struct job *job,
                     const struct task *task)
{
    char how[96], limit[32];
    doom_describe(task->status, how, sizeof(how));
    duration_encode(job->spec->options.exit_timeout, limit);
    snprintf(text, size, "task %u on host %s %s and exit-timeout=%s has expired",
             task->rank, job->x->node->host, how, limit);
}

static void on_timer(void *arg)
{
    struct job *job = arg;
    char text[512];
    describe(text, sizeof(text), job, &job->tasks[job->doom_task]);
    job_exception(job, "exec", 0, "%s", text);
}

void doom_task_ended(struct job *job, const struct task *task, int status)
{
    const struct launch_options *o = &job->spec->options;
    if (job->doomed || job->ntasks < 2 || o->exit_timeout < 0 ||
        !(o->exit_timeout_set || (job->pmi && status != 0)) ||
        (job->nrunning == 0 && job->nnodes == 1))
        return;
    job->doomed = true;
    job->doom_task = task->index;
    job->doom_time = time_mono() + o->exit_timeout;
    timer_start(&job->doom_timer, job->x->loop, o->exit_timeout, on_timer, job);
}

static void free_doom(struct doom *d)
{
    struct doom **p = &d->x->dooms;
    while (*p != d)
        p = &(*p)->next;
    *p = d->next;
    timer_stop(&d->timer);
    free(d->text);
    free(d);
}

static void on_outlived(void *arg)
{
    struct doom *d = arg;
    struct strbuf *b = conn_event_begin(d->x->conn, d->id, d->run, "exception");
    strbuf_add(b, "\"type\":\"exec\",\"severity\":0,\"note\":");
    conn_quote(b, d->text, strlen(d->text));
    conn_event_end(d->x->conn);
    free_doom(d);
}

void doom_outlive(struct job *job)
{
    if (!job->doom_timer || job->nnodes < 2 || job->ending)
        return;
    char text[512];
    describe(text, sizeof(text), job, &job->tasks[job->doom_task]);
    struct doom *d = xcalloc(1, sizeof(*d));
    d->x = job->x;
    d->id = job->id;
    d->run = job->run;
    d->text = xstrdup(text);
    d->next = d->x->dooms;
    d->x->dooms = d;
    timer_start(&d->timer, d->x->loop, job->doom_time - time_mono(), on_outlived, d);
}

void doom_free_all(struct exec *x)
{
    while (x->dooms)
        free_doom(x->dooms);
}
