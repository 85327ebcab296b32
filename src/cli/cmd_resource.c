/* SPDX-License-Identifier: BSD-3-Clause */
/* resource list, info, R, status. */
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/listing.h"
#include "src/cli/resize.h"
#include "src/cli/resource.h"
#include "src/cli/resource_rows.h"
#include "src/cli/verbs.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/job/jsonutil.h"
#include "src/job/rset.h"

/* --- which nodes ------------------------------------------------------------------------- */

enum { VERBOSE, STATES, QUEUE, INCLUDE, SKIP_EMPTY, NO_SKIP_EMPTY };

struct choice { /* of options */
    struct listing listing;
    const char *states, *queues, *include;
    bool by_rank, skip_empty, no_skip_empty;
};

#define CHOICE_OPTS                                                                      \
    {QUEUE, 'q', "queue", "NAME,...", "Only what these queues have"},                    \
    {                                                                                    \
        INCLUDE, 'i', "include", "RANKS|HOSTS", "Only these nodes"                       \
    }

static void choose(struct choice *c, const struct opt *o, const char *value)
{
    if (listing_take(&c->listing, o, value))
        return;
    switch (o->id) {
    case VERBOSE:
        c->by_rank = true;
        break;
    case STATES:
        c->states = value;
        break;
    case QUEUE:
        c->queues = value;
        break;
    case INCLUDE:
        c->include = value;
        break;
    case SKIP_EMPTY:
        c->skip_empty = true;
        break;
    case NO_SKIP_EMPTY:
        c->no_skip_empty = true;
        break;
    }
}

/* What NODE has in STATE: whether it is a node in that state at all. */
static bool share(json_object *node, const char *state, unsigned *ncores, unsigned *ngpus,
                  uint64_t *memory)
{
    const char *is = cli_get_string(node, "state", "up");
    unsigned cores = cli_get_count(node, "cores"), gpus = cli_get_count(node, "gpus");
    unsigned free_cores = cli_get_count(node, "free_cores");
    unsigned free_gpus = cli_get_count(node, "free_gpus");
    bool up = strcmp(is, "up") == 0;
    uint64_t all_memory = (uint64_t)cli_get_number(node, "memory", 0),
             free_memory = (uint64_t)cli_get_number(node, "free_memory", 0);
    *memory = all_memory;
    *ncores = cores;
    *ngpus = gpus;
    if (strcmp(state, "all") == 0)
        return true;
    if (strcmp(state, "free") == 0) {
        *ncores = free_cores;
        *ngpus = free_gpus;
        *memory = free_memory;
        return up && (free_cores || free_gpus);
    }
    if (strcmp(state, "allocated") == 0) {
        *ncores = cores - MIN(cores, free_cores);
        *ngpus = gpus - MIN(gpus, free_gpus);
        *memory = all_memory - MIN(all_memory, free_memory);
        return *ncores || *ngpus;
    }
    if (strcmp(state, "drained") == 0) { /* what is not free is still allocated */
        *ncores = MIN(cores, free_cores);
        *ngpus = MIN(gpus, free_gpus);
        *memory = MIN(all_memory, free_memory);
    }
    return strcmp(is, state) == 0;
}

/* Of RESULT, resource.list's, only the nodes of these queues. */
static void filter_queues(struct cli *cli, json_object *result, const char *names)
{
    cleanup_json json_object *answer = cli_call(cli, "queue.list", NULL);
    json_object *queues = cli_list(cli, answer, "queues"),
                *nodes = cli_list(cli, result, "nodes");
    cleanup_bitmap hwloc_bitmap_t ranks = hwloc_bitmap_alloc();
    cleanup_free char *copy = xstrdup(names);
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ","));) {
        size_t i = 0, n = json_object_array_length(queues);
        while (i < n &&
               strcmp(cli_get_string(json_object_array_get_idx(queues, i), "queue", ""),
                      name) != 0)
            i++;
        if (i == n || !*name)
            cli_die(cli, "there is no queue '%s'; hbatch queue list shows them", name);
        json_object *list = cli_list(
            cli, cli_get(json_object_array_get_idx(queues, i), "resources"), "ranks");
        for (size_t k = 0; k < json_object_array_length(list); k++)
            hwloc_bitmap_set(
                ranks, (unsigned)json_object_get_int(json_object_array_get_idx(list, k)));
    }
    for (size_t i = json_object_array_length(nodes); i-- > 0;) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (!hwloc_bitmap_isset(ranks, (unsigned)cli_get_number(node, "rank", 0)))
            json_object_array_del_idx(nodes, i, 1);
    }
}

/* ... only those of an id set of ranks or a list of hosts; it is no error if they are not there. */
static void filter_targets(struct cli *cli, json_object *result, const char *text)
{
    struct error err;
    json_object *nodes = cli_list(cli, result, "nodes");
    cleanup_bitmap hwloc_bitmap_t ranks = *text ? idset_decode(text, NULL) : NULL;
    struct hostlist *hosts = ranks ? NULL : hostlist_decode(text, &err);
    if (!ranks && (!hosts || !*text))
        cli_die(cli,
                "--include=%s: must be ranks, as 0-3,7, or a list of hosts, as node[1-4]",
                text);
    for (size_t i = json_object_array_length(nodes); i-- > 0;) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned rank = (unsigned)cli_get_number(node, "rank", 0);
        if (ranks ? !hwloc_bitmap_isset(ranks, rank)
                  : hostlist_find(hosts, cli_get_string(node, "host", "")) < 0)
            json_object_array_del_idx(nodes, i, 1);
    }
    hostlist_destroy(hosts);
}

/* resource.list's result, a new one, with the nodes of these queues ("A,B") and of these ranks or hosts; NULL: of
 * all. */
static json_object *list_nodes(struct cli *cli, const char *queues, const char *include)
{
    json_object *result = cli_call(cli, "resource.list", NULL);
    if (queues)
        filter_queues(cli, result, queues);
    if (include)
        filter_targets(cli, result, include);
    return result;
}

static void check_states(struct cli *cli, const char *list, const char *const *states,
                         size_t n)
{
    cleanup_free char *copy = xstrdup(list);
    char *rest = copy;
    for (char *w; (w = strsep(&rest, ","));) {
        size_t i = 0;
        while (i < n && strcmp(states[i], w) != 0)
            i++;
        if (i < n)
            continue;
        cleanup_free char *all = cli_join((char *const *)(uintptr_t)states, (int)n);
        cli_die(cli, "--states: '%s' is none of: %s", w, all);
    }
}

static void drop_last(struct rows *rows)
{
    struct row *r = &rows->v[--rows->n];
    hwloc_bitmap_free(r->ranks);
    hostlist_destroy(r->hosts);
    strbuf_cleanup(&r->reasons);
    strbuf_cleanup(&r->properties);
}

static bool last_is_empty(const struct rows *rows)
{
    return rows->n && hwloc_bitmap_iszero(rows->v[rows->n - 1].ranks);
}

/* --- list -------------------------------------------------------------------------------- */

static const struct listing_format list_formats[] = {
    {"default", "{state:>10} {nnodes:>6} {ncores:>6} {ngpus:>6} {nodelist}"},
    {"long", "{state:>10} ?+:{properties:<5} {nnodes:>6} {ncores:>6} {ngpus:>6} "
             "{memory:>8} {nodelist}"},
    {"ranks", "{state:>10} {ranks:>6} {ncores:>6} {ngpus:>6} {nodelist}"},
};
static const struct listing_kind list_kind = LISTING_KIND(resource_fields, list_formats);

static const char *const list_states[] = {"free", "allocated", "drained",
                                          "down", "up",        "all"};

static const struct opt list_opts[] = {
    {VERBOSE, 'v', "verbose", NULL, "One line for each rank"},
    {STATES, 's', "states", "STATES",
     "Only these: free, allocated, drained, down, up, all"},
    CHOICE_OPTS,
    {SKIP_EMPTY, 0, "skip-empty", NULL,
     "No line for a state that no node is in (the default with -i)"},
    {NO_SKIP_EMPTY, 0, "no-skip-empty", NULL, "With -i, these lines as well"},
    LISTING_OPTS("Fields in Python's format syntax, or a format's name: default, long, "
                 "ranks; 'help' lists them",
                 "Print the nodes as JSON"),
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

static void collect(struct rows *rows, json_object *nodes, const char *state,
                    bool by_rank)
{
    size_t n = json_object_array_length(nodes);
    struct row *r = by_rank ? NULL : resource_add_row(rows, state);
    for (size_t i = 0; i < n; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned ncores, ngpus;
        uint64_t memory;
        if (!share(node, state, &ncores, &ngpus, &memory))
            continue;
        if (by_rank)
            r = resource_add_row(rows, state);
        resource_add_node(r, node, ncores, ngpus, memory);
    }
}

static void print_rows(const struct cli *cli, const struct choice *c,
                       const struct listing_kind *kind, struct rows *rows)
{
    const void **items = xcalloc(rows->n + 1, sizeof(*items));
    for (size_t i = 0; i < rows->n; i++)
        items[i] = &rows->v[i];
    listing_print(cli, &c->listing, kind, items, rows->n);
    free(items);
    resource_rows_fini(rows);
}

static void print_list(struct cli *cli, struct choice *c)
{
    struct rows rows = {0};
    cleanup_json json_object *result = list_nodes(cli, c->queues, c->include);
    bool skip = c->skip_empty || (c->include && !c->no_skip_empty);
    if (c->listing.json) {
        listing_print_json(result);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(list_states); i++) {
        const char *state = list_states[i];
        bool extra = strcmp(state, "all") == 0 || strcmp(state, "up") == 0;
        if (c->states ? !resource_has(c->states, state, ",") : extra)
            continue;
        collect(&rows, cli_list(cli, result, "nodes"), state, c->by_rank);
        /* drained nodes have a line only when there are any */
        if (!c->by_rank && last_is_empty(&rows) &&
            (skip || (!c->states && strcmp(state, "drained") == 0)))
            drop_last(&rows);
    }
    if (!c->listing.format && c->by_rank)
        c->listing.format = "ranks";
    print_rows(cli, c, &list_kind, &rows);
}

static int list_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct choice c = {0};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        choose(&c, o, p.value);
    cli_operand(cli, &p, "", true);
    if (c.states)
        check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    if (!listing_told(&c.listing, &list_kind))
        print_list(cli, &c);
    return 0;
}

static const struct cmd resource_list = {
    .name = "list",
    .args = "",
    .help = "List resources by state: free, allocated, drained, down",
    .groups = list_groups,
    .run = list_run,
};

/* --- info, R ----------------------------------------------------------------------------- */

static const struct opt info_opts[] = {
    {STATES, 's', "states", "STATES",
     "Only what is in these states: free, allocated, drained, down, up, all (default)"},
    CHOICE_OPTS,
};
static const struct opt_group info_groups[] = {OPTS(NULL, info_opts), OPTS_END};

static int info_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct choice c = {.states = "all", .listing.no_header = true};
    struct optparse p;
    c.listing.format = "{nnodes} Nodes, {ncores} Cores, {ngpus} GPUs";
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        choose(&c, o, p.value);
    cli_operand(cli, &p, "", true);
    check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    print_list(cli, &c);
    return 0;
}

static const struct cmd resource_info = {
    .name = "info",
    .args = "",
    .help = "Tell in a line how many nodes, cores and GPUs there are",
    .groups = info_groups,
    .run = info_run,
};

static hwloc_bitmap_t idset_of(json_object *node, const char *key)
{
    hwloc_bitmap_t set = idset_decode(cli_get_string(node, key, ""), NULL);
    return set ? set : hwloc_bitmap_alloc();
}

/* What of NODE is in STATE, to be added to R. */
static void add_resources(struct rset *r, json_object *node, const char *state)
{
    unsigned ncores, ngpus, rank = (unsigned)cli_get_number(node, "rank", 0);
    uint64_t memory;
    bool is_free = strcmp(state, "free") == 0 || strcmp(state, "drained") == 0;
    if (!share(node, state, &ncores, &ngpus, &memory))
        return;
    cleanup_bitmap hwloc_bitmap_t cores =
                                      idset_of(node, is_free ? "free_cores" : "cores"),
                                  gpus = idset_of(node, is_free ? "free_gpus" : "gpus"),
                                  free_cores = idset_of(node, "free_cores"),
                                  free_gpus = idset_of(node, "free_gpus");
    if (strcmp(state, "allocated") == 0) {
        hwloc_bitmap_andnot(cores, cores, free_cores);
        hwloc_bitmap_andnot(gpus, gpus, free_gpus);
    }
    struct rset_node *there = rset_find(r, rank);
    if (!there) {
        rset_add(r, rank, cli_get_string(node, "host", "?"), cores, gpus);
        return;
    }
    hwloc_bitmap_or(there->cores, there->cores, cores);
    hwloc_bitmap_or(there->gpus, there->gpus, gpus);
}

/* {NAME:RANKS}, RFC 20 */
static json_object *properties_of(json_object *nodes, const struct rset *r)
{
    json_object *all = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i),
                    *names = cli_get(node, "properties");
        unsigned rank = (unsigned)cli_get_number(node, "rank", 0);
        size_t n = json_object_is_type(names, json_type_array)
                       ? json_object_array_length(names)
                       : 0;
        for (size_t k = 0; rset_find(r, rank) && k < n; k++) {
            const char *name =
                json_object_get_string(json_object_array_get_idx(names, k));
            cleanup_bitmap hwloc_bitmap_t ranks = idset_of(all, name);
            hwloc_bitmap_set(ranks, rank);
            cleanup_free char *text = idset_encode(ranks, 0);
            json_object_object_add(all, name, json_object_new_string(text));
        }
    }
    return all;
}

static int R_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct choice c = {.states = "all"};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        choose(&c, o, p.value);
    cli_operand(cli, &p, "", true);
    check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    cleanup_json json_object *result = list_nodes(cli, c.queues, c.include);
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    struct rset *r = rset_create();
    r->starttime = cli_get_number(info, "starttime", 0);
    r->expiration = cli_get_number(info, "expiration", 0);
    for (size_t k = 0; k < ARRAY_SIZE(list_states); k++)
        for (size_t i = 0; i < json_object_array_length(nodes); i++)
            if (resource_has(c.states, list_states[k], ","))
                add_resources(r, json_object_array_get_idx(nodes, i), list_states[k]);
    cleanup_json json_object *o = rset_to_json(r);
    json_object *properties = properties_of(nodes, r);
    if (json_object_object_length(properties))
        json_object_object_add(cli_get(o, "execution"), "properties", properties);
    else
        json_object_put(properties);
    listing_print_json(o);
    rset_destroy(r);
    return 0;
}

static const struct cmd resource_R = {
    .name = "R",
    .args = "",
    .help = "Print the resources as a resource set (RFC 20)",
    .groups = info_groups,
    .run = R_run,
};

/* --- status ------------------------------------------------------------------------------ */

static const struct listing_format status_formats[] = {
    {"default", "{state:>12} {up:>2} {nnodes:>6} {nodelist}"},
    {"long", "{state:>12} {up:>2} {nnodes:>6} +:{reason:<30.30} {nodelist}"},
};
static const struct listing_kind status_kind =
    LISTING_KIND(resource_fields, status_formats);

/* Those without a bit are Flux's, and no node of an instance is ever in them. */
static const char *const status_states[] = {
    "avail",     "drained", "draining", "offline", "drain",        "online",
    "allocated", "all",     "exclude",  "torpid",  "housekeeping",
};
enum { AVAIL, DRAINED, DRAINING, OFFLINE, DRAIN, ONLINE, ALLOCATED, EVERY };

static const struct opt status_opts[] = {
    {STATES, 's', "states", "STATES",
     "Only these: avail, draining, drained, drain (both), offline, online, allocated, "
     "all"},
    CHOICE_OPTS,
    {SKIP_EMPTY, 0, "skip-empty", NULL,
     "With -s, no line for a state that no node is in"},
    LISTING_OPTS(
        "Fields: state up nnodes nodelist ranks reason properties; or a format's "
        "name: default, long; 'help' lists them",
        "Print the nodes as JSON"),
};
static const struct opt_group status_groups[] = {OPTS(NULL, status_opts), OPTS_END};

static bool is_in_state(json_object *node, size_t state)
{
    const char *is = cli_get_string(node, "state", "up");
    bool down = strcmp(is, "down") == 0, drained = strcmp(is, "drained") == 0;
    bool used = cli_get_count(node, "free_cores") < cli_get_count(node, "cores");
    switch (state) {
    case AVAIL:
        return !down && !drained;
    case DRAINED:
        return drained && !used;
    case DRAINING:
        return drained && used;
    case OFFLINE:
        return down;
    case DRAIN:
        return drained;
    case ONLINE:
        return !down;
    case ALLOCATED:
        return used && !down;
    case EVERY:
        return true;
    }
    return false;
}

static void collect_status(struct rows *rows, json_object *nodes, size_t state)
{
    struct row *r = resource_add_row(rows, status_states[state]);
    for (size_t k = 0; k < json_object_array_length(nodes); k++) {
        json_object *node = json_object_array_get_idx(nodes, k);
        if (is_in_state(node, state))
            resource_add_node(r, node, cli_get_count(node, "cores"),
                              cli_get_count(node, "gpus"),
                              (uint64_t)cli_get_number(node, "memory", 0));
    }
}

static int status_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct choice c = {0};
    struct rows rows = {0};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        choose(&c, o, p.value);
    cli_operand(cli, &p, "", true);
    if (c.states)
        check_states(cli, c.states, status_states, ARRAY_SIZE(status_states));
    if (listing_told(&c.listing, &status_kind))
        return 0;
    cleanup_json json_object *result = list_nodes(cli, c.queues, c.include);
    if (c.listing.json) {
        listing_print_json(result);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(status_states); i++) {
        if (c.states ? !resource_has(c.states, status_states[i], ",") : i > OFFLINE)
            continue;
        collect_status(&rows, cli_list(cli, result, "nodes"), i);
        if (last_is_empty(&rows) && (c.skip_empty || (!c.states && i != AVAIL)))
            drop_last(&rows);
    }
    print_rows(cli, &c, &status_kind, &rows);
    return 0;
}

static const struct cmd resource_status = {
    .name = "status",
    .args = "",
    .help = "Show which nodes are available, drained, offline",
    .groups = status_groups,
    .run = status_run,
};

/* --- what is drained, for resource drain --------------------------------------------------- */

static const struct listing_format drain_formats[] = {
    {"default", "{state:<8.8} {ranks:<8.8+} {reason:<30.30+} {nodelist}"},
    {"long", "{state:<8.8} {ranks:<8.8+} +:{reason:<30.30} {nodelist}"},
};
static const struct listing_kind drain_kind =
    LISTING_KIND(resource_fields, drain_formats);

void resource_list_drained(struct cli *cli, const struct listing *l, const char *queues,
                           const char *include)
{
    struct choice c = {.listing = *l};
    struct rows rows = {0};
    if (listing_told(l, &drain_kind))
        return;
    cleanup_json json_object *result = list_nodes(cli, queues, include);
    json_object *nodes = cli_list(cli, result, "nodes");
    for (size_t k = json_object_array_length(nodes); l->json && k-- > 0;)
        if (!is_in_state(json_object_array_get_idx(nodes, k), DRAIN))
            json_object_array_del_idx(nodes, k, 1);
    if (l->json) {
        listing_print_json(result);
        return;
    }
    for (size_t k = 0; k < json_object_array_length(nodes); k++) {
        json_object *node = json_object_array_get_idx(nodes, k);
        for (size_t state = DRAINED; state <= DRAINING; state++)
            if (is_in_state(node, state))
                resource_add_node(resource_add_row(&rows, status_states[state]), node, 0,
                                  0, 0);
    }
    print_rows(cli, &c, &drain_kind, &rows);
}

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {
    &resource_list,  &resource_info,    &resource_R,    &resource_status,
    &resource_drain, &resource_undrain, &resource_grow, &resource_shrink,
};

const struct cmd cmd_resource = {
    .name = "resource",
    .args = "VERB",
    .help = "Nodes, cores and GPUs: list, info, R, status, drain, undrain, grow, shrink",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
