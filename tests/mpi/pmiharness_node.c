/* SPDX-License-Identifier: BSD-3-Clause */
/* pmiharness_node: a node: a process with a pmi of its own, which starts tasks. */
#include "pmi/pmi.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/mpi/pmiharness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct node_task {
    unsigned rank;
    pid_t pid;
};

struct node_job {
    struct node_job *next;
    uint64_t id;
    struct pmi_job *pmi;
    struct node_task *tasks;
    unsigned ntasks, running;
    int status; /* greatest exit code */
};

struct node {
    uv_loop_t loop;
    uv_signal_t sigchld;
    struct lines *up;
    struct pmi *pmi;
    struct node_job *jobs;
    unsigned rank, size;
    unsigned kinds;
    char *rundir;
    struct self_message {
        struct self_message *next;
        json_object *msg;
    } * self_messages;
    uv_idle_t idle;
};

static void on_idle(uv_idle_t *idle)
{
    struct node *node = idle->data;
    struct self_message *list = take(node->self_messages), *ordered = NULL;
    while (list) { /* it was collected newest first */
        struct self_message *next = list->next;
        list->next = ordered;
        ordered = list;
        list = next;
    }
    while (ordered) {
        struct self_message *s = ordered;
        ordered = s->next;
        pmi_deliver(node->pmi, s->msg);
        json_object_put(s->msg);
        free(s);
    }
    if (!node->self_messages)
        uv_idle_stop(idle);
}

static void op_send(void *arg, int rank, json_object *msg)
{
    struct node *node = arg;
    if (rank == (int)node->rank) {
        struct self_message *s = xcalloc(1, sizeof(*s));
        s->msg = msg;
        s->next = node->self_messages;
        node->self_messages = s;
        uv_idle_start(&node->idle, on_idle);
        return;
    }
    json_object *o = message("pmi");
    json_object_object_add(o, "to", json_object_new_int(rank));
    json_object_object_add(o, "msg", msg);
    send_away(node->up, o);
}

static void op_abort(void *arg, uint64_t id, unsigned task, int status, const char *text)
{
    struct node *node = arg;
    json_object *o = message("abort");
    json_object_object_add(o, "id", json_object_new_uint64(id));
    json_object_object_add(o, "task", json_object_new_int64(task));
    json_object_object_add(o, "status", json_object_new_int(status));
    json_object_object_add(o, "text", json_object_new_string(text ? text : ""));
    send_away(node->up, o);
}

static void op_signal(void *arg, uint64_t id, int signum)
{
    struct node *node = arg;
    json_object *o = message("signal");
    json_object_object_add(o, "id", json_object_new_uint64(id));
    json_object_object_add(o, "signal", json_object_new_int(signum));
    send_away(node->up, o);
}

static void op_log(void *arg, uint64_t id, unsigned task, int stream, const char *text,
                   size_t len)
{
    (void)arg;
    (void)id;
    (void)task;
    write_all(stream, text, len);
}

static const struct pmi_ops node_ops = {op_send, op_abort, op_signal, op_log};

static struct node_job *node_job_find(struct node *node, uint64_t id)
{
    struct node_job *job = node->jobs;
    while (job && job->id != id)
        job = job->next;
    return job;
}

struct env {
    char **v;
    size_t n;
};

static void env_put(struct env *env, char *kv)
{
    size_t len = strcspn(kv, "=");
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], kv, len + 1) == 0) {
            free(env->v[i]);
            env->v[i] = kv;
            return;
        }
    env->v = xrealloc(env->v, (env->n + 2) * sizeof(char *));
    env->v[env->n++] = kv;
    env->v[env->n] = NULL;
}

static void env_default(void *arg, char *kv)
{
    cleanup_free char *name = xstrndup(kv, strcspn(kv, "="));
    if (strncmp(name, "OMPI_MCA_", 9) == 0 && getenv(name))
        free(kv);
    else
        env_put(arg, kv);
}

/* The command of task RANK, from the job's apps. */
static json_object *task_app(json_object *apps, unsigned rank)
{
    for (size_t a = 0; a < json_object_array_length(apps); a++) {
        json_object *app = json_object_array_get_idx(apps, a);
        unsigned n = get_unsigned(app, "maxprocs");
        if (rank < n)
            return app;
        rank -= n;
    }
    return NULL;
}

static int start_task(struct node_job *job, json_object *apps, struct node_task *task,
                      struct error *err)
{
    struct env env = {0};
    int fd, rc;
    for (char **e = environ; *e; e++)
        env_put(&env, xstrdup(*e));
    rc = pmi_task_prepare(job->pmi, task->rank, env_default, &env, &fd, err);
    if (rc < 0)
        return -1;
    json_object *app = task_app(apps, task->rank), *argv = get(app, "argv");
    json_object *more = get(app, "env");
    if (more) {
        json_object_object_foreach(more, key, value)
            env_put(&env, xasprintf("%s=%s", key, json_object_get_string(value)));
    }
    size_t n = json_object_array_length(argv);
    char **args = xcalloc(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        args[i] = xstrdup(json_object_get_string(json_object_array_get_idx(argv, i)));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (get_string(app, "cwd"))
        posix_spawn_file_actions_addchdir_np(&actions, get_string(app, "cwd"));
    if (fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, fd, fd);
    rc = posix_spawnp(&task->pid, args[0], &actions, &attr, args, env.v);
    if (fd >= 0)
        close(fd);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc)
        error_set(err, rc, "cannot run '%s': %s", args[0], strerror(rc));
    for (size_t i = 0; i < n; i++)
        free(args[i]);
    free(args);
    for (size_t i = 0; i < env.n; i++)
        free(env.v[i]);
    free(env.v);
    if (rc)
        return -1;
    pmi_task_started(job->pmi, task->rank, task->pid);
    return 0;
}

static struct pmi_job *make_pmi_job(struct node *node, json_object *msg,
                                    const char *tmpdir, struct error *err)
{
    json_object *place = get(msg, "place"), *ranks = get(msg, "ranks"),
                *apps = get(msg, "apps");
    size_t size = json_object_array_length(place),
           nnodes = json_object_array_length(ranks);
    size_t napps = json_object_array_length(apps);
    cleanup_free unsigned *task_node = xcalloc(size, sizeof(unsigned));
    cleanup_free unsigned *node_ranks = xcalloc(nnodes, sizeof(unsigned));
    cleanup_free unsigned *app_sizes = xcalloc(napps, sizeof(unsigned));
    cleanup_free const char **hosts = xcalloc(nnodes, sizeof(char *));
    cleanup_strbuf struct strbuf map = {0};
    unsigned here = 0;
    for (size_t i = 0; i < size; i++)
        task_node[i] = (unsigned)json_object_get_int(json_object_array_get_idx(place, i));
    for (size_t i = 0; i < nnodes; i++) {
        node_ranks[i] =
            (unsigned)json_object_get_int(json_object_array_get_idx(ranks, i));
        hosts[i] =
            json_object_get_string(json_object_array_get_idx(get(msg, "hosts"), i));
        if (node_ranks[i] == node->rank)
            here = (unsigned)i;
        unsigned count = 0;
        for (size_t t = 0; t < size; t++)
            count += task_node[t] == i;
        strbuf_addf(&map, "%s(%zu,1,%u)", i ? "," : "(vector,", i, count);
    }
    strbuf_add(&map, ")");
    for (size_t a = 0; a < napps; a++)
        app_sizes[a] = get_unsigned(json_object_array_get_idx(apps, a), "maxprocs");
    struct pmi_job_spec spec = {
        .id = json_object_get_uint64(get(msg, "id")),
        .nspace = get_string(msg, "nspace"),
        .size = (unsigned)size,
        .nnodes = (unsigned)nnodes,
        .hosts = hosts,
        .node_ranks = node_ranks,
        .task_node = task_node,
        .node = here,
        .taskmap_pmi = map.s,
        .universe_size = 16,
        .tmpdir = tmpdir,
        .napps = (unsigned)napps,
        .app_sizes = app_sizes,
        .parent_id = json_object_get_uint64(get(msg, "parent")),
        .parent_nspace = get_string(msg, "parent_nspace"),
        .parent_rank = get_unsigned(msg, "parent_rank"),
        .preput = get(json_object_array_get_idx(apps, 0), "preput"),
        .kinds = node->kinds,
    };
    return pmi_job_create(node->pmi, &spec, err);
}

static void job_check_end(struct node *node, struct node_job *job)
{
    if (job->running > 0)
        return;
    struct node_job **p = &node->jobs;
    while (*p != job)
        p = &(*p)->next;
    *p = job->next;
    pmi_job_destroy(job->pmi);
    json_object *o = message("finish");
    json_object_object_add(o, "id", json_object_new_uint64(job->id));
    json_object_object_add(o, "status", json_object_new_int(job->status));
    send_away(node->up, o);
    free(job->tasks);
    free(job);
}

static void node_start(struct node *node, json_object *msg)
{
    struct error err = {0};
    struct node_job *job = xcalloc(1, sizeof(*job));
    json_object *place = get(msg, "place"), *ranks = get(msg, "ranks");
    job->id = json_object_get_uint64(get(msg, "id"));
    job->next = node->jobs;
    node->jobs = job;
    cleanup_free char *tmpdir =
        xasprintf("%s/%llu", node->rundir, (unsigned long long)job->id);
    mkdir(tmpdir, 0700);
    job->tasks = xcalloc(json_object_array_length(place), sizeof(*job->tasks));
    job->pmi = make_pmi_job(node, msg, tmpdir, &err);
    for (size_t t = 0; job->pmi && t < json_object_array_length(place); t++) {
        int n = json_object_get_int(json_object_array_get_idx(place, t));
        if (json_object_get_int(json_object_array_get_idx(ranks, (size_t)n)) !=
            (int)node->rank)
            continue;
        struct node_task *task = &job->tasks[job->ntasks];
        task->rank = (unsigned)t;
        if (start_task(job, get(msg, "apps"), task, &err) < 0)
            break;
        job->ntasks++;
        job->running++;
    }
    json_object *o = message("started");
    json_object_object_add(o, "id", json_object_new_uint64(job->id));
    if (err.code) {
        json_object_object_add(o, "code", json_object_new_int(err.code));
        json_object_object_add(o, "error", json_object_new_string(err.text));
        job->status = 127;
        for (unsigned i = 0; i < job->ntasks; i++)
            kill(job->tasks[i].pid, SIGKILL);
    }
    send_away(node->up, o);
    job_check_end(node, job);
}

static void node_exited(struct node *node, pid_t pid, int status)
{
    for (struct node_job *job = node->jobs; job; job = job->next)
        for (unsigned i = 0; i < job->ntasks; i++) {
            struct node_task *task = &job->tasks[i];
            if (task->pid != pid)
                continue;
            bool unclean;
            int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            task->pid = 0;
            job->running--;
            pmi_task_exited(job->pmi, task->rank, &unclean);
            if (code > job->status)
                job->status = code;
            if (unclean || code != 0) {
                json_object *o = message("failed");
                json_object_object_add(o, "id", json_object_new_uint64(job->id));
                json_object_object_add(o, "task", json_object_new_int64(task->rank));
                json_object_object_add(o, "unclean", json_object_new_boolean(unclean));
                json_object_object_add(o, "code", json_object_new_int(code));
                send_away(node->up, o);
                if (code == 0)
                    job->status = 1;
            }
            job_check_end(node, job);
            return;
        }
}

static void on_sigchld(uv_signal_t *handle, int signum)
{
    pid_t pid;
    int status;
    (void)signum;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        node_exited(handle->data, pid, status);
}

static void node_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct node *node = arg;
    cleanup_json json_object *msg = json_tokener_parse(line);
    const char *m = get_string(msg, "m");
    (void)l;
    (void)len;
    if (strcmp(m, "pmi") == 0) {
        pmi_deliver(node->pmi, get(msg, "msg"));
    } else if (strcmp(m, "start") == 0) {
        node_start(node, msg);
    } else if (strcmp(m, "kill") == 0) {
        struct node_job *job =
            node_job_find(node, json_object_get_uint64(get(msg, "id")));
        for (unsigned i = 0; job && i < job->ntasks; i++)
            if (job->tasks[i].pid > 0)
                kill(job->tasks[i].pid, json_object_get_int(get(msg, "signal")));
    }
}

static int remove_entry(const char *path, const struct stat *st, int flag,
                        struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    remove(path);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void node_closed(struct lines *l, int status, void *arg)
{
    struct node *node = arg;
    (void)status;
    for (struct node_job *job = node->jobs; job; job = job->next)
        for (unsigned i = 0; i < job->ntasks; i++)
            if (job->tasks[i].pid > 0)
                kill(job->tasks[i].pid, SIGKILL);
    while (node->jobs) {
        struct node_job *job = node->jobs;
        node->jobs = job->next;
        pmi_job_destroy(job->pmi);
        free(job->tasks);
        free(job);
    }
    lines_close(l);
    pmi_destroy(node->pmi);
    uv_close((uv_handle_t *)&node->sigchld, NULL);
    uv_close((uv_handle_t *)&node->idle, NULL);
}

int node_run(unsigned rank, unsigned size, int fd, unsigned kinds, bool verbose)
{
    static const struct lines_ops ops = {node_line, node_closed, NULL};
    struct node node = {.rank = rank, .size = size, .kinds = kinds};
    struct error err = {0};
    const char *tmp = getenv("TMPDIR");
    node.rundir = xasprintf("%s/pmiharness.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(node.rundir)) {
        fprintf(stderr, "pmiharness: cannot make %s: %s\n", node.rundir, strerror(errno));
        return 1;
    }
    char hostname[64];
    if (size == 1)
        gethostname(hostname, sizeof(hostname));
    else
        snprintf(hostname, sizeof(hostname), "node%u", rank);
    uv_loop_init(&node.loop);
    uv_signal_init(&node.loop, &node.sigchld);
    node.sigchld.data = &node;
    uv_signal_start(&node.sigchld, on_sigchld, SIGCHLD);
    uv_idle_init(&node.loop, &node.idle);
    node.idle.data = &node;
    struct pmi_config config = {
        .loop = &node.loop,
        .rank = rank,
        .size = size,
        .hostname = hostname,
        .rundir = node.rundir,
        .ops = &node_ops,
        .arg = &node,
        .verbose = verbose,
        .virtual_nodes = size > 1,
    };
    node.pmi = pmi_create(&config, &err);
    if ((kinds & PMI_PMIX) && pmi_warm(node.pmi, &err) < 0) {
        fprintf(stderr, "pmiharness: %s\n", err.text);
        return 1;
    }
    node.up = lines_create(&node.loop, fd, &ops, &node);
    send_away(node.up, message("ready"));
    uv_run(&node.loop, UV_RUN_DEFAULT);
    uv_walk(&node.loop, close_handle, NULL);
    uv_run(&node.loop, UV_RUN_DEFAULT);
    uv_loop_close(&node.loop);
    nftw(node.rundir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(node.rundir);
    return 0;
}
