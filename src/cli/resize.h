/* SPDX-License-Identifier: BSD-3-Clause */
/* resize: resource grow and shrink: more or fewer nodes for an instance that runs as a job. */
#ifndef HBATCH_CLI_RESIZE_H
#define HBATCH_CLI_RESIZE_H

#include "src/cli/cli.h"

extern const struct cmd resource_grow, resource_shrink;

/* The ranks of TEXT, "0-3" or names of hosts, as a new idset (cmd_resource.c). */
char *resize_ranks(struct cli *cli, const char *text);

#endif
