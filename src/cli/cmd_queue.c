/* SPDX-License-Identifier: BSD-3-Clause */
/* queue list, status, enable, disable, start, stop, drain, idle. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "src/cli/gauge.h"
#include "src/cli/listing.h"
#include "src/cli/verbs.h"
#include "src/common/bytes.h"
#include "src/common/duration.h"
#include "src/common/strbuf.h"
#include "src/job/jsonutil.h"

/* --- fields ------------------------------------------------------------------------------ */

struct item {
    const struct cli *cli;
    json_object *queue;
};

static bool is_true(json_object *queue, const char *key)
{
    return json_object_get_boolean(cli_get(queue, key));
}

static void set_text(struct format_value *v, const char *text)
{
    v->type = FORMAT_TEXT;
    snprintf(v->buf, sizeof(v->buf), "%s", text);
    v->text = v->buf;
}

static void get_name(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    const struct item *it = item;
    const char *name = cli_get_string(it->queue, "queue", "");
    bool marked = f->arg && is_true(it->queue, "default");
    snprintf(v->buf, sizeof(v->buf), "%s%s", name, marked ? "*" : "");
    v->type = FORMAT_TEXT;
    v->text = v->buf;
}

static void get_parent(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    const struct item *it = item;
    (void)f;
    set_text(v, cli_get_string(it->queue, "parent", ""));
}

static bool is_paused(json_object *queue)
{
    return cli_get(queue, "blocked") != NULL;
}

static void get_words(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct item *it = item;
    bool on = is_true(it->queue, f->arg);
    if (strcmp(f->arg, "enable") == 0)
        set_text(v, on ? "enabled" : "disabled");
    else
        set_text(v, on                     ? "started"
                    : is_paused(it->queue) ? "stopped (parent)"
                                           : "stopped");
}

static void get_sign(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    const struct item *it = item;
    bool ascii = !it->cli->utf8 || strstr(f->name, ".ascii");
    if (is_true(it->queue, f->arg))
        set_text(v, ascii ? "y" : "✔");
    else if (strcmp(f->arg, "start") == 0 && is_paused(it->queue))
        set_text(v, ascii ? "p" : "⏸");
    else
        set_text(v, ascii ? "n" : "✗");
}

/* 0: there is none. */
static void get_time(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    const struct item *it = item;
    double t = json_object_get_double(jsonutil_at(it->queue, f->name));
    v->type = FORMAT_NUMBER;
    v->number = t > 0 ? t : INFINITY;
}

static void get_memory(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    const struct item *it = item;
    json_object *o = jsonutil_at(it->queue, f->name);
    if (!o)
        return;
    snprintf(v->buf, sizeof(v->buf), "%s",
             bytes_encode((uint64_t)json_object_get_int64(o)).s);
    v->type = FORMAT_TEXT;
    v->text = v->buf;
}

static void get_count(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct item *it = item;
    v->type = FORMAT_INT;
    v->i = json_object_get_int64(jsonutil_at(it->queue, f->name));
}

static void get_limit(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct item *it = item;
    long long n = json_object_get_int64(jsonutil_at(it->queue, f->name));
    bool max = strstr(f->name, ".max") != NULL;
    if (n < 0 && max) {
        set_text(v, "inf");
        return;
    }
    v->type = FORMAT_INT;
    v->i = MAX(n, 0);
}

/* "0-8", "1-inf" */
static void get_range(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct item *it = item;
    const char *what = strrchr(f->name, '.') + 1;
    bool effective = strstr(f->name, "effective") != NULL;
    char path[64];
    snprintf(path, sizeof(path), "limits.min.%s", what);
    long long min = json_object_get_int64(jsonutil_at(it->queue, path));
    snprintf(path, sizeof(path), "limits.max.%s", what);
    long long max = json_object_get_int64(jsonutil_at(it->queue, path));
    snprintf(path, sizeof(path), "resources.all.%s", what);
    long long all = json_object_get_int64(jsonutil_at(it->queue, path));
    if (effective && (max < 0 || all < max))
        max = all;
    v->type = FORMAT_TEXT;
    v->text = v->buf;
    if (max < 0)
        snprintf(v->buf, sizeof(v->buf), "%lld-inf", MAX(min, 0));
    else
        snprintf(v->buf, sizeof(v->buf), "%lld-%lld", MAX(min, 0), max);
}

#define RESOURCE(STATE, WHAT, HEADING)                                                   \
    {                                                                                    \
        "resources." STATE "." WHAT, HEADING, get_count, NULL                            \
    }
#define RESOURCES(WHAT, H)                                                               \
    RESOURCE("all", WHAT, H), RESOURCE("free", WHAT, H ":FREE"),                         \
        RESOURCE("allocated", WHAT, H ":ALLOC"), RESOURCE("up", WHAT, H ":UP"),          \
        RESOURCE("down", WHAT, H ":DOWN")

static const struct format_field fields[] = {
    {"queue", "QUEUE", get_name, NULL},
    {"queuem", "QUEUE", get_name, "*"},
    {"parent", "PARENT", get_parent, NULL},
    {"submission", "SUBMIT", get_words, "enable"},
    {"scheduling", "SCHED", get_words, "start"},
    {"enabled", "EN", get_sign, "enable"},
    {"started", "ST", get_sign, "start"},
    {"enabled.ascii", "EN", get_sign, "enable"},
    {"started.ascii", "ST", get_sign, "start"},
    {"defaults.timelimit", "TDEFAULT", get_time, NULL},
    {"defaults.mem_per_core", "MEM/CORE", get_memory, NULL},
    {"limits.timelimit", "TLIMIT", get_time, NULL},
    {"limits.max_jobs", "MAXJOBS", get_limit, NULL},
    {"limits.max_running", "MAXRUN", get_limit, NULL},
    {"limits.range.nnodes", "NNODES", get_range, NULL},
    {"limits.range.ncores", "NCORES", get_range, NULL},
    {"limits.range.ngpus", "NGPUS", get_range, NULL},
    {"limits.range.effective.nnodes", "NNODES", get_range, NULL},
    {"limits.range.effective.ncores", "NCORES", get_range, NULL},
    {"limits.range.effective.ngpus", "NGPUS", get_range, NULL},
    {"limits.min.nnodes", "MIN.NNODES", get_limit, NULL},
    {"limits.min.ncores", "MIN.NCORES", get_limit, NULL},
    {"limits.min.ngpus", "MIN.NGPUS", get_limit, NULL},
    {"limits.max.nnodes", "MAX.NNODES", get_limit, NULL},
    {"limits.max.ncores", "MAX.NCORES", get_limit, NULL},
    {"limits.max.ngpus", "MAX.NGPUS", get_limit, NULL},
    {"active", "ACTIVE", get_count, NULL},
    {"running", "RUNNING", get_count, NULL},
    RESOURCES("nnodes", "NODES"),
    RESOURCES("ncores", "CORES"),
    RESOURCES("ngpus", "GPUS"),
};

static const struct formats_own formats[] = {
    {"default", NULL,
     "?:{queuem:<8.8} ?:{parent:<8.8} {enabled:>2} {started:>2} "
     "{defaults.timelimit!F:>8} {limits.timelimit!F:>8} "
     "{limits.range.effective.nnodes:>10} {limits.range.effective.ncores:>10} "
     "{limits.range.effective.ngpus:>10}"},
    {"policy", NULL,
     "?:{queuem:<8.8} ?:{parent:<8.8} {enabled:>2} {started:>2} "
     "{defaults.timelimit!F:>8} {limits.timelimit!F:>8} "
     "{limits.range.nnodes:>10} {limits.range.ncores:>10} "
     "{limits.range.ngpus:>10}"},
    {"nodes", NULL,
     "?:{queuem:<8.8} ?:{parent:<8.8} {enabled:>2} {started:>2} "
     "{resources.all.nnodes:>6} {resources.up.nnodes:>10} "
     "{resources.down.nnodes:>10} {resources.allocated.nnodes:>11} "
     "{resources.free.nnodes:>10}"},
    {"jobs", NULL,
     "?:{queuem:<8.8} ?:{parent:<8.8} {enabled:>2} {started:>2} {active:>9} "
     "{running:>9} {limits.max_jobs:>9} {limits.max_running:>9}"},
};

static const struct listing_kind listing =
    LISTING_KIND(fields, formats, "queue", "list", "HBATCH_QUEUE_LIST_FORMAT_DEFAULT");

/* --- list -------------------------------------------------------------------------------- */

enum { QUEUE, JSON, ALL, VERBOSE, QUIET, NOCHECKPOINT, MESSAGE, TIMEOUT };

static const struct opt list_opts[] = {
    {QUEUE, 'q', "queue", "NAME,...", "Only these queues"},
    LISTING_OPTS("Fields in Python's format syntax, or a format's name: default, policy, "
                 "nodes, jobs; 'help' lists them",
                 "Print JSON"),
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

static void print_list(struct cli *cli, const struct listing *l, json_object *queues)
{
    size_t n = json_object_array_length(queues);
    cleanup_free struct item *items = xcalloc(n + 1, sizeof(*items));
    cleanup_free const void **list = xcalloc(n + 1, sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){cli, json_object_array_get_idx(queues, i)};
        list[i] = &items[i];
    }
    listing_print(cli, l, &listing, list, n);
}

static json_object *find(json_object *queues, const char *name)
{
    size_t n = json_object_array_length(queues);
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(queues, i);
        if (strcmp(cli_get_string(o, "queue", ""), name) == 0)
            return o;
    }
    return NULL;
}

/* Those of QUEUES that NAMES (with commas; NULL: all) has, a new list. */
static json_object *pick(struct cli *cli, json_object *queues, const char *names)
{
    if (!names)
        return json_object_get(queues);
    json_object *picked = json_object_new_array();
    cleanup_free char *copy = xstrdup(names);
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ","));) {
        json_object *o = *name ? find(queues, name) : NULL;
        if (!o)
            cli_die(cli, "there is no queue '%s'; hbatch queue list shows them", name);
        json_object_array_add(picked, json_object_get(o));
    }
    return picked;
}

static int list_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct listing l = {0};
    const char *names = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        if (!listing_take(&l, o, p.value))
            names = p.value;
    cli_operand(cli, &p, "", true);
    if (listing_told(cli, &l, &listing))
        return 0;
    cleanup_json json_object *result = cli_call(cli, "queue.list", NULL);
    cleanup_json json_object *queues = pick(cli, cli_list(cli, result, "queues"), names);
    if (l.json)
        listing_print_json(queues);
    else
        print_list(cli, &l, queues);
    return 0;
}

static const struct cmd queue_list = {
    .name = "list",
    .args = "",
    .help = "List queues with their state, defaults and limits",
    .groups = list_groups,
    .run = list_run,
};

/* --- status ------------------------------------------------------------------------------ */

static void print_state(json_object *queue, bool submission, bool scheduling)
{
    const char *name = cli_get_string(queue, "queue", NULL);
    const char *why = cli_get_string(queue, "stop_reason", NULL);
    if (submission) {
        printf("%s%s", name ? name : "", name ? ": " : "");
        if (is_true(queue, "enable"))
            puts("Job submission is enabled");
        else
            printf("Job submission is disabled: %s\n",
                   cli_get_string(queue, "disable_reason", ""));
    }
    if (!scheduling)
        return;
    printf("%s%s", name ? name : "", name ? ": " : "");
    if (is_true(queue, "start"))
        puts("Scheduling is started");
    else
        printf("Scheduling is stopped%s%s\n", why ? ": " : "", why ? why : "");
}

static void print_states(json_object *queues, bool submission, bool scheduling)
{
    size_t n = json_object_array_length(queues);
    for (size_t i = 0; i < n; i++)
        print_state(json_object_array_get_idx(queues, i), submission, scheduling);
}

static void print_jobs(json_object *queues)
{
    size_t n = json_object_array_length(queues);
    long long active = 0, running = 0;
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(queues, i);
        active += (long long)cli_get_number(o, "active", 0);
        running += (long long)cli_get_number(o, "running", 0);
    }
    printf("%lld pending jobs\n%lld running jobs\n", active - running, running);
}

static const struct opt status_opts[] = {
    {QUEUE, 'q', "queue", "NAME", "Only this queue"},
    {VERBOSE, 'v', "verbose", NULL, "With the numbers of jobs"},
    {JSON, 0, "json", NULL, "Print JSON"},
    {ALL, 'a', "all", NULL, NULL},
};
static const struct opt_group status_groups[] = {OPTS(NULL, status_opts), OPTS_END};

static int status_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const char *name = NULL;
    bool verbose = false, json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == QUEUE)
            name = p.value;
        verbose |= o->id == VERBOSE;
        json |= o->id == JSON;
    }
    const char *operand = cli_operand(cli, &p, "QUEUE", true);
    cleanup_json json_object *result = cli_call(cli, "queue.list", NULL);
    cleanup_json json_object *queues =
        pick(cli, cli_list(cli, result, "queues"), operand ? operand : name);
    if (json) {
        listing_print_json(queues);
        return 0;
    }
    print_states(queues, true, true);
    if (verbose)
        print_jobs(queues);
    return 0;
}

static const struct cmd queue_status = {
    .name = "status",
    .args = "[QUEUE]",
    .help = "Tell whether queues take jobs, and start them",
    .groups = status_groups,
    .run = status_run,
};

/* --- enable, disable, start, stop -------------------------------------------------------- */

#define SET_OPTS                                                                         \
    {ALL, 'a', "all", NULL, "All queues"}, {QUEUE, 'q', "queue", "NAME", "This queue"},  \
        {VERBOSE, 'v', "verbose", NULL, "With the numbers of jobs"},                     \
    {                                                                                    \
        QUIET, 0, "quiet", NULL, "Print only errors"                                     \
    }

static const struct opt on_opts[] = {SET_OPTS};
static const struct opt off_opts[] = {
    SET_OPTS,
    {MESSAGE, 'm', "message", "REASON", "Why, for those who look or submit"},
    {NOCHECKPOINT, 0, "nocheckpoint", NULL,
     "Not in the next life of an instance with a state directory"},
};
static const struct opt_group on_groups[] = {OPTS(NULL, on_opts), OPTS_END};
static const struct opt_group off_groups[] = {OPTS(NULL, off_opts), OPTS_END};

static int set_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const char *name = NULL, *reason = NULL;
    bool verbose = false, quiet = false, all = false, checkpoint = true;
    bool submission = strstr(cmd->name, "able") != NULL;
    bool on = strcmp(cmd->name, "enable") == 0 || strcmp(cmd->name, "start") == 0;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == QUEUE)
            name = p.value;
        if (o->id == MESSAGE)
            reason = p.value;
        all |= o->id == ALL;
        verbose |= o->id == VERBOSE;
        quiet |= o->id == QUIET;
        checkpoint &= o->id != NOCHECKPOINT;
    }
    const char *operand = cli_operand(cli, &p, "QUEUE", true);
    name = operand ? operand : name;
    if (all && name)
        cli_die(cli, "--all and queue '%s' cannot be used together", name);
    json_object *params = json_object_new_object();
    json_object_object_add(params, submission ? "enable" : "start",
                           json_object_new_boolean(on));
    if (name)
        json_object_object_add(params, "queue", json_object_new_string(name));
    if (all)
        json_object_object_add(params, "all", json_object_new_boolean(true));
    if (reason)
        json_object_object_add(params, "reason", json_object_new_string(reason));
    if (!checkpoint)
        json_object_object_add(params, "checkpoint", json_object_new_boolean(false));
    cleanup_json json_object *result = cli_call(cli, "queue.set", params);
    cleanup_json json_object *queues = pick(cli, cli_list(cli, result, "queues"), name);
    if (!quiet)
        print_states(queues, submission, !submission);
    if (verbose && !quiet)
        print_jobs(queues);
    return 0;
}

#define SET(NAME, GROUPS, HELP)                                                          \
    static const struct cmd queue_##NAME = {                                             \
        .name = #NAME,                                                                   \
        .args = "[QUEUE]",                                                               \
        .help = HELP,                                                                    \
        .groups = GROUPS,                                                                \
        .run = set_run,                                                                  \
    }
SET(enable, on_groups, "Take jobs");
SET(disable, off_groups, "Take no more jobs");
SET(start, on_groups, "Start jobs");
SET(stop, off_groups, "Start no more jobs; those that run go on");

/* --- drain, idle ------------------------------------------------------------------------- */

static const struct opt wait_opts[] = {
    {TIMEOUT, 0, "timeout", "FSD", "Wait no longer"},
};
static const struct opt_group wait_groups[] = {OPTS(NULL, wait_opts), OPTS_END};

struct answer {
    bool there;
    struct error err;
    bool failed;
};

/* How many jobs are waited for, for somebody at a terminal. */
struct progress {
    struct gauge gauge;
    const char *queue;
    bool idle, asked;
    double most, left, at; /* AT: when it was asked */
};

static void on_stats(json_object *result, const struct error *err, void *arg)
{
    struct progress *p = arg;
    p->asked = false;
    if (err)
        return;
    p->left = cli_get_number(result, "running", 0) +
              (p->idle ? 0 : cli_get_number(result, "pending", 0));
    p->most = MAX(p->most, p->left);
}

static void show(struct progress *p, struct hbatch *h)
{
    if (p->most > 0)
        gauge_show(&p->gauge, p->most - p->left, p->most);
    if (!p->gauge.on || p->asked || time_mono() - p->at < 1)
        return;
    p->at = time_mono();
    p->asked = true;
    json_object *params = json_object_new_object();
    if (p->queue)
        json_object_object_add(params, "queue", json_object_new_string(p->queue));
    client_send(h, "job.stats", params, on_stats, NULL, p);
}

static void on_answer(json_object *result, const struct error *err, void *arg)
{
    struct answer *a = arg;
    (void)result;
    a->there = true;
    a->failed = err != NULL;
    if (err)
        a->err = *err;
}

static int wait_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    struct answer answer = {0};
    double timeout = INFINITY;
    bool idle = strcmp(cmd->name, "idle") == 0;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        if (duration_decode(p.value, &timeout, &err) < 0)
            cli_die(cli, "--timeout: %s", err.text);
    const char *name = cli_operand(cli, &p, "QUEUE", true);
    json_object *params = json_object_new_object();
    json_object_object_add(params, "until",
                           json_object_new_string(idle ? "idle" : "empty"));
    if (name)
        json_object_object_add(params, "queue", json_object_new_string(name));
    struct hbatch *h = cli_connect(cli);
    client_send(h, "queue.wait", params, on_answer, NULL, &answer);
    struct progress progress = {.queue = name, .idle = idle};
    gauge_init(&progress.gauge, cli, "jobs");
    for (double end = time_mono() + timeout; !answer.there;) {
        double left = end - time_mono();
        int tick = gauge_tick(&progress.gauge);
        if (left <= 0) {
            gauge_hide(&progress.gauge);
            cli_die(cli, "after %g s, %s", timeout,
                    idle ? "jobs still run" : "there are still jobs");
        }
        if (left < 1e6 && (tick < 0 || left * 1000 < tick))
            tick = (int)(left * 1000) + 1;
        if (client_process(h, tick, &err) < 0) {
            gauge_hide(&progress.gauge);
            cli_die(cli, "%s", err.text);
        }
        show(&progress, h);
    }
    gauge_hide(&progress.gauge);
    if (answer.failed)
        cli_die(cli, "%s", answer.err.text);
    return 0;
}

static const struct cmd queue_drain = {
    .name = "drain",
    .args = "[QUEUE]",
    .help = "Wait until no job is active",
    .groups = wait_groups,
    .run = wait_run,
};

static const struct cmd queue_idle = {
    .name = "idle",
    .args = "[QUEUE]",
    .help = "Wait until no job runs",
    .groups = wait_groups,
    .run = wait_run,
};

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {&queue_list,    &queue_status, &queue_enable,
                                          &queue_disable, &queue_start,  &queue_stop,
                                          &queue_drain,   &queue_idle};

const struct cmd cmd_queue = {
    .name = "queue",
    .args = "VERB",
    .help = "Queues: list, status, enable, disable, start, stop, drain, idle",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
