/* SPDX-License-Identifier: BSD-3-Clause */
/* jobformats: formats of jobs that have names: hbatch's own, and those of the files hbatch/jobs.json in
 * $XDG_CONFIG_HOME and $XDG_CONFIG_DIRS, which are read only when one of them is asked for. */
#ifndef HBATCH_CLI_JOBFORMATS_H
#define HBATCH_CLI_JOBFORMATS_H

#include "src/cli/cli.h"

/* What is shown if nothing is asked for: $HBATCH_JOBS_FORMAT_DEFAULT, or "default". */
const char *jobformats_default(void);
/* The format NAME, or NAME itself if it has a field; a new string. An unknown one is the end. */
char *jobformats_find(const struct cli *cli, const char *name);
/* One line each. */
void jobformats_print(const struct cli *cli);
/* F with ARG for the name of each. */
void jobformats_each(const struct cli *cli, void (*f)(const void *arg, const char *name),
                     const void *arg);
/* The format NAME as a file hbatch/jobs.json. */
void jobformats_print_config(const struct cli *cli, const char *name);

#endif
