/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/hostset.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"

enum {
    EXPAND,
    DELIMITER,
    COUNT,
    NTH,
    FIND,
    LIMIT,
    SORT,
    EXCLUDE,
    UNION,
    INTERSECT,
    MINUS,
    XOR,
    FALLBACK,
    LOCAL,
    QUIET
};

static const struct opt opts[] = {
    {EXPAND, 'e', "expand", NULL, "One by one, rather than node[0-3]"},
    {DELIMITER, 'd', "delimiter", "S",
     "With -e, S between two of them (default: a blank)"},
    {COUNT, 'c', "count", NULL, "Print how many they are"},
    {NTH, 'n', "nth", "[-]IDS", "Those at places IDS, from 0, or with - from the end"},
    {FIND, 'F', "find", "HOSTS", "Print the places of HOSTS"},
    {LIMIT, 'L', "limit", "N", "The first N, or the last N of -N"},
    {SORT, 'S', "sort", NULL, "Sorted"},
    {UNION, 'u', "union", NULL, "Each host once, sorted"},
    {UNION, 0, "unique", NULL, "The same"},
    {EXCLUDE, 'x', "exclude", "HOSTS|IDS", "Without HOSTS, or those at places IDS"},
    {INTERSECT, 'i', "intersect", NULL, "Those in all lists"},
    {MINUS, 'm', "minus", NULL, "Those of the first list that are in no other"},
    {XOR, 'X', "xor", NULL, "Those in one of two lists only, one list after the other"},
    {FALLBACK, 'f', "fallback", NULL,
     "Take what looks like a job's id, but is none, as a host"},
    {LOCAL, 'l', "local", NULL, "Without a SOURCE: 'local' rather than 'stdin'"},
    {QUIET, 'q', "quiet", NULL, "Print nothing; the exit code is 1 if there is no host"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct hosts {
    struct cli *cli;
    bool expand, count, sort, unique, fallback, local, quiet;
    int set; /* INTERSECT, MINUS, XOR, or 0 */
    const char *delimiter, *nth, *find, *exclude;
    long limit; /* 0: all */
    struct hostlist *result;
};

/* --- sources --------------------------------------------------------------------------------- */

static struct hostlist *decode(const struct cli *cli, const char *text)
{
    struct error err;
    struct hostlist *hl = hostlist_decode(text, &err);
    if (!hl)
        cli_die(cli, "%s", err.text);
    return hl;
}

/* Of the instance's nodes; AVAILABLE: those that take jobs. */
static struct hostlist *instance_hosts(struct cli *cli, bool available)
{
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    struct hostlist *hl = hostlist_create();
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (!available || strcmp(cli_get_string(node, "state", "up"), "up") == 0)
            hostlist_append_name(hl, cli_get_string(node, "host", ""));
    }
    return hl;
}

/* NULL: there is no job ID. */
static struct hostlist *job_hosts(struct cli *cli, uint64_t id)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "states", json_object_new_int(127));
    cleanup_json json_object *result = cli_call(cli, "job.list", params);
    json_object *jobs = cli_list(cli, result, "jobs");
    return json_object_array_length(jobs)
               ? decode(cli, cli_get_string(json_object_array_get_idx(jobs, 0),
                                            "nodelist", ""))
               : NULL;
}

static struct hostlist *local_hosts(struct cli *cli)
{
    const char *id = getenv("HBATCH_JOB_ID");
    struct hostlist *hl = id ? job_hosts(cli, cli_jobid(cli, id)) : NULL;
    return hl ? hl : instance_hosts(cli, false);
}

static struct hostlist *read_hosts(const struct cli *cli)
{
    struct hostlist *hl = hostlist_create();
    struct error err;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) >= 0)
        for (char *save = NULL, *w = strtok_r(line, " \t\r\n", &save); w;
             w = strtok_r(NULL, " \t\r\n", &save))
            if (hostlist_append(hl, w, &err) < 0)
                cli_die(cli, "standard input: %s", err.text);
    free(line);
    return hl;
}

static struct hostlist *source(const struct hosts *h, const char *word)
{
    jobid_t id;
    if (strcmp(word, "instance") == 0)
        return instance_hosts(h->cli, false);
    if (strcmp(word, "avail") == 0 || strcmp(word, "available") == 0)
        return instance_hosts(h->cli, true);
    if (strcmp(word, "local") == 0)
        return local_hosts(h->cli);
    if (strcmp(word, "stdin") == 0 || strcmp(word, "-") == 0)
        return read_hosts(h->cli);
    if (strcmp(word, "last") != 0 && jobid_decode(word, &id, NULL) < 0)
        return decode(h->cli, word);
    struct hostlist *hl = job_hosts(h->cli, cli_jobid(h->cli, word));
    if (!hl && !h->fallback)
        cli_die(h->cli, "there is no job %s (if it is a host: --fallback)", word);
    return hl ? hl : decode(h->cli, word);
}

/* --- what is done with them ------------------------------------------------------------------ */

static void replace(struct hosts *h, struct hostlist *hl)
{
    hostlist_destroy(h->result);
    h->result = hl;
}

static void combine(struct hosts *h, struct hostlist *hl)
{
    if (!h->result)
        h->result = take(hl);
    else if (h->set == INTERSECT)
        replace(h, hostset_intersect(h->result, hl));
    else if (h->set == MINUS)
        replace(h, hostset_minus(h->result, hl));
    else if (h->set == XOR)
        replace(h, hostset_xor(h->result, hl));
    else
        hostset_add(h->result, hl);
    hostlist_destroy(hl);
}

static void exclude(struct hosts *h)
{
    size_t before = hostlist_count(h->result);
    struct hostlist *not = hostlist_decode(h->exclude, NULL);
    if (not )
        replace(h, hostset_minus(h->result, not ));
    hostlist_destroy(not );
    if (hostlist_count(h->result) < before)
        return;
    cleanup_bitmap hwloc_bitmap_t ids = idset_decode(h->exclude, NULL);
    if (!not &&!ids)
        cli_die(h->cli, "--exclude=%s: must be hosts or an id set", h->exclude);
    if (ids)
        replace(h, hostset_nth(h->result, ids, true));
}

static void limit(struct hosts *h)
{
    size_t n = hostlist_count(h->result), keep = (size_t)labs(h->limit);
    if (keep >= n)
        return;
    cleanup_bitmap hwloc_bitmap_t ids = hwloc_bitmap_alloc();
    if (h->limit > 0)
        hwloc_bitmap_set_range(ids, 0, (int)keep - 1);
    else
        hwloc_bitmap_set_range(ids, (unsigned)(n - keep), (int)n - 1);
    replace(h, hostset_nth(h->result, ids, false));
}

/* -IDS: -1 is the last one. */
static void pick(struct hosts *h)
{
    struct error err;
    bool from_end = *h->nth == '-';
    int n = (int)hostlist_count(h->result), id;
    cleanup_bitmap hwloc_bitmap_t ids = idset_decode(h->nth + from_end, &err);
    if (!ids)
        cli_die(h->cli, "--nth: %s", err.text);
    cleanup_bitmap hwloc_bitmap_t places = hwloc_bitmap_alloc();
    hwloc_bitmap_foreach_begin(id, ids)
    {
        int place = from_end ? n - id : id;
        if (place < 0 || place >= n)
            cli_die(h->cli, "--nth=%s: there is no host at %s%d: there are %d", h->nth,
                    from_end ? "-" : "", id, n);
        hwloc_bitmap_set(places, (unsigned)place);
    }
    hwloc_bitmap_foreach_end();
    replace(h, hostset_nth(h->result, places, false));
}

/* --- output ---------------------------------------------------------------------------------- */

static void print_places(const struct hosts *h)
{
    struct hostlist *hl = decode(h->cli, h->find);
    for (size_t i = 0; i < hostlist_count(hl); i++) {
        ptrdiff_t at = hostlist_find(h->result, hostlist_nth(hl, i));
        if (at < 0)
            cli_die(h->cli, "--find: there is no host %s", hostlist_nth(hl, i));
        printf("%s%td", i ? " " : "", at);
    }
    putchar('\n');
    hostlist_destroy(hl);
}

/* "\n" as in C, since it is hard to type. */
static void print_delimiter(const char *s)
{
    for (; *s; s++)
        if (s[0] == '\\' && (s[1] == 'n' || s[1] == 't'))
            putchar(*++s == 'n' ? '\n' : '\t');
        else
            putchar(*s);
}

static void print_hosts(const struct hosts *h)
{
    size_t n = hostlist_count(h->result);
    if (h->find) {
        print_places(h);
    } else if (h->count) {
        printf("%zu\n", n);
    } else if (n && h->expand) {
        for (size_t i = 0; i < n; i++) {
            if (i)
                print_delimiter(h->delimiter);
            fputs(hostlist_nth(h->result, i), stdout);
        }
        putchar('\n');
    } else if (n) {
        cleanup_free char *text = hostlist_encode(h->result);
        puts(text);
    }
}

/* --- the verb -------------------------------------------------------------------------------- */

static void parse(struct hosts *h, struct optparse *p)
{
    for (const struct opt *o; (o = optparse_next(p));) {
        bool *flags[] = {
            [EXPAND] = &h->expand, [COUNT] = &h->count, [SORT] = &h->sort,
            [UNION] = &h->unique,  [LOCAL] = &h->local, [FALLBACK] = &h->fallback,
            [QUIET] = &h->quiet};
        const char **texts[] = {[DELIMITER] = &h->delimiter,
                                [NTH] = &h->nth,
                                [FIND] = &h->find,
                                [EXCLUDE] = &h->exclude};
        if (o->id == INTERSECT || o->id == MINUS || o->id == XOR) {
            if (h->set && h->set != o->id)
                cli_die(h->cli, "--intersect, --minus and --xor exclude each other");
            h->set = o->id;
        } else if (o->id == LIMIT) {
            h->limit = cli_number(h->cli, "--limit", p->value, -INT_MAX, INT_MAX);
        } else if ((size_t)o->id < ARRAY_SIZE(texts) && texts[o->id]) {
            *texts[o->id] = p->value;
        } else {
            *flags[o->id] = true;
        }
    }
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct hosts h = {.cli = cli, .delimiter = " "};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    parse(&h, &p);
    for (int i = 0; i < p.nargs; i++)
        combine(&h, source(&h, p.args[i]));
    if (!p.nargs)
        combine(&h, source(&h, h.local ? "local" : "stdin"));
    if (h.exclude)
        exclude(&h);
    if (h.sort)
        hostlist_sort(h.result);
    if (h.unique)
        hostlist_uniq(h.result);
    if (h.limit)
        limit(&h);
    if (h.nth)
        pick(&h);
    bool none = hostlist_count(h.result) == 0;
    if (!h.quiet)
        print_hosts(&h);
    hostlist_destroy(h.result);
    return h.quiet && none ? 1 : 0;
}

const struct cmd cmd_hostlist = {
    .name = "hostlist",
    .args = "[SOURCE...]",
    .help = "Print and combine lists of hosts",
    .more = "A SOURCE is a job's id, 'instance', 'avail' (its nodes that take jobs), "
            "'local' (this job's, "
            "or the instance's), 'stdin', or a list like node[0-3]. Without one: stdin.",
    .groups = groups,
    .run = run,
};
