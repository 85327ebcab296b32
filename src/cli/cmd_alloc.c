/* SPDX-License-Identifier: BSD-3-Clause */
/* alloc: a sub-instance without a program of its own, and a program here inside of it; or, where the
 * sub-instance may have no process on this host, one that runs the command itself. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/attach.h"
#include "src/cli/inside.h"
#include "src/cli/launcher.h"
#include "src/cli/output.h"
#include "src/cli/place.h"
#include "src/cli/precheck.h"
#include "src/cli/specopts.h"
#include "src/cli/verbs.h"
#include "src/common/signals.h"
#include "src/lib/submit.h"

enum { BG = SPECOPT_END, WAIT_EVENT };
enum { SSH_FAILED = 255 };

#define SHELL_PATIENCE                                                                   \
    3.0 /* s, from the end of a shell elsewhere to that of its instance */

static const struct opt own[] = {
    {BG, 0, "bg", NULL,
     "Print the job's id as soon as its instance is ready, and return; the instance runs "
     "COMMAND itself, if there is one"},
    {WAIT_EVENT, 0, "wait-event", "NAME",
     "With --bg, return after this event of the job"},
};

static const struct opt_group groups[] = {
    OPTS("Resources", specopts_common),
    OPTS("Per slot", specopts_per_slot),
    OPTS("Per resource", specopts_per_resource_slots),
    OPTS("Job", specopts_job),
    OPTS("Environment and limits", specopts_env),
    OPTS("Instance", specopts_instance),
    OPTS("Other", specopts_other),
    OPTS("Running", own),
    OPTS_END,
};

struct alloc {
    struct cli *cli;
    bool bg, verbose, quiet;
    const char *wait_event;
    uint64_t id;
    double t0;
    struct output out;
    struct place at;    /* of the sub-instance, once it has told */
    bool ready, waited; /* it has; the event of --wait-event has come */
    bool over;          /* the job is */
    int stopped;        /* by a signal here, before it was ready: the exit code; 0: not */
    bool remote;        /* the program is ssh, and goes to another host */
    bool ending;        /* the sub-instance was told to end */
    int signal_fd;
    int job_code;
    char *why; /* the note of the exception that ended the job, or NULL */
};

/* --- what the job tells ------------------------------------------------------------------ */

static void take_memo(struct alloc *a, const char *context)
{
    struct error ignored;
    cleanup_json json_object *o = json_tokener_parse(context ? context : "{}");
    const char *uri = cli_get_string(o, "uri", NULL);
    if (uri && !a->ready && place_decode(uri, &a->at, &ignored) == 0)
        a->ready = true;
}

static void take_exception(struct alloc *a, const char *context)
{
    cleanup_json json_object *o = json_tokener_parse(context ? context : "{}");
    if (cli_get_number(o, "severity", 0) != 0)
        return;
    free(a->why);
    a->why = xasprintf("%s%s%s", cli_get_string(o, "type", "?"),
                       *cli_get_string(o, "note", "") ? ": " : "",
                       cli_get_string(o, "note", ""));
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct alloc *a = arg;
    if (a->t0 == 0)
        a->t0 = time;
    if (a->verbose)
        attach_print_event(a->cli, id, time - a->t0, name, context);
    if (strcmp(name, "memo") == 0)
        take_memo(a, context);
    if (strcmp(name, "exception") == 0)
        take_exception(a, context);
    if (a->wait_event && strcmp(name, a->wait_event) == 0)
        a->waited = true;
}

/* Of the instance itself: it has something to say only if something is wrong. */
static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct alloc *a = arg;
    (void)stream;
    output_data(&a->out, id, "stderr", task, data, len, eof);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct alloc *a = arg;
    (void)left;
    output_flush(&a->out, true);
    a->job_code = result->exit_code;
    if (a->job_code == 0 && strcmp(result->result, "COMPLETED") != 0)
        a->job_code = 1;
    a->over = true;
}

static const struct hbatch_stream_ops ops = {
    .event = on_event, .output = on_output, .end = on_end};

/* --- waiting for it ---------------------------------------------------------------------- */

static void catch_signals(struct alloc *a)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    a->signal_fd = signals_open(caught, ARRAY_SIZE(caught));
}

static void no_reply(json_object *result, const struct error *err, void *arg)
{
    (void)result, (void)err, (void)arg;
}

static void cancel(struct alloc *a, const char *note)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(a->id));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "note", json_object_new_string(note));
    client_send(a->cli->h, "job.cancel", params, no_reply, NULL, a);
}

/* A signal while there is no program yet: the job is canceled, and its end waited for; a second one
 * does not wait. Return the exit code to leave with at once, or -1. */
static int take_signals(struct alloc *a)
{
    struct error ignored;
    char buf[CLI_ID_SIZE];
    for (int sig; (sig = signals_next(a->signal_fd));) {
        if (a->stopped)
            return 128 + sig;
        cli_error(a->cli, "SIG%s: job %s is canceled", sigabbrev_np(sig),
                  cli_id(a->cli, a->id, buf));
        cleanup_free char *note = xasprintf(
            "hbatch alloc got SIG%s before the instance was ready", sigabbrev_np(sig));
        cancel(a, note);
        client_flush(a->cli->h, &ignored);
        a->stopped = 128 + sig;
    }
    return -1;
}

static void process(struct alloc *a)
{
    struct error err;
    if (client_process(a->cli->h, 0, &err) < 0 && !a->over)
        cli_die(a->cli, "%s", err.text);
    output_flush(&a->out, false);
}

/* Until the instance is ready, or what --wait-event names, or it is over. Return -1, or the exit code
 * to leave with at once. */
static int wait_ready(struct alloc *a)
{
    while (!a->over && (a->stopped || !(a->wait_event ? a->waited : a->ready))) {
        struct pollfd fds[] = {{.fd = client_fd(a->cli->h), .events = POLLIN},
                               {.fd = a->signal_fd, .events = POLLIN}};
        struct error err;
        if (client_flush(a->cli->h, &err) < 0)
            cli_die(a->cli, "%s", err.text);
        if (client_unsent(a->cli->h))
            fds[0].events |= POLLOUT;
        if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
            continue;
        int code = fds[1].revents ? take_signals(a) : -1;
        if (code >= 0)
            return code;
        if (fds[0].revents)
            process(a);
    }
    return -1;
}

/* It ended without having been ready. */
static int ended_early(struct alloc *a)
{
    char buf[CLI_ID_SIZE];
    if (a->stopped)
        return a->stopped;
    cli_error(a->cli, "the instance of job %s ended before it was ready%s%s%s",
              cli_id(a->cli, a->id, buf), a->why ? " (" : "", a->why ? a->why : "",
              a->why ? ")" : "");
    return a->job_code ? a->job_code : 1;
}

/* --- a program inside of it -------------------------------------------------------------- */

/* The program has ended, with CODE: so does the instance. */
static void end_instance(struct alloc *a, struct inside *in, int code)
{
    json_object *params = json_object_new_object();
    struct error ignored;
    json_object_object_add(
        params, "reason",
        json_object_new_string("the command of hbatch alloc has ended"));
    json_object_object_add(params, "status", json_object_new_int(code));
    a->ending = true;
    client_send(in->h, "instance.shutdown", params, no_reply, NULL, a);
    client_flush(in->h, &ignored);
}

static void tell_lost(struct alloc *a)
{
    char buf[CLI_ID_SIZE];
    cli_error(a->cli, "the instance of job %s is gone%s%s%s", cli_id(a->cli, a->id, buf),
              a->why ? " (" : "", a->why ? a->why : "", a->why ? ")" : "");
}

/* The program's instance has ended, and it has not.  A shell on another host has ended the instance itself, and its
 * ssh is on its way; unless somebody else did. */
static bool is_lost(const struct alloc *a)
{
    return !a->remote || a->why;
}

static int patience(const struct inside *in, double at)
{
    return at > 0 ? (int)(MAX(at - time_mono(), 0) * 1000) + 1 : inside_patience(in);
}

/* Both are watched: the program here, and the job. Return the program's exit code. */
static int run_inside(struct alloc *a, struct inside *in)
{
    int code = 1;
    bool told = false;
    double cancel_at = 0;
    while (!a->over || in->pid > 0) {
        if (a->over && !told && in->pid > 0 && is_lost(a)) {
            tell_lost(a);
            told = true;
            inside_hang_up(in);
        }
        struct error err;
        client_flush(a->cli->h, &err); /* a loss is told by process() */
        bool sub = a->ending && client_unsent(in->h), unsent = client_unsent(a->cli->h);
        struct pollfd fds[] = {{.fd = a->over ? -1 : client_fd(a->cli->h),
                                .events = (short)(POLLIN | (unsent ? POLLOUT : 0))},
                               {.fd = in->signal_fd, .events = POLLIN},
                               {.fd = sub ? client_fd(in->h) : -1, .events = POLLOUT}};
        poll(fds, ARRAY_SIZE(fds), patience(in, cancel_at));
        if (cancel_at > 0 && !a->over && time_mono() >= cancel_at) {
            cancel(a, "hbatch alloc: its shell has ended");
            cancel_at = 0;
        }
        if (in->pid > 0) {
            if (inside_signals(in, &code) && !a->over && !a->remote)
                end_instance(a, in, code);
            else if (in->pid == 0 &&
                     !a->over) /* it has told the instance to end, mostly */
                cancel_at = time_mono() + (code == SSH_FAILED ? 0 : SHELL_PATIENCE);
        } else if (inside_late_signals(
                       in)) { /* somebody does not want to wait for its end */
            cancel(a, "hbatch alloc was told to end");
        }
        if (fds[2].revents)
            client_flush(in->h, &err);
        if (fds[0].revents)
            process(a);
    }
    return code;
}

/* A shell on the host where the instance is, by ssh, that ends the instance afterwards. */
static char **ssh_words(const struct alloc *a, struct words *w)
{
    cleanup_free char *self = inside_self(), *uri = place_uri(&a->at, true);
    words_add(w, "%s", self);
    words_add(w, "proxy");
    words_add(w, "%s", uri);
    words_add(w, "sh");
    words_add(w, "-c");
    words_add(
        w, "%s",
        "\"${SHELL:-/bin/sh}\"; code=$?; hbatch shutdown --background --exit-code=$code; "
        "exit $code");
    return w->v;
}

/* Where the instance is: what it has told is a path; the list knows the nodes. */
static void find_place(struct alloc *a)
{
    struct place at;
    if (a->at.host || access(a->at.path, F_OK) == 0)
        return;
    json_object *q = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(a->id));
    json_object_object_add(q, "ids", ids);
    cleanup_json json_object *result = cli_call(a->cli, "job.list", q);
    json_object *jobs = cli_list(a->cli, result, "jobs");
    if (json_object_array_length(jobs) > 0 &&
        place_of_job(json_object_array_get_idx(jobs, 0), &at)) {
        place_fini(&a->at);
        a->at = at;
    }
}

static int run_program(struct alloc *a, char **argv)
{
    struct inside in = {.signal_fd = -1};
    struct words w = {0};
    struct error err;
    int code = 1;
    find_place(a);
    bool remote = a->at.host != NULL;
    cleanup_free char *uri = place_uri(&a->at, false);
    close(a->signal_fd);
    /* A remote one is reached by hbatch proxy, which is itself in this instance. */
    if (inside_open(&in, remote ? client_uri(a->cli->h) : uri, &err) < 0 ||
        inside_start(&in, remote ? ssh_words(a, &w) : argv, &err) < 0) {
        cli_error(a->cli, "%s", err.text);
        code = err.code == ENOENT ? 127 : err.code == EACCES ? 126 : 1;
        if (in.h && !remote)
            end_instance(a, &in, code);
        else
            cancel(a, "hbatch alloc could not start its command");
        while (!a->over && client_process(a->cli->h, -1, &err) >= 0)
            ;
    } else {
        a->remote = remote;
        code = run_inside(a, &in);
    }
    words_fini(&w);
    inside_close(&in);
    return code;
}

/* --- the verb ---------------------------------------------------------------------------- */

/* A virtual node has a name of its own, and its rank a socket on this host. */
static bool is_virtual_here(json_object *info, json_object *node)
{
    cleanup_free char *path = xasprintf("%s/sock-%d", cli_get_string(info, "rundir", ""),
                                        (int)cli_get_number(node, "rank", 0));
    return strncmp(cli_get_string(node, "host", ""), "vnode", 5) == 0 &&
           access(path, F_OK) == 0;
}

/* Whether every instance that is allotted here has a process on this host: all nodes are it. */
static bool all_is_here(struct cli *cli)
{
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    const char *host = cli_get_string(info, "hostname", NULL);
    if (cli_get_number(info, "size", 1) <= 1)
        return !host || place_is_here(host);
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    size_t n = json_object_array_length(nodes);
    for (size_t i = 0; i < n; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (!place_is_here(cli_get_string(node, "host", "")) &&
            !is_virtual_here(info, node))
            return false;
    }
    return true;
}

/* The job is to end with this process, however that ends. */
static char *tied_flags(const struct specopts *s)
{
    return xasprintf("%s%stied", s->flags ? s->flags : "", s->flags ? "," : "");
}

static int submit(struct alloc *a, struct specopts *s, json_object *spec)
{
    struct error err;
    cleanup_free char *tied = tied_flags(s);
    struct hbatch_submit options = {.urgency = s->urgency,
                                    .flags = a->bg ? s->flags : tied};
    char buf[CLI_ID_SIZE];
    output_init(&a->out, false);
    a->out.ascii = a->cli->ascii;
    catch_signals(a);
    if (submit_job(cli_connect(a->cli), spec, &options, &a->id, &ops, a, &err) < 0)
        cli_die(a->cli, "%s", err.text);
    if (s->verbose > 0)
        fprintf(stderr, "jobid: %s\n", cli_id(a->cli, a->id, buf));
    int code = wait_ready(a);
    if (code >= 0)
        return code;
    bool there = a->wait_event ? a->waited : a->ready;
    if (!there || a->stopped || (a->over && !a->bg))
        return ended_early(a);
    if (!a->bg)
        return -1;
    if (!s->quiet)
        puts(cli_id(a->cli, a->id, buf));
    return 0;
}

/* The job is called by its command, which is not in its specification. */
static void name_it(struct specopts *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->names[i], "job-name") == 0)
            return;
    }
    const char *slash = s->argc ? strrchr(s->argv[0], '/') : NULL;
    const char *name = !s->argc ? "alloc" : slash && slash[1] ? slash + 1 : s->argv[0];
    s->names = xrealloc(s->names, (s->n + 1) * sizeof(*s->names));
    s->values = xrealloc(s->values, (s->n + 1) * sizeof(*s->values));
    s->names[s->n] = "job-name";
    s->values[s->n++] = name;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct specopts s = {.urgency = -1, .instance = true};
    struct alloc a = {.cli = cli, .signal_fd = -1};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (specopts_take(&s, cli, o, p.value))
            continue;
        if (o->id == BG)
            a.bg = true;
        else
            a.wait_event = p.value;
    }
    if (a.wait_event && !a.bg)
        cli_die(cli, "--wait-event is for --bg");
    s.argc = p.nargs;
    s.argv = p.args;
    p.args[p.nargs] = NULL; /* a list for execve */
    a.verbose = s.verbose > 1;
    name_it(&s);
    bool attached = !a.bg && !s.dry_run && s.argc > 0 && !all_is_here(cli);
    if (!attached && !a.bg)
        s.argc = 0;
    json_object *spec = specopts_encode(&s, cli, cmd, NULL);
    int rc;
    if (!s.dry_run)
        precheck_instance(cli, &s);
    if (s.dry_run) {
        puts(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(spec);
        rc = 0;
    } else if (attached) {
        cleanup_free char *tied = tied_flags(&s);
        struct hbatch_submit options = {.urgency = s.urgency, .flags = tied};
        struct attach_options o = {.owner = true,
                                   .show_id = s.verbose > 0,
                                   .show_events = s.verbose > 1,
                                   .no_stdin = !attach_add_stdin(spec)};
        rc = attach_submit(cli, &o, spec, &options);
    } else {
        rc = submit(&a, &s, spec);
        if (rc < 0)
            rc = run_program(&a, p.nargs ? p.args : NULL);
        output_fini(&a.out);
        place_fini(&a.at);
        free(a.why);
    }
    specopts_fini(&s);
    return rc;
}

const struct cmd cmd_alloc = {
    .name = "alloc",
    .args = "[COMMAND [ARG...]]",
    .help = "Run COMMAND (default: a shell) in an instance of its own",
    .more = "The instance is a job of this one. It ends with COMMAND, whose exit code "
            "hbatch alloc has; "
            "what is left in it is canceled.",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
