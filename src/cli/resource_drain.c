/* SPDX-License-Identifier: BSD-3-Clause */
/* resource drain, undrain. */
#include <string.h>
#include "src/cli/resize.h"
#include "src/cli/resource.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"

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

enum { FORCE, UPDATE, QUEUE, INCLUDE };

#define OVER_OPTS(FORCE_HELP, UPDATE_HELP)                                               \
    {FORCE, 'f', "force", NULL, FORCE_HELP},                                             \
    {                                                                                    \
        UPDATE, 'u', "update", NULL, UPDATE_HELP                                         \
    }

static const struct opt drain_opts[] = {
    OVER_OPTS("Also nodes that are drained already, with the new reason; given twice, "
              "from now on",
              "Leave nodes that are drained already as they are"),
    {QUEUE, 'q', "queue", "NAME,...", "List those of these queues"},
    {INCLUDE, 'i', "include", "RANKS|HOSTS", "List those of these nodes"},
    LISTING_OPTS(
        "List with these fields: timestamp state nnodes nodelist ranks reason ...; "
        "or a format's name: default, long; 'help' lists them",
        "List as JSON"),
};
static const struct opt_group drain_groups[] = {OPTS(NULL, drain_opts), OPTS_END};

static const struct opt undrain_opts[] = {
    OVER_OPTS("It is no error that a node is not drained", "The same"),
};
static const struct opt_group undrain_groups[] = {OPTS(NULL, undrain_opts), OPTS_END};

struct change {
    struct cli *cli;
    bool drain, update;
    int force; /* how often it was said */
};

/* RANKS without those that are as they are to be, which is an error unless an option says otherwise. New. */
static char *choose(const struct change *c, const char *ranks)
{
    cleanup_json json_object *result = cli_call(c->cli, "resource.list", NULL);
    json_object *nodes = cli_list(c->cli, result, "nodes");
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(ranks, NULL);
    bool lenient = c->force || c->update;
    for (size_t i = 0; set && i < json_object_array_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned rank = (unsigned)cli_get_number(node, "rank", 0);
        const char *state = cli_get_string(node, "state", "up");
        bool drained = strcmp(state, "drained") == 0;
        /* of one that is down it is not known here */
        if (!hwloc_bitmap_isset(set, rank) || strcmp(state, "down") == 0 ||
            drained != c->drain)
            continue;
        if (!lenient && drained)
            cli_die(
                c->cli,
                "rank %u (%s) is drained already: %s; give a new reason with --force, "
                "or pass over such nodes with --update",
                rank, cli_get_string(node, "host", "?"),
                cli_get_string(node, "reason", "without a reason"));
        if (!lenient)
            cli_die(c->cli,
                    "rank %u (%s) is not drained; --update passes over such nodes", rank,
                    cli_get_string(node, "host", "?"));
        if (c->update || !c->drain)
            hwloc_bitmap_clr(set, rank);
    }
    return set ? idset_encode(set, 0) : xstrdup(ranks);
}

static int change(const struct change *c, char *const *args, int n)
{
    cleanup_free char *given = resize_ranks(c->cli, args[0]), *ranks = choose(c, given);
    if (!*ranks)
        return 0;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "ranks", json_object_new_string(ranks));
    if (c->drain && c->force > 1)
        json_object_object_add(params, "anew", json_object_new_boolean(true));
    if (n > 1) {
        cleanup_free char *reason = cli_join(args + 1, n - 1);
        json_object_object_add(params, "reason", json_object_new_string(reason));
    }
    json_object_put(
        cli_call(c->cli, c->drain ? "resource.drain" : "resource.undrain", params));
    return 0;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct change c = {.cli = cli, .drain = cmd == &resource_drain};
    struct listing l = {0};
    struct optparse p;
    const char *queues = NULL, *include = NULL;
    bool lists = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == FORCE)
            c.force++;
        else if (o->id == UPDATE)
            c.update = true;
        else
            lists = true;
        if (o->id == QUEUE)
            queues = p.value;
        else if (o->id == INCLUDE)
            include = p.value;
        else
            listing_take(&l, o, p.value);
    }
    if (c.force && c.update)
        cli_die(cli, "--force and --update cannot be used together");
    if (p.nargs && lists)
        cli_die(cli, "options for the list of drained nodes go without '%s'", p.args[0]);
    if (p.nargs)
        return change(&c, p.args, p.nargs);
    if (!c.drain)
        cli_die(cli, "RANKS|HOSTS is missing; see hbatch %s --help", cli->verb);
    resource_list_drained(cli, &l, queues, include);
    return 0;
}

const struct cmd resource_drain = {
    .name = "drain",
    .args = "[RANKS|HOSTS [REASON...]]",
    .help = "Start no more jobs on nodes; without nodes, list those that are drained",
    .groups = drain_groups,
    .run = run,
};

const struct cmd resource_undrain = {
    .name = "undrain",
    .args = "RANKS|HOSTS [REASON...]",
    .help = "Start jobs on drained nodes again",
    .groups = undrain_groups,
    .run = run,
};
