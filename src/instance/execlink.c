/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/execlink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/procid.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum {
    SOCKET_FD = 3,
    MAX_RESTARTS = 10,
    QUIT_MS =
        12000, /* it needs up to 5 s, twice, for processes that do not die at once */
    DIE_SECONDS = 1, /* for one that was killed */
    GONE_MS = 5      /* between looks whether one that is not our child is gone */
};

extern char **environ;

struct execlink {
    unsigned rank;
    char *rundir, *socket_path;
    bool verbose;
    struct procid proc; /* its pid 0: none */
    bool child;         /* else it was found */
    bool attached;      /* the first one was found */
    int fd;             /* connected, and not yet given to lines; -1: none */
    uv_loop_t *loop;
    struct lines *lines;
    json_object *init;
    const struct execlink_ops *ops;
    void *arg;
    unsigned restarts;
    bool untold; /* a loss, until the new one says hello */
    bool quitting;
    void (*done)(void *arg);
    void *done_arg;
    uv_timer_t *late; /* for one that is told to leave and stays */
    uv_timer_t *gone; /* for one that is not our child and lost its connection */
};

/* The executor inherits its listening socket, so a connection made right away waits in its
 * backlog: nobody polls for its start.  SWEEP: there was one before it. */
static int start(struct execlink *x, bool sweep, struct error *err)
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
    char socket[] = "--socket-fd=3", verbose[] = "--verbose", sweeping[] = "--sweep";
    char *argv[8] = {path, socket, rank, rundir};
    size_t n = 4;
    if (sweep)
        argv[n++] = sweeping;
    if (x->verbose)
        argv[n++] = verbose;

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
    x->child = true;
    int rc = posix_spawn(&x->proc.pid, path, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        x->proc.pid = 0;
        unlink(x->socket_path);
        return error_set(err, rc, "cannot start %s: %s", path, strerror(rc));
    }
    return 0;
}

/* 1: one is there and was taken over; 0: none is; -1: it cannot be told. */
static int take_over(struct execlink *x, struct error *err)
{
    struct error why;
    cleanup_close int fd = lines_connect(x->socket_path, &why);
    if (fd < 0 && (why.code == ENOENT || why.code == ECONNREFUSED))
        return 0;
    if (fd < 0)
        return error_set(err, why.code, "%s", why.text);
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        !procid_get(&x->proc, peer.pid))
        return 0; /* it died meanwhile */
    x->fd = fd;
    fd = -1;
    x->attached = true;
    return 1;
}

static void free_link(struct execlink *x)
{
    if (x->fd >= 0)
        close(x->fd);
    json_object_put(x->init);
    free(x->rundir);
    free(x->socket_path);
    free(x);
}

struct execlink *execlink_start(unsigned rank, const char *rundir, bool verbose,
                                bool attach, struct error *err)
{
    struct execlink *x = xcalloc(1, sizeof(*x));
    x->rank = rank;
    x->rundir = xstrdup(rundir);
    x->verbose = verbose;
    x->fd = -1;
    x->socket_path = xasprintf("%s/exec-%u.sock", rundir, rank);
    int found = attach ? take_over(x, err) : 0;
    if (found < 0 || (found == 0 && start(x, attach, err) < 0)) {
        free_link(x);
        return NULL;
    }
    return x;
}

bool execlink_attached(const struct execlink *x)
{
    return x->attached;
}

static uv_timer_t *watch(struct execlink *x, uv_timer_cb f, uint64_t first,
                         uint64_t repeat)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));
    uv_timer_init(x->loop, timer);
    timer->data = x;
    uv_timer_start(timer, f, first, repeat);
    return timer;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

static void unwatch(uv_timer_t **timer)
{
    if (*timer)
        uv_close((uv_handle_t *)take(*timer), on_timer_closed);
}

/* --- the connection, and its end ---------------------------------------------------------- */

static bool is_hello(const char *line)
{
    static const char hello[] = "{\"m\":\"hello\"";
    return strncmp(line, hello, sizeof(hello) - 1) == 0;
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct execlink *x = arg;
    (void)l;
    if (x->untold && is_hello(line)) {
        x->untold = false;
        x->ops->lost(true, x->arg);
    }
    x->ops->line(line, len, x->arg);
}

static void on_closed(struct lines *l, int status, void *arg);

static const struct lines_ops exec_ops = {.line = on_line, .closed = on_closed};

static const char *host_of(const struct execlink *x)
{
    const char *host = jsonutil_string(jsonutil_get(x->init, "host"));
    return host ? host : "this host";
}

static int attach(struct execlink *x, struct error *err)
{
    int fd = x->fd >= 0 ? x->fd : lines_connect(x->socket_path, err);
    x->fd = -1;
    if (fd < 0)
        return -1;
    x->lines = lines_create(x->loop, fd, &exec_ops, x);
    lines_send_json(x->lines, x->init);
    return 0;
}

/* It is gone: HOW says what is known of the reason. */
static void died(struct execlink *x, const char *how)
{
    x->proc.pid = 0;
    unwatch(&x->gone);
    lines_close(take(x->lines));
    if (x->quitting) {
        x->done(x->done_arg);
        return;
    }
    log_error("the executor of rank %u (%s) died%s", x->rank, host_of(x), how);
    struct error err;
    x->untold = true;
    if (++x->restarts > MAX_RESTARTS)
        log_error("it died %u times: it is not started again", x->restarts);
    else if (start(x, true, &err) < 0 || attach(x, &err) < 0)
        log_error("%s", err.text);
    else
        return; /* its loss is told when the new one says hello */
    x->untold = false;
    x->ops->lost(false, x->arg);
}

static void on_gone(uv_timer_t *timer)
{
    struct execlink *x = timer->data;
    if (!procid_alive(&x->proc))
        died(x, "");
}

/* The death of a child is noticed by execlink_reap, which this may come before or after. */
static void on_closed(struct lines *l, int status, void *arg)
{
    struct execlink *x = arg;
    (void)status;
    lines_close(l);
    x->lines = NULL;
    if (x->child) {
        execlink_reap(x);
        return;
    }
    if (!x->quitting)
        procid_kill(&x->proc, SIGKILL);
    if (!x->gone)
        x->gone = watch(x, on_gone, 0, GONE_MS);
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

pid_t execlink_pid(const struct execlink *x)
{
    return x->proc.pid;
}

void execlink_describe(struct execlink *x, json_object *init)
{
    json_object_put(x->init);
    x->init = init;
    if (x->lines)
        lines_send_json(x->lines, x->init);
}

void execlink_renew(struct execlink *x, json_object *init)
{
    static const char renew[] = "{\"m\":\"renew\"}";
    if (init) {
        json_object_put(x->init);
        x->init = init;
    }
    if (!x->lines) /* the next one gets it at its start */
        return;
    lines_send_json(x->lines, x->init);
    lines_send(x->lines, renew, sizeof(renew) - 1);
}

void execlink_reap(struct execlink *x)
{
    int status;
    char how[64];
    if (!x->child || x->proc.pid == 0 ||
        waitpid(x->proc.pid, &status, WNOHANG) != x->proc.pid)
        return;
    snprintf(how, sizeof(how), " (%s %d)", WIFSIGNALED(status) ? "signal" : "exit code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    died(x, how);
}

/* --- the end ------------------------------------------------------------------------------ */

/* A child's number is its own until it is reaped. */
static void kill_it(const struct execlink *x)
{
    if (x->child)
        kill(x->proc.pid, SIGKILL);
    else
        procid_kill(&x->proc, SIGKILL);
}

static void on_late(uv_timer_t *h)
{
    struct execlink *x = h->data;
    if (x->proc.pid == 0)
        return;
    log_error("the executor of rank %u (%s) does not leave: it is killed", x->rank,
              host_of(x));
    kill_it(x);
}

void execlink_quit(struct execlink *x, void (*done)(void *arg), void *arg)
{
    static const char quit[] = "{\"m\":\"quit\"}";
    x->quitting = true;
    x->done = done;
    x->done_arg = arg;
    if (x->proc.pid == 0)
        done(arg);
    else if (x->lines) {
        lines_send(x->lines, quit, sizeof(quit) - 1);
        x->late = watch(x, on_late, QUIT_MS, 0);
    } else
        kill_it(x); /* it closed the connection and is not dead: it is stuck */
}

/* What the loop calls back for. */
static void detach(struct execlink *x)
{
    lines_close(take(x->lines));
    unwatch(&x->late);
    unwatch(&x->gone);
}

void execlink_leave(struct execlink *x)
{
    detach(x);
    free_link(x);
}

void execlink_destroy(struct execlink *x)
{
    if (!x)
        return;
    detach(x);
    if (x->proc.pid > 0) {
        kill_it(x);
        if (x->child)
            waitpid(x->proc.pid, NULL, 0);
        double until = time_mono() + DIE_SECONDS;
        while (!x->child && procid_alive(&x->proc) && time_mono() < until)
            poll(NULL, 0, 1);
    }
    unlink(x->socket_path);
    free_link(x);
}
