/* SPDX-License-Identifier: BSD-3-Clause */
/* resource status, and the list of resource drain. */
#include <string.h>
#include "src/cli/resource.h"
#include "src/cli/verbs.h"

static const struct formats_own status_formats[] = {
    {"default", "as Flux has it", "{state:>12} {up:>2} {nnodes:>6} {nodelist}"},
    {"long", "with reasons",
     "{state:>12} {up:>2} {nnodes:>6} +:{reason:<30.30} {nodelist}"},
};
const struct listing_kind resource_status_kind =
    LISTING_KIND(resource_fields, status_formats, "resource", "status",
                 "HBATCH_RESOURCE_STATUS_FORMAT_DEFAULT");

static const struct formats_own drain_formats[] = {
    {"default", "as Flux has it",
     "{timestamp!d:%b%d %R::<12} {state:<8.8} {reason:<30.30+} {nodelist}"},
    {"long", "with ranks, and whole reasons",
     "{timestamp!d:%b%d %R::<12} {state:<8.8} {ranks:<8.8+} +:{reason:<30.30} "
     "{nodelist}"},
};
const struct listing_kind resource_drain_kind =
    LISTING_KIND(resource_fields, drain_formats, "resource", "drain",
                 "HBATCH_RESOURCE_DRAIN_FORMAT_DEFAULT");

/* Of a node in some state; no node of an instance is ever in those after ALL, which Flux has. */
static const char *const states[] = {
    "avail",   "allocated", "draining", "drained", "drain",        "online",
    "offline", "all",       "exclude",  "torpid",  "housekeeping",
};
enum { AVAIL, ALLOCATED, DRAINING, DRAINED, LINES, ONLINE = 5, OFFLINE, ALL };

static const struct opt status_opts[] = {
    {RESOURCE_STATES, 's', "states", "STATES",
     "Only these: avail, draining, drained, drain (both), allocated, all; and of them "
     "only those that are online, or offline"},
    RESOURCE_CHOICE_OPTS,
    {RESOURCE_SKIP_EMPTY, 0, "skip-empty", NULL,
     "With -s, no line for a state that no node is in"},
    LISTING_OPTS("Fields: state statex status up nnodes nodelist ranks reason timestamp "
                 "properties; or a format's name: default, long; 'help' lists them",
                 "Print the nodes as JSON"),
};
static const struct opt_group status_groups[] = {OPTS(NULL, status_opts), OPTS_END};

static bool is_down(json_object *node)
{
    return strcmp(cli_get_string(node, "state", "up"), "down") == 0;
}

static bool is_in_state(json_object *node, size_t state)
{
    bool drained = cli_get(node, "drained") ||
                   strcmp(cli_get_string(node, "state", "up"), "drained") == 0;
    bool used = cli_get_count(node, "free_cores") < cli_get_count(node, "cores");
    switch (state) {
    case AVAIL:
        return !drained;
    case ALLOCATED:
        return used;
    case DRAINING:
        return drained && used;
    case DRAINED:
        return drained && !used;
    }
    return false;
}

struct wanted {
    bool lines[LINES]; /* states */
    bool online, offline, offline_asked;
};

static struct wanted parse_states(struct cli *cli, const char *text)
{
    struct wanted w = {{true, false, true, true}, true, true, false};
    if (!text)
        return w;
    resource_check_states(cli, text, states, ARRAY_SIZE(states));
    bool all = resource_has(text, states[ALL], ","),
         online = resource_has(text, states[ONLINE], ","),
         offline = resource_has(text, states[OFFLINE], ","), any = false;
    bool lines[LINES];
    for (size_t i = 0; i < LINES; i++) {
        lines[i] = all || resource_has(text, states[i], ",") ||
                   (i >= DRAINING && resource_has(text, "drain", ","));
        any |= lines[i];
    }
    for (size_t i = ALL + 1; i < ARRAY_SIZE(states); i++)
        any |= resource_has(text, states[i], ",");
    if (any)
        memcpy(w.lines, lines, sizeof(lines));
    w.online = online || !offline;
    w.offline = offline || !online;
    w.offline_asked = offline;
    return w;
}

/* A row for each node in STATE that is (not) online; EMPTY: one without a node, if there is none. */
static void collect(struct rows *rows, json_object *nodes, size_t state, bool offline,
                    bool empty)
{
    size_t before = rows->n;
    for (size_t k = 0; k < json_object_array_length(nodes); k++) {
        json_object *node = json_object_array_get_idx(nodes, k);
        if (is_in_state(node, state) && is_down(node) == offline)
            resource_add_node(resource_add_row(rows, states[state]), node,
                              cli_get_count(node, "cores"), cli_get_count(node, "gpus"),
                              (uint64_t)cli_get_number(node, "memory", 0));
    }
    if (rows->n == before && empty)
        resource_add_row(rows, states[state])->offline = offline;
}

/* What may not differ in one line. */
static bool counts(const char *field)
{
    static const char *const not [] = {"nodelist", "ranks", "nnodes",
                                       "ncores",   "ngpus", "memory"};
    for (size_t i = 0; i < ARRAY_SIZE(not ); i++)
        if (strcmp(not [i], field) == 0)
            return false;
    return true;
}

static void print(struct cli *cli, const struct resource_choice *c,
                  const struct listing_kind *kind, const struct wanted *w)
{
    struct rows rows = {0};
    struct format *f = listing_compile(cli, &c->listing, kind);
    cleanup_json json_object *result = resource_nodes(cli, c->queues, c->include);
    json_object *nodes = cli_list(cli, result, "nodes");
    bool keep = c->states && !c->skip_empty;
    if (resource_shows(f, "queue") || resource_shows(f, "propertiesx"))
        resource_ask_queues(cli, nodes, c->queues);
    for (size_t i = 0; i < LINES; i++) {
        if (w->lines[i] && w->online)
            collect(&rows, nodes, i, false, keep);
        if (w->lines[i] && w->offline)
            collect(&rows, nodes, i, true, keep && w->offline_asked && i <= ALLOCATED);
    }
    for (size_t i = 0; i < rows.n; i++)
        rows.v[i].ascii = !cli->utf8;
    resource_combine(&rows, f, counts);
    resource_print_rows(c, f, &rows);
}

static bool is_wanted(json_object *node, const struct wanted *w)
{
    for (size_t i = 0; i < LINES; i++)
        if (w->lines[i] && is_in_state(node, i))
            return is_down(node) ? w->offline : w->online;
    return false;
}

static void print_json(struct cli *cli, const struct resource_choice *c,
                       const struct wanted *w)
{
    cleanup_json json_object *result = resource_nodes(cli, c->queues, c->include);
    json_object *nodes = cli_list(cli, result, "nodes");
    for (size_t k = json_object_array_length(nodes); k-- > 0;)
        if (!is_wanted(json_object_array_get_idx(nodes, k), w))
            json_object_array_del_idx(nodes, k, 1);
    listing_print_json(result);
}

static int status_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct resource_choice c = {0};
    resource_parse(&c, cli, cmd, argc, argv);
    struct wanted w = parse_states(cli, c.states);
    if (listing_told(cli, &c.listing, &resource_status_kind))
        return 0;
    if (c.listing.json)
        print_json(cli, &c, &w);
    else
        print(cli, &c, &resource_status_kind, &w);
    return 0;
}

const struct cmd resource_status = {
    .name = "status",
    .args = "",
    .help = "Show which nodes are available, drained, offline",
    .groups = status_groups,
    .run = status_run,
};

void resource_list_drained(struct cli *cli, const struct listing *l, const char *queues,
                           const char *include)
{
    const struct resource_choice c = {
        .listing = *l, .queues = queues, .include = include};
    const struct wanted w = {
        .lines = {[DRAINING] = true, [DRAINED] = true}, .online = true, .offline = true};
    if (listing_told(cli, l, &resource_drain_kind))
        return;
    if (l->json)
        print_json(cli, &c, &w);
    else
        print(cli, &c, &resource_drain_kind, &w);
}
