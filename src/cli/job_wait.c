/* SPDX-License-Identifier: BSD-3-Clause */
/* job wait, job status, wait-event: what waits for jobs without their output. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include "src/cli/color.h"
#include "src/cli/events.h"
#include "src/cli/gauge.h"
#include "src/cli/guest.h"
#include "src/cli/ids.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/common/jobid.h"
#include "src/job/state.h"
#include "src/lib/stream.h"

/* --- wait and status --------------------------------------------------------------------- */

enum { ALL, VERBOSE, EXCEPTION_CODE, AS_JSON };

static const struct opt wait_opts[] = {
    {ALL, 'a', "all", NULL, "All jobs that are active now"},
    {AS_JSON, 'j', "json", NULL, "Print results as JSON"},
    {VERBOSE, 'v', "verbose", NULL, "Tell how each job ended"},
};
static const struct opt_group wait_groups[] = {OPTS(NULL, wait_opts), OPTS_END};

static const struct opt status_opts[] = {
    {EXCEPTION_CODE, 'e', "exception-exit-code", "N",
     "Exit code for jobs that ended by an exception"},
    {AS_JSON, 'j', "json", NULL, "Print results as JSON"},
    {VERBOSE, 'v', "verbose", NULL, "Tell how each job ended"},
};
static const struct opt_group status_groups[] = {OPTS(NULL, status_opts), OPTS_END};

enum {
    NOT_WAITABLE = 2
}; /* exit code of job wait: that is no job, or there are no more */

/* Of jobs that failed, so many are told of as they end, and the others, which may be very many, counted by how they did:
 * so many ways. */
enum { TOLD_MAX = 20, WAYS_MAX = 20 };

struct way {
    char *text;
    uint64_t n, first; /* jobs, and the first of them */
};

struct waiting {
    struct cli *cli;
    bool any; /* the next one that is waitable */
    struct ids ids;
    bool verbose, json, status;
    int exception_code; /* -1: the job's */
    size_t left, all;
    struct gauge gauge;
    int exit_code;
    uint64_t told;
    struct way ways[WAYS_MAX + 1]; /* the last one: all others */
    unsigned nways;
};

/* A new string. */
static char *describe(const struct hbatch_result *r, int code)
{
    if (!*r->result) /* the instance could not be asked again */
        return xstrdup(r->exception_note ? r->exception_note
                                         : "it is not known how it ended");
    if (r->exception_type)
        return xasprintf("%s: exception type=%s%s%s", r->result, r->exception_type,
                         r->exception_note && *r->exception_note ? " " : "",
                         r->exception_note ? r->exception_note : "");
    if (code > 128)
        return xasprintf("task(s) %s", strsignal(code - 128));
    if (code > 0)
        return xasprintf("task(s) exited with exit code %d", code);
    return xstrdup("job completed successfully");
}

/* TEXT is taken over. */
static void count(struct waiting *w, uint64_t id, char *text)
{
    cleanup_free char *mine = text;
    unsigned i = 0;
    while (i < w->nways && strcmp(w->ways[i].text, text) != 0)
        i++;
    if (i == w->nways && i < WAYS_MAX)
        w->ways[w->nways++] = (struct way){.text = take(mine), .first = id};
    w->ways[i].n++;
}

static void tell_counted(struct waiting *w)
{
    char buf[CLI_ID_SIZE];
    for (unsigned i = 0; i <= WAYS_MAX; i++) {
        struct way *way = &w->ways[i];
        if (i == WAYS_MAX && way->n > 0)
            cli_error(w->cli, "%ju more failed in other ways", (uintmax_t)way->n);
        else if (way->n > 1)
            cli_error(w->cli, "%s and %ju more: %s", cli_id(w->cli, way->first, buf),
                      (uintmax_t)way->n - 1, way->text);
        else if (way->n == 1)
            cli_error(w->cli, "%s: %s", cli_id(w->cli, way->first, buf), way->text);
        free(way->text);
    }
}

static void tell(struct waiting *w, const struct hbatch_result *r, int code)
{
    char buf[CLI_ID_SIZE];
    cleanup_free char *text = describe(r, code);
    w->told++;
    if (!w->verbose && w->told > TOLD_MAX)
        count(w, r->id, take(text));
    else
        cli_error(w->cli, "%s: %s", cli_id(w->cli, r->id, buf), text);
    if (!w->verbose && w->told == TOLD_MAX && w->left > 0)
        cli_error(
            w->cli,
            "others that fail are counted, and told at the end; --verbose tells each");
}

static void take_result(struct waiting *w, const struct hbatch_result *r)
{
    int code = r->exit_code;
    bool ok = strcmp(r->result, "COMPLETED") == 0;
    if (code == 0 && !ok)
        code = 1;
    if (w->exception_code >= 0 && r->exception_type && r->exception_severity == 0)
        code = w->exception_code;
    if (w->verbose || (!w->status && !ok)) {
        gauge_hide(&w->gauge);
        tell(w, r, code);
    }
    w->exit_code = MAX(w->exit_code, w->status ? code : !ok);
}

static void on_result(json_object *result, const struct error *err, void *arg)
{
    struct waiting *w = arg;
    struct hbatch_result r;
    w->left--;
    if (err || w->any || w->json)
        gauge_hide(&w->gauge);
    if (err) {
        bool none = err->code == ECHILD || err->code == ENOENT;
        cli_error(w->cli, "%s", err->text);
        w->exit_code = MAX(w->exit_code, none && !w->status ? NOT_WAITABLE : 1);
        return;
    }
    stream_result(result, &r);
    char buf[CLI_ID_SIZE];
    if (w->any && !w->json)
        puts(cli_id(w->cli, r.id, buf));
    if (w->json)
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
    take_result(w, &r);
}

/* As job.wait tells it. */
static void print_json(const struct hbatch_result *r)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_uint64(r->id));
    json_object_object_add(o, "state", json_object_new_string("INACTIVE"));
    json_object_object_add(o, "result", json_object_new_string(r->result));
    json_object_object_add(o, "status", json_object_new_int(r->status));
    json_object_object_add(o, "exit", json_object_new_int(r->exit_code));
    if (r->exception_type) {
        json_object *e = json_object_new_object();
        json_object_object_add(e, "type", json_object_new_string(r->exception_type));
        json_object_object_add(e, "severity", json_object_new_int(r->exception_severity));
        json_object_object_add(
            e, "note",
            json_object_new_string(r->exception_note ? r->exception_note : ""));
        json_object_object_add(o, "exception", e);
    }
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static void on_followed(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct waiting *w = arg;
    (void)left;
    w->left--;
    if (w->json && *r->result) {
        gauge_hide(&w->gauge);
        print_json(r);
    }
    take_result(w, r);
}

/* Of many jobs with neighbouring ids the ends are followed together: an element of an array that is waited for by
 * itself gets a job in the leader before it starts, and there may be a million. */
enum { MANY = 64 };

static void follow(struct waiting *w, uint64_t first, uint64_t count)
{
    static const struct hbatch_stream_ops ops = {.end = on_followed};
    struct error err;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "first", json_object_new_uint64(first));
    json_object_object_add(params, "count", json_object_new_uint64(count));
    json_object_object_add(params, "wait", json_object_new_boolean(true));
    cleanup_json json_object *reply =
        stream_open(cli_connect(w->cli), "job.follow", params, &ops, w, NULL, NULL, &err);
    if (!reply)
        cli_die(w->cli, "%s", err.text);
}

static void wait_for(struct waiting *w)
{
    struct ids *ids = &w->ids;
    ids_sort(ids);
    for (size_t i = 0, n; i < ids->n; i += n) {
        n = ids_neighbours(ids, i);
        if (n >= MANY) {
            follow(w, ids->v[i], n);
            continue;
        }
        n = 1;
        client_send(cli_connect(w->cli), "job.wait", cli_id_params(ids->v[i]), on_result,
                    NULL, w);
    }
}

/* What is no id cannot be waited for. */
static void add_operand(struct waiting *w, const char *word)
{
    struct error err;
    jobid_t id, last;
    if (!w->status && strcmp(word, "last") != 0 && !ids_is_elements(word) &&
        !ids_range(w->cli, word, &id, &last) &&
        (jobid_decode(word, &id, &err) < 0 ||
         ((id == 0 || id > INT64_MAX) &&
          error_set(&err, ENOENT, "no such job: %s", word) < 0))) {
        cli_error(w->cli, "%s", err.text);
        exit(NOT_WAITABLE);
    }
    ids_add(&w->ids, w->cli, word);
}

static int wait_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct waiting w = {.cli = cli, .exception_code = -1};
    struct optparse p;
    bool all = false;
    w.status = cmd == &job_status;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            all = true;
            break;
        case VERBOSE:
            w.verbose = true;
            break;
        case EXCEPTION_CODE:
            w.exception_code =
                (int)cli_number(cli, "--exception-exit-code", p.value, 0, 255);
            break;
        case AS_JSON:
            w.json = true;
            break;
        }
    }
    if (w.status && p.nargs == 0)
        cli_die(cli, "which jobs? Give their ids");
    if (all && p.nargs)
        cli_die(cli, "--all and '%s' cannot be used together", p.args[0]);
    w.any = !all && p.nargs == 0;
    for (int i = 0; i < p.nargs; i++)
        add_operand(&w, p.args[i]);
    if (all)
        ids_add_states(&w.ids, cli, JOB_ACTIVE);
    w.left = w.all = w.ids.n + w.any;
    gauge_init(&w.gauge, cli, "jobs");
    wait_for(&w);
    if (w.any)
        client_send(cli_connect(cli), "job.wait", NULL, on_result, NULL, &w);
    while (w.left) {
        struct error err;
        if (client_process(cli->h, gauge_tick(&w.gauge), &err) < 0 && w.left) {
            gauge_hide(&w.gauge);
            cli_die(cli, "%s", err.text);
        }
        if (w.all > 1)
            gauge_show(&w.gauge, (double)(w.all - w.left), (double)w.all);
    }
    gauge_hide(&w.gauge);
    tell_counted(&w);
    ids_fini(&w.ids);
    return w.exit_code;
}

const struct cmd job_wait = {
    .name = "wait",
    .args = "[JOBID...]",
    .help = "Wait for jobs to end, or for the next waitable one; exit code 1 if one "
            "failed, 2 "
            "if there is none",
    .groups = wait_groups,
    .run = wait_run,
};

const struct cmd job_status = {
    .name = "status",
    .args = "JOBID...",
    .help = "Wait for jobs to end; exit with the greatest of their exit codes",
    .groups = status_groups,
    .run = wait_run,
};

/* --- wait-event -------------------------------------------------------------------------- */

enum {
    EV_TIMEOUT,
    EV_QUIET,
    EV_VERBOSE,
    EV_COUNT,
    EV_FORMAT,
    EV_TIME,
    EV_HUMAN,
    EV_COLOR,
    EV_PATH,
    EV_MATCH,
    EV_IGNORED
};

static const struct opt event_opts[] = {
    {EV_TIMEOUT, 't', "timeout", "DURATION", "Wait at most so long"},
    {EV_COUNT, 'c', "count", "N", "Wait for the Nth such event"},
    {EV_MATCH, 'm', "match-context", "KEY=VALUE",
     "Only events with this in their context (may be repeated)"},
    {EV_PATH, 'p', "path", "LOG", "Of another log: exec (or guest.exec.eventlog)"},
    {EV_FORMAT, 'f', "format", "text|json", "How to print the event"},
    {EV_TIME, 'T', "time-format", "raw|iso|offset|human", "How to print times"},
    {EV_HUMAN, 'H', "human", NULL, "The same as -T human"},
    {EV_COLOR, 'L', "color", "[WHEN]", "In color: " COLOR_HELP},
    {EV_QUIET, 'q', "quiet", NULL, "Do not print the event"},
    {EV_VERBOSE, 'v', "verbose", NULL, "Print all events on the way"},
    {EV_IGNORED, 'W', "waitcreate", NULL, NULL}, /* a log is there with its job */
};
static const struct opt_group event_groups[] = {OPTS(NULL, event_opts), OPTS_END};

struct event_wait {
    struct cli *cli;
    uint64_t id;
    const char *name;
    json_object *match; /* members that its context must have */
    struct event_style style;
    enum color_when when;
    enum guest_log log;
    bool quiet, verbose;
    long count;
    bool found, over;
    struct guest_queue aside;
};

static bool matches(const struct event_wait *w, const char *name, const char *context)
{
    if (strcmp(name, w->name) != 0)
        return false;
    if (!w->match)
        return true;
    cleanup_json json_object *o = context ? json_tokener_parse(context) : NULL;
    return event_match(w->match, o);
}

static void look_at(void *arg, double time, const char *name, const char *context)
{
    struct event_wait *w = arg;
    if (w->found)
        return;
    w->found = matches(w, name, context) && --w->count <= 0;
    if ((w->found && !w->quiet) || w->verbose)
        event_print(&w->style, stdout, time, name, context);
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct event_wait *w = arg;
    (void)id;
    if (w->log == GUEST_EXEC)
        guest_put_aside(&w->aside, time, name, context);
    else
        look_at(w, time, name, context);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct event_wait *w = arg;
    (void)left;
    if (!w->found)
        cli_check_end(w->cli, result);
    w->over = true;
}

static void parse_event(struct event_wait *w, struct optparse *p, double *timeout)
{
    struct cli *cli = p->cli;
    struct error err;
    for (const struct opt *o; (o = optparse_next(p));) {
        switch (o->id) {
        case EV_TIMEOUT:
            if (duration_decode(p->value, timeout, &err) < 0)
                cli_die(cli, "--timeout: %s", err.text);
            break;
        case EV_QUIET:
            w->quiet = true;
            break;
        case EV_VERBOSE:
            w->verbose = true;
            break;
        case EV_COUNT:
            w->count = cli_number(cli, "--count", p->value, 1, 1000000);
            break;
        case EV_FORMAT:
            event_parse_format(&w->style, cli, p->value);
            break;
        case EV_TIME:
            event_parse_time(&w->style, cli, p->value);
            break;
        case EV_HUMAN:
            w->style.time = TIME_HUMAN;
            break;
        case EV_COLOR:
            w->when = color_parse(cli, p->value);
            break;
        case EV_PATH:
            w->log = guest_parse(cli, "--path", p->value);
            if (w->log == GUEST_OUTPUT)
                cli_die(cli, "--path: the log of output has no events to wait for");
            break;
        case EV_MATCH:
            event_match_add(&w->match, cli, p->value);
            break;
        }
    }
    w->style.color = w->style.format == EVENT_TEXT && color_wanted(w->when);
}

static int event_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct hbatch_stream_ops ops = {.event = on_event, .end = on_end};
    struct event_wait w = {.cli = cli, .count = 1, .when = COLOR_AUTO};
    struct optparse p;
    struct hbatch_error err;
    struct error e;
    double timeout = INFINITY;
    optparse_init(&p, cli, cmd, argc, argv);
    parse_event(&w, &p, &timeout);
    if (p.nargs != 2)
        cli_die(cli, "needs a JOBID and an event's name; see hbatch %s --help",
                cli->verb);
    uint64_t id = w.id = cli_jobid(cli, p.args[0]);
    w.name = p.args[1];
    double until = time_mono() + timeout;
    if (hbatch_attach(cli_connect(cli), id, &ops, &w, &err) < 0)
        cli_die(cli, "%s", err.text);
    guest_tell(&w.aside, cli, w.id, look_at, &w);
    while (!w.found && !w.over) {
        double left = until - time_mono();
        if (left <= 0)
            cli_die(cli, "event '%s' did not come within the time given", w.name);
        if (client_process(cli->h, isinf(left) ? -1 : (int)(left * 1000) + 1, &e) < 0 &&
            !w.found && !w.over)
            cli_die(cli, "%s", e.text);
        guest_tell(&w.aside, cli, w.id, look_at, &w);
    }
    if (!w.found)
        cli_die(cli, "the job is over and event '%s' never came", w.name);
    json_object_put(w.match);
    return 0;
}

const struct cmd cmd_waitevent = {
    .name = "wait-event",
    .args = "JOBID EVENT",
    .help = "Wait until an event of a job has come",
    .groups = event_groups,
    .run = event_run,
};
