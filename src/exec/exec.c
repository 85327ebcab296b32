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
#include "src/exec/sweep.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"

#define LET_GO 0.5       /* s, for which standard error is kept when the rank is gone */
#define WATCHDOG_MS 5000 /* between looks whether the rundir is there */
#define WARM_SECONDS 1.0 /* of idleness before the PMIx library is started */
#define QUIT_SECONDS 5.0 /* for killed processes to be gone */
#define LATE_SECONDS 0.1 /* for the others, when some were not in that time */
#define ORPHAN_GRACE 5.0 /* between SIGTERM and SIGKILL when no rank came back */

/* --- messages from the rank ---------------------------------------------------------------- */

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

static void on_lost(void *arg, uint64_t id, int error)
{
    struct job *job = job_find(arg, id);
    if (job)
        job_output_lost(job, "spool", error);
}

static bool is_output_in_use(void *arg, uint64_t id)
{
    const struct exec *x = arg;
    return job_find(x, id) || remember_output(x, id) || reader_reads(x, id);
}

/* Before the first job: what an executor that was found has captured stays where it is. */
static void move_spool(struct exec *x)
{
    struct error err;
    const char *path = x->node->spool;
    if (!path || !spool_is_empty(x->spool) || strcmp(spool_path(x->spool), path) == 0)
        return;
    struct spool *spool = spool_open(path, on_lost, x, &err);
    if (!spool) {
        log_error("%s; output is captured in the run directory, and goes with it",
                  err.text);
        return;
    }
    unlink(spool_path(x->spool));
    spool_close(x->spool);
    x->spool = spool;
}

static void on_init(struct exec *x, json_object *msg)
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
    move_spool(x);
    spool_set_limit(x->spool, node->output_limit, is_output_in_use);
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

static void on_spec(struct exec *x, json_object *msg)
{
    struct error err;
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    json_object *js = jsonutil_get(msg, "jobspec");
    if (!hash || !js)
        log_error("spec: \"h\" or \"jobspec\" is missing");
    else if (specs_add(x->specs, hash, js, &err) < 0)
        log_error("spec %s: %s", hash, err.text);
}

static void on_env(struct exec *x, json_object *msg)
{
    struct error err;
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    json_object *env = jsonutil_get(msg, "env");
    if (!hash || !env)
        log_error("env: \"h\" or \"env\" is missing");
    else if (specs_add_env(x->specs, hash, env, &err) < 0)
        log_error("%s", err.text);
}

static void on_unspec(struct exec *x, json_object *msg)
{
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    if (hash)
        specs_forget(x->specs, hash);
}

static void on_start(struct exec *x, json_object *msg)
{
    json_object *jobs = jsonutil_get(msg, "jobs");
    int64_t pid;
    if (jsonutil_int(jsonutil_get(msg, "pid"), 1, INT64_MAX, &pid) && pid != x->pid) {
        log_info("start: it was meant for the executor that was here before");
        return;
    }
    if (!json_object_is_type(jobs, json_type_array)) {
        log_error("start: \"jobs\" is not an array");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(jobs) && !x->quitting; i++)
        job_start(x, json_object_array_get_idx(jobs, i));
}

/* The job that a message is about; NULL: it has ended, or never was. */
static struct job *message_job(struct exec *x, json_object *msg, uint64_t *id)
{
    int64_t n = 0;
    jsonutil_int(jsonutil_get(msg, "id"), 0, INT64_MAX, &n);
    if (id)
        *id = (uint64_t)n;
    return job_find(x, (uint64_t)n);
}

static void on_kill(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    int64_t signum;
    if (!jsonutil_int(jsonutil_get(msg, "signal"), 1, 64, &signum))
        log_error("kill: %s is not a signal number",
                  jsonutil_show(jsonutil_get(msg, "signal")).text);
    else if (job)
        job_signal(job, (int)signum);
}

static void on_end(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    double grace = SUBEND_GRACE;
    jsonutil_number(jsonutil_get(msg, "grace"), &grace);
    if (job)
        job_end(job, grace < SUBEND_HURRY ? grace : job_grace(job, grace));
}

static void on_stdin(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    if (job)
        input_message(job, msg);
}

static void on_read(struct exec *x, json_object *msg)
{
    uint64_t id;
    int64_t sub = 0, pos = 0;
    struct job *job = message_job(x, msg, &id);
    if (!jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub)) {
        log_error("read: \"sub\" is not a number");
        return;
    }
    jsonutil_int(jsonutil_get(msg, "pos"), 0, INT64_MAX, &pos);
    uint64_t first = job   ? job->spool.first
                     : pos ? (uint64_t)pos
                           : remember_output(x, id);
    bool now = json_object_get_boolean(jsonutil_get(msg, "now"));
    const char *spool = jsonutil_string(jsonutil_get(msg, "spool"));
    reader_create(x, id, sub, job, first, now, job ? NULL : spool);
}

static void on_ack(struct exec *x, json_object *msg)
{
    int64_t sub = 0, bytes = 0;
    uint64_t id;
    message_job(x, msg, &id);
    jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub);
    jsonutil_int(jsonutil_get(msg, "bytes"), 0, INT64_MAX, &bytes);
    reader_ack(x, id, sub, (uint64_t)bytes);
}

static void on_unread(struct exec *x, json_object *msg)
{
    int64_t sub = 0;
    uint64_t id;
    message_job(x, msg, &id);
    jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub);
    reader_close(x, id, sub);
}

static void on_pmi(struct exec *x, json_object *msg)
{
    struct error err;
    json_object *inner = jsonutil_get(msg, "msg");
    struct pmi *pmi = exec_pmi(x, &err);
    if (!pmi)
        log_error("pmi: %s", err.text);
    else if (inner)
        pmi_deliver(pmi, inner);
}

static void on_nspace(struct exec *x, json_object *msg)
{
    struct error err;
    uint64_t id;
    struct job *job = message_job(x, msg, &id);
    cleanup_json json_object *o = json_object_new_object();
    json_object *env = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("nspace"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "env", env);
    if (!job)
        error_set(&err, ENOENT, "it has ended");
    if (!job || job_late_pmi(job, env, &err) < 0) {
        json_object_object_del(o, "env");
        json_object_object_add(o, "error", json_object_new_string(err.text));
    }
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    conn_tell_surely(x->conn, text, len);
}

static void on_acked(struct exec *x, json_object *msg)
{
    int64_t seq = 0;
    jsonutil_int(jsonutil_get(msg, "seq"), 0, INT64_MAX, &seq);
    conn_acked(x->conn, (uint64_t)seq);
    remember_forget(x, (uint64_t)seq);
}

/* Another leader has come: what a new connection would bring. */
static void on_renew(struct exec *x, json_object *msg)
{
    (void)msg;
    reader_close_all(x);
    conn_greet(x->conn);
    if (x->pmi)
        pmi_ask_again(x->pmi);
}

/* Of jobs of a former life, in its own file; NULL: it cannot be opened. */
static struct spool *former_spool(const char *path)
{
    struct error err;
    struct spool *former = spool_open_former(path, &err);
    if (!former)
        log_warning("%s", err.text);
    return former;
}

static void on_forget(struct exec *x, json_object *msg)
{
    json_object *jobs = jsonutil_get(msg, "jobs");
    const char *path = jsonutil_string(jsonutil_get(msg, "spool"));
    bool own = !path || strcmp(path, spool_path(x->spool)) == 0;
    struct spool *former = own ? NULL : former_spool(path), *s = own ? x->spool : former;
    if (!s)
        return;
    size_t n =
        json_object_is_type(jobs, json_type_array) ? json_object_array_length(jobs) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        int64_t id, pos;
        if (json_object_is_type(job, json_type_array) &&
            jsonutil_int(json_object_array_get_idx(job, 0), 1, INT64_MAX, &id) &&
            jsonutil_int(json_object_array_get_idx(job, 1), 1, INT64_MAX, &pos))
            spool_forget(s, (uint64_t)id, (uint64_t)pos);
    }
    spool_trim(s);
    spool_close(former);
}

static void on_quit(struct exec *x, json_object *msg)
{
    (void)msg;
    exec_quit(x, "the rank asked for it");
}

static void on_recall(struct exec *x, json_object *msg)
{
    (void)msg;
    lease_recall(x);
}

/* What has ended by now is found at the end of this turn. */
static void on_news(struct exec *x, json_object *msg)
{
    jsonutil_int(jsonutil_get(msg, "n"), 1, INT64_MAX, &x->news);
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

static void on_update(struct exec *x, json_object *msg)
{
    int64_t id = 0;
    double when = 0;
    jsonutil_int(jsonutil_get(msg, "id"), 1, INT64_MAX, &id);
    struct job *job = job_find(x, (uint64_t)id);
    if (job && jsonutil_number(jsonutil_get(msg, "expiration"), &when))
        job_set_expiration(job, when > 0 ? when : 0);
}

static const struct {
    const char *name;
    void (*f)(struct exec *x, json_object *msg);
} messages[] = {
    {"start", on_start},      {"acked", on_acked},   {"spec", on_spec},
    {"unspec", on_unspec},    {"env", on_env},       {"kill", on_kill},
    {"end", on_end},          {"stdin", on_stdin},   {"read", on_read},
    {"ack", on_ack},          {"pmi", on_pmi},       {"unread", on_unread},
    {"lease", lease_message}, {"recall", on_recall}, {"init", on_init},
    {"quit", on_quit},        {"renew", on_renew},   {"nspace", on_nspace},
    {"update", on_update},    {"news", on_news},     {"forget", on_forget},
};

void exec_message(struct exec *x, json_object *msg)
{
    const char *m = jsonutil_string(jsonutil_get(msg, "m"));
    for (size_t i = 0; m && i < ARRAY_SIZE(messages); i++)
        if (strcmp(m, messages[i].name) == 0) {
            messages[i].f(x, msg);
            return;
        }
    log_error("message from the rank: there is no message %s",
              jsonutil_show(jsonutil_get(msg, "m")).text);
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
    cleanup_free char *spool = xasprintf("%s/output-%u.spool", rundir, rank);
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
    if (!(x->io = io_create(loop, err)) ||
        !(x->spool = spool_open(spool, on_lost, x, err)) || open_signals(x, err) < 0 ||
        !(x->conn = conn_create(x, listen, err))) {
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
