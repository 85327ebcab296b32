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
#include "src/exec/lane.h"
#include "src/exec/launch.h"
#include "src/exec/memcg.h"
#include "src/exec/shares.h"

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

static const struct task_fds no_fds = {-1, -1, -1, -1};

static void close_fds(struct task_fds *f)
{
    if (f->in >= 0)
        close(f->in);
    if (f->out >= 0)
        close(f->out);
    if (f->err >= 0 && f->err != f->out)
        close(f->err);
    if (f->pass >= 0)
        close(f->pass);
    *f = no_fds;
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

static int open_fds(struct task *task, struct task_fds *f, struct error *err)
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
    bool order = strcmp(name, "CUDA_DEVICE_ORDER") == 0 ||
                 strcmp(name, "ZE_ENABLE_PCI_ID_DEVICE_ORDER") == 0;
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
    if (job->cc)
        for (unsigned i = 0; i < app->env->ntemplated; i++) {
            unsigned at = app->env->templated[i];
            struct template_vars vars = {.cc = job->cc};
            cleanup_free char *kv = template_render(app->env->v[at], &vars);
            envbuf_add(b, "%s", kv);
            b->v[at] = b->v[--b->n];
        }
    if (app->expand) {
        json_object_object_foreach(app->expand, name, value)
        {
            cleanup_free char *text =
                job_render(job, task, json_object_get_string(value));
            envbuf_set(b, name, text, true);
        }
    }
}

static int make_env(struct task *task, const struct app *app, struct envbuf *b,
                    struct task_fds *f, struct error *err)
{
    struct job *job = task->job;
    struct exec *x = job->x;
    const struct node *node = x->node;
    envbuf_begin(b, app->env);
    expand_env(task, app, b);
    if (app->cwd)
        envbuf_set(b, "PWD", app->cwd, true);
    envbuf_put(b, "HBATCH_URI", node->uri);
    if (node->parent_uri)
        envbuf_put(b, "HBATCH_PARENT_URI", node->parent_uri);
    envbuf_putu(b, "HBATCH_INSTANCE_LEVEL", "", node->level);
    envbuf_put(b, "HBATCH_JOB_ID", job->f58);
    envbuf_putu(b, "HBATCH_JOB_PATH", x->job_path, job->id);
    envbuf_put(b, "HBATCH_NODE_PATH", x->node_path);
    envbuf_putu(b, "HBATCH_JOB_SIZE", "", job->ntasks);
    envbuf_putu(b, "HBATCH_JOB_NNODES", "", job->nnodes);
    envbuf_put(b, "HBATCH_JOB_TMPDIR", tmpdir_path(job->tmpdir));
    if (job->cc)
        envbuf_put(b, "HBATCH_JOB_CC", job->cc);
    envbuf_putu(b, "HBATCH_TASK_RANK", "", task->rank);
    envbuf_putu(b, "HBATCH_TASK_LOCAL_ID", "", task->index);
    envbuf_putu(b, "HBATCH_NODE_ID", "", job->node);
    envbuf_compat(b, app->env);
    if (job->spec->options.instance) {
        cleanup_free char *sub = sub_describe(job);
        envbuf_add(b, SUB_VARIABLE "=%s", sub);
    }
    const struct launch_options *options = &job->spec->options;
    struct task_share share = shares_of(task);
    bool mapped = options->gpus == AFFINITY_MAP;
    bind_gpus(node, options->gpus, options->gpu_map, share.cores, share.gpus,
              mapped ? task->index : share.index, mapped ? job->nlocal : share.n, add_gpu,
              b);
    if (job->pmi && pmi_task_prepare(job->pmi, task->rank, add_pmi, b, &f->pass, err) < 0)
        return -1;
    envbuf_end(b);
    return 0;
}

static bool is_templated(const struct task *task, const struct app *app)
{
    return app->templated || (task->job->row && task->job->spec->bulk_templated);
}

/* Else each task may name another one. */
static bool names_one_program(const struct app *app)
{
    return !app->templated && app->argc > 0;
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

hwloc_bitmap_t task_mask(const struct task *task)
{
    const struct job *job = task->job;
    const struct launch_options *o = &job->spec->options;
    struct task_share share = shares_of(task);
    return bind_cpus(job->x->node, o->cpus, o->cpu_map, share.cores,
                     o->cpus == AFFINITY_MAP ? task->index : share.index, share.n);
}

static struct launch describe(const struct task *task, const struct app *app, char **argv,
                              char **envp, const struct task_fds *f)
{
    const struct launch_options *o = &task->job->spec->options;
    return (struct launch){.argv = argv,
                           .envp = envp,
                           .cwd = app->cwd,
                           .in = f->in,
                           .out = f->out,
                           .err = f->err,
                           .pass = f->pass,
                           .group = task->job->memcg ? memcg_procs(task->job->memcg) : -1,
                           .limits = o->rlimits.n ? &o->rlimits : NULL};
}

static int run(struct task *task, struct app *app, char **argv, char **envp,
               struct task_fds *f, int *exit_code, struct error *err)
{
    struct job *job = task->job;
    const struct launch_options *o = &job->spec->options;
    unsigned long mask[256]; /* 16384 processors */
    cleanup_bitmap hwloc_bitmap_t pus = task_mask(task);
    struct launch l = describe(task, app, argv, envp, f);
    set_mask(&l, pus, mask, ARRAY_SIZE(mask));
    bool fixed = names_one_program(app);
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
    struct task_fds f = no_fds;
    *exit_code = 126;
    int rc = -1;
    if (open_fds(task, &f, err) < 0 || make_env(task, app, &job->x->env, &f, err) < 0) {
        error_prefix(err, "task %u", task->rank);
    } else {
        char **argv = make_argv(task, app);
        rc = run(task, app, argv, job->x->env.v, &f, exit_code, err);
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

/* --- by another thread (lane.h) ------------------------------------------------------------- */

static bool may_be_ready(const struct job *job)
{
    const struct launch_options *o = &job->spec->options;
    return job->nlocal == 1 && job->spec->napps == 1 && !o->instance && !job->pmi &&
           o->input == INPUT_NONE && !o->out[0].to_file && !o->out[1].to_file;
}

/* The words of the command in an array of their own: others may be started with the same at the same time, and
 * launch may change it. */
static void copy_argv(struct task *task, const struct app *app, struct ready *r)
{
    char **argv = make_argv(task, app);
    while (argv[r->argc])
        r->argc++;
    char **room = xcalloc(r->argc + 2u, sizeof(*room));
    r->argv = room + 1;
    for (unsigned i = 0; i < r->argc; i++)
        r->argv[i] = xstrdup(argv[i]);
    free_argv(task, app, argv);
}

bool task_make_ready(struct task *task, struct ready *r)
{
    struct error err;
    struct job *job = task->job;
    struct app *app = app_of(task);
    *r = (struct ready){.fds = no_fds};
    if (!may_be_ready(job) || open_fds(task, &r->fds, &err) < 0 ||
        make_env(task, app, &r->env, &r->fds, &err) < 0)
        return false;
    copy_argv(task, app, r);
    bool cached = names_one_program(app) && app->path;
    const char *path = cached ? app->path : app_find(app, r->argv[0], app->cwd, &err);
    if (!path)
        return false;
    r->path = xstrdup(path);
    r->pus = task_mask(task);
    r->l = describe(task, app, r->argv, r->env.v, &r->fds);
    r->l.path = r->path;
    return true;
}

void ready_close(struct ready *r)
{
    close_fds(&r->fds);
}

void ready_clear(struct ready *r)
{
    close_fds(&r->fds);
    envbuf_fini(&r->env);
    for (unsigned i = 0; i < r->argc; i++)
        free(r->argv[i]);
    free(r->argv ? r->argv - 1 : NULL);
    free(r->path);
    hwloc_bitmap_free(r->pus);
    *r = (struct ready){.fds = no_fds};
}

void task_started(struct task *task, struct ready *r, pid_t pid)
{
    ready_close(r);
    task->pid = pid;
    task->in_lane = true;
    idmap_put(&task->job->x->tasks, (uint64_t)pid, task);
    task->job->x->launched++;
}

int task_start_failed(struct task *task, struct ready *r, int *exit_code,
                      struct error *err)
{
    int rc = -1;
    if (r->l.step == LAUNCH_EXEC)
        rc = run(task, app_of(task), r->argv, r->env.v, &r->fds, exit_code, err);
    else
        explain(task, &r->l, r->argv[0], exit_code, err);
    close_fds(&r->fds);
    if (rc == 0)
        idmap_put(&task->job->x->tasks, (uint64_t)task->pid, task);
    return rc;
}

void task_signal(struct task *task, int signum)
{
    lane_settle(task);
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
            task = lane_task(x, pid);
        if (!task)
            continue; /* an orphan that came to us */
        idmap_del(&x->tasks, (uint64_t)pid);
        job_task_ended(task->job, task, status);
    }
}
