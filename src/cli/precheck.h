/* SPDX-License-Identifier: BSD-3-Clause */
/* precheck: what can be said of a job that is an instance before it is submitted: does hbatch-instance take its options
 * and its configuration, and are the directories there that it is to read and write? */
#ifndef HBATCH_CLI_PRECHECK_H
#define HBATCH_CLI_PRECHECK_H

#include "src/cli/specopts.h"

/* Dies with a sentence.  Files are looked for here: not at all if the instance that is asked is on another host, and what
 * is missing may still come if the job waits for another one, or for a time. */
void precheck_instance(struct cli *cli, const struct specopts *s);

#endif
