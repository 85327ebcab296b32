/* SPDX-License-Identifier: BSD-3-Clause */
/* early: what ends a rank before its loop runs.  MPI_Init waits for all ranks, and blocks; when one
 * of them does not come, mpirun tells the others to end, which leave nothing behind then either. */
#ifndef HBATCH_INSTANCE_EARLY_H
#define HBATCH_INSTANCE_EARLY_H

struct early;

/* From now on SIGTERM or SIGHUP ends this process, after CLEAN was called: by another thread, which
 * has the signals; this one, and what threads it starts meanwhile, has them blocked. */
struct early *early_start(void (*clean)(void *arg), void *arg);
/* From now on the signals wait, blocked, for early_stop: others depend on this process.  NULL is
 * allowed. */
void early_hold(struct early *e);
/* Back to what it was before; NULL is allowed. */
void early_stop(struct early *e);

#endif
