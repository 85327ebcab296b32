/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/jobfields.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/job/state.h"
#include "src/lib/build.h"

enum {
    ALL,
    EVERYBODY,
    COUNT,
    FILTER,
    SINCE,
    NO_HEADER,
    NAME,
    QUEUE,
    FORMAT,
    SORT,
    JSON,
    STATS,
    STATS_ONLY,
    USER
};

static const struct opt opts[] = {
    {ALL, 'a', NULL, NULL, "Jobs in all states"},
    {EVERYBODY, 'A', NULL, NULL, "Jobs in all states of all users (an instance has one)"},
    {COUNT, 'c', "count", "N", "At most N jobs (default 1000; 0: all)"},
    {FILTER, 'f', "filter", "STATE|RESULT",
     "Jobs in these states or with these results: "
     "pending, running, inactive, sched, failed, ..."},
    {SINCE, 0, "since", "WHEN",
     "Jobs that ended after WHEN: -1h, 14:30, 2026-01-31 (implies -a)"},
    {NAME, 0, "name", "NAME", "Jobs of this name"},
    {QUEUE, 'q', "queue", "NAME", "Jobs of this queue"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
    {FORMAT, 'o', "format", "FORMAT",
     "Fields in Python's format syntax, or a format's name; "
     "'help' lists names and fields"},
    {SORT, 0, "sort", "KEY,...", "Sort by fields; -KEY in reverse"},
    {JSON, 0, "json", NULL, "Print JSON"},
    {STATS, 0, "stats", NULL, "Print numbers of jobs first"},
    {STATS_ONLY, 0, "stats-only", NULL,
     "Print only that; the exit code is 1 when no job is active"},
    {USER, 'u', "user", "USER", NULL},
    {NO_HEADER, 0, "suppress-header", NULL, NULL},
};

const struct opt_group cmd_jobs_groups[] = {OPTS(NULL, opts), OPTS_END};

struct jobs {
    struct cli *cli;
    bool all, no_header, json, stats, stats_only;
    int states, results;
    long count;
    bool count_given; /* then it is no news that there are more */
    const char *format, *sort, *name, *queue;
    double since;
    int nids;
    char **ids;
};

static void add_filter(struct jobs *j, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        int states = job_state_decode(w), results = job_result_decode(w);
        if (!states && !results)
            cli_die(
                j->cli,
                "--filter: '%s' is neither a state (pending, running, inactive, depend, "
                "priority, sched, run, cleanup) nor a result (completed, failed, "
                "canceled, "
                "timeout)",
                w);
        j->states |= states;
        j->results |= states ? 0 : results;
    }
}

static double parse_since(struct cli *cli, const char *text)
{
    struct error err;
    double t, now = time_now();
    if (*text == '-') {
        if (duration_decode(text + 1, &t, &err) < 0)
            cli_die(cli, "--since: %s", err.text);
        return now - t;
    }
    if (build_begin_time(text, now, &t, &err) < 0)
        cli_die(cli,
                "--since=%s: must be -DURATION (as in -1h), HH:MM or YYYY-MM-DD HH:MM",
                text);
    if (t > now && strlen(text) <= 8 && strchr(text, ':'))
        t -= 86400; /* a time of day that is not yet is yesterday's */
    if (t > now)
        cli_die(cli, "--since=%s is in the future", text);
    return t;
}

static void parse(struct jobs *j, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, j->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
        case EVERYBODY:
            j->all = true;
            break;
        case COUNT:
            j->count = cli_number(j->cli, "--count", p.value, 0, 1000000000);
            j->count_given = true;
            break;
        case FILTER:
            add_filter(j, p.value);
            break;
        case SINCE:
            j->since = parse_since(j->cli, p.value);
            break;
        case NAME:
            j->name = p.value;
            break;
        case QUEUE:
            j->queue = p.value;
            break;
        case NO_HEADER:
            j->no_header = true;
            break;
        case FORMAT:
            j->format = p.value;
            break;
        case SORT:
            j->sort = p.value;
            break;
        case JSON:
            j->json = true;
            break;
        case STATS:
            j->stats = true;
            break;
        case STATS_ONLY:
            j->stats = j->stats_only = true;
            break;
        }
    }
    j->nids = p.nargs;
    j->ids = p.args;
    if (j->json && j->stats)
        cli_die(j->cli, "--json and --stats cannot be used together");
}

/* --- fetching ---------------------------------------------------------------------------- */

static bool print_stats(struct jobs *j)
{
    cleanup_json json_object *o = cli_call(j->cli, "job.stats", NULL);
    int pending = (int)cli_get_number(o, "pending", 0);
    int running = (int)cli_get_number(o, "running", 0);
    printf("%d running, %d completed, %d failed, %d pending\n", running,
           (int)cli_get_number(o, "completed", 0),
           (int)(cli_get_number(o, "failed", 0) + cli_get_number(o, "canceled", 0) +
                 cli_get_number(o, "timeout", 0)),
           pending);
    return pending + running > 0;
}

static json_object *id_array(struct jobs *j)
{
    json_object *ids = json_object_new_array();
    for (int i = 0; i < j->nids; i++)
        json_object_array_add(ids, json_object_new_uint64(cli_jobid(j->cli, j->ids[i])));
    return ids;
}

static json_object *query(struct jobs *j)
{
    json_object *q = json_object_new_object();
    int states = j->states;
    if (j->nids) {
        json_object_object_add(q, "ids", id_array(j));
        states = 127;
    } else if (j->results && !states) {
        states = 0;
    } else if (j->all || j->since > 0) {
        states = states ? states : 127;
    } else if (!states) {
        states = JOB_ACTIVE;
    }
    if (states)
        json_object_object_add(q, "states", json_object_new_int(states));
    if (j->results && !j->nids && !states)
        json_object_object_add(q, "results", json_object_new_int(j->results));
    if (j->name)
        json_object_object_add(q, "name", json_object_new_string(j->name));
    if (j->queue)
        json_object_object_add(q, "queue", json_object_new_string(j->queue));
    if (j->since > 0)
        json_object_object_add(q, "since", json_object_new_double(j->since));
    json_object_object_add(q, "max", json_object_new_int64(j->count));
    return q;
}

/* States and results together: active ones in those states, inactive ones with those results. */
static bool selected(const struct jobs *j, json_object *job)
{
    if (!j->results || !j->states || j->nids)
        return true;
    int state = job_state_decode(cli_get_string(job, "state", ""));
    int result = job_result_decode(cli_get_string(job, "result", ""));
    return (state & j->states) || (result & j->results);
}

static json_object *fetch(struct jobs *j)
{
    int asked = j->states;
    if (j->results && j->states && !j->nids)
        j->states |= JOB_INACTIVE;
    json_object *q = query(j);
    j->states = asked; /* what selected() looks at */
    return cli_call(j->cli, "job.list", q);
}

/* Ids that were asked for and did not come. */
static bool complain_missing(struct jobs *j, json_object *list)
{
    char buf[CLI_ID_SIZE];
    bool any = false;
    for (int i = 0; i < j->nids; i++) {
        uint64_t id = cli_jobid(j->cli, j->ids[i]);
        size_t n = json_object_array_length(list), k = 0;
        while (k < n && json_object_get_uint64(
                            cli_get(json_object_array_get_idx(list, k), "id")) != id)
            k++;
        if (k < n)
            continue;
        cli_error(j->cli, "there is no job %s", cli_id(j->cli, id, buf));
        any = true;
    }
    return any;
}

/* --- printing ---------------------------------------------------------------------------- */

static void print_help(void)
{
    printf("Formats:\n");
    jobfields_print_formats();
    printf("\nFields:\n");
    for (size_t i = 0; i < jobfields_n; i++)
        printf("  %-20s %s\n", jobfields[i].name, jobfields[i].heading);
}

static struct format *make_format(struct jobs *j)
{
    struct error err;
    const char *text = jobfields_format(j->format);
    if (!text && !strchr(j->format, '{'))
        cli_die(j->cli, "--format: there is no format named '%s'; see --format=help",
                j->format);
    struct format *f =
        format_create(text ? text : j->format, jobfields, jobfields_n, &err);
    if (!f || (j->sort && format_set_sort(f, j->sort, &err) < 0))
        cli_die(j->cli, "%s", err.text);
    return f;
}

static void print_json(struct jobs *j, const struct jobitem *items, size_t n)
{
    json_object *all = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(all, jobfields_json(&items[i]));
    json_object *o;
    if (j->nids == 1 && n == 1) {
        o = json_object_get(json_object_array_get_idx(all, 0));
        json_object_put(all);
    } else {
        o = json_object_new_object();
        json_object_object_add(o, "jobs", all);
    }
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

static void print_lines(struct jobs *j, struct format *f, const struct jobitem *items,
                        size_t n)
{
    const void **rows = xcalloc(n + 1, sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        rows[i] = &items[i];
    format_prepare(f, rows, n);
    if (!j->no_header) {
        cleanup_free char *header = format_header(f);
        puts(header);
    }
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = format_line(f, rows[i]);
        puts(line);
    }
    free(rows);
}

int cmd_jobs_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct jobs j = {.cli = cli, .count = 1000, .format = "default"};
    parse(&j, cmd, argc, argv);
    if (strcmp(j.format, "help") == 0) {
        print_help();
        return 0;
    }
    struct format *f = make_format(&j);
    bool active = j.stats ? print_stats(&j) : true;
    if (j.stats_only) {
        format_destroy(f);
        return active ? 0 : 1;
    }
    cleanup_json json_object *result = fetch(&j);
    json_object *list = cli_list(cli, result, "jobs");
    size_t all = json_object_array_length(list), n = 0;
    struct jobitem *items = xcalloc(all + 1, sizeof(*items));
    for (size_t i = 0; i < all; i++) {
        json_object *job = json_object_array_get_idx(list, i);
        if (selected(&j, job))
            items[n++] = (struct jobitem){job, cli->ascii, time_now()};
    }
    int rc = complain_missing(&j, list) ? 1 : 0;
    if (n == 0 && rc) {
        free(items);
        format_destroy(f);
        return rc;
    }
    if (j.json)
        print_json(&j, items, n);
    else
        print_lines(&j, f, items, n);
    if (!j.count_given && !j.no_header && !j.json &&
        json_object_get_boolean(cli_get(result, "more"))) {
        fflush(stdout);
        cli_error(cli, "there are more jobs than these %ld: see --count and --filter",
                  j.count);
    }
    free(items);
    format_destroy(f);
    return rc;
}

const struct cmd cmd_jobs = {
    .name = "jobs",
    .args = "[JOBID...]",
    .help = "List jobs",
    .groups = cmd_jobs_groups,
    .run = cmd_jobs_run,
};
