/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/cli/history.h"
#include "src/cli/jobfields.h"
#include "src/cli/verbs.h"
#include "src/common/strbuf.h"
#include "src/job/state.h"

enum { ALL, FORMAT, SINCE, FILTER, NAME, QUEUE, COUNT, COLUMNS, NO_HEADER };

static const struct opt opts[] = {
    {FORMAT, 0, "format", "json|csv",
     "JSON, an object a line, or CSV (default: as FILE ends, else json)"},
    {ALL, 'a', "all", NULL, "Jobs that are not over as well"},
    {SINCE, 0, "since", "WHEN", "Jobs that ended after WHEN: -1h, 14:30, 2026-01-31"},
    {FILTER, 'f', "filter", "RESULT", "Jobs with these results: completed, failed, ..."},
    {NAME, 0, "name", "NAME", "Jobs of this name"},
    {QUEUE, 'q', "queue", "NAME", "Jobs of this queue"},
    {COUNT, 'c', "count", "N", "At most N jobs, the newest ones (default: all)"},
    {COLUMNS, 0, "columns", "NAME,...", "These columns of CSV, in this order"},
    {NO_HEADER, 'n', "no-header", NULL, "No names of the columns in CSV"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

/* In the order of CSV. */
static const struct {
    const char *name, *in; /* IN: the object it is in, or NULL */
} columns[] = {
    {"jobid", NULL},       {"id", NULL},
    {"name", NULL},        {"state", NULL},
    {"result", NULL},      {"returncode", NULL},
    {"waitstatus", NULL},  {"ntasks", NULL},
    {"nnodes", NULL},      {"ncores", NULL},
    {"ngpus", NULL},       {"nodelist", NULL},
    {"cc", NULL},          {"queue", NULL},
    {"urgency", NULL},     {"username", NULL},
    {"cwd", NULL},         {"duration", NULL},
    {"t_submit", NULL},    {"t_depend", NULL},
    {"t_run", NULL},       {"t_cleanup", NULL},
    {"t_inactive", NULL},  {"runtime", NULL},
    {"type", "exception"}, {"severity", "exception"},
    {"note", "exception"}, {"uri", NULL},
};

struct export
{
    struct cli *cli;
    struct jobquery query;
    bool csv, all, no_header;
    const char *columns;
    size_t chosen[ARRAY_SIZE(columns)], nchosen;
    FILE *to;
    const char *file; /* NULL: standard output */
    char *part;       /* what is written before it is all there, or NULL */
};

/* --- CSV (RFC 4180) ---------------------------------------------------------------------- */

static void column_name(size_t i, char name[32])
{
    snprintf(name, 32, "%s%s%s", columns[i].in ? columns[i].in : "",
             columns[i].in ? "_" : "", columns[i].name);
}

static void choose_columns(struct export *e)
{
    char name[32];
    if (!e->columns) {
        while (e->nchosen < ARRAY_SIZE(columns)) {
            e->chosen[e->nchosen] = e->nchosen;
            e->nchosen++;
        }
        return;
    }
    cleanup_free char *copy = xstrdup(e->columns);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        size_t i = 0;
        while (i < ARRAY_SIZE(columns) && (column_name(i, name), strcmp(name, w) != 0))
            i++;
        if (i == ARRAY_SIZE(columns))
            cli_die(e->cli,
                    "--columns: there is no column '%s'; 'hbatch export "
                    "--format=csv --count=0' prints their names",
                    w);
        if (e->nchosen == ARRAY_SIZE(columns))
            cli_die(e->cli, "--columns: %zu columns are too many", e->nchosen + 1);
        e->chosen[e->nchosen++] = i;
    }
}

static void put_text(FILE *f, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, f);
        return;
    }
    putc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', f);
        putc(*text, f);
    }
    putc('"', f);
}

/* TEXT: room for a number. */
static void put_value(FILE *f, json_object *value, struct strbuf *text)
{
    if (json_object_is_type(value, json_type_double)) {
        text->len = 0;
        strbuf_add_time(text, json_object_get_double(value));
        fputs(text->s, f);
    } else if (value) {
        put_text(f, json_object_get_string(value));
    }
}

static void print_csv(const struct export *e, json_object *job)
{
    cleanup_strbuf struct strbuf text = {0};
    for (size_t i = 0; i < e->nchosen; i++) {
        const char *in = columns[e->chosen[i]].in;
        if (i)
            putc(',', e->to);
        put_value(e->to, cli_get(in ? cli_get(job, in) : job, columns[e->chosen[i]].name),
                  &text);
    }
    putc('\n', e->to);
}

static void print_header(const struct export *e)
{
    char name[32];
    for (size_t i = 0; i < e->nchosen; i++) {
        column_name(e->chosen[i], name);
        fprintf(e->to, "%s%s", i ? "," : "", name);
    }
    putc('\n', e->to);
}

/* --- where it goes ----------------------------------------------------------------------- */

static void failed(struct export *e, const char *what)
{
    int code = errno;
    if (e->part)
        unlink(e->part);
    cli_die(e->cli, "cannot %s %s: %s", what, e->file ? e->file : "to standard output",
            strerror(code));
}

/* A file gets its name when all is in it. */
static void open_file(struct export *e)
{
    struct stat st;
    if (e->file && stat(e->file, &st) == 0 && !S_ISREG(st.st_mode))
        e->to = fopen(e->file, "we");
    else if (e->file)
        e->to = fopen(e->part = xasprintf("%s.part", e->file), "we");
    else
        e->to = stdout;
    if (!e->to)
        failed(e, "write");
}

static void close_file(struct export *e)
{
    if (fflush(e->to) != 0 || ferror(e->to) || (e->file && fclose(e->to) != 0))
        failed(e, "write");
    if (e->part && rename(e->part, e->file) != 0)
        failed(e, "make");
    free(e->part);
}

/* --- jobs -------------------------------------------------------------------------------- */

static void print_jobs(struct export *e, json_object *jobs)
{
    size_t n = json_object_array_length(jobs);
    for (size_t i = 0; i < n; i++) {
        struct jobitem item = {json_object_array_get_idx(jobs, i), e->cli->ascii,
                               time_now()};
        jobfields_complete(&item);
        if (e->csv)
            print_csv(e, item.job);
        else
            fprintf(e->to, "%s\n",
                    json_object_to_json_string_ext(item.job,
                                                   JSON_C_TO_STRING_PLAIN |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    if (ferror(e->to))
        failed(e, "write");
}

static json_object *ask_list(void *arg, json_object *params)
{
    return cli_call(arg, "job.list", params);
}

static void print_active(struct export *e)
{
    struct jobquery q = e->query;
    q.states = JOB_ACTIVE;
    q.results = 0;
    q.since = 0;
    bool more;
    cleanup_json json_object *jobs = jobquery_fetch(&q, ask_list, e->cli, &more);
    if (jobs)
        print_jobs(e, jobs);
}

static void parse(struct export *e, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const char *format = NULL;
    bool none = false;
    optparse_init(&p, e->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case FORMAT:
            format = p.value;
            break;
        case ALL:
            e->all = true;
            break;
        case SINCE:
            e->query.since = jobquery_since(e->cli, p.value);
            break;
        case FILTER:
            jobquery_filter(&e->query, e->cli, p.value);
            if (e->query.states)
                cli_die(e->cli, "--filter=%s: only results are told apart here", p.value);
            break;
        case NAME:
            e->query.name = p.value;
            break;
        case QUEUE:
            free(take(e->query.queues));
            jobquery_queue(&e->query, p.value);
            if (strchr(p.value, ','))
                cli_die(e->cli, "--queue=%s: one queue only", p.value);
            break;
        case COUNT:
            e->query.count = cli_number(e->cli, "--count", p.value, 0, 1000000000);
            none = e->query.count == 0;
            break;
        case COLUMNS:
            e->columns = p.value;
            break;
        case NO_HEADER:
            e->no_header = true;
            break;
        }
    }
    const char *file = cli_operand(e->cli, &p, "", true);
    e->file = file && strcmp(file, "-") != 0 ? file : NULL;
    const char *end = e->file ? strrchr(e->file, '.') : NULL;
    if (!format)
        format = end && strcmp(end, ".csv") == 0 ? "csv" : "json";
    e->csv = strcmp(format, "csv") == 0;
    if (!e->csv && strcmp(format, "json") != 0)
        cli_die(e->cli, "--format: '%s' is neither json nor csv", format);
    if (!e->csv && e->columns)
        cli_die(e->cli, "--columns is for --format=csv");
    if (e->all && e->query.results)
        cli_die(e->cli, "--all and --filter cannot be used together: a job that is not "
                        "over has no result");
    e->query.count = none ? -1 : e->query.count;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct export e = {.cli = cli};
    parse(&e, cmd, argc, argv);
    choose_columns(&e);
    struct gauge gauge;
    gauge_init(&gauge, cli, "jobs");
    struct history h = {.cli = cli, .query = &e.query};
    if (e.file || !isatty(STDOUT_FILENO)) /* else the jobs themselves are to be seen */
        h.gauge = &gauge;
    h.over = e.query.count < 0;
    cli_connect(cli); /* before there is a file */
    open_file(&e);
    if (e.csv && !e.no_header)
        print_header(&e);
    if (e.all && !h.over)
        print_active(&e);
    for (json_object *jobs; (jobs = history_next(&h)); json_object_put(jobs))
        print_jobs(&e, jobs);
    close_file(&e);
    jobquery_fini(&e.query);
    return 0;
}

const struct cmd cmd_export = {
    .name = "export",
    .args = "[FILE]",
    .help = "Write what is known of the jobs that are over, newest first",
    .groups = groups,
    .run = run,
};
