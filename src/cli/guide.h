/* SPDX-License-Identifier: BSD-3-Clause */
/* guide: what hbatch help shows besides options: the guides of doc/, and pages of the manual that are no verb's. */
#ifndef HBATCH_CLI_GUIDE_H
#define HBATCH_CLI_GUIDE_H

#include <stdbool.h>
#include "src/cli/cli.h"

/* Show the guide or the page about TOPIC, by a pager if the output is a terminal, in place of this process.  Return
 * only if there is none. */
void guide_show(struct cli *cli, const char *topic);
/* Print the guides' names and what each is for, or nothing if they are not here. */
void guide_list(void);

#endif
