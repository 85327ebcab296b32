/* SPDX-License-Identifier: BSD-3-Clause */
/* resource: what the verbs under 'resource' have in common. */
#ifndef HBATCH_CLI_RESOURCE_H
#define HBATCH_CLI_RESOURCE_H

#include "src/cli/listing.h"

extern const struct cmd resource_drain, resource_undrain;

/* resource.list's result, a new one, with the nodes of these queues ("A,B") and of these ranks or hosts; NULL: of
 * all. */
json_object *resource_nodes(struct cli *cli, const char *queues, const char *include);
void resource_list_drained(struct cli *cli, const struct listing *l, const char *queues,
                           const char *include);

#endif
