/* SPDX-License-Identifier: BSD-3-Clause */
/* resource: what the verbs under 'resource' have in common. */
#ifndef HBATCH_CLI_RESOURCE_H
#define HBATCH_CLI_RESOURCE_H

#include "src/cli/listing.h"

extern const struct cmd resource_drain, resource_undrain;

/* hbatch resource drain without nodes: those that are drained, of these queues ("A,B") and these ranks or hosts; NULL:
 * of all. */
void resource_list_drained(struct cli *cli, const struct listing *l, const char *queues,
                           const char *include);

#endif
