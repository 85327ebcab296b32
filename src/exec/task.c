/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/sub.h"
#include "src/exec/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/shebang.h"
#include "src/common/util.h"
#include "src/exec/bind.h"
#include "src/exec/job.h"
#include "src/exec/launch.h"

#define PART_MAX (64u << 10) /* a longer line is passed on in parts */

static int which_of(const struct stream *s)
{
    return s == &s->task->out[1];
}

/* Pass whole lines on and keep the rest, unless the job wants it as it comes. */
static void stream_data(struct stream *s, const char *data, size_t len)
{
    struct job *job = s->task->job;
    int which = which_of(s);
    size_t whole = len;
    if (!job->spec->options.out[which].unbuffered) {
        const char *nl = memrchr(data, '\n', len);
        whole = nl ? (size_t)(nl - data) + 1 : 0;
    }
    if (s->part_len > 0 && whole > 0) { /* one piece, so that the line stays whole */
        s->part = xrealloc(s->part, s->part_len + whole);
        memcpy(s->part + s->part_len, data, whole);
        output_write(job, s->task, which, s->part, s->part_len + whole);
        s->part_len = 0;
        s->part_size = 0;
        free(take(s->part));
    } else if (whole > 0) {
        output_write(job, s->task, which, data, whole);
    }
    data += whole;
    len -= whole;
    if (len == 0)
        return;
    if (s->part_len + len > s->part_size) {
        s->part_size = (uint32_t)MAX((s->part_len + len) * 2, (size_t)256);
        s->part = xrealloc(s->part, s->part_size);
    }
    memcpy(s->part + s->part_len, data, len);
    s->part_len += (uint32_t)len;
    if (s->part_len >= PART_MAX) {
        output_write(job, s->task, which, s->part, s->part_len);
        s->part_len = 0;
    }
}

static void stream_close(struct stream *s)
{
    if (s->w.fd < 0)
        return;
    io_close(s->task->job->x->io, &s->w);
    if (s->part_len > 0)
        output_write(s->task->job, s->task, which_of(s), s->part, s->part_len);
    s->part_len = 0;
    free(take(s->part));
    job_stream_ended(s->task->job);
}

/* Read once; false: nothing more now. */
static bool stream_read(struct stream *s)
{
    struct exec *x = s->task->job->x;
    ssize_t n = read(s->w.fd, x->scratch, EXEC_SCRATCH);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        stream_close(s);
        return false;
    }
    stream_data(s, x->scratch, (size_t)n);
    return true;
}

static void on_readable(struct io_watch *w, uint32_t events)
{
    (void)events;
    stream_read((struct stream *)((char *)w - offsetof(struct stream, w)));
}

void task_drain(struct task *task)
{
    for (int i = 0; i < 2; i++)
        while (task->out[i].w.fd >= 0 && stream_read(&task->out[i]))
            ;
}

void task_watch_streams(struct task *task)
{
    for (int i = 0; i < 2; i++)
        io_now(task->job->x->io, &task->out[i].w);
}

void task_close_streams(struct task *task)
{
    task_drain(task);
    for (int i = 0; i < 2; i++)
        stream_close(&task->out[i]);
}

/* What the child gets and the parent closes again once it runs. */
struct fds {
    int in, out, err, pass;
};

static void close_fds(struct fds *f)
{
    if (f->in >= 0)
        close(f->in);
    if (f->out >= 0)
        close(f->out);
    if (f->err >= 0 && f->err != f->out)
        close(f->err);
    if (f->pass >= 0)
        close(f->pass);
}

static int open_stream(struct task *task, int which, int *fd, struct error *err)
{
    struct job *job = task->job;
    if (output_for_task(job, task, which, fd, err) < 0)
        return -1;
    if (*fd != -1)
        return 0;
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return error_set(err, errno, "pipe for output: %s", strerror(errno));
    struct stream *s = &task->out[which];
    s->w = (struct io_watch){.fd = p[0], .ready = on_readable};
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    io_later(job->x->io, &s->w, EPOLLIN);
    if (job->nreaders > 0)
        io_now(job->x->io, &s->w);
    job->nstreams++;
    *fd = p[1];
    return 0;
}

static int open_fds(struct task *task, struct fds *f, struct error *err)
{
    if (input_for_task(task->job, task, &f->in, err) < 0 ||
        open_stream(task, 0, &f->out, err) < 0 || open_stream(task, 1, &f->err, err) < 0)
        return -1;
    if (f->err == -2)
        f->err = f->out;
    return 0;
}

static struct app *app_of(const struct task *task)
{
    struct spec *spec = task->job->spec;
    unsigned first = 0;
    for (unsigned i = 0; i + 1 < spec->napps; i++) {
        first += spec->apps[i].ntasks;
        if (task->rank < first)
            return &spec->apps[i];
    }
    return &spec->apps[spec->napps - 1];
}

static void add_gpu(void *arg, const char *name, const char *value)
{
    bool order = strcmp(name, "CUDA_DEVICE_ORDER") == 0;
    struct envbuf *b = arg;
    if (!order || !envbuf_has(b, name))
        envbuf_set(b, name, value, true);
}

static void add_pmi(void *arg, char *kv)
{
    struct envbuf *b = arg;
    if (!envbuf_has(b, kv)) /* what the user set wins */
        envbuf_add(b, "%s", kv);
    free(kv);
}

static void expand_env(struct task *task, const struct app *app, struct envbuf *b)
{
    struct job *job = task->job;
    json_object *expand = job->spec->options.env_expand;
    if (job->cc)
        for (unsigned i = 0; i < app->env->ntemplated; i++) {
            unsigned at = app->env->templated[i];
            struct template_vars vars = {.cc = job->cc};
            cleanup_free char *kv = template_render(app->env->v[at], &vars);
            envbuf_add(b, "%s", kv);
            b->v[at] = b->v[--b->n];
        }
    if (expand) {
        json_object_object_foreach(expand, name, value)
        {
            cleanup_free char *text =
                job_render(job, task, json_object_get_string(value));
            envbuf_set(b, name, text, true);
        }
    }
}

static int make_env(struct task *task, const struct app *app, struct fds *f,
                    struct error *err)
{
    struct job *job = task->job;
    struct exec *x = job->x;
    const struct node *node = x->node;
    struct envbuf *b = &x->env;
    envbuf_begin(b, app->env);
    expand_env(task, app, b);
    if (app->cwd)
        envbuf_set(b, "PWD", app->cwd, true);
    envbuf_add(b, "HBATCH_URI=%s", node->uri);
    if (node->parent_uri)
        envbuf_add(b, "HBATCH_PARENT_URI=%s", node->parent_uri);
    envbuf_add(b, "HBATCH_INSTANCE_LEVEL=%u", node->level);
    envbuf_add(b, "HBATCH_JOB_ID=%s", job->f58);
    envbuf_add(b, "HBATCH_JOB_PATH=%s%s%s.%llu", x->outer_path ? x->outer_path : "",
               x->outer_path ? "/" : "", node->instance, (unsigned long long)job->id);
    envbuf_add(b, "HBATCH_NODE_PATH=%s", x->node_path);
    envbuf_add(b, "HBATCH_JOB_SIZE=%u", job->ntasks);
    envbuf_add(b, "HBATCH_JOB_NNODES=%u", job->nnodes);
    envbuf_add(b, "HBATCH_JOB_TMPDIR=%s", tmpdir_path(job->tmpdir));
    if (job->cc)
        envbuf_add(b, "HBATCH_JOB_CC=%s", job->cc);
    envbuf_add(b, "HBATCH_TASK_RANK=%u", task->rank);
    envbuf_add(b, "HBATCH_TASK_LOCAL_ID=%u", task->index);
    envbuf_add(b, "HBATCH_NODE_ID=%u", job->node);
    envbuf_compat(b, app->env);
    if (job->spec->options.instance) {
        cleanup_free char *sub = sub_describe(job);
        envbuf_add(b, SUB_VARIABLE "=%s", sub);
    }
    bind_gpus(node, job->spec->options.gpus, job->spec->options.gpu_map, job->gpus,
              task->index, job->nlocal, add_gpu, b);
    if (job->pmi && pmi_task_prepare(job->pmi, task->rank, add_pmi, b, &f->pass, err) < 0)
        return -1;
    envbuf_end(b);
    return 0;
}

static bool is_templated(const struct task *task, const struct app *app)
{
    return app->templated || (task->job->row && task->job->spec->bulk_templated);
}

/* The words of the command, rendered when they hold tags. */
static char **make_argv(struct task *task, const struct app *app)
{
    bool templated = is_templated(task, app);
    if (!templated && !task->job->row)
        return app->argv;
    char **argv = job_words(task->job, app);
    for (char **word = argv; templated && *word; word++)
        *word = job_render(task->job, task, *word);
    return argv;
}

static void free_argv(const struct task *task, const struct app *app, char **argv)
{
    if (argv == app->argv)
        return;
    for (char **word = argv; is_templated(task, app) && *word; word++)
        free(*word);
    free(argv - 1);
}

static void explain(const struct task *task, const struct launch *l, const char *word,
                    int *exit_code, struct error *err)
{
    char interpreter[256];
    *exit_code =
        l->step == LAUNCH_EXEC && (l->error == ENOENT || l->error == ENOTDIR) ? 127 : 126;
    if (l->step == LAUNCH_CWD)
        error_set(err, l->error, "task %u: working directory %s: %s", task->rank, l->cwd,
                  strerror(l->error));
    else if (l->step != LAUNCH_EXEC)
        error_set(err, l->error, "task %u: %s: %s", task->rank, launch_step_name(l->step),
                  strerror(l->error));
    else if (shebang_failed(l->path, l->error, interpreter, sizeof(interpreter)))
        error_set(err, l->error, "task %u: %s: its interpreter %s: %s", task->rank, word,
                  interpreter, strerror(l->error));
    else
        error_set(err, l->error, "task %u: %s: %s", task->rank, word, strerror(l->error));
}

static void set_mask(struct launch *l, hwloc_const_bitmap_t pus, unsigned long *mask,
                     unsigned max)
{
    if (!pus)
        return;
    int n = hwloc_bitmap_nr_ulongs(pus);
    if (n <= 0 || (unsigned)n > max)
        return;
    for (int i = 0; i < n; i++)
        mask[i] = hwloc_bitmap_to_ith_ulong(pus, (unsigned)i);
    l->mask = mask;
    l->mask_size = (size_t)n * sizeof(*mask);
}

static int run(struct task *task, struct app *app, char **argv, struct fds *f,
               int *exit_code, struct error *err)
{
    struct job *job = task->job;
    const struct launch_options *o = &job->spec->options;
    unsigned long mask[256]; /* 16384 processors */
    cleanup_bitmap hwloc_bitmap_t pus = bind_cpus(job->x->node, o->cpus, o->cpu_map,
                                                  job->cores, task->index, job->nlocal);
    struct launch l = {.argv = argv,
                       .envp = job->x->env.v,
                       .cwd = app->cwd,
                       .in = f->in,
                       .out = f->out,
                       .err = f->err,
                       .pass = f->pass,
                       .limits = o->rlimits.n ? &o->rlimits : NULL};
    set_mask(&l, pus, mask, ARRAY_SIZE(mask));
    bool fixed = !app->templated; /* else each task may name another program */
    for (int attempt = 0; attempt < 2; attempt++) {
        bool ours = o->instance && strcmp(argv[0], "hbatch-instance") == 0;
        l.survives = ours; /* it sees for itself, and ends in order */
        bool cached = fixed && app->path && attempt == 0;
        l.path = ours && job->x->instance_path ? job->x->instance_path
                 : cached                      ? app->path
                                               : app_find(app, argv[0], app->cwd, err);
        if (!l.path) {
            *exit_code = err->code == ENOENT ? 127 : 126;
            return error_prefix(err, "task %u", task->rank);
        }
        task->pid = launch(&l);
        /* The program may have moved since it was found. */
        if (task->pid > 0 || !cached || l.step != LAUNCH_EXEC)
            break;
    }
    if (task->pid < 0) {
        task->pid = 0;
        explain(task, &l, argv[0], exit_code, err);
        return -1;
    }
    job->x->launched++;
    return 0;
}

int task_start(struct task *task, int *exit_code, struct error *err)
{
    struct job *job = task->job;
    struct app *app = app_of(task);
    struct fds f = {-1, -1, -1, -1};
    *exit_code = 126;
    int rc = -1;
    if (open_fds(task, &f, err) < 0 || make_env(task, app, &f, err) < 0) {
        error_prefix(err, "task %u", task->rank);
    } else {
        char **argv = make_argv(task, app);
        rc = run(task, app, argv, &f, exit_code, err);
        free_argv(task, app, argv);
    }
    close_fds(&f);
    if (rc < 0)
        return -1;
    idmap_put(&job->x->tasks, (uint64_t)task->pid, task);
    job->nrunning++;
    if (job->pmi)
        pmi_task_started(job->pmi, task->rank, task->pid);
    return 0;
}

void task_signal(const struct task *task, int signum)
{
    if (task->pid > 0 && kill(-task->pid, signum) < 0)
        kill(task->pid, signum);
}

void task_reap(struct exec *x)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct task *task = idmap_get(&x->tasks, (uint64_t)pid);
        if (!task)
            continue; /* an orphan that came to us */
        idmap_del(&x->tasks, (uint64_t)pid);
        job_task_ended(task->job, task, status);
    }
}
