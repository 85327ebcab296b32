/* SPDX-License-Identifier: BSD-3-Clause */
/* procfind: the instance that a process of this host belongs to. */
#ifndef HBATCH_CLI_PROCFIND_H
#define HBATCH_CLI_PROCFIND_H

#include <sys/types.h>
#include "src/common/error.h"

/* The path of the socket that process PID serves, if it is a rank (hbatch-instance) or an executor; else
 * the URI in its HBATCH_URI.  New; NULL with err set: there is no such process, it is another
 * user's, or in no instance. */
char *procfind_uri(pid_t pid, struct error *err);
/* The same of a rank here that lives in the Slurm job JOBID. */
char *procfind_slurm(const char *jobid, struct error *err);

#endif
