/* SPDX-License-Identifier: BSD-3-Clause */
/* orphans: processes whose parents died.  A rank, an executor and hbatch start adopt
 * those below them, so that nothing is left behind: not the tasks of an executor that was killed, nor what an initial program
 * that was told to end leaves running, nor what a dead mpirun had started. */
#ifndef HBATCH_COMMON_ORPHANS_H
#define HBATCH_COMMON_ORPHANS_H

#include <stdbool.h>
#include <sys/types.h>

/* From now on orphans below this process become its children. */
void orphans_adopt(void);
/* Call it after SIGCHLD: collect the adopted that ended, and end the processes of jobs of
 * INSTANCE among them: their executor, which would have adopted them, is dead.  EXECUTOR and
 * PROGRAM (0: none) are this process's own children. */
void orphans_reap(const char *instance, pid_t executor, pid_t program);
/* Whether PID is of INSTANCE: of a task, variable NAME is [OUTER/]INSTANCE.NUMBER, and deeper instances add theirs
 * behind it, so HBATCH_JOB_PATH tells of its jobs, HBATCH_NODE_PATH of its ranks. */
bool orphans_is_of(pid_t pid, const char *name, const char *instance);
/* Send SIGNUM to process PID and all below it. */
void orphans_signal(pid_t pid, int signum);
/* Kill PID and those below it that are in this process's session; what one of them has put into a
 * session of its own, as executors are, is left, and so are programs of the name SPARE (NULL: none)
 * and what is below them. */
void orphans_kill_session(pid_t pid, const char *spare);
/* The same for each child that has ENTRY ("NAME=VALUE") in its environment and is in this
 * session; wait at most SECONDS until they are gone. */
void orphans_kill_marked(const char *entry, const char *spare, double seconds);
/* Kill all below this process; wait at most SECONDS until they are gone: whether they are. */
bool orphans_kill(double seconds);

#endif
