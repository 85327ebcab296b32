/* SPDX-License-Identifier: BSD-3-Clause */
/* sshrun: a command on the host of an instance, inside of it, by ssh. */
#ifndef HBATCH_CLI_SSHRUN_H
#define HBATCH_CLI_SSHRUN_H

#include "src/cli/cli.h"
#include "src/cli/place.h"

/* Become ssh, which runs the ARGC words ARGV (none: a shell) by hbatch proxy on the host of AT, in this directory if it
 * is there too.  Returns an exit code when that failed, and was told. */
int sshrun(struct cli *cli, const struct place *at, int argc, char **argv);

#endif
