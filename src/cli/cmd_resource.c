/* SPDX-License-Identifier: BSD-3-Clause */
/* resource list, status, drain, undrain. */
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/resize.h"
#include "src/cli/verbs.h"
#include "src/common/bytes.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/strbuf.h"

/* --- what nodes have in one state -------------------------------------------------------- */

struct row {
    const char *state;
    hwloc_bitmap_t ranks;
    struct hostlist *hosts;
    unsigned ncores, ngpus;
    uint64_t memory;
    const char *cores, *gpus; /* of one node */
    struct strbuf reasons;    /* of any of the nodes, with semicolons */
    struct strbuf properties; /* the same, with commas */
};

struct rows {
    struct row *v;
    size_t n;
};

static struct row *add_row(struct rows *rows, const char *state)
{
    rows->v = xrealloc(rows->v, (rows->n + 1) * sizeof(*rows->v));
    struct row *r = &rows->v[rows->n++];
    *r = (struct row){
        .state = state, .ranks = hwloc_bitmap_alloc(), .hosts = hostlist_create()};
    return r;
}

static void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        hwloc_bitmap_free(rows->v[i].ranks);
        hostlist_destroy(rows->v[i].hosts);
        strbuf_cleanup(&rows->v[i].reasons);
        strbuf_cleanup(&rows->v[i].properties);
    }
    free(rows->v);
}

/* In a LIST with SEPARATORs. */
static bool has_part(const char *list, const char *part, const char *separator)
{
    size_t n = strlen(part), m = strlen(separator);
    for (const char *at = list; (at = strstr(at, part)); at++) {
        bool begins = at == list ||
                      ((size_t)(at - list) >= m && strncmp(at - m, separator, m) == 0);
        if (begins && (!at[n] || strncmp(at + n, separator, m) == 0))
            return true;
    }
    return false;
}

static void add_part(struct strbuf *list, const char *part, const char *separator)
{
    if (!part || !*part || (list->len && has_part(list->s, part, separator)))
        return;
    if (list->len)
        strbuf_add(list, separator);
    strbuf_add(list, part);
}

static void add_properties(struct row *r, json_object *node)
{
    json_object *names = NULL;
    if (!json_object_object_get_ex(node, "properties", &names) ||
        !json_object_is_type(names, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        add_part(&r->properties, name, ",");
    }
}

static void add_node(struct row *r, json_object *node, unsigned ncores, unsigned ngpus,
                     uint64_t memory)
{
    r->memory += memory;
    hwloc_bitmap_set(r->ranks, (unsigned)cli_get_number(node, "rank", 0));
    hostlist_append_name(r->hosts, cli_get_string(node, "host", "?"));
    r->ncores += ncores;
    r->ngpus += ngpus;
    add_part(&r->reasons, cli_get_string(node, "reason", NULL), "; ");
    add_properties(r, node);
}

/* --- fields ------------------------------------------------------------------------------ */

enum { STATE, NNODES, NCORES, NGPUS, MEMORY, NODELIST, RANKS, REASON, UP, PROPERTIES };

static void get_field(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct row *r = item;
    static char text[64 << 10]; /* one value at a time */
    cleanup_free char *s = NULL;
    v->type = FORMAT_INT;
    switch ((int)(intptr_t)f->arg) {
    case NNODES:
        v->i = hwloc_bitmap_weight(r->ranks);
        return;
    case NCORES:
        v->i = r->ncores;
        return;
    case NGPUS:
        v->i = r->ngpus;
        return;
    case MEMORY:
        s = xstrdup(bytes_encode(r->memory).s);
        break;
    case STATE:
        s = xstrdup(r->state);
        break;
    case NODELIST:
        s = hostlist_encode(r->hosts);
        break;
    case RANKS:
        s = idset_encode(r->ranks, 0);
        break;
    case REASON:
        s = xstrdup(r->reasons.len ? r->reasons.s : "");
        break;
    case PROPERTIES:
        s = xstrdup(r->properties.len ? r->properties.s : "");
        break;
    default:
        s = xstrdup(strcmp(r->state, "avail") == 0 ? "+" : "-");
        break;
    }
    snprintf(text, sizeof(text), "%s", s);
    v->type = FORMAT_TEXT;
    v->text = text;
}

#define FIELD(NAME, HEADING, ID)                                                         \
    {                                                                                    \
        NAME, HEADING, get_field, (const void *)(intptr_t)(ID)                           \
    }
static const struct format_field fields[] = {
    FIELD("state", "STATE", STATE),
    FIELD("nnodes", "NNODES", NNODES),
    FIELD("ncores", "NCORES", NCORES),
    FIELD("ngpus", "NGPUS", NGPUS),
    FIELD("memory", "MEMORY", MEMORY),
    FIELD("nodelist", "NODELIST", NODELIST),
    FIELD("ranks", "RANKS", RANKS),
    FIELD("reason", "REASON", REASON),
    FIELD("up", "UP", UP),
    FIELD("properties", "PROPERTIES", PROPERTIES),
};

static void print_rows(struct cli *cli, const struct rows *rows, const char *text,
                       bool no_header)
{
    struct error err;
    struct format *f = format_create(text, fields, ARRAY_SIZE(fields), &err);
    if (!f)
        cli_die(cli, "%s", err.text);
    const void **items = xcalloc(rows->n + 1, sizeof(*items));
    for (size_t i = 0; i < rows->n; i++)
        items[i] = &rows->v[i];
    format_prepare(f, items, rows->n);
    if (!no_header) {
        cleanup_free char *line = format_header(f);
        puts(line);
    }
    for (size_t i = 0; i < rows->n; i++) {
        cleanup_free char *line = format_line(f, items[i]);
        puts(line);
    }
    free(items);
    format_destroy(f);
}

/* --- list -------------------------------------------------------------------------------- */

enum { VERBOSE, STATES, FORMAT, NO_HEADER, JSON, QUEUE };

static const struct opt list_opts[] = {
    {VERBOSE, 'v', "verbose", NULL, "One line for each rank"},
    {STATES, 's', "states", "STATES", "Only these: free, allocated, drained, down, all"},
    {FORMAT, 'o', "format", "FORMAT",
     "Fields in Python's format syntax: state nnodes ncores ngpus memory nodelist ranks "
     "reason properties"},
    {QUEUE, 'q', "queue", "NAME,...", "What these queues have"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
    {JSON, 0, "json", NULL, "Print the nodes as JSON"},
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

static const char *const list_states[] = {"free", "allocated", "drained", "down", "all"};

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

static void collect(struct rows *rows, json_object *nodes, const char *state,
                    bool by_rank)
{
    size_t n = json_object_array_length(nodes);
    struct row *r = by_rank ? NULL : add_row(rows, state);
    for (size_t i = 0; i < n; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned ncores, ngpus;
        uint64_t memory;
        if (!share(node, state, &ncores, &ngpus, &memory))
            continue;
        if (by_rank)
            r = add_row(rows, state);
        add_node(r, node, ncores, ngpus, memory);
    }
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

static void check_states(struct cli *cli, const char *list)
{
    cleanup_free char *copy = xstrdup(list);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        size_t i = 0;
        while (i < ARRAY_SIZE(list_states) && strcmp(list_states[i], w) != 0)
            i++;
        if (i == ARRAY_SIZE(list_states))
            cli_die(cli, "--states: '%s' must be free, allocated, drained, down or all",
                    w);
    }
}

/* Drained nodes have a line only when there are any. */
static void drop_empty(struct rows *rows, const char *state)
{
    struct row *r = rows->n ? &rows->v[rows->n - 1] : NULL;
    if (!r || strcmp(r->state, state) != 0 || !hwloc_bitmap_iszero(r->ranks))
        return;
    hwloc_bitmap_free(r->ranks);
    hostlist_destroy(r->hosts);
    strbuf_cleanup(&r->properties);
    rows->n--;
}

static int list_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct rows rows = {0};
    struct optparse p;
    bool by_rank = false, no_header = false, json = false;
    const char *states = NULL, *format = NULL, *queues = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case VERBOSE:
            by_rank = true;
            break;
        case STATES:
            states = p.value;
            check_states(cli, states);
            break;
        case FORMAT:
            format = p.value;
            break;
        case NO_HEADER:
            no_header = true;
            break;
        case QUEUE:
            queues = p.value;
            break;
        case JSON:
            json = true;
            break;
        }
    }
    cli_operand(cli, &p, "", true);
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    if (queues)
        filter_queues(cli, result, queues);
    if (json) {
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(list_states); i++) {
        const char *state = list_states[i];
        if (states ? !has_part(states, state, ",") : strcmp(state, "all") == 0)
            continue;
        collect(&rows, cli_list(cli, result, "nodes"), state, by_rank);
        if (!states && strcmp(state, "drained") == 0)
            drop_empty(&rows, state);
    }
    if (!format)
        format = by_rank ? "{state:>10} {ranks:>6} {ncores:>6} {ngpus:>6} {nodelist}"
                         : "{state:>10} {nnodes:>6} {ncores:>6} {ngpus:>6} {nodelist}";
    print_rows(cli, &rows, format, no_header);
    rows_fini(&rows);
    return 0;
}

static const struct cmd resource_list = {
    .name = "list",
    .args = "",
    .help = "List resources by state: free, allocated, drained, down",
    .groups = list_groups,
    .run = list_run,
};

/* --- status ------------------------------------------------------------------------------ */

static const struct opt status_opts[] = {
    {FORMAT, 'o', "format", "FORMAT",
     "Fields: state up nnodes nodelist ranks reason properties"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
};
static const struct opt_group status_groups[] = {OPTS(NULL, status_opts), OPTS_END};

static int status_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct {
        const char *state, *shown;
    } states[] = {{"up", "avail"}, {"drained", "drained"}, {"down", "offline"}};
    const char *format = "{state:>12} {up:>2} {nnodes:>6} {nodelist}";
    struct rows rows = {0};
    struct optparse p;
    bool no_header = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == FORMAT)
            format = p.value;
        else
            no_header = true;
    }
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        struct row *r = add_row(&rows, states[i].shown);
        for (size_t k = 0; k < json_object_array_length(nodes); k++) {
            json_object *node = json_object_array_get_idx(nodes, k);
            if (strcmp(cli_get_string(node, "state", "up"), states[i].state) == 0)
                add_node(r, node, cli_get_count(node, "cores"),
                         cli_get_count(node, "gpus"),
                         (uint64_t)cli_get_number(node, "memory", 0));
        }
        if (i > 0)
            drop_empty(&rows, states[i].shown);
    }
    print_rows(cli, &rows, format, no_header);
    rows_fini(&rows);
    return 0;
}

static const struct cmd resource_status = {
    .name = "status",
    .args = "",
    .help = "Show which nodes are available, drained, offline",
    .groups = status_groups,
    .run = status_run,
};

/* --- drain, undrain ---------------------------------------------------------------------- */

char *resize_ranks(struct cli *cli, const char *text)
{
    struct error err;
    if (!text[strspn(text, "0123456789,-[]")])
        return xstrdup(text);
    struct hostlist *hl = hostlist_decode(text, &err);
    if (!hl)
        cli_die(cli, "'%s' is neither a set of ranks nor a list of hosts: %s", text,
                err.text);
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    cleanup_bitmap hwloc_bitmap_t ranks = hwloc_bitmap_alloc();
    for (size_t i = 0; i < hostlist_count(hl); i++) {
        bool any = false;
        for (size_t k = 0; k < json_object_array_length(nodes); k++) {
            json_object *node = json_object_array_get_idx(nodes, k);
            if (strcmp(cli_get_string(node, "host", ""), hostlist_nth(hl, i)) != 0)
                continue;
            hwloc_bitmap_set(ranks, (unsigned)cli_get_number(node, "rank", 0));
            any = true;
        }
        if (!any)
            cli_die(cli, "no node of this instance is named '%s'", hostlist_nth(hl, i));
    }
    hostlist_destroy(hl);
    return idset_encode(ranks, 0);
}

static void list_drained(struct cli *cli)
{
    struct rows rows = {0};
    cleanup_json json_object *result = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, result, "nodes");
    for (size_t k = 0; k < json_object_array_length(nodes); k++) {
        json_object *node = json_object_array_get_idx(nodes, k);
        if (strcmp(cli_get_string(node, "state", "up"), "drained") == 0)
            add_node(add_row(&rows, "drained"), node, 0, 0, 0);
    }
    print_rows(cli, &rows, "{state:<8.8} {ranks:<8.8+} {reason:<30.30+} {nodelist}",
               false);
    rows_fini(&rows);
}

static int drain_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    if (p.nargs == 0) {
        list_drained(cli);
        return 0;
    }
    cleanup_free char *ranks = resize_ranks(cli, p.args[0]);
    json_object *params = json_object_new_object();
    json_object_object_add(params, "ranks", json_object_new_string(ranks));
    if (p.nargs > 1) {
        cleanup_free char *reason = cli_join(p.args + 1, p.nargs - 1);
        json_object_object_add(params, "reason", json_object_new_string(reason));
    }
    json_object_put(cli_call(cli, "resource.drain", params));
    return 0;
}

static const struct cmd resource_drain = {
    .name = "drain",
    .args = "[RANKS|HOSTS [REASON...]]",
    .help = "Start no more jobs on nodes; without nodes, list those that are drained",
    .run = drain_run,
};

static int undrain_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    cleanup_free char *ranks =
        resize_ranks(cli, cli_operand(cli, &p, "RANKS|HOSTS", false));
    json_object *params = json_object_new_object();
    json_object_object_add(params, "ranks", json_object_new_string(ranks));
    json_object_put(cli_call(cli, "resource.undrain", params));
    return 0;
}

static const struct cmd resource_undrain = {
    .name = "undrain",
    .args = "RANKS|HOSTS",
    .help = "Start jobs on drained nodes again",
    .run = undrain_run,
};

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {&resource_list,  &resource_status,
                                          &resource_drain, &resource_undrain,
                                          &resource_grow,  &resource_shrink};

const struct cmd cmd_resource = {
    .name = "resource",
    .args = "VERB",
    .help = "Nodes, cores and GPUs: list, status, drain, undrain, grow, shrink",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
