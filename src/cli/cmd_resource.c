/* SPDX-License-Identifier: BSD-3-Clause */
/* resource list, info, R. */
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

static void choose(struct resource_choice *c, const struct opt *o, const char *value)
{
    if (listing_take(&c->listing, o, value))
        return;
    switch (o->id) {
    case RESOURCE_VERBOSE:
        c->by_rank = true;
        break;
    case RESOURCE_STATES:
        c->states = value;
        break;
    case RESOURCE_QUEUE:
        c->queues = value;
        break;
    case RESOURCE_INCLUDE:
        c->include = value;
        break;
    case RESOURCE_SKIP_EMPTY:
        c->skip_empty = true;
        break;
    case RESOURCE_NO_SKIP_EMPTY:
        c->no_skip_empty = true;
        break;
    }
}

void resource_parse(struct resource_choice *c, struct cli *cli, const struct cmd *cmd,
                    int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        choose(c, o, p.value);
    cli_operand(cli, &p, "", true);
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

struct resource_targets resource_targets(const struct cli *cli, const char *text)
{
    struct error err;
    struct resource_targets t = {.ranks = *text ? idset_decode(text, NULL) : NULL};
    t.hosts = t.ranks || !*text ? NULL : hostlist_decode(text, &err);
    if (!t.ranks && !t.hosts)
        cli_die(cli,
                "--include=%s: must be ranks, as 0-3,7, or a list of hosts, as node[1-4]",
                text);
    return t;
}

void resource_targets_fini(struct resource_targets *t)
{
    hwloc_bitmap_free(t->ranks);
    hostlist_destroy(t->hosts);
}

/* ... only those; it is no error if they are not there. */
static void filter_targets(struct cli *cli, json_object *result, const char *text)
{
    struct resource_targets t = resource_targets(cli, text);
    json_object *nodes = cli_list(cli, result, "nodes");
    for (size_t i = json_object_array_length(nodes); i-- > 0;) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned rank = (unsigned)cli_get_number(node, "rank", 0);
        if (t.ranks ? !hwloc_bitmap_isset(t.ranks, rank)
                    : hostlist_find(t.hosts, cli_get_string(node, "host", "")) < 0)
            json_object_array_del_idx(nodes, i, 1);
    }
    resource_targets_fini(&t);
}

json_object *resource_nodes(struct cli *cli, const char *queues, const char *include)
{
    json_object *result = cli_call(cli, "resource.list", NULL);
    if (queues)
        filter_queues(cli, result, queues);
    if (include)
        filter_targets(cli, result, include);
    return result;
}

void resource_ask_queues(struct cli *cli, json_object *nodes, const char *only)
{
    cleanup_json json_object *answer = cli_call(cli, "queue.list", NULL);
    resource_name_queues(nodes, cli_list(cli, answer, "queues"), only);
}

void resource_check_states(struct cli *cli, const char *list, const char *const *states,
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

/* --- list -------------------------------------------------------------------------------- */

static const struct formats_own list_formats[] = {
    {"default", "as Flux has it",
     "{state:>10} ?+:{queue:<5} ?:{propertiesx:<10.10+} {nnodes:>6} +:{ncores:>6} "
     "?+:{ngpus:>5} {nodelist}"},
    {"long", "with memory and all properties",
     "{state:>10} ?+:{queue:<5} ?+:{properties:<5} {nnodes:>6} {ncores:>6} {ngpus:>6} "
     "{memory:>8} {nodelist}"},
    {"ranks", "with the ranks of the nodes",
     "{state:>10} {ranks:>6} {ncores:>6} {ngpus:>6} {nodelist}"},
};
const struct listing_kind resource_list_kind =
    LISTING_KIND(resource_fields, list_formats, "resource", "list",
                 "HBATCH_RESOURCE_LIST_FORMAT_DEFAULT");

static const char *const list_states[] = {"free", "allocated", "drained",
                                          "down", "up",        "all"};

static const struct opt list_opts[] = {
    {RESOURCE_VERBOSE, 'v', "verbose", NULL, "One line for each rank"},
    {RESOURCE_STATES, 's', "states", "STATES",
     "Only these: free, allocated, drained, down, up, all"},
    RESOURCE_CHOICE_OPTS,
    {RESOURCE_SKIP_EMPTY, 0, "skip-empty", NULL,
     "No line for a state that no node is in (the default with -i)"},
    {RESOURCE_NO_SKIP_EMPTY, 0, "no-skip-empty", NULL, "With -i, these lines as well"},
    LISTING_OPTS("Fields in Python's format syntax, or a format's name: default, long, "
                 "ranks; 'help' lists them",
                 "Print the nodes as JSON"),
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

/* Return the number of nodes. */
static size_t collect(struct rows *rows, json_object *nodes, const char *state)
{
    size_t n = json_object_array_length(nodes), before = rows->n;
    for (size_t i = 0; i < n; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned ncores, ngpus;
        uint64_t memory;
        if (share(node, state, &ncores, &ngpus, &memory))
            resource_add_node(resource_add_row(rows, state), node, ncores, ngpus, memory);
    }
    return rows->n - before;
}

/* What may not differ in one line. */
static bool counts(const char *field)
{
    static const char *const fields[] = {"state", "properties", "propertiesx", "queue"};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(fields[i], field) == 0)
            return true;
    return false;
}

static bool nothing_counts(const char *field)
{
    (void)field;
    return false;
}

static void count_field(const struct format_field *field, void *arg)
{
    size_t *n = arg;
    (void)field;
    ++*n;
}

void resource_print_rows(const struct resource_choice *c, struct format *f,
                         struct rows *rows)
{
    const void **items = xcalloc(rows->n + 1, sizeof(*items));
    for (size_t i = 0; i < rows->n; i++)
        items[i] = &rows->v[i];
    listing_print_as(&c->listing, f, items, rows->n);
    free(items);
    resource_rows_fini(rows);
}

/* The number of lines. */
static size_t print_list(struct cli *cli, struct resource_choice *c)
{
    struct rows rows = {0};
    if (!c->listing.format && c->by_rank)
        c->listing.format = "ranks";
    struct format *f = listing_compile(cli, &c->listing, &resource_list_kind);
    cleanup_json json_object *result = resource_nodes(cli, c->queues, c->include);
    json_object *nodes = cli_list(cli, result, "nodes");
    bool skip = c->skip_empty || (c->include && !c->no_skip_empty);
    if (resource_shows(f, "queue") || resource_shows(f, "propertiesx"))
        resource_ask_queues(cli, nodes, c->queues);
    for (size_t i = 0; i < ARRAY_SIZE(list_states); i++) {
        const char *state = list_states[i];
        bool extra = strcmp(state, "all") == 0 || strcmp(state, "up") == 0;
        if (c->states ? !resource_has(c->states, state, ",") : extra)
            continue;
        /* drained nodes have a line only when there are any */
        if (collect(&rows, nodes, state) == 0 && !c->by_rank && !skip &&
            (c->states || strcmp(state, "drained") != 0))
            resource_add_row(&rows, state);
    }
    size_t nfields = 0;
    format_each_field(f, count_field, &nfields);
    bool alone = nfields == 1 && !resource_shows(f, "state");
    for (size_t i = 0; i < rows.n; i++) /* how a node is, is the state */
        rows.v[i].offline = false;
    if (!c->by_rank)
        resource_combine(&rows, f, alone ? nothing_counts : counts);
    size_t n = rows.n;
    resource_print_rows(c, f, &rows);
    return n;
}

static int list_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct resource_choice c = {0};
    resource_parse(&c, cli, cmd, argc, argv);
    if (c.states)
        resource_check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    if (listing_told(cli, &c.listing, &resource_list_kind))
        return 0;
    if (!c.listing.json) {
        print_list(cli, &c);
        return 0;
    }
    cleanup_json json_object *result = resource_nodes(cli, c.queues, c.include);
    listing_print_json(result);
    return 0;
}

const struct cmd resource_list = {
    .name = "list",
    .args = "",
    .help = "List resources by state: free, allocated, drained, down",
    .groups = list_groups,
    .run = list_run,
};

/* --- info, R ----------------------------------------------------------------------------- */

static const struct opt info_opts[] = {
    {RESOURCE_STATES, 's', "states", "STATES",
     "Only what is in these states: free, allocated, drained, down, up, all (default)"},
    RESOURCE_CHOICE_OPTS,
};
static const struct opt_group info_groups[] = {OPTS(NULL, info_opts), OPTS_END};

static int info_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct resource_choice c = {.states = "all", .listing.no_header = true};
    c.listing.format = "{nnodes} Nodes, {ncores} Cores, {ngpus} GPUs";
    resource_parse(&c, cli, cmd, argc, argv);
    resource_check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    if (print_list(cli, &c) == 0 &&
        c.include) /* no error, as for Flux, which says nothing */
        cli_error(cli, "--include=%s: none of these nodes is there%s%s", c.include,
                  strcmp(c.states, "all") != 0 ? " in these states: " : "",
                  strcmp(c.states, "all") != 0 ? c.states : "");
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
    struct resource_choice c = {.states = "all"};
    resource_parse(&c, cli, cmd, argc, argv);
    resource_check_states(cli, c.states, list_states, ARRAY_SIZE(list_states));
    cleanup_json json_object *result = resource_nodes(cli, c.queues, c.include);
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

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {
    &resource_list,     &resource_info,  &resource_R,
    &resource_status,   &resource_drain, &resource_undrain,
    &resource_eventlog, &resource_grow,  &resource_shrink,
};

const struct cmd cmd_resource = {
    .name = "resource",
    .args = "VERB",
    .help = "Nodes, cores and GPUs: list, info, R, status, drain, undrain, eventlog, "
            "grow, shrink",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
