/* SPDX-License-Identifier: BSD-3-Clause */
/* rundir: an executor to which no rank came back takes its files with it, and is the one that
 * removes the instance's run directory when it is the last there. */
#ifndef HBATCH_EXEC_RUNDIR_H
#define HBATCH_EXEC_RUNDIR_H

#include <stdbool.h>

/* Remove the socket and the spool of RANK's executor, which no longer listens, from RUNDIR; with ALL
 * the whole directory if nobody listens at any other socket in it.  Where somebody
 * listens at SOCKET all the same, another executor has come, and nothing is removed. */
void rundir_leave(const char *rundir, unsigned rank, const char *socket, bool all);

#endif
