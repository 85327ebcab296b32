/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "src/cli/attach.h"
#include "src/cli/output.h"
#include "src/cli/pending.h"
#include "src/cli/tail.h"
#include "src/common/signals.h"
#include "src/lib/build.h"
#include "src/lib/input.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

#define STDIN_CHUNK (64 << 10)
#define STDIN_AHEAD (1 << 20) /* sent, but not taken by the tasks */
#define TWICE_WITHIN 2.0      /* seconds */

struct attach {
    struct cli *cli;
    const struct attach_options *o;
    uint64_t id;
    struct output out;
    double t0;        /* time of the first event */
    bool over, ended; /* it need not be looked at any more; the job told its end */
    bool told_id;
    bool fatal; /* an exception of severity 0 came */
    int exit_code;
    int signal_fd;
    bool read_stdin;
    uint64_t stdin_sent, stdin_taken;
    uint64_t bytes,
        captured; /* of output: got, and known to have been there at the job's end */
    double t_interrupt;     /* of the last SIGINT, monotonic */
    int ending;             /* the last SIGTERM or SIGHUP that was passed on */
    struct tail *tail;      /* what was read before, or NULL */
    struct pending pending; /* the line that says what the job waits for */
};

void attach_print_event(const struct cli *cli, uint64_t id, double since_start,
                        const char *name, const char *context)
{
    char buf[CLI_ID_SIZE];
    if (strcmp(name, "exception") != 0) {
        fprintf(stderr, "%.3fs: job.%s%s%s\n", since_start, name, context ? " " : "",
                context ? context : "");
        return;
    }
    cleanup_json json_object *o = json_tokener_parse(context ? context : "{}");
    fprintf(stderr, "%.3fs: job.exception %s type=%s severity=%d %s\n", since_start,
            cli_id(cli, id, buf), cli_get_string(o, "type", "?"),
            (int)cli_get_number(o, "severity", 0), cli_get_string(o, "note", ""));
}

/* "task(s) exited with exit code 3", "task(s) Killed", on stderr. */
static void print_exit(const struct cli *cli, int status, int exit_code)
{
    if (exit_code > 128 && exit_code < 128 + NSIG)
        cli_error(cli, "task(s) %s%s", strsignal(exit_code - 128),
                  WIFSIGNALED(status) && WCOREDUMP(status) ? " (core dumped)" : "");
    else
        cli_error(cli, "task(s) exited with exit code %d", exit_code);
}

/* --- what the job tells ------------------------------------------------------------------ */

static void begin_stdin(struct attach *a);

/* Before anything else of the job is shown. */
static void tell_id(struct attach *a)
{
    char buf[CLI_ID_SIZE];
    if (a->o->show_id && !a->told_id)
        fprintf(stderr, "jobid: %s\n", cli_id(a->cli, a->id, buf));
    a->told_id = true;
}

/* What the job's executors tell, not its queue. */
static bool is_of_execution(const char *name)
{
    static const char *const names[] = {"start", "finish", "retry", "restart"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct attach *a = arg;
    bool exception = strcmp(name, "exception") == 0;
    bool shown = a->o->show_events || (a->o->show_exec && is_of_execution(name));
    tell_id(a);
    if (a->t0 == 0)
        a->t0 = time;
    a->pending.id = id;
    pending_event(&a->pending, time, name);
    if (exception || shown) {
        output_flush(&a->out, false);
        pending_clear(&a->pending);
        attach_print_event(a->cli, id, time - a->t0, name, context);
    }
    if (exception && context) {
        cleanup_json json_object *o = json_tokener_parse(context);
        if (cli_get_number(o, "severity", 0) == 0)
            a->fatal = true;
    }
    if (strcmp(name, "start") == 0)
        begin_stdin(a);
    if (a->fatal || strcmp(name, "finish") == 0)
        a->read_stdin = false;
    if (a->o->wait_event && strcmp(name, a->o->wait_event) == 0) {
        a->exit_code = 0;
        a->over = true;
    }
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct attach *a = arg;
    tell_id(a);
    a->bytes += len;
    size_t known = a->tail ? tail_known(a->tail, stream, task, len) : 0;
    output_data(&a->out, id, stream, task, (const char *)data + known, len - known, eof);
}

static void on_input(hbatch_jobid id, uint64_t bytes, void *arg)
{
    struct attach *a = arg;
    if (id == a->id)
        a->stdin_taken = bytes;
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct attach *a = arg;
    tell_id(a);
    (void)left;
    pending_end(&a->pending);
    output_flush(&a->out, true);
    if (!*result->result && result->exception_note)
        cli_error(a->cli, "%s", result->exception_note);
    a->exit_code = result->exit_code;
    if (a->exit_code == 0 && (a->fatal || strcmp(result->result, "COMPLETED") != 0))
        a->exit_code = 1;
    if (result->status > 0 && result->exit_code != 0 && !a->o->quiet)
        print_exit(a->cli, result->status, result->exit_code);
    a->over = a->ended = true;
}

static const struct hbatch_stream_ops ops = {
    .event = on_event, .output = on_output, .input = on_input, .end = on_end};

/* --- signals ----------------------------------------------------------------------------- */

static void note_reply(json_object *result, const struct error *err, void *arg)
{
    struct attach *a = arg;
    (void)result;
    if (err && !a->over && err->code != ENODATA)
        cli_error(a->cli, "%s", err->text);
}

static void cancel(struct attach *a, const char *note)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(a->id));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "note", json_object_new_string(note));
    client_send(a->cli->h, "job.cancel", params, note_reply, NULL, a);
}

/* There are no tasks yet, or no more: a signal that would have ended them ends the waiting, and
 * with it the job, if it was submitted here. */
static void signal_reply(json_object *result, const struct error *err, void *arg)
{
    struct attach *a = arg;
    if (!err || a->over || a->ending == 0 || err->code != EINVAL) {
        note_reply(result, err, a);
    } else if (a->o->owner) {
        cleanup_free char *note = xasprintf("hbatch %s got SIG%s before the job ran",
                                            a->cli->verb, sigabbrev_np(a->ending));
        cancel(a, note);
    } else {
        a->exit_code = 128 + a->ending;
        a->over = true;
    }
}

static void send_signal(struct attach *a, int sig)
{
    json_object *params = cli_id_params(a->id);
    json_object_object_add(params, "signal", json_object_new_int(sig));
    if (sig == SIGTERM || sig == SIGHUP)
        a->ending = sig;
    client_send(a->cli->h, "job.kill", params, signal_reply, NULL, a);
}

static void take_signal(struct attach *a, int sig)
{
    double now = time_mono();
    if (sig == SIGINT && now - a->t_interrupt > TWICE_WITHIN) {
        a->t_interrupt = now;
        if (a->o->pass_interrupt)
            send_signal(a, sig);
        else
            cli_error(a->cli, "one more ctrl-C within 2s to cancel or ctrl-Z to detach");
    } else if (sig == SIGINT) {
        cancel(a, "interrupted by ctrl-C");
    } else if (sig == SIGTSTP && now - a->t_interrupt <= TWICE_WITHIN) {
        cli_error(a->cli, "detaching...");
        a->exit_code = 0;
        a->over = true;
    } else if (sig == SIGTSTP) {
        raise(SIGSTOP); /* suspended like any program; goes on here with SIGCONT */
    } else {
        send_signal(a, sig);
    }
}

static void catch_signals(struct attach *a)
{
    static const int caught[] = {SIGINT,  SIGTSTP, SIGTERM, SIGHUP,
                                 SIGALRM, SIGUSR1, SIGUSR2};
    signal(SIGPIPE, SIG_IGN);
    if (!a->o->read_only)
        a->signal_fd = signals_open(caught, ARRAY_SIZE(caught));
}

static void read_signals(struct attach *a)
{
    for (int sig; (sig = signals_next(a->signal_fd));)
        take_signal(a, sig);
}

/* --- standard input ---------------------------------------------------------------------- */

static void end_stdin(struct attach *a)
{
    inputs_send(client_inputs(a->cli->h), a->cli->h, a->id, a->o->stdin_tasks, NULL, 0,
                true);
    a->read_stdin = false;
}

bool attach_stdin_is_empty(void)
{
    struct stat st;
    return fstat(STDIN_FILENO, &st) < 0 ||
           (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) ||
           (S_ISREG(st.st_mode) && st.st_size == 0);
}

bool attach_add_stdin(json_object *spec)
{
    json_object *options = cli_get(
        cli_get(cli_get(cli_get(spec, "attributes"), "system"), "shell"), "options");
    const char *type =
        cli_get_string(cli_get(cli_get(options, "input"), "stdin"), "type", NULL);
    if (!type && !attach_stdin_is_empty()) {
        build_path_set(options, "input.stdin.type", json_object_new_string("service"),
                       NULL);
        return true;
    }
    return type && strcmp(type, "service") == 0;
}

/* The tasks can read from now on. */
static void begin_stdin(struct attach *a)
{
    if (a->o->no_stdin || a->o->read_only)
        return;
    if (attach_stdin_is_empty())
        end_stdin(a);
    else
        a->read_stdin = true;
}

/* In the background, a terminal's input is somebody else's. */
static bool stdin_is_ours(void)
{
    pid_t front = tcgetpgrp(STDIN_FILENO);
    return front < 0 || front == getpgrp();
}

static void read_stdin(struct attach *a)
{
    static char buf[STDIN_CHUNK];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
    if (n > 0) {
        inputs_send(client_inputs(a->cli->h), a->cli->h, a->id, a->o->stdin_tasks, buf,
                    (size_t)n, false);
        a->stdin_sent += (uint64_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
        end_stdin(a);
    }
}

/* --- the loop ---------------------------------------------------------------------------- */

static void process(struct attach *a, int timeout_ms)
{
    struct error err;
    if (client_process(a->cli->h, timeout_ms, &err) < 0 && !a->over) {
        output_flush(&a->out, true);
        cli_die(a->cli, "%s", err.text);
    }
    output_flush(&a->out, false);
    if (!a->out.failed || a->over)
        return;
    if (a->out.failed != EPIPE)
        cli_error(a->cli, "cannot write the job's output: %s", strerror(a->out.failed));
    a->exit_code = a->out.failed == EPIPE ? 128 + SIGPIPE : 1;
    if (a->o->owner) {
        struct error ignored;
        cancel(a, "nobody reads its output any more");
        client_flush(a->cli->h, &ignored);
    }
    a->over = true;
}

static void loop(struct attach *a)
{
    while (!a->over) {
        struct error err;
        if (client_flush(a->cli->h, &err) < 0)
            cli_die(a->cli, "%s", err.text);
        bool unsent = client_unsent(a->cli->h);
        /* What the instance has not taken yet holds back what would come after it. */
        bool full = a->stdin_sent >= a->stdin_taken + STDIN_AHEAD &&
                    a->stdin_taken < a->stdin_sent;
        bool wants = a->read_stdin && !unsent && !full, ours = wants && stdin_is_ours();
        struct pollfd fds[] = {
            {.fd = client_fd(a->cli->h),
             .events = (short)(POLLIN | (unsent ? POLLOUT : 0))},
            {.fd = a->signal_fd, .events = POLLIN},
            {.fd = ours ? STDIN_FILENO : -1, .events = POLLIN},
        };
        int patience = pending_patience(&a->pending);
        if (wants && !ours && (patience < 0 || patience > 500))
            patience = 500;
        if (poll(fds, ARRAY_SIZE(fds), patience) < 0)
            continue;
        pending_tick(&a->pending);
        if (fds[1].revents)
            read_signals(a);
        if (fds[2].revents && a->read_stdin)
            read_stdin(a);
        if (fds[0].revents)
            process(a, 0);
    }
}

static int run(struct attach *a)
{
    tell_id(a);
    if (!a->over) {
        catch_signals(a);
        process(a, 0); /* what came together with the reply */
        loop(a);
    }
    if (a->ended && a->bytes < a->captured)
        cli_error(a->cli,
                  "%ju bytes of its output are gone: lost with the node or the executor "
                  "that captured them, or no longer kept (--output-limit)",
                  (uintmax_t)(a->captured - a->bytes));
    pending_end(&a->pending);
    output_fini(&a->out);
    tail_destroy(a->tail);
    if (a->signal_fd >= 0)
        close(a->signal_fd);
    return a->exit_code;
}

static void init(struct attach *a, struct cli *cli, const struct attach_options *options)
{
    *a = (struct attach){
        .cli = cli, .o = options, .exit_code = 1, .signal_fd = -1, .t_interrupt = -1e9};
    output_init(&a->out, options->label);
    a->out.ascii = cli->ascii;
    a->out.names = options->names;
}

/* What there is of the output; then it is not asked for again, if that was all. */
static void begin_with_tail(struct attach *a, json_object *params)
{
    a->tail = tail_read(a->cli, a->id, a->o->tail);
    tail_print(a->tail, &a->out, a->id);
    if (tail_is_all(a->tail)) {
        json_object_object_add(params, "output", json_object_new_boolean(false));
        a->bytes = tail_bytes(a->tail);
        a->captured = tail_captured(a->tail);
    }
}

int attach_job(struct cli *cli, const struct attach_options *options, uint64_t id)
{
    struct attach a;
    struct error err;
    init(&a, cli, options);
    a.id = id;
    json_object *params = cli_id_params(id);
    if (options->tail)
        begin_with_tail(&a, params);
    pending_init(&a.pending, cli, id, options);
    cleanup_json json_object *reply =
        stream_open(cli_connect(cli), "job.attach", params, &ops, &a, NULL, NULL, &err);
    if (!reply)
        cli_die(cli, "%s", err.text);
    a.captured =
        (uint64_t)cli_get_number(cli_get(reply, "output"), "bytes", (double)a.captured);
    return run(&a);
}

int attach_submit(struct cli *cli, const struct attach_options *options,
                  json_object *spec, const struct hbatch_submit *submit)
{
    struct attach a;
    struct error err;
    init(&a, cli, options);
    pending_init(&a.pending, cli, 0, options);
    if (submit_job(cli_connect(cli), spec, submit, &a.id, &ops, &a, &err) < 0)
        cli_die(cli, "%s", err.text);
    return run(&a);
}
