/* SPDX-License-Identifier: BSD-3-Clause */
/* job info, eventlog: what is kept of a job. */
#include <math.h>
#include <string.h>
#include "src/cli/color.h"
#include "src/cli/events.h"
#include "src/cli/guest.h"
#include "src/cli/verbs.h"
#include "src/job/eventlog.h"
#include "src/lib/stream.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* KEY of job ID as text, or NULL with err. */
static char *info(struct cli *cli, uint64_t id, const char *key, struct hbatch_error *err)
{
    return hbatch_info(cli_connect(cli), id, key, err);
}

/* --- logs --------------------------------------------------------------------------------- */

struct printing {
    struct cli *cli;
    struct event_style style;
    enum guest_log log;
    uint64_t id;
    double base; /* start of the job, for output: nobody noted when that came */
    bool over;
    struct guest_queue aside;
};

static void print(void *arg, double time, const char *name, const char *context)
{
    struct printing *p = arg;
    event_print(&p->style, stdout, p->base > 0 ? p->base : time, name, context);
}

/* An event of the job's own log. */
static void take_event(struct printing *p, double time, const char *name,
                       const char *context)
{
    if (p->log == GUEST_EXEC)
        guest_exec(p->cli, p->id, time, name, context, print, p);
    else
        print(p, time, name, context);
}

static json_object *get_log(struct cli *cli, uint64_t id)
{
    struct hbatch_error e;
    struct error err;
    cleanup_free char *text = info(cli, id, "eventlog", &e);
    if (!text)
        cli_die(cli, "%s", e.text);
    json_object *log = eventlog_decode(text, strlen(text), &err);
    if (!log)
        cli_die(cli, "%s", err.text);
    return log;
}

static void print_log(struct printing *p)
{
    struct error err;
    cleanup_json json_object *log = get_log(p->cli, p->id);
    size_t n = json_object_array_length(log);
    for (size_t i = 0; i < n; i++) {
        double t;
        const char *name;
        json_object *context = NULL;
        if (event_parse(json_object_array_get_idx(log, i), &t, &name, &context, &err) < 0)
            cli_die(p->cli, "%s", err.text);
        if (p->log == GUEST_OUTPUT) {
            if (strcmp(name, "start") == 0)
                p->base = t;
            continue;
        }
        take_event(p, t, name,
                   context ? json_object_to_json_string_ext(context, PLAIN) : NULL);
    }
    if (p->log == GUEST_OUTPUT)
        guest_output(p->cli, p->id, false, print, p);
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct printing *p = arg;
    (void)id;
    if (p->log == GUEST_EXEC)
        guest_put_aside(&p->aside, time, name, context);
    else
        print(p, time, name, context);
    fflush(stdout);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct printing *p = arg;
    (void)left;
    cli_check_end(p->cli, result);
    p->over = true;
}

static void follow(struct printing *p)
{
    static const struct hbatch_stream_ops ops = {.event = on_event, .end = on_end};
    struct error err;
    if (p->log == GUEST_OUTPUT) {
        guest_output(p->cli, p->id, true, print, p);
        return;
    }
    json_object *params = cli_id_params(p->id);
    json_object_object_add(params, "output", json_object_new_boolean(false));
    json_object *reply =
        stream_open(cli_connect(p->cli), "job.attach", params, &ops, p, NULL, NULL, &err);
    if (!reply)
        cli_die(p->cli, "%s", err.text);
    json_object_put(reply);
    while (!p->over || p->aside.n > 0) {
        if (!p->over && client_process(p->cli->h, -1, &err) < 0 && !p->over)
            cli_die(p->cli, "%s", err.text);
        guest_tell(&p->aside, p->cli, p->id, print, p);
        fflush(stdout);
    }
}

/* --- info --------------------------------------------------------------------------------- */

enum { ORIGINAL, BASE };

static const struct opt info_opts[] = {
    {BASE, 'b', "base", NULL, "The jobspec or R as it was before it was updated"},
    {ORIGINAL, 'o', "original", NULL, "The jobspec as it was before it was updated"},
};
static const struct opt_group info_groups[] = {OPTS(NULL, info_opts), OPTS_END};

static bool was_updated(struct cli *cli, uint64_t id, const char *event)
{
    cleanup_json json_object *log = get_log(cli, id);
    for (size_t i = 0; i < json_object_array_length(log); i++)
        if (strcmp(cli_get_string(json_object_array_get_idx(log, i), "name", ""),
                   event) == 0)
            return true;
    return false;
}

/* R with the end that the job had when it began. */
static char *base_R(struct cli *cli, uint64_t id, char *text)
{
    if (!was_updated(cli, id, "resource-update"))
        return text;
    cleanup_free char *spec = info(cli, id, "jobspec-base", NULL);
    cleanup_json json_object *R = json_tokener_parse(text),
                             *o = spec ? json_tokener_parse(spec) : NULL;
    json_object *execution = cli_get(R, "execution");
    json_object *system = cli_get(cli_get(o, "attributes"), "system");
    double duration = cli_get_number(system, "duration", 0),
           start = cli_get_number(execution, "starttime", 0);
    if (execution)
        json_object_object_add(
            execution, "expiration",
            json_object_new_double(duration > 0 ? start + duration : 0));
    free(text);
    return xstrdup(json_object_to_json_string_ext(R, PLAIN));
}

static void print_key(struct cli *cli, uint64_t id, const char *key, bool base)
{
    struct hbatch_error err;
    enum guest_log log = guest_find(key);
    if (strcmp(key, "guest.input") == 0)
        cli_die(cli, "the input of jobs is not kept");
    if (log != GUEST_LOGS && log != GUEST_MAIN) {
        struct printing p = {.cli = cli, .id = id, .log = log};
        p.style.format = EVENT_JSON;
        print_log(&p);
        return;
    }
    bool spec = strcmp(key, "jobspec") == 0;
    char *text = info(cli, id, base && spec ? "jobspec-base" : key, &err);
    if (!text)
        cli_die(cli, "%s", err.text);
    if (base && strcmp(key, "R") == 0)
        text = base_R(cli, id, text);
    size_t len = strlen(text);
    printf("%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
    free(text);
}

static int info_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool original = false, base = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        original |= o->id == ORIGINAL;
        base |= o->id == BASE;
    }
    if (p.nargs < 2)
        cli_die(cli, "needs a JOBID and a key: jobspec, R, eventlog, taskmap, "
                     "guest.exec.eventlog or guest.output");
    for (int i = 1; i < p.nargs; i++) {
        bool spec = strcmp(p.args[i], "jobspec") == 0;
        if (original && !spec)
            cli_die(cli, "--original is for jobspec, not for '%s'", p.args[i]);
        if (base && !spec && strcmp(p.args[i], "R") != 0)
            cli_die(cli, "--base is for jobspec and R, not for '%s'", p.args[i]);
    }
    uint64_t id = cli_jobid(cli, p.args[0]);
    for (int i = 1; i < p.nargs; i++)
        print_key(cli, id, p.args[i], original || base);
    return 0;
}

const struct cmd job_info = {
    .name = "info",
    .args = "JOBID KEY...",
    .help = "Print what is known of a job: jobspec, R, eventlog, taskmap, "
            "guest.exec.eventlog, guest.output",
    .groups = info_groups,
    .run = info_run,
};

/* --- eventlog ----------------------------------------------------------------------------- */

enum { FOLLOW, FORMAT, TIME_FORMAT, HUMAN, COLOR, PATH };

static const struct opt eventlog_opts[] = {
    {FOLLOW, 'F', "follow", NULL, "Go on until the job is over"},
    {PATH, 'p', "path", "LOG",
     "Another log: exec (or guest.exec.eventlog), output (or guest.output)"},
    {FORMAT, 'f', "format", "text|json", "How to print events"},
    {TIME_FORMAT, 'T', "time-format", "raw|iso|offset|human", "How to print times"},
    {HUMAN, 'H', "human", NULL, "The same as -T human"},
    {COLOR, 'L', "color", "[WHEN]", "In color: " COLOR_HELP},
};
static const struct opt_group eventlog_groups[] = {OPTS(NULL, eventlog_opts), OPTS_END};

static int eventlog_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct printing pr = {.cli = cli, .log = GUEST_MAIN};
    struct optparse p;
    bool following = false;
    enum color_when when = COLOR_AUTO;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case FOLLOW:
            following = true;
            break;
        case PATH:
            pr.log = guest_parse(cli, "--path", p.value);
            break;
        case FORMAT:
            event_parse_format(&pr.style, cli, p.value);
            break;
        case TIME_FORMAT:
            event_parse_time(&pr.style, cli, p.value);
            break;
        case HUMAN:
            pr.style.time = TIME_HUMAN;
            break;
        case COLOR:
            when = color_parse(cli, p.value);
            break;
        }
    }
    pr.id = cli_jobid(cli, cli_operand(cli, &p, "the JOBID", false));
    pr.style.color = pr.style.format == EVENT_TEXT && color_wanted(when);
    if (following)
        follow(&pr);
    else
        print_log(&pr);
    return 0;
}

const struct cmd job_eventlog = {
    .name = "eventlog",
    .args = "JOBID",
    .help = "Print the events of a job",
    .groups = eventlog_groups,
    .run = eventlog_run,
};
