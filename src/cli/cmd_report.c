/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include "src/cli/format.h"
#include "src/cli/history.h"
#include "src/cli/report.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum { HTML, JSON, SINCE, NAME, QUEUE, COUNT, JOBS_MOST, TITLE };

static const struct opt opts[] = {
    {HTML, 0, "html", "FILE", "Write a page with charts to FILE (-: standard output)"},
    {JSON, 0, "json", NULL, "Print all numbers as JSON"},
    {SINCE, 0, "since", "WHEN", "Jobs that ended after WHEN, as for 'hbatch jobs'"},
    {NAME, 0, "name", "NAME", "Jobs of this name"},
    {QUEUE, 'q', "queue", "NAME", "Jobs of this queue"},
    {COUNT, 'c', "count", "N", "The latest N jobs (default: all)"},
    {JOBS_MOST, 0, "single-jobs", "N",
     "Show up to N jobs as bars over their cores (default 2000); if there are more, how "
     "much each node was used"},
    {TITLE, 0, "title", "TEXT", "Title of the page"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct gathering {
    struct cli *cli;
    struct jobquery query;
    const char *file, *title;
    size_t most; /* jobs that are shown one by one */
    struct report *report;
    size_t asked, answered;
};

static void add_all(struct gathering *g, json_object *jobs)
{
    for (size_t i = 0; i < json_object_array_length(jobs); i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        if (jobquery_selects(&g->query, job))
            report_add(g->report, job);
    }
}

static json_object *ask_list(void *arg, json_object *params)
{
    return cli_call(arg, "job.list", params);
}

static void gather(struct gathering *g)
{
    struct jobquery active = g->query;
    active.states = JOB_RUNNING;
    active.results = 0;
    active.all = false;
    active.since = 0;
    active.count = 0;
    bool more;
    cleanup_json json_object *running = jobquery_fetch(&active, ask_list, g->cli, &more);
    if (running)
        add_all(g, running);
    struct gauge gauge;
    gauge_init(&gauge, g->cli, "jobs");
    struct history h = {.cli = g->cli, .query = &g->query, .gauge = &gauge};
    for (json_object *jobs; (jobs = history_next(&h)); json_object_put(jobs))
        add_all(g, jobs);
}

/* --- which cores ----------------------------------------------------------------------------- */

struct ask {
    struct gathering *g;
    struct report_job *job;
};

static void on_info(json_object *result, const struct error *err, void *arg)
{
    struct ask *a = arg;
    a->g->answered++;
    if (!err) /* else it is gone from the record meanwhile: it is shown nowhere */
        a->job->r = rset_from_json(cli_get(result, "R"), NULL);
    free(a);
}

static void wait_for(struct gathering *g, size_t left)
{
    struct error err;
    while (g->asked - g->answered > left)
        if (client_process(g->cli->h, -1, &err) < 0)
            cli_die(g->cli, "%s", err.text);
}

static void gather_cores(struct gathering *g)
{
    enum { IN_FLIGHT = 100 };
    for (size_t i = 0; i < g->report->njobs; i++) {
        struct report_job *job = &g->report->jobs[i];
        if (job->run <= 0)
            continue;
        struct ask *a = xmalloc(sizeof(*a));
        *a = (struct ask){g, job};
        json_object *params = cli_id_params(job->id), *keys = json_object_new_array();
        json_object_array_add(keys, json_object_new_string("R"));
        json_object_object_add(params, "keys", keys);
        client_send(g->cli->h, "job.info", params, on_info, NULL, a);
        g->asked++;
        wait_for(g, IN_FLIGHT - 1);
    }
    wait_for(g, 0);
}

/* --- output ---------------------------------------------------------------------------------- */

static char *describe(const struct report *r, json_object *info)
{
    char from[64], age[32], version[64];
    time_t t = (time_t)r->begin;
    struct tm tm;
    localtime_r(&t, &tm);
    strftime(from, sizeof(from), "%F %T %Z", &tm);
    snprintf(version, sizeof(version), "%s", cli_get_string(info, "version", "?"));
    return xasprintf(
        "From %s on, for %s; %zu node%s, %u core%s; instance %s on %s, hbatch %s", from,
        format_duration(r->end - r->begin, age, sizeof(age)), r->nnodes,
        r->nnodes == 1 ? "" : "s", r->ncores, r->ncores == 1 ? "" : "s",
        cli_get_string(info, "instance", "?"), cli_get_string(info, "hostname", "?"),
        version);
}

static void write_page(const struct gathering *g, const char *title, json_object *info)
{
    bool to_stdout = strcmp(g->file, "-") == 0;
    FILE *f = to_stdout ? stdout : fopen(g->file, "we");
    if (!f)
        cli_die(g->cli, "cannot write %s: %s", g->file, strerror(errno));
    cleanup_free char *about = describe(g->report, info);
    report_html(g->report, title, about, g->cli->ascii, f);
    bool failed = fflush(f) != 0 || ferror(f);
    int why = errno;
    if (!to_stdout && (fclose(f) != 0 || failed))
        cli_die(g->cli, "cannot write %s: %s", g->file, strerror(why));
}

static void print_json(const struct report *r, const char *title)
{
    cleanup_json json_object *o = report_to_json(r, title);
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct gathering g = {.cli = cli, .most = 2000};
    struct optparse p;
    bool json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case JSON:
            json = true;
            break;
        case HTML:
            g.file = p.value;
            break;
        case SINCE:
            g.query.since = jobquery_since(cli, p.value);
            break;
        case NAME:
            g.query.name = p.value;
            break;
        case QUEUE:
            free(take(g.query.queues));
            jobquery_queue(&g.query, p.value);
            break;
        case COUNT:
            g.query.count = cli_number(cli, "--count", p.value, 1, 1000000000);
            break;
        case JOBS_MOST:
            g.most = (size_t)cli_number(cli, "--single-jobs", p.value, 0, 100000);
            break;
        case TITLE:
            g.title = p.value;
            break;
        }
    }
    if (json && g.file && strcmp(g.file, "-") == 0)
        cli_die(cli, "--html=- and --json both write to standard output: give --html a "
                     "file");
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL),
                             *resources = cli_call(cli, "resource.list", NULL);
    g.report = report_create(resources, time_now());
    if (!g.query.queues) /* else that is looked at, too */
        g.query.keys = report_keys();
    gather(&g);
    if (g.file && g.report->njobs <= g.most)
        gather_cores(&g);
    report_finish(g.report);
    cleanup_free char *title =
        g.title ? xstrdup(g.title)
                : xasprintf("Jobs of %s", cli_get_string(info, "hostname", "hbatch"));
    if (g.file)
        write_page(&g, title, info);
    if (json)
        print_json(g.report, title);
    else if (!g.file)
        report_print(g.report, title, cli->utf8, stdout);
    report_destroy(g.report);
    jobquery_fini(&g.query);
    return 0;
}

const struct cmd cmd_report = {
    .name = "report",
    .args = "",
    .help = "Tell what the instance did: utilization, throughput, failures",
    .groups = groups,
    .run = run,
};
