/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "src/cli/color.h"
#include "src/cli/jobfields.h"
#include "src/cli/formats.h"
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
    FOLD,
    UNFOLD,
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
    USER,
    INCLUDE,
    WIDTH,
    COLOR,
    IGNORED
};

static const struct opt opts[] = {
    {ALL, 'a', NULL, NULL, "Jobs in all states"},
    {EVERYBODY, 'A', NULL, NULL, "Jobs of all users (an instance has one)"},
    {COUNT, 'c', "count", "N", "At most N jobs (default 1000; 0: all)"},
    {FILTER, 'f', "filter", "STATE|RESULT",
     "Jobs in these states or with these results: "
     "pending, running, inactive, sched, failed, ..."},
    {SINCE, 0, "since", "WHEN",
     "Jobs that ended after WHEN: -1h, 14:30, 2026-01-31, yesterday 6pm (implies -a)"},
    {NAME, 0, "name", "NAME", "Jobs of this name"},
    {QUEUE, 'q', "queue", "NAME,...", "Jobs of these queues"},
    {USER, 'u', "user", "USER", "Jobs of this user (an instance has one), or all"},
    {INCLUDE, 'i', "include", "HOSTS|RANKS", "Jobs that run or ran there"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
    {FORMAT, 'o', "format", "FORMAT",
     "Fields in Python's format syntax, or a format's name; "
     "'help' lists names and fields, get-config=NAME prints one for a file"},
    {WIDTH, 'w', "width", "[N]",
     "Cut lines at N characters, or 0 (default with -w): at the terminal's width"},
    {COLOR, 0, "color", "[WHEN]", "Color by state and result: " COLOR_HELP},
    {SORT, 0, "sort", "KEY,...", "Sort by fields; -KEY in reverse"},
    {JSON, 0, "json", NULL, "Print JSON"},
    {STATS, 0, "stats", NULL, "Print numbers of jobs first"},
    {STATS_ONLY, 0, "stats-only", NULL,
     "Print only that; the exit code is 1 when no job is active"},
    {FOLD, 0, "fold", NULL,
     "One line for what waits of an array (default, unless --json, or --format with "
     "fields)"},
    {UNFOLD, 0, "unfold", NULL, "One for each of its jobs"},
    {RECURSIVE, 'R', "recursive", NULL,
     "Then the jobs of those that are instances, and so on"},
    {LEVEL, 'L', "level", "N", "With -R, go down at most N levels"},
    {WATCH, 'W', "watch", NULL,
     "Again and again; with --stats-only until no job is active"},
    {INTERVAL, 0, "interval", "SECONDS", "With -W, every SECONDS (default 2)"},
    {RECURSIVE, 0, "recurse-all", NULL, NULL},
    {IGNORED, 0, "threads", "N", NULL},
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
    bool fold_given;
    const char *format, *sort;
    long width; /* of lines; 0: the terminal's; -1: any */
    enum color_when when;
    bool color;
    bool recursive;
    long levels; /* of instances inside of instances */
    char *text;  /* of the format */
    struct format *compiled;
    struct subtree subtree;
};

static void set_interval(struct jobs *j, const char *text)
{
    struct error err;
    if (duration_decode(text, &j->interval, &err) < 0)
        cli_die(j->cli, "--interval: %s", err.text);
    if (j->interval < 0.1 || j->interval > 86400)
        cli_die(j->cli, "--interval=%s: must be 0.1 to 86400 seconds", text);
}

static void parse(struct jobs *j, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, j->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            j->query.all = true;
            break;
        case EVERYBODY:
            j->query.one_user = false;
            break;
        case USER:
            jobquery_user(&j->query, j->cli, p.value);
            break;
        case INCLUDE:
            if (j->stats && j->watch && p.value[strspn(p.value, "0123456789.")] == '\0')
                set_interval(j, p.value); /* --stats -Wi2 */
            else
                jobquery_include(&j->query, j->cli, p.value);
            break;
        case WIDTH:
            j->width = p.value ? cli_number(j->cli, "--width", p.value, -1, 1000000) : 0;
            break;
        case COLOR:
            j->when = color_parse(j->cli, p.value);
            break;
        case COUNT:
            j->query.count = cli_number(j->cli, "--count", p.value, 0, 1000000000);
            j->query.count_given = true;
            break;
        case FILTER:
            jobquery_filter(&j->query, j->cli, p.value);
            break;
        case SINCE:
            j->query.since = jobquery_since(j->cli, p.value);
            break;
        case FOLD:
        case UNFOLD:
            j->query.fold = o->id == FOLD;
            j->fold_given = true;
            break;
        case NAME:
            j->query.name = p.value;
            break;
        case QUEUE:
            jobquery_queue(&j->query, p.value);
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
            set_interval(j, p.value);
            break;
        }
    }
    for (int i = 0; i < p.nargs; i++)
        jobquery_add_id(&j->query, j->cli, p.args[i]);
    jobquery_sort_ids(&j->query);
    if (!j->fold_given) /* what a program reads is a job a line */
        j->query.fold = !j->json && !strchr(j->format, '{');
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

static struct jobitem *make_items(const struct jobs *j, json_object *list, size_t *n)
{
    double now = time_now();
    *n = json_object_array_length(list);
    struct jobitem *items = xcalloc(*n + 1, sizeof(*items));
    for (size_t i = 0; i < *n; i++)
        items[i] =
            (struct jobitem){json_object_array_get_idx(list, i), j->cli->ascii, now};
    return items;
}

static json_object *ask_here(void *arg, json_object *params)
{
    const struct jobs *j = arg;
    return cli_call(j->cli, "job.list", params);
}

/* --- printing ---------------------------------------------------------------------------- */

static void make_format(struct jobs *j)
{
    struct error err;
    j->text = formats_find(j->cli, &formats_of_jobs, j->format);
    j->compiled = format_create(j->text, jobfields, jobfields_n, &err);
    if (!j->compiled)
        cli_die(j->cli, "--format: %s", err.text);
    if (j->sort && format_set_sort(j->compiled, j->sort, &err) < 0)
        cli_die(j->cli, "--sort: %s", err.text);
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

/* As Flux has them. */
static const char *color_of(const struct jobitem *item)
{
    static const struct {
        int result;
        const char *color;
    } colors[] = {{JOB_COMPLETED, "\033[01;32m"},
                  {JOB_FAILED, "\033[01;31m"},
                  {JOB_CANCELED, "\033[37m"},
                  {JOB_TIMEOUT, "\033[01;31m"}};
    int result = job_result_decode(cli_get_string(item->job, "result", ""));
    for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
        if (colors[i].result == result)
            return colors[i].color;
    return cli_get(item->job, "uri") ? "\033[01;34m" : "";
}

/* LINE is freed. */
static void print_line(const struct jobs *j, char *line, const char *color)
{
    if (j->width > 0)
        format_cut(line, (size_t)j->width);
    printf("%s%s%s\n", color, line, *color ? COLOR_RESET : "");
    free(line);
}

static void print_lines(const struct jobs *j, const struct jobitem *items, size_t n,
                        bool header)
{
    const void **rows = xcalloc(n + 1, sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        rows[i] = &items[i];
    format_prepare(j->compiled, rows, n);
    if (header)
        print_line(j, format_header(j->compiled), "");
    for (size_t i = 0; i < n; i++)
        print_line(j, format_line(j->compiled, rows[i]),
                   j->color ? color_of(rows[i]) : "");
    free(rows);
}

/* --- instances inside of instances ------------------------------------------------------- */

/* ITEMS are printed, or appended to OUT if it is not NULL, and what runs inside of those that are
 * instances.  VIA: the URI of the one that has them; PATH: the ids that lead to it. */
static void show(struct jobs *j, const char *via, const struct jobitem *items, size_t n,
                 const char *path, long level, json_object *out);

struct inside {
    struct jobs *j;
    struct hbatch *h;
    json_object *job;
};

static json_object *ask_inside(void *arg, json_object *params)
{
    struct inside *in = arg;
    return subtree_call(&in->j->subtree, in->j->cli, in->h, in->job, "job.list", params);
}

/* What JOB, an instance, has. ENTRY: what is told of it as JSON, or NULL. */
static void show_inside(struct jobs *j, const char *via, json_object *job,
                        const char *path, long level, json_object *entry)
{
    char id[CLI_ID_SIZE];
    struct hbatch *h = subtree_open(&j->subtree, via, job);
    if (!h)
        return;
    bool more;
    struct inside inside = {j, h, job};
    cleanup_json json_object *list =
        jobquery_fetch(&j->query, ask_inside, &inside, &more);
    cleanup_json json_object *stats =
        list && j->stats ? subtree_call(&j->subtree, j->cli, h, job, "job.stats", NULL)
                         : NULL;
    cleanup_free char *uri = xstrdup(client_uri(h));
    client_close(h);
    json_object *out = NULL;
    if (!list)
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
    struct jobitem *items = make_items(j, list, &n);
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
    bool more;
    cleanup_json json_object *list = jobquery_fetch(&j->query, ask_here, j, &more);
    if (!list)
        cli_die(j->cli, "the instance answered without a list of jobs: is it of another "
                        "version?");
    size_t n;
    struct jobitem *items = make_items(j, list, &n);
    int rc = !more && jobquery_missing(&j->query, j->cli, list) ? 1 : 0;
    bool named = j->query.nids > 0;
    jobquery_forget_ids(&j->query); /* they are of this level alone */
    if (n > 0 || !rc) {
        json_object *out = j->json ? json_object_new_array() : NULL;
        show(j, client_uri(j->cli->h), items, n, "", 0, out);
        j->query.nids = named && n == 1;
        if (out)
            print_json(j, out);
        j->query.nids = 0;
        if (!j->query.count_given && !j->no_header && !j->json && !j->stats_only &&
            !j->clear && more) {
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

static void add_numbers(json_object *sum, json_object *stats)
{
    json_object_object_foreach(stats, key, value)
    {
        double n = cli_get_number(sum, key, 0) + json_object_get_double(value);
        json_object_object_add(sum, key, json_object_new_int64((int64_t)n));
    }
}

/* Of the jobs that --name and --queue mean; states and results are told apart anyhow. */
static json_object *get_stats(struct jobs *j)
{
    const char *queues = j->query.queues, *name = j->query.name;
    if (!queues && !name)
        return cli_call(j->cli, "job.stats", NULL);
    json_object *sum = json_object_new_object();
    cleanup_free char *copy = xstrdup(queues ? queues : "");
    char *rest = copy;
    for (char *queue; (queue = strsep(&rest, ","));) {
        json_object *params = json_object_new_object();
        if (queues)
            json_object_object_add(params, "queue", json_object_new_string(queue));
        if (name)
            json_object_object_add(params, "name", json_object_new_string(name));
        cleanup_json json_object *stats = cli_call(j->cli, "job.stats", params);
        add_numbers(sum, stats);
    }
    return sum;
}

/* *ACTIVE, if numbers are shown: whether a job is. */
static int show_once(struct jobs *j, bool *active)
{
    if (j->stats) {
        cleanup_json json_object *stats = get_stats(j);
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
        if (j->clear && !j->query.count_given &&
            ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
            ws.ws_row > 4) /* without the lines before, and the one where the cursor is */
            j->query.count = ws.ws_row - 2 - j->stats;
        if (j->clear)
            printf("\033[H\033[J");
        rc = show_once(j, &active);
        jobquery_forget_ids(&j->query);
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
    struct jobs j = {.cli = cli,
                     .query.count = 1000,
                     .format = formats_default(&formats_of_jobs),
                     .width = -1,
                     .levels = INT_MAX};
    struct winsize ws;
    bool active = true;
    parse(&j, cmd, argc, argv);
    if (formats_told(cli, &formats_of_jobs, j.format, jobfields, jobfields_n))
        return 0;
    make_format(&j);
    jobquery_expand_queues(&j.query, cli);
    j.color = color_wanted(j.when);
    if (!j.json && !j.recursive && (j.query.keys = jobfields_keys(j.compiled)))
        for (size_t i = 0; j.color && i < 2; i++)
            json_object_array_add(j.query.keys,
                                  json_object_new_string(i ? "uri" : "result"));
    if (j.query.keys && j.query.nids) /* an id may be an array's */
        json_object_array_add(j.query.keys, json_object_new_string("array"));
    if (j.width == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
        j.width = ws.ws_col;
    if (j.watch)
        setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    int rc = j.watch ? show_again_and_again(&j) : show_once(&j, &active);
    jobquery_fini(&j.query);
    format_destroy(j.compiled);
    free(j.text);
    return j.stats_only && !j.watch && !active ? 1 : rc;
}

const struct cmd cmd_jobs = {
    .name = "jobs",
    .args = "[JOBID...]",
    .help = "List jobs",
    .groups = cmd_jobs_groups,
    .run = cmd_jobs_run,
};
