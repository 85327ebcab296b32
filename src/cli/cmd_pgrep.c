/* SPDX-License-Identifier: BSD-3-Clause */
/* pgrep and pkill: jobs by their names. */
#include <limits.h>
#include <regex.h>
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/jobfields.h"
#include "src/cli/formats.h"
#include "src/cli/jobquery.h"
#include "src/cli/verbs.h"
#include "src/common/jobid.h"

enum {
    ALL,
    EVERYBODY,
    USER,
    FILTER,
    QUEUE,
    COUNT,
    MAX_ENTRIES,
    FORMAT,
    NO_HEADER,
    JSON,
    WAIT
};

#define COMMON                                                                           \
    {EVERYBODY, 'A', NULL, NULL, "Jobs of all users (an instance has one)"},             \
        {USER, 'u', "user", "USER", "Jobs of this user, or all"},                        \
        {FILTER, 'f', "filter", "STATE|RESULT",                                          \
         "Jobs in these states or with these results"},                                  \
        {QUEUE, 'q', "queue", "NAME,...", "Jobs of these queues"},                       \
        {COUNT, 'c', "count", "N", "The first N that match (default 1000; 0: all)"},     \
    {                                                                                    \
        MAX_ENTRIES, 0, "max-entries", "N", "Look at N jobs (default 1000; 0: all)"      \
    }

static const struct opt pgrep_opts[] = {
    {ALL, 'a', NULL, NULL, "Jobs in all states"},
    COMMON,
    {FORMAT, 'o', "format", "FORMAT",
     "As for 'hbatch jobs', or default (the ids alone) or full"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
    {JSON, 0, "json", NULL, "Print JSON, as hbatch jobs does"},
};
static const struct opt_group pgrep_groups[] = {OPTS(NULL, pgrep_opts), OPTS_END};

static const struct opt pkill_opts[] = {
    COMMON,
    {WAIT, 'w', "wait", NULL, "Wait until they are over"},
};
static const struct opt_group pkill_groups[] = {OPTS(NULL, pkill_opts), OPTS_END};

struct pgrep {
    struct cli *cli;
    struct jobquery query;
    long count;
    const char *format;
    struct format *compiled;
    bool no_header, json, wait, kill;
    bool by_name, by_id;
    regex_t name;
    uint64_t first, last; /* ids, if by_id */
};

/* "A..B". */
static bool parse_range(struct pgrep *g, const char *word)
{
    const char *dots = strstr(word, "..");
    cleanup_free char *begin = dots ? xstrndup(word, (size_t)(dots - word)) : NULL;
    return dots && jobid_decode(begin, &g->first, NULL) == 0 &&
           jobid_decode(dots + 2, &g->last, NULL) == 0;
}

/* A pattern, a range of ids, or both. */
static void parse_expression(struct pgrep *g, const char *word)
{
    static const char prefix[] = "name:";
    char why[128];
    bool is_name = strncmp(word, prefix, strlen(prefix)) == 0;
    if (!is_name && !g->by_id && parse_range(g, word)) {
        g->by_id = true;
        if (g->last < g->first)
            cli_die(g->cli, "the range '%s' ends before it begins", word);
        return;
    }
    if (g->by_name)
        cli_die(g->cli, "one pattern only, and one range of ids, not also '%s'", word);
    if (is_name)
        word += strlen(prefix);
    int rc = regcomp(&g->name, word, REG_EXTENDED | REG_NOSUB);
    if (rc != 0) {
        regerror(rc, &g->name, why, sizeof(why));
        cli_die(g->cli, "'%s' is not a regular expression: %s", word, why);
    }
    g->by_name = true;
}

static void parse(struct pgrep *g, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, g->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            g->query.all = true;
            break;
        case EVERYBODY:
            g->query.one_user = false;
            break;
        case USER:
            jobquery_user(&g->query, g->cli, p.value);
            break;
        case FILTER:
            jobquery_filter(&g->query, g->cli, p.value);
            break;
        case QUEUE:
            jobquery_queue(&g->query, p.value);
            break;
        case COUNT:
            g->count = cli_number(g->cli, "--count", p.value, 0, INT_MAX);
            break;
        case MAX_ENTRIES:
            g->query.count = cli_number(g->cli, "--max-entries", p.value, 0, INT_MAX);
            break;
        case FORMAT:
            g->format = p.value;
            break;
        case NO_HEADER:
            g->no_header = true;
            break;
        case JSON:
            g->json = true;
            break;
        case WAIT:
            g->wait = true;
            break;
        }
    }
    if (p.nargs == 0 && (g->kill || !formats_asks(g->format)))
        cli_die(g->cli, "which jobs? Give a pattern for their names, or ids as A..B");
    for (int i = 0; i < p.nargs; i++)
        parse_expression(g, p.args[i]);
}

static bool matches(const struct pgrep *g, json_object *job)
{
    uint64_t id = json_object_get_uint64(cli_get(job, "id"));
    if (g->by_id && (id < g->first || id > g->last))
        return false;
    return !g->by_name ||
           regexec(&g->name, cli_get_string(job, "name", ""), 0, NULL, 0) == 0;
}

static json_object *ask(void *arg, json_object *params)
{
    struct pgrep *g = arg;
    return cli_call(g->cli, "job.list", params);
}

/* Those that match, a new array. */
static json_object *find(struct pgrep *g)
{
    bool more;
    cleanup_json json_object *list = jobquery_fetch(&g->query, ask, g, &more);
    json_object *found = json_object_new_array();
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        json_object *job = json_object_array_get_idx(list, i);
        if (g->count && json_object_array_length(found) >= (size_t)g->count)
            break;
        if (matches(g, job))
            json_object_array_add(found, json_object_get(job));
    }
    return found;
}

static const struct formats_own own[] = {
    {"default", "the ids alone", "{id}"},
    {"full", "as hbatch jobs shows them",
     "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {status_abbrev:>2.2} "
     "{ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} "
     "{contextual_info}"},
};
static const struct formats formats = {"pgrep", NULL, "HBATCH_PGREP_FORMAT_DEFAULT", own,
                                       ARRAY_SIZE(own)};

/* Those of hbatch jobs have their names here, too. */
static struct format *make_format(const struct pgrep *g)
{
    struct error err;
    const struct formats *kind =
        formats_have(g->cli, &formats, g->format) ? &formats : &formats_of_jobs;
    cleanup_free char *text = formats_find(g->cli, kind, g->format);
    struct format *f = format_create(text, jobfields, jobfields_n, &err);
    if (!f)
        cli_die(g->cli, "--format: %s", err.text);
    return f;
}

static void print_json(const struct pgrep *g, json_object *found)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object *jobs = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(found); i++) {
        const struct jobitem item = {json_object_array_get_idx(found, i), g->cli->ascii,
                                     time_now()};
        json_object_array_add(jobs, jobfields_json(&item));
    }
    json_object_object_add(o, "jobs", jobs);
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print(const struct pgrep *g, json_object *found)
{
    size_t n = json_object_array_length(found);
    struct format *f = g->compiled;
    struct jobitem *items = xcalloc(n, sizeof(*items));
    const void **rows = xcalloc(n, sizeof(*rows));
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct jobitem){json_object_array_get_idx(found, i), g->cli->ascii,
                                    time_now()};
        rows[i] = &items[i];
    }
    format_prepare(f, rows, n);
    cleanup_free char *header = format_header(f);
    if (!g->no_header && strcmp(g->format, "default") != 0)
        puts(header);
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = format_line(f, rows[i]);
        puts(line);
    }
    free(items);
    free(rows);
}

/* --- pkill ----------------------------------------------------------------------------------- */

struct waiting {
    const struct cli *cli;
    size_t left;
    int rc;
};

static void on_over(json_object *result, const struct error *err, void *arg)
{
    struct waiting *w = arg;
    (void)result;
    w->left--;
    if (err) {
        cli_error(w->cli, "%s", err->text);
        w->rc = 1;
    }
}

static int wait_for(struct cli *cli, json_object *ids)
{
    struct waiting w = {.cli = cli, .left = json_object_array_length(ids)};
    for (size_t i = 0; i < json_object_array_length(ids); i++)
        client_send(
            cli->h, "job.wait",
            cli_id_params(json_object_get_uint64(json_object_array_get_idx(ids, i))),
            on_over, NULL, &w);
    while (w.left) {
        struct error err;
        if (client_process(cli->h, -1, &err) < 0 && w.left)
            cli_die(cli, "%s", err.text);
    }
    return w.rc;
}

static int cancel(struct pgrep *g, json_object *found)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(found); i++)
        json_object_array_add(
            ids, json_object_get(cli_get(json_object_array_get_idx(found, i), "id")));
    json_object_object_add(params, "ids", json_object_get(ids));
    cleanup_json json_object *result = cli_call(g->cli, "job.cancel", params);
    json_object *errors = cli_list(g->cli, result, "errors");
    int rc = json_object_array_length(errors) ? 1 : 0;
    for (size_t i = 0; i < json_object_array_length(errors); i++) {
        json_object *e = json_object_array_get_idx(errors, i);
        cli_job_error(g->cli, json_object_get_uint64(cli_get(e, "id")),
                      cli_get_string(e, "message", "failed"));
    }
    if (g->wait)
        rc |= wait_for(g->cli, ids);
    json_object_put(ids);
    return rc;
}

/* --- the verbs ------------------------------------------------------------------------------- */

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct pgrep g = {.cli = cli,
                      .query.count = 1000,
                      .count = 1000,
                      .format = formats_default(&formats)};
    g.kill = cmd == &cmd_pkill;
    parse(&g, cmd, argc, argv);
    if (!g.kill && formats_told(cli, &formats, g.format, jobfields, jobfields_n))
        return 0;
    g.compiled = g.kill ? NULL : make_format(&g);
    cleanup_json json_object *found = find(&g);
    int rc = json_object_array_length(found) ? 0 : 1;
    if (rc == 0 && g.kill)
        rc = cancel(&g, found);
    else if (g.json)
        print_json(&g, found);
    else if (rc == 0)
        print(&g, found);
    format_destroy(g.compiled);
    if (g.by_name)
        regfree(&g.name);
    jobquery_fini(&g.query);
    return rc;
}

const struct cmd cmd_pgrep = {
    .name = "pgrep",
    .args = "[NAME] [FIRST..LAST]",
    .help = "Print the ids of jobs whose names match a pattern",
    .more = "NAME is an extended regular expression. Exit code 1: no job matches.",
    .groups = pgrep_groups,
    .run = run,
};

const struct cmd cmd_pkill = {
    .name = "pkill",
    .args = "[NAME] [FIRST..LAST]",
    .help = "Cancel the jobs whose names match a pattern",
    .more = "NAME is an extended regular expression. Exit code 1: no job matches.",
    .groups = pkill_groups,
    .run = run,
};
