/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "src/cli/jobfields.h"
#include "src/cli/jobquery.h"
#include "src/cli/subtree.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/job/state.h"

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
    RECURSIVE,
    LEVEL,
    WATCH,
    INTERVAL,
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
    {RECURSIVE, 'R', "recursive", NULL,
     "Then the jobs of those that are instances, and so on"},
    {LEVEL, 'L', "level", "N", "With -R, go down at most N levels"},
    {WATCH, 'W', "watch", NULL,
     "Again and again; with --stats-only until no job is active"},
    {INTERVAL, 'i', "interval", "SECONDS", "With -W, every SECONDS (default 2)"},
    {USER, 'u', "user", "USER", NULL},
    {RECURSIVE, 0, "recurse-all", NULL, NULL},
    {USER, 0, "threads", "N", NULL},
    {USER, 0, "color", "[WHEN]", NULL},
    {NO_HEADER, 0, "suppress-header", NULL, NULL},
};

const struct opt_group cmd_jobs_groups[] = {OPTS(NULL, opts), OPTS_END};

struct jobs {
    struct cli *cli;
    struct jobquery query;
    bool no_header, json, stats, stats_only;
    bool watch, clear;   /* clear: the terminal before each time */
    double interval;     /* seconds */
    double finished, at; /* watch: jobs that had ended last time, and when that was */
    bool count_given;    /* then it is no news that there are more */
    const char *format, *sort;
    bool recursive;
    long levels; /* of instances inside of instances */
    struct format *compiled;
    struct subtree subtree;
};

static void parse(struct jobs *j, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    optparse_init(&p, j->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
        case EVERYBODY:
            j->query.all = true;
            break;
        case COUNT:
            j->query.count = cli_number(j->cli, "--count", p.value, 0, 1000000000);
            j->count_given = true;
            break;
        case FILTER:
            jobquery_filter(&j->query, j->cli, p.value);
            break;
        case SINCE:
            j->query.since = jobquery_since(j->cli, p.value);
            break;
        case NAME:
            j->query.name = p.value;
            break;
        case QUEUE:
            j->query.queue = p.value;
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
        case RECURSIVE:
            j->recursive = true;
            break;
        case LEVEL:
            j->recursive = true;
            j->levels = cli_number(j->cli, "--level", p.value, 0, INT_MAX);
            break;
        case WATCH:
            j->watch = true;
            break;
        case INTERVAL:
            if (duration_decode(p.value, &j->interval, &err) < 0)
                cli_die(j->cli, "--interval: %s", err.text);
            if (j->interval < 0.1 || j->interval > 86400)
                cli_die(j->cli, "--interval=%s: must be 0.1 to 86400 seconds", p.value);
            break;
        }
    }
    for (int i = 0; i < p.nargs; i++)
        jobquery_add_id(&j->query, j->cli, p.args[i]);
    if (!j->watch && j->interval > 0)
        cli_die(j->cli, "--interval is for --watch (-W)");
    if (j->json && j->stats)
        cli_die(j->cli, "--json and --stats cannot be used together");
}

/* --- fetching ---------------------------------------------------------------------------- */

static void print_stats(json_object *o)
{
    printf("%d running, %d completed, %d failed, %d pending",
           (int)cli_get_number(o, "running", 0), (int)cli_get_number(o, "completed", 0),
           (int)(cli_get_number(o, "failed", 0) + cli_get_number(o, "canceled", 0) +
                 cli_get_number(o, "timeout", 0)),
           (int)cli_get_number(o, "pending", 0));
}

/* Of job.list, those that are selected. */
static struct jobitem *select_items(const struct jobs *j, json_object *list, size_t *n)
{
    size_t all = json_object_array_length(list);
    struct jobitem *items = xcalloc(all + 1, sizeof(*items));
    *n = 0;
    for (size_t i = 0; i < all; i++) {
        json_object *job = json_object_array_get_idx(list, i);
        if (jobquery_selects(&j->query, job))
            items[(*n)++] = (struct jobitem){job, j->cli->ascii, time_now()};
    }
    return items;
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

static void print_json(const struct jobs *j, json_object *jobs)
{
    json_object *o;
    if (j->query.nids == 1 && json_object_array_length(jobs) == 1) {
        o = json_object_get(json_object_array_get_idx(jobs, 0));
        json_object_put(jobs);
    } else {
        o = json_object_new_object();
        json_object_object_add(o, "jobs", jobs);
    }
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

static void print_lines(const struct jobs *j, const struct jobitem *items, size_t n,
                        bool header)
{
    const void **rows = xcalloc(n + 1, sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        rows[i] = &items[i];
    format_prepare(j->compiled, rows, n);
    if (header) {
        cleanup_free char *line = format_header(j->compiled);
        puts(line);
    }
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = format_line(j->compiled, rows[i]);
        puts(line);
    }
    free(rows);
}

/* --- instances inside of instances ------------------------------------------------------- */

/* ITEMS are printed, or appended to OUT if it is not NULL, and what runs inside of those that are
 * instances.  VIA: the URI of the one that has them; PATH: the ids that lead to it. */
static void show(struct jobs *j, const char *via, const struct jobitem *items, size_t n,
                 const char *path, long level, json_object *out);

/* What JOB, an instance, has. ENTRY: what is told of it as JSON, or NULL. */
static void show_inside(struct jobs *j, const char *via, json_object *job,
                        const char *path, long level, json_object *entry)
{
    char id[CLI_ID_SIZE];
    struct hbatch *h = subtree_open(&j->subtree, via, job);
    if (!h)
        return;
    json_object *q = jobquery_params(&j->query);
    cleanup_json json_object *result =
        subtree_call(&j->subtree, j->cli, h, job, "job.list", q);
    cleanup_json json_object *stats =
        result && j->stats ? subtree_call(&j->subtree, j->cli, h, job, "job.stats", NULL)
                           : NULL;
    cleanup_free char *uri = xstrdup(client_uri(h));
    client_close(h);
    json_object *list = cli_get(result, "jobs"), *out = NULL;
    if (!json_object_is_type(list, json_type_array))
        return;
    cli_id(j->cli, json_object_get_uint64(cli_get(job, "id")), id);
    cleanup_free char *below = xasprintf("%s%s%s", path, *path ? "/" : "", id);
    if (entry)
        json_object_object_add(entry, "jobs", out = json_object_new_array());
    else
        printf("\n%s:\n", below);
    if (stats)
        print_stats(stats), (void)putchar('\n');
    size_t n;
    struct jobitem *items = select_items(j, list, &n);
    show(j, uri, items, n, below, level, out);
    free(items);
}

static void show(struct jobs *j, const char *via, const struct jobitem *items, size_t n,
                 const char *path, long level, json_object *out)
{
    if (!out && !j->stats_only)
        print_lines(j, items, n, level == 0 && !j->no_header);
    for (size_t i = 0; i < n; i++) {
        json_object *entry = out ? jobfields_json(&items[i]) : NULL;
        if (entry)
            json_object_array_add(out, entry);
        if (j->recursive && level < j->levels && subtree_is_instance(items[i].job))
            show_inside(j, via, items[i].job, path, level + 1, entry);
    }
}

/* --- the verb ---------------------------------------------------------------------------- */

static int list_jobs(struct jobs *j)
{
    cleanup_json json_object *result =
        cli_call(j->cli, "job.list", jobquery_params(&j->query));
    json_object *list = cli_list(j->cli, result, "jobs");
    size_t n;
    struct jobitem *items = select_items(j, list, &n);
    int rc = jobquery_missing(&j->query, j->cli, list) ? 1 : 0;
    bool named = j->query.nids > 0;
    jobquery_fini(&j->query); /* they are of this level alone */
    if (n > 0 || !rc) {
        json_object *out = j->json ? json_object_new_array() : NULL;
        show(j, client_uri(j->cli->h), items, n, "", 0, out);
        j->query.nids = named && n == 1;
        if (out)
            print_json(j, out);
        j->query.nids = 0;
        if (!j->count_given && !j->no_header && !j->json && !j->stats_only && !j->clear &&
            json_object_get_boolean(cli_get(result, "more"))) {
            fflush(stdout);
            cli_error(j->cli,
                      "there are more jobs than these %ld: see --count and --filter",
                      j->query.count);
        }
    }
    subtree_tell(&j->subtree, j->cli);
    free(items);
    return rc;
}

/* How many jobs end in a second, since the last time. */
static void print_rate(struct jobs *j, json_object *stats)
{
    double finished = cli_get_number(stats, "inactive", 0), now = time_mono();
    if (j->at > 0)
        printf(", %.1f job/s", (finished - j->finished) / (now - j->at));
    j->finished = finished;
    j->at = now;
}

/* *ACTIVE, if numbers are shown: whether a job is. */
static int show_once(struct jobs *j, bool *active)
{
    if (j->stats) {
        cleanup_json json_object *stats = cli_call(j->cli, "job.stats", NULL);
        print_stats(stats);
        if (j->watch)
            print_rate(j, stats);
        putchar('\n');
        *active =
            cli_get_number(stats, "pending", 0) + cli_get_number(stats, "running", 0) > 0;
    }
    return !j->stats_only || j->recursive ? list_jobs(j) : 0;
}

static void rest(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

static int show_again_and_again(struct jobs *j)
{
    struct winsize ws;
    const struct jobquery query = j->query; /* list_jobs forgets the ids */
    bool active = true;
    j->clear = isatty(STDOUT_FILENO);
    for (int rc = 0;; rest(j->interval > 0 ? j->interval : 2)) {
        j->query = query;
        j->query.ids = xmalloc((query.nids + 1) * sizeof(*query.ids));
        for (size_t i = 0; i < query.nids; i++)
            j->query.ids[i] = query.ids[i];
        if (j->clear && !j->count_given && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
            ws.ws_row > 4) /* without the lines before, and the one where the cursor is */
            j->query.count = ws.ws_row - 2 - j->stats;
        if (j->clear)
            printf("\033[H\033[J");
        rc = show_once(j, &active);
        jobquery_fini(&j->query);
        if (!j->clear && !j->stats_only)
            putchar('\n');
        if (fflush(stdout) != 0)
            cli_die(j->cli, "cannot write: %s", strerror(errno));
        if (rc != 0 || (j->stats_only && !active)) {
            j->query = query;
            return rc;
        }
    }
}

int cmd_jobs_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static char buffer[1 << 16]; /* a screen at once */
    struct jobs j = {
        .cli = cli, .query.count = 1000, .format = "default", .levels = INT_MAX};
    bool active = true;
    parse(&j, cmd, argc, argv);
    if (strcmp(j.format, "help") == 0) {
        print_help();
        return 0;
    }
    j.compiled = make_format(&j);
    if (j.watch)
        setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    int rc = j.watch ? show_again_and_again(&j) : show_once(&j, &active);
    jobquery_fini(&j.query);
    format_destroy(j.compiled);
    return j.stats_only && !j.watch && !active ? 1 : rc;
}

const struct cmd cmd_jobs = {
    .name = "jobs",
    .args = "[JOBID...]",
    .help = "List jobs",
    .groups = cmd_jobs_groups,
    .run = cmd_jobs_run,
};
