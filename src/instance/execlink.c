/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/execlink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/util.h"

enum {
    SOCKET_FD = 3,
    MAX_RESTARTS = 10,
    QUIT_MS = 10000 /* it needs up to 5 s for processes that do not die at once */
};

extern char **environ;

struct execlink {
    unsigned rank;
    char *rundir, *socket_path;
    bool verbose;
    pid_t pid; /* 0: none */
    uv_loop_t *loop;
    struct lines *lines;
    json_object *init;
    const struct execlink_ops *ops;
    void *arg;
    unsigned restarts;
    bool quitting;
    void (*done)(void *arg);
    void *done_arg;
    uv_timer_t *late; /* for one that is told to leave and stays */
};

/* The executor inherits its listening socket, so a connection made right away waits in its
 * backlog: nobody polls for its start. */
static int start(struct execlink *x, struct error *err)
{
    cleanup_free char *path = path_find_sibling("hbatch-exec", err);
    if (!path)
        return -1;
    cleanup_close int fd = lines_listen(x->socket_path, err);
    if (fd < 0)
        return -1;
    char rank[32];
    snprintf(rank, sizeof(rank), "--rank=%u", x->rank);
    cleanup_free char *rundir = xasprintf("--rundir=%s", x->rundir);
    char socket[] = "--socket-fd=3", verbose[] = "--verbose";
    char *argv[] = {path, socket, rank, rundir, x->verbose ? verbose : NULL, NULL};

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    posix_spawn_file_actions_adddup2(&actions, fd, SOCKET_FD);
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    if (fd == SOCKET_FD) /* dup2 onto itself would leave it close-on-exec */
        fcntl(fd, F_SETFD, 0);
    int rc = posix_spawn(&x->pid, path, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        x->pid = 0;
        return error_set(err, rc, "cannot start %s: %s", path, strerror(rc));
    }
    return 0;
}

struct execlink *execlink_start(unsigned rank, const char *rundir, bool verbose,
                                struct error *err)
{
    struct execlink *x = xcalloc(1, sizeof(*x));
    x->rank = rank;
    x->rundir = xstrdup(rundir);
    x->verbose = verbose;
    x->socket_path = xasprintf("%s/exec-%u.sock", rundir, rank);
    if (start(x, err) < 0) {
        execlink_destroy(x);
        return NULL;
    }
    return x;
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct execlink *x = arg;
    (void)l;
    x->ops->line(line, len, x->arg);
}

static void on_closed(struct lines *l, int status, void *arg)
{
    struct execlink *x = arg;
    (void)status;
    lines_close(l);
    x->lines = NULL; /* its death, if it is that, is noticed by execlink_reap */
    execlink_reap(x);
}

static const struct lines_ops exec_ops = {.line = on_line, .closed = on_closed};

static int attach(struct execlink *x, struct error *err)
{
    int fd = lines_connect(x->socket_path, err);
    if (fd < 0)
        return -1;
    x->lines = lines_create(x->loop, fd, &exec_ops, x);
    lines_send_json(x->lines, x->init);
    return 0;
}

int execlink_connect(struct execlink *x, uv_loop_t *loop, json_object *init,
                     const struct execlink_ops *ops, void *arg, struct error *err)
{
    x->loop = loop;
    x->init = init;
    x->ops = ops;
    x->arg = arg;
    return attach(x, err);
}

void execlink_send(struct execlink *x, const char *line, size_t len)
{
    if (x->lines)
        lines_send(x->lines, line, len);
}

void execlink_send_json(struct execlink *x, json_object *o)
{
    if (x->lines)
        lines_send_json(x->lines, o);
}

pid_t execlink_pid(const struct execlink *x)
{
    return x->pid;
}

void execlink_reap(struct execlink *x)
{
    int status;
    if (x->pid == 0 || waitpid(x->pid, &status, WNOHANG) != x->pid)
        return;
    x->pid = 0;
    lines_close(x->lines);
    x->lines = NULL;
    if (x->quitting) {
        x->done(x->done_arg);
        return;
    }
    log_error("the executor of rank %u died (%s %d)", x->rank,
              WIFSIGNALED(status) ? "signal" : "exit code",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    struct error err;
    bool restarted = false;
    if (++x->restarts > MAX_RESTARTS)
        log_error("it died %u times: it is not started again", x->restarts);
    else if (start(x, &err) < 0 || attach(x, &err) < 0)
        log_error("%s", err.text);
    else
        restarted = true;
    x->ops->lost(restarted, x->arg);
}

static void on_late(uv_timer_t *h)
{
    struct execlink *x = h->data;
    if (x->pid == 0)
        return;
    log_error("the executor of rank %u does not leave: it is killed", x->rank);
    kill(x->pid, SIGKILL);
}

static void on_late_closed(uv_handle_t *h)
{
    free(h);
}

static void watch_it_leave(struct execlink *x)
{
    x->late = xcalloc(1, sizeof(*x->late));
    uv_timer_init(x->loop, x->late);
    x->late->data = x;
    uv_timer_start(x->late, on_late, QUIT_MS, 0);
}

void execlink_quit(struct execlink *x, void (*done)(void *arg), void *arg)
{
    static const char quit[] = "{\"m\":\"quit\"}";
    x->quitting = true;
    x->done = done;
    x->done_arg = arg;
    if (x->pid == 0)
        done(arg);
    else if (x->lines) {
        lines_send(x->lines, quit, sizeof(quit) - 1);
        watch_it_leave(x);
    } else
        kill(x->pid, SIGKILL); /* it closed the connection and is not dead: it is stuck */
}

void execlink_destroy(struct execlink *x)
{
    if (!x)
        return;
    lines_close(x->lines);
    if (x->late)
        uv_close((uv_handle_t *)x->late, on_late_closed);
    if (x->pid > 0) {
        kill(x->pid, SIGKILL);
        waitpid(x->pid, NULL, 0);
    }
    unlink(x->socket_path);
    json_object_put(x->init);
    free(x->rundir);
    free(x->socket_path);
    free(x);
}
