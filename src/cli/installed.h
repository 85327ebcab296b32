/* SPDX-License-Identifier: BSD-3-Clause */
/* installed: directories of what is installed beside the programs, and the environment in which other programs find it. */
#ifndef HBATCH_CLI_INSTALLED_H
#define HBATCH_CLI_INSTALLED_H

#include "src/cli/cli.h"

/* The directory NAME beside bin/ in the build tree if it has FILE, else INSTALLED if that has it.  The caller frees;
 * NULL: neither has it. */
char *installed_dir(const char *name, const char *file, const char *installed);
/* The path of hbatch-instance, new, or NULL. */
char *installed_instance(void);
/* DIR, and what the environment variable NAME has. */
void installed_prepend(const char *name, const char *dir);
/* PATH and PYTHONPATH with this hbatch and its package first. */
void installed_environment(struct cli *cli);
/* Become ARGV; what is returned is the exit code of a program that cannot be run: 127 or 126. */
int installed_exec(struct cli *cli, char *const *argv, const char *remedy);

#endif
