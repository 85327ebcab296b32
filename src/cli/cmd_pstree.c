/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/jobfields.h"
#include "src/cli/jobquery.h"
#include "src/cli/subtree.h"
#include "src/cli/tree.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum {
    ALL,
    COUNT,
    FILTER,
    EXTENDED,
    DETAIL,
    DETAIL_FORMAT,
    LONG,
    LEVEL,
    PARENT_IDS,
    NO_HEADER,
    NO_COMBINE,
    LABEL,
    PARENT_LABEL,
    COMPACT,
    ASCII,
    SKIP_ROOT,
    JSON
};

static const struct opt opts[] = {
    {ALL, 'a', "all", NULL, "Jobs in all states, with their status"},
    {COUNT, 'c', "count", "N", "At most N jobs of each instance (default 1000; 0: all)"},
    {FILTER, 'f', "filter", "STATE|RESULT",
     "Jobs in these states or with these results (default: running)"},
    {LEVEL, 'L', "level", "N", "Go down at most N levels"},
    {PARENT_IDS, 'p', "parent-ids", NULL, "Put job ids before the labels of instances"},
    {LABEL, 'o', "label", "FORMAT",
     "Label of jobs, in the format of hbatch jobs (default: {name})"},
    {PARENT_LABEL, 0, "parent-label", "FORMAT",
     "Label of instances (default: as --label)"},
    {EXTENDED, 'x', "extended", NULL, "Columns with id, user, state, size and run time"},
    {DETAIL, 'd', "detail", "NAME",
     "Columns by name: default (those of -x), resources, progress or stats of instances"},
    {DETAIL_FORMAT, 0, "detail-format", "FORMAT", "Columns of this format"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line over the columns"},
    {NO_COMBINE, 'X', "no-combine", NULL, "A line for each job, also of those alike"},
    {LONG, 'l', "long", NULL, "Do not cut long lines"},
    {COMPACT, 'C', "compact", NULL, "Narrow lines between the labels"},
    {ASCII, 0, "ascii", NULL, "Lines of ASCII characters"},
    {SKIP_ROOT, 0, "skip-root", "[yes|no]",
     "Leave out the line of this instance (default: with -x and with JOBIDs)"},
    {JSON, 0, "json", NULL,
     "Print JSON, as hbatch jobs -R does: instances have their jobs in \"jobs\""},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

#define COLUMNS                                                                          \
    "{id.f58:>12} {username:<8.8} {status_abbrev:>2.2} {ntasks:>6h} {nnodes:>6h} "       \
    "{runtime!F:>8h}"

static const struct {
    const char *name, *format;
} details[] = {
    {"default", COLUMNS},
    {"resources",
     "{id.f58:>12} {instance.resources.all.nnodes:>5} "
     "{instance.resources.allocated.nnodes:>5} {instance.resources.all.ncores:>5} "
     "{instance.resources.allocated.ncores:>5} {instance.resources.all.ngpus:>5} "
     "{instance.resources.allocated.ngpus:>5}"},
    {"progress", "{id.f58:>12} {ntasks:>6h} {instance.stats.total:>6} "
                 "{instance.progress!P:>5} {instance.utilization!P:>5} "
                 "{instance.gpu_utilization!P:>5} {runtime!F:>8h}"},
    {"stats", "{id.f58:>12} {instance.stats:^25} {runtime!F:>8h}"},
};

struct pstree {
    struct cli *cli;
    struct jobquery query;
    struct subtree subtree;
    struct format *label, *parent_label, *columns; /* columns may be NULL */
    size_t columns_width;
    bool all, parent_ids, no_header, no_combine, cut, compact, ascii, json;
    int skip_root; /* -1: by default */
    long levels;
    const char *label_text, *parent_text, *columns_text;
};

static const char *find_detail(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        if (strcmp(details[i].name, name) == 0)
            return details[i].format;
    cli_die(cli, "--detail=%s: must be default, resources, progress or stats", name);
}

static void parse(struct pstree *t, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, t->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            t->all = t->query.all = true;
            break;
        case COUNT:
            t->query.count = cli_number(t->cli, "--count", p.value, 0, 1000000000);
            break;
        case FILTER:
            jobquery_filter(&t->query, t->cli, p.value);
            break;
        case LEVEL:
            t->levels = cli_number(t->cli, "--level", p.value, 0, INT_MAX);
            break;
        case PARENT_IDS:
            t->parent_ids = true;
            break;
        case LABEL:
            t->label_text = p.value;
            break;
        case PARENT_LABEL:
            t->parent_text = p.value;
            break;
        case EXTENDED:
            t->columns_text = t->columns_text ? t->columns_text : COLUMNS;
            break;
        case DETAIL:
            t->columns_text = find_detail(t->cli, p.value);
            break;
        case DETAIL_FORMAT:
            t->columns_text = p.value;
            break;
        case NO_HEADER:
            t->no_header = true;
            break;
        case NO_COMBINE:
            t->no_combine = true;
            break;
        case LONG:
            t->cut = false;
            break;
        case COMPACT:
            t->compact = true;
            break;
        case ASCII:
            t->ascii = true;
            break;
        case JSON:
            t->json = true;
            break;
        case SKIP_ROOT:
            if (p.value && strcmp(p.value, "yes") != 0 && strcmp(p.value, "no") != 0)
                cli_die(t->cli, "--skip-root=%s: must be yes or no", p.value);
            t->skip_root = !p.value || strcmp(p.value, "yes") == 0;
            break;
        }
    }
    for (int i = 0; i < p.nargs; i++)
        jobquery_add_id(&t->query, t->cli, p.args[i]);
    if (t->ascii && t->compact)
        cli_die(t->cli, "--ascii and --compact cannot be used together");
    if (!t->query.states && !t->query.results && !t->query.all)
        t->query.states = JOB_RUNNING;
}

static struct format *compile(const struct pstree *t, const char *option,
                              const char *text)
{
    struct error err;
    struct format *f = format_create(text, jobfields, jobfields_n, &err);
    if (!f)
        cli_die(t->cli, "%s: %s", option, err.text);
    return f;
}

static void compile_all(struct pstree *t)
{
    const char *parent = t->parent_text  ? t->parent_text
                         : t->label_text ? t->label_text
                                         : "{name}";
    cleanup_free char *with_id = xasprintf("{id.f58} %s", parent);
    const char *label = t->label_text ? t->label_text
                        : t->all      ? "{name}:{status_abbrev}"
                                      : "{name}";
    t->label = compile(t, "--label", label);
    t->parent_label = compile(t, "--parent-label", t->parent_ids ? with_id : parent);
    if (!t->columns_text)
        return;
    t->columns = compile(t, "--detail-format", t->columns_text);
}

/* --- the tree ---------------------------------------------------------------------------- */

/* LIST is added to the tree TO, or to the array OUT if it is not NULL. */
static void load(struct pstree *t, const char *via, struct tree *to, json_object *out,
                 json_object *list, long level);

/* What runs inside of JOB, an instance, of the one at VIA. */
static void load_inside(struct pstree *t, const char *via, struct tree *to,
                        json_object *out, json_object *job, long level)
{
    struct hbatch *h = subtree_open(&t->subtree, via, job);
    if (!h)
        return;
    cleanup_json json_object *result =
        subtree_call(&t->subtree, t->cli, h, job, "job.list", jobquery_params(&t->query));
    cleanup_free char *uri = xstrdup(client_uri(h));
    client_close(h);
    json_object *list = cli_get(result, "jobs");
    if (json_object_is_type(list, json_type_array))
        load(t, uri, to, out, list, level);
}

static void load_json(struct pstree *t, const char *via, json_object *out,
                      const struct jobitem *item, long level)
{
    json_object *entry = jobfields_json(item);
    json_object_array_add(out, entry);
    if (!subtree_is_instance(item->job) || level >= t->levels)
        return;
    json_object *inside = json_object_new_array();
    json_object_object_add(entry, "jobs", inside);
    load_inside(t, via, NULL, inside, item->job, level + 1);
}

static void load(struct pstree *t, const char *via, struct tree *to, json_object *out,
                 json_object *list, long level)
{
    size_t n = json_object_array_length(list);
    for (size_t i = 0; i < n; i++) {
        json_object *job = json_object_array_get_idx(list, i);
        if (!jobquery_selects(&t->query, job))
            continue;
        struct jobitem item = {job, t->cli->ascii, time_now()};
        if (out) {
            load_json(t, via, out, &item, level);
            continue;
        }
        bool instance = subtree_is_instance(job);
        char *columns = t->columns ? format_line(t->columns, &item) : xstrdup("");
        char *prefix = t->columns ? xasprintf("%s ", columns) : xstrdup("");
        free(columns);
        struct tree *child = tree_create(
            prefix, format_line(instance ? t->parent_label : t->label, &item));
        if (instance && level < t->levels)
            load_inside(t, via, child, NULL, job, level + 1);
        tree_add(to, child, !t->no_combine);
    }
}

static size_t width(const struct pstree *t)
{
    struct winsize ws;
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;
    if (!t->cut)
        return 0;
    if (n <= 0)
        n = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 132;
    return (size_t)n;
}

static void finish(struct pstree *t)
{
    subtree_tell(&t->subtree, t->cli);
    format_destroy(t->label);
    format_destroy(t->parent_label);
    format_destroy(t->columns);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct pstree t = {
        .cli = cli, .query.count = 1000, .cut = true, .skip_root = -1, .levels = INT_MAX};
    parse(&t, cmd, argc, argv);
    compile_all(&t);
    cleanup_json json_object *result =
        cli_call(cli, "job.list", jobquery_params(&t.query));
    json_object *list = cli_list(cli, result, "jobs");
    bool skip = t.skip_root >= 0 ? t.skip_root : t.columns || t.query.nids;
    int rc = jobquery_missing(&t.query, cli, list) ? 1 : 0;
    jobquery_forget_ids(&t.query); /* they are of this instance */
    if (t.json) {
        cleanup_json json_object *o = json_object_new_object();
        json_object *jobs = json_object_new_array();
        load(&t, client_uri(cli->h), NULL, jobs, list, 0);
        json_object_object_add(o, "jobs", jobs);
        puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
        finish(&t);
        return rc;
    }
    cleanup_free char *header = t.columns ? format_header(t.columns) : xstrdup("");
    char *blank = xasprintf("%*s", t.columns ? (int)strlen(header) + 1 : 0, "");
    struct tree *root = tree_create(blank, xstrdup("."));
    load(&t, client_uri(cli->h), root, NULL, list, 0);
    if (t.columns && !t.no_header)
        puts(header);
    enum tree_style style = t.ascii || !cli->utf8 ? TREE_ASCII
                            : t.compact           ? TREE_COMPACT
                                                  : TREE_BOX;
    tree_print(root, style, width(&t), skip);
    tree_destroy(root);
    finish(&t);
    return rc;
}

const struct cmd cmd_pstree = {
    .name = "pstree",
    .args = "[JOBID...]",
    .help = "Show jobs as a tree, with those of instances inside of this one",
    .groups = groups,
    .run = run,
};
