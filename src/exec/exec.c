/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/orphans.h"
#include "src/common/util.h"
#include "src/exec/detect.h"
#include "src/exec/job.h"
#include "src/exec/job_doom.h"
#include "src/exec/memcg.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/exec/rundir.h"
#include "src/exec/spools.h"
#include "src/exec/sweep.h"
#include "src/job/jsonutil.h"

#define LET_GO 0.5       /* s, for which standard error is kept when the rank is gone */
#define WATCHDOG_MS 5000 /* between looks whether the rundir is there */
#define WARM_SECONDS 1.0 /* of idleness before the PMIx library is started */
#define QUIT_SECONDS 5.0 /* for killed processes to be gone */
#define LATE_SECONDS 0.1 /* for the others, when some were not in that time */
#define ORPHAN_GRACE 5.0 /* between SIGTERM and SIGKILL when no rank came back */

/* --- init --------------------------------------------------------------------------------------- */

/* Of executor and tasks: what mpirun bound the rank to is not what jobs may use. */
static void unbind(const struct node *node)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < node->ncores; i++) {
        unsigned pu;
        hwloc_bitmap_foreach_begin(pu, node->pus[i])
        {
            if (pu < CPU_SETSIZE)
                CPU_SET(pu, &set);
        }
        hwloc_bitmap_foreach_end();
    }
    if (node->bind && CPU_COUNT(&set) > 0 && sched_setaffinity(0, sizeof(set), &set) < 0)
        log_warning("sched_setaffinity: %s", strerror(errno));
}

/* The PMIx library takes a while to start: better now than when the first MPI job waits. */
static void on_warm(void *arg)
{
    struct exec *x = arg;
    struct error err;
    if (x->pmi || x->quitting)
        return;
    if (x->jobs.used > 0)
        timer_start(&x->warm, x->loop, WARM_SECONDS, on_warm, x);
    else if (!exec_pmi(x, &err) || pmi_warm(x->pmi, &err) < 0)
        log_warning("%s", err.text);
}

void exec_init(struct exec *x, json_object *msg)
{
    struct error err;
    double ahead = 0;
    struct node *node = node_decode(msg, &err);
    if (!node) {
        log_error("%s", err.text);
        return;
    }
    jsonutil_number(jsonutil_get(msg, "clock"), &ahead);
    time_correct(ahead); /* of events and expirations */
    if (!x->node)        /* a rank that joins an instance is numbered late */
        x->rank = node->rank;
    else if (node->rank != x->rank)
        log_warning("init: this is the executor of rank %u, not %u", x->rank, node->rank);
    if (!x->node)
        timer_start(&x->warm, x->loop, WARM_SECONDS, on_warm, x);
    node_destroy(x->node);
    x->node = node;
    spools_init(x);
    unbind(node);
    free(x->node_path);
    x->node_path = xasprintf("%s%s%s.%u", x->outer_node ? x->outer_node : "",
                             x->outer_node ? "/" : "", node->instance, x->rank);
    free(x->job_path);
    x->job_path = xasprintf("%s%s%s.", x->outer_path ? x->outer_path : "",
                            x->outer_path ? "/" : "", node->instance);
    if (x->pmi)
        pmi_resize(x->pmi, node->size);
    if (!isnan(node->orphan) && !x->orphan_fixed)
        x->orphan_timeout = node->orphan;
    if (x->sweep) {
        x->sweep = false;
        sweep_former(x, QUIT_SECONDS);
        conn_greet(x->conn);
    }
}

/* --- pmi -------------------------------------------------------------------------------------- */

struct pmi *exec_pmi(struct exec *x, struct error *err)
{
    if (x->pmi)
        return x->pmi;
    if (!x->node)
        return error_null(err, EINVAL, "the executor has not been initialized");
    struct pmi_config config = {
        .loop = x->loop,
        .rank = x->rank,
        .size = x->node->size,
        .hostname = x->node->host,
        .rundir = x->rundir,
        .ops = &job_pmi_ops,
        .arg = x,
        .verbose = x->verbose,
        .virtual_nodes = json_object_get_boolean(jsonutil_get(x->node->init, "virtual")),
    };
    return x->pmi = pmi_create(&config, err);
}

struct local_message { /* to this executor's own pmi layer */
    uv_timer_t timer;
    struct exec *x;
    json_object *msg;
};

static void on_local_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_local(uv_timer_t *timer)
{
    struct local_message *l = timer->data;
    if (l->x->pmi)
        pmi_deliver(l->x->pmi, l->msg);
    json_object_put(l->msg);
    uv_close((uv_handle_t *)&l->timer, on_local_closed);
}

void exec_pmi_send(struct exec *x, int rank, json_object *msg)
{
    if (rank >= 0 && (unsigned)rank == x->rank) {
        struct local_message *l = xcalloc(1, sizeof(*l));
        l->x = x;
        l->msg = json_object_get(msg);
        l->timer.data = l;
        uv_timer_init(x->loop, &l->timer);
        uv_timer_start(&l->timer, on_local, 0, 0);
        return;
    }
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"m\":\"pmi\",\"to\":%d,\"msg\":%s}", rank,
                json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN |
                                                        JSON_C_TO_STRING_NOSLASHESCAPE));
    conn_tell_surely(x->conn, b.s, b.len);
}

/* --- life ------------------------------------------------------------------------------------- */

/* A process that waits for a device or a file server cannot be killed before that is over. */
static void on_overdue(void *arg)
{
    struct exec *x = arg;
    log_error("leaving with tasks of %zu jobs that did not end in %.0f s after SIGKILL",
              x->jobs.used, QUIT_SECONDS);
    x->overdue = true;
    uv_stop(x->loop);
}

static void on_orphan(void *arg)
{
    struct exec *x = arg;
    log_info("leaving: no rank came back in time");
    x->quitting = x->deserted = true;
    lane_take_back_all(x);
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        job_end(job, ORPHAN_GRACE);
    timer_start(&x->quit_timer, x->loop, ORPHAN_GRACE + QUIT_SECONDS, on_overdue, x);
    exec_job_finished(x);
}

void exec_attached(struct exec *x)
{
    timer_stop(&x->orphan);
    timer_stop(&x->let_go);
    uv_timer_stop(&x->watchdog);
    x->deserted = false; /* too late to stay, but the directory is needed */
    if (x->pmi)
        pmi_ask_again(x->pmi);
}

static void on_watchdog(uv_timer_t *timer)
{
    struct exec *x = timer->data;
    if (access(x->rundir, F_OK) < 0 && errno == ENOENT)
        exec_quit(x, "the run directory is gone");
}

/* Standard error was the rank's: a launcher does not see the end of a rank as long as somebody has it. */
static void let_go_of_stdio(void *arg)
{
    (void)arg;
    cleanup_close int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        log_error("cannot open /dev/null: %s", strerror(errno));
}

void exec_detached(struct exec *x)
{
    x->drop_readers = true;
    if (x->quitting)
        return;
    timer_start(&x->let_go, x->loop, LET_GO, let_go_of_stdio, x);
    if (isfinite(x->orphan_timeout))
        timer_start(&x->orphan, x->loop, x->orphan_timeout, on_orphan, x);
    uv_timer_start(&x->watchdog, on_watchdog, WATCHDOG_MS, WATCHDOG_MS);
}

void exec_job_finished(struct exec *x)
{
    if (x->quitting && x->jobs.used == 0)
        uv_stop(x->loop);
}

void exec_quit(struct exec *x, const char *why)
{
    if (!x->quitting)
        log_info("leaving: %s", why);
    x->quitting = true;
    timer_stop(&x->let_go);
    lane_take_back_all(x);
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        job_kill(job);
    timer_start(&x->quit_timer, x->loop, QUIT_SECONDS, on_overdue, x);
    exec_job_finished(x);
}

static void on_signals(uv_poll_t *poll, int status, int events)
{
    struct exec *x = poll->data;
    struct signalfd_siginfo info[8];
    (void)status;
    (void)events;
    ssize_t n = read(x->signals, info, sizeof(info));
    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*info); i++)
        if (info[i].ssi_signo != SIGCHLD)
            exec_quit(x, strsignal((int)info[i].ssi_signo));
    x->reap = true;
}

static void tell_news(struct exec *x)
{
    char text[64];
    int n =
        snprintf(text, sizeof(text), "{\"m\":\"news\",\"n\":%lld}", (long long)x->news);
    x->news = 0;
    lease_tell(x, true);
    conn_hurry(x->conn);
    conn_flush(x->conn);
    conn_tell(x->conn, text, (size_t)n);
}

/* After all that came in at the same time: who takes the place of a job that has ended depends on what
 * the rank has said (lease.h). */
static void on_check(uv_check_t *h)
{
    struct exec *x = h->data;
    if (x->reap)
        task_reap(x);
    x->reap = false;
}

/* The end of a turn: what was gathered leaves, output before the events that promise it. */
static void on_prepare(uv_prepare_t *h)
{
    struct exec *x = h->data;
    if (x->drop_readers) {
        x->drop_readers = false;
        reader_close_all(x);
    }
    spool_flush(x->spool);
    if (x->news)
        tell_news(x);
    conn_flush(x->conn);
    job_free_ended(x);
}

static int open_signals(struct exec *x, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    x->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (x->signals < 0)
        return error_set(err, errno, "signalfd: %s", strerror(errno));
    /* Blocked, not ignored: children start with nothing ignored, and nothing blocked. */
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* of the loop itself, not of x->io: that would be a second look each time a task has ended */
    x->signals_poll.data = x;
    uv_poll_init(x->loop, &x->signals_poll, x->signals);
    uv_poll_start(&x->signals_poll, UV_READABLE, on_signals);
    return 0;
}

/* Where in the file system the socket LISTEN is. */
static char *path_of(int listen)
{
    struct sockaddr_un addr;
    socklen_t len = sizeof(addr);
    memset(&addr, 0, sizeof(addr));
    if (getsockname(listen, (struct sockaddr *)&addr, &len) < 0 ||
        addr.sun_family != AF_UNIX || addr.sun_path[0] != '/')
        return NULL;
    return xstrndup(addr.sun_path, sizeof(addr.sun_path));
}

struct exec *exec_create(uv_loop_t *loop, unsigned rank, const char *rundir, int listen,
                         struct error *err)
{
    struct exec *x = xcalloc(1, sizeof(*x));
    x->loop = loop;
    x->pid = getpid();
    x->rank = x->number = rank;
    x->rundir = xstrdup(rundir);
    x->signals = -1;
    x->socket_path = path_of(listen);
    x->scratch = xmalloc(EXEC_SCRATCH);
    x->orphan_timeout = EXEC_ORPHAN_TIMEOUT;
    x->specs = specs_create();
    x->tmpdirs = tmpdirs_create(rundir, rank);
    x->detect = detect_create();
    x->lanes = lanes_create(x);
    uv_prepare_init(loop, &x->prepare);
    uv_timer_init(loop, &x->watchdog);
    x->prepare.data = x->watchdog.data = x;
    uv_prepare_start(&x->prepare, on_prepare);
    uv_check_init(loop, &x->check);
    x->check.data = x;
    uv_check_start(&x->check, on_check);
    if (!(x->io = io_create(loop, err)) || spools_open(x, err) < 0 ||
        open_signals(x, err) < 0 || !(x->conn = conn_create(x, listen, err))) {
        close(listen);
        exec_destroy(x);
        return NULL;
    }
    return x;
}

void exec_destroy(struct exec *x)
{
    if (!x)
        return;
    timer_stop(&x->let_go);
    timer_stop(&x->orphan);
    timer_stop(&x->warm);
    timer_stop(&x->sweep_timer);
    timer_stop(&x->quit_timer);
    doom_free_all(x);
    reader_close_all(x);
    remember_forget(x, UINT64_MAX);
    lease_drop(x);
    job_free_all(x);
    if (x->pmi)
        pmi_destroy(x->pmi);
    double limit = x->overdue ? LATE_SECONDS : QUIT_SECONDS;
    if (!orphans_kill(limit))
        log_warning("some processes of ended jobs could not be killed in %g s", limit);
    tmpdirs_destroy(x->tmpdirs);
    memcg_destroy(x->memcg);
    spool_close(x->spool);
    if (x->deserted && conn_is_wanted(x->conn))
        x->deserted = false;
    conn_destroy(x->conn);
    if (x->deserted)
        rundir_leave(x->rundir, x->number, x->socket_path,
                     x->node && x->node->own_rundir);
    if (x->signals >= 0)
        uv_close((uv_handle_t *)&x->signals_poll, NULL);
    io_destroy(x->io);
    lanes_destroy(x->lanes);
    uv_close((uv_handle_t *)&x->prepare, NULL);
    uv_close((uv_handle_t *)&x->check, NULL);
    uv_close((uv_handle_t *)&x->watchdog, NULL);
    uv_run(x->loop, UV_RUN_DEFAULT);
    if (x->signals >= 0)
        close(x->signals);
    specs_destroy(x->specs);
    detect_destroy(x->detect);
    node_destroy(x->node);
    envbuf_fini(&x->env);
    idmap_fini(&x->tasks);
    idmap_fini(&x->ended_jobs);
    free(x->scratch);
    free(x->outer_path);
    free(x->instance_path);
    free(x->outer_node);
    free(x->node_path);
    free(x->job_path);
    free(x->rundir);
    free(x->socket_path);
    free(x);
}
