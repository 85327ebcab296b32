/* SPDX-License-Identifier: BSD-3-Clause */
/* ranks: one run of mpirun beside the initial program: in a process group of its own, so that a
 * terminal's signals do not reach it, and with its stderr read here (noise.h).
 *
 * Nothing blocks: its owner polls ranks_fd, calls ranks_step when that is readable or ranks_wait is
 * over, and ranks_reaped with what wait(2) tells. */
#ifndef HBATCH_CLI_RANKS_H
#define HBATCH_CLI_RANKS_H

#include <sys/types.h>
#include "src/cli/noise.h"

struct ranks;

/* What the instance says (enum noise_word) comes to SAID.  MARK ("NAME=VALUE") is put into the
 * environment of mpirun and of what it starts: the strays it may leave are known by that
 * (orphans_kill_marked).  SPARE (or NULL) names programs that are not killed with it.  NULL with
 * err set: it cannot be run. */
struct ranks *ranks_start(char *const *argv, const char *mark, const char *spare,
                          void (*said)(void *arg, enum noise_word word, const char *rest),
                          void *arg, struct error *err);
void ranks_destroy(struct ranks *r);      /* it has ended; NULL is allowed */
int ranks_fd(const struct ranks *r);      /* -1: at its end */
double ranks_wait(const struct ranks *r); /* seconds; negative: as long as you like */
void ranks_step(struct ranks *r);
/* After SECONDS it gets SIGTERM, 2 s later SIGKILL and its children here with it. */
void ranks_end(struct ranks *r, double seconds);
/* The same in a hurry: its ranks have left, and it has nothing to lose. */
void ranks_leave(struct ranks *r);
void ranks_signal(const struct ranks *r, int signum);
/* Whether PID is mpirun, which has ended with STATUS; what it had still said is told first. */
bool ranks_reaped(struct ranks *r, pid_t pid, int status);
/* What mpirun said of its own start's failure (noise.h), or NULL: given away. */
char *ranks_kept(struct ranks *r);
bool ranks_ended(const struct ranks *r, int *status);

#endif
