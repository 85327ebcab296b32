/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank's side of its executor (src/instance/execlink.h), with a real one: left by one process,
 * found by another, asked again, killed, and told to quit.  Run by execlink.t. */
#include "src/instance/execlink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/procid.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum { JOB = 77, LIMIT_MS = 30000 };

struct rank {
    uv_loop_t loop;
    uv_timer_t limit;
    uv_signal_t sigchld;
    struct execlink *x;
    char *rundir;
    const char *until; /* the message or event that is waited for */
    json_object *hello;
    unsigned hellos, starts, finishes, losses, refused;
    unsigned losses_at_hello;
    bool gone;
    int daemon; /* process id of what the task left behind */
    bool daemon_lived_at_loss;
};

static int tests, failures;

static void ok(bool passed, const char *what)
{
    printf("%sok %d - %s\n", passed ? "" : "not ", ++tests, what);
    failures += !passed;
}

static void on_limit(uv_timer_t *timer)
{
    const struct rank *r = timer->data;
    printf("Bail out! waited in vain for %s\n", r->until);
    fflush(stdout);
    _exit(1);
}

static void came(struct rank *r, const char *what)
{
    if (r->until && strcmp(r->until, what) == 0)
        uv_stop(&r->loop);
}

static void on_line(char *line, size_t len, void *arg)
{
    struct rank *r = arg;
    struct error err;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *m = jsonutil_string(jsonutil_get(o, "m"));
    json_object *e = jsonutil_get(o, "e");
    if (m && strcmp(m, "hello") == 0) {
        json_object_put(r->hello);
        r->hello = json_object_get(o);
        r->hellos++;
        r->losses_at_hello = r->losses;
        came(r, "hello");
    }
    for (size_t i = 0; e && i < json_object_array_length(e); i++) {
        const char *name = jsonutil_string(
            json_object_array_get_idx(json_object_array_get_idx(e, i), 1));
        r->starts += strcmp(name, "start") == 0;
        r->finishes += strcmp(name, "finish") == 0;
        came(r, name);
    }
}

static void on_lost(bool restarted, void *arg)
{
    struct rank *r = arg;
    struct procid p;
    r->losses++;
    r->refused += !restarted;
    r->daemon_lived_at_loss = procid_get(&p, r->daemon);
    came(r, "lost");
}

static const struct execlink_ops ops = {on_line, on_lost};

static void on_gone(void *arg)
{
    struct rank *r = arg;
    r->gone = true;
    came(r, "gone");
}

static void on_sigchld(uv_signal_t *h, int signum)
{
    struct rank *r = h->data;
    (void)signum;
    if (r->x)
        execlink_reap(r->x);
}

static void wait_for(struct rank *r, const char *what)
{
    r->until = what;
    uv_timer_start(&r->limit, on_limit, LIMIT_MS, 0);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&r->limit);
    r->until = NULL;
}

/* Executors end what others of their instance have left: it is known by its directory. */
static unsigned instance_of(const char *rundir)
{
    unsigned h = 5381;
    while (*rundir)
        h = h * 33 + (unsigned char)*rundir++;
    return h;
}

static json_object *make_init(const struct rank *r)
{
    cleanup_free char *text = xasprintf(
        "{\"m\":\"init\",\"instance\":\"l%u\",\"rank\":0,\"size\":1,\"host\":\"n\","
        "\"uri\":\"local:///x\",\"rundir\":\"%s\",\"bind\":false,\"cores\":[\"0\"]}",
        instance_of(r->rundir), r->rundir);
    return json_tokener_parse(text);
}

static struct rank *come(char *rundir, bool attach)
{
    struct rank *r = xcalloc(1, sizeof(*r));
    struct error err;
    r->rundir = rundir;
    uv_loop_init(&r->loop);
    uv_timer_init(&r->loop, &r->limit);
    uv_signal_init(&r->loop, &r->sigchld);
    r->limit.data = r->sigchld.data = r;
    uv_signal_start(&r->sigchld, on_sigchld, SIGCHLD);
    r->x = execlink_start(0, rundir, false, attach, &err);
    if (!r->x || execlink_connect(r->x, &r->loop, make_init(r), &ops, r, &err) < 0)
        log_exit(1, "%s", err.text);
    return r;
}

static void finish_rank(struct rank *r)
{
    uv_close((uv_handle_t *)&r->limit, NULL);
    uv_close((uv_handle_t *)&r->sigchld, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    json_object_put(r->hello);
    free(r);
}

static void start_job(struct rank *r, const char *script)
{
    cleanup_free char *spec = xasprintf(
        "{\"m\":\"spec\",\"h\":\"h\",\"jobspec\":{\"version\":1,\"resources\":[{\"type\":"
        "\"slot\",\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":1}]}"
        "],"
        "\"tasks\":[{\"command\":[\"sh\",\"-c\",\"%s\",\"sh\",\"%s/daemon\"],\"slot\":"
        "\"t\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{\"duration\":0,"
        "\"cwd\":\"/\",\"environment\":{\"PATH\":\"/usr/bin:/bin\"}}}}}",
        script, r->rundir);
    cleanup_free char *start = xasprintf(
        "{\"m\":\"start\",\"jobs\":[{\"id\":%d,\"h\":\"h\",\"ntasks\":1,\"hosts\":[\"n\"]"
        ","
        "\"ranks\":[0],\"node\":0,\"cores\":\"0\",\"gpus\":\"\",\"slots\":1,\"cps\":1}]}",
        JOB);
    execlink_send(r->x, spec, strlen(spec));
    execlink_send(r->x, start, strlen(start));
}

/* A rank that starts an executor and a job, and ends; only its child, so that the executor is
 * nobody's child here. */
static void first_rank(char *rundir)
{
    static const char script[] =
        "(setsid sh -c 'trap \\\"\\\" TERM HUP; echo $$ >$0; while :; do sleep 0.01; "
        "done' "
        "$1 </dev/null >/dev/null 2>&1 &); until test -s $1; do sleep 0.01; done; "
        "exec sleep 1000";
    fflush(stdout);
    pid_t pid = fork();
    if (pid > 0) {
        int status = -1;
        waitpid(pid, &status, 0);
        ok(status == 0, "a rank starts an executor, and leaves it");
        return;
    }
    struct rank *r = come(rundir, false);
    start_job(r, script);
    wait_for(r, "start");
    bool good = r->hellos == 1 && !execlink_attached(r->x);
    cleanup_free char *path = xasprintf("%s/daemon", rundir);
    for (cleanup_free char *text = NULL; !text || !strchr(text, '\n');) {
        free(text);
        text = read_file(path, NULL);
    }
    execlink_leave(r->x);
    r->x = NULL;
    finish_rank(r);
    _exit(!good);
}

static int read_number(const char *rundir, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", rundir, name);
    cleanup_free char *text = read_file(path, NULL);
    return text ? atoi(text) : 0;
}

static bool hello_has_job(const struct rank *r)
{
    json_object *jobs = jsonutil_get(r->hello, "jobs");
    return json_object_array_length(jobs) == 1 &&
           json_object_get_int(json_object_array_get_idx(jobs, 0)) == JOB;
}

static void second_rank(char *rundir)
{
    struct procid daemon, executor, next;
    struct rank *r = come(rundir, true);
    r->daemon = read_number(rundir, "daemon");
    ok(execlink_attached(r->x), "another rank finds it");
    wait_for(r, "start");
    ok(hello_has_job(r), "its hello tells of the job");
    ok(r->hellos == 1 && r->starts == 1,
       "the event that was not acknowledged comes again");
    ok(json_object_get_int(jsonutil_get(r->hello, "pid")) == execlink_pid(r->x),
       "the process at the other end is the executor, not who made the socket");
    ok(procid_get(&executor, execlink_pid(r->x)) && procid_get(&daemon, r->daemon),
       "executor and daemon live");

    execlink_renew(r->x, NULL);
    wait_for(r, "start");
    ok(r->hellos == 2 && r->starts == 2 && hello_has_job(r), "all of it again: renew");
    execlink_renew(r->x, make_init(r));
    wait_for(r, "start");
    ok(r->hellos == 3 && r->starts == 3, "and with another init");

    kill(executor.pid, SIGKILL);
    wait_for(r, "hello");
    ok(r->losses == 1 && r->losses_at_hello == 1 && r->refused == 0,
       "its death is told, before the next one's hello");
    ok(!r->daemon_lived_at_loss, "nothing of its tasks is left then");
    ok(json_object_array_length(jsonutil_get(r->hello, "jobs")) == 0 &&
           procid_get(&next, execlink_pid(r->x)) && next.pid != executor.pid,
       "a new one runs");
    start_job(r, "exit 3");
    wait_for(r, "finish");
    ok(r->finishes == 1, "and takes jobs");
    execlink_leave(r->x); /* our child, and of no use to us as one */
    r->x = NULL;
    finish_rank(r);

    r = come(rundir, true);
    wait_for(r, "finish");
    ok(execlink_attached(r->x) && hello_has_job(r),
       "it is found, and its hello tells of the job whose end was not acknowledged");
    execlink_quit(r->x, on_gone, r);
    wait_for(r, "gone");
    ok(!procid_alive(&next) && execlink_pid(r->x) == 0, "quit: it is gone");
    ok(r->losses == 0, "and not lost");
    execlink_destroy(r->x);
    finish_rank(r);
    waitpid(next.pid, NULL, 0);
}

/* Nobody answers, though the socket's file is there. */
static void third_rank(char *rundir)
{
    struct procid p;
    struct error err;
    cleanup_free char *path = xasprintf("%s/exec-0.sock", rundir);
    ok(access(path, F_OK) < 0, "the socket's file is gone");
    struct rank *r = come(rundir, true);
    ok(!execlink_attached(r->x), "there is none to be found: one is started");
    wait_for(r, "hello");
    kill(execlink_pid(r->x), SIGKILL);
    waitpid(execlink_pid(r->x), NULL, 0);
    execlink_leave(r->x);
    finish_rank(r);
    ok(access(path, F_OK) == 0, "it was killed: its socket's file is left");

    r = come(rundir, true);
    ok(!execlink_attached(r->x), "nobody answers there: one is started");
    wait_for(r, "hello");
    procid_get(&p, execlink_pid(r->x));
    execlink_leave(r->x);
    struct execlink *x = execlink_start(0, rundir, false, true, &err);
    ok(x && execlink_attached(x) && execlink_pid(x) == p.pid, "it is found");
    kill(p.pid, SIGSTOP);
    execlink_destroy(x);
    ok(!procid_alive(&p) && access(path, F_OK) < 0,
       "destroy: it is killed, even stopped");
    r->x = NULL;
    waitpid(p.pid, NULL, 0);
    finish_rank(r);

    /* a file where the socket should be */
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    x = execlink_start(0, rundir, false, true, &err);
    ok(x && !execlink_attached(x), "a file that is no socket is replaced");
    execlink_destroy(x);
    cleanup_free char *nowhere = xasprintf("%s/no/such/directory", rundir);
    x = execlink_start(0, nowhere, false, true, &err);
    ok(!x && strstr(err.text, nowhere), "a directory that is not there is named");
    execlink_destroy(x);
}

int main(void)
{
    struct error err;
    log_init("execlink", LOG_L_ERROR);
    cleanup_free char *rundir = path_make_tmpdir("hbatch-execlink-", &err);
    if (!rundir)
        log_exit(1, "%s", err.text);
    signal(SIGPIPE, SIG_IGN);
    first_rank(rundir);
    second_rank(rundir);
    third_rank(rundir);
    path_remove_tree(rundir);
    printf("1..%d\n", tests);
    return failures > 0;
}
