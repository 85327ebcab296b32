/* SPDX-License-Identifier: BSD-3-Clause */
/* resource: what the verbs under 'resource' have in common. */
#ifndef HBATCH_CLI_RESOURCE_H
#define HBATCH_CLI_RESOURCE_H

#include "src/cli/listing.h"
#include "src/cli/resource_rows.h"

extern const struct cmd resource_list, resource_status, resource_drain, resource_undrain,
    resource_eventlog;
extern const struct listing_kind resource_list_kind, resource_status_kind,
    resource_drain_kind;
/* Names of events of the log, ended by NULL. */
extern const char *const resource_events[];

enum {
    RESOURCE_VERBOSE = 900,
    RESOURCE_STATES,
    RESOURCE_QUEUE,
    RESOURCE_INCLUDE,
    RESOURCE_SKIP_EMPTY,
    RESOURCE_NO_SKIP_EMPTY
};

struct resource_choice { /* of options */
    struct listing listing;
    const char *states, *queues, *include;
    bool by_rank, skip_empty, no_skip_empty;
};

#define RESOURCE_CHOICE_OPTS                                                             \
    {RESOURCE_QUEUE, 'q', "queue", "NAME,...", "Only what these queues have"},           \
    {                                                                                    \
        RESOURCE_INCLUDE, 'i', "include", "RANKS|HOSTS", "Only these nodes"              \
    }

/* The command line of a verb that has these, those of listing.h, and no operands. */
void resource_parse(struct resource_choice *c, struct cli *cli, const struct cmd *cmd,
                    int argc, char **argv);
/* LIST of --states has only STATES; else that is the end. */
void resource_check_states(struct cli *cli, const char *list, const char *const *states,
                           size_t n);
/* resource.list's result, a new one, with the nodes of these queues ("A,B") and of these ranks or hosts; NULL: of
 * all. */
json_object *resource_nodes(struct cli *cli, const char *queues, const char *include);
struct resource_targets {
    hwloc_bitmap_t ranks;
    struct hostlist *hosts; /* if RANKS is NULL */
};
/* Of --include; what is neither is the end. */
struct resource_targets resource_targets(const struct cli *cli, const char *text);
void resource_targets_fini(struct resource_targets *t);
/* NODES know their queues (resource_name_queues). */
void resource_ask_queues(struct cli *cli, json_object *nodes, const char *only);
/* A line for each; F is destroyed, and so are the rows. */
void resource_print_rows(const struct resource_choice *c, struct format *f,
                         struct rows *rows);
void resource_list_drained(struct cli *cli, const struct listing *l, const char *queues,
                           const char *include);

#endif
