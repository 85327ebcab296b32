/* SPDX-License-Identifier: BSD-3-Clause */
/* sweep: processes that tasks left behind in sessions of their own.
 *
 * The executor is a subreaper: such a process becomes its child when its parent ends.  What it
 * belongs to is told by HBATCH_JOB_PATH in its environment, which sub-instances and their tasks
 * carry on; a process without it is left alone as long as any job runs here. */
#ifndef HBATCH_EXEC_SWEEP_H
#define HBATCH_EXEC_SWEEP_H

#include <stdint.h>

struct exec;

/* Kill what is left of job ID, now. */
void sweep_job(struct exec *x, uint64_t id);
/* Soon look for what is left of jobs that have ended. */
void sweep_later(struct exec *x);
/* Kill what tasks of a former executor of this rank left, wherever in the system it is now, and
 * wait for it, at most SECONDS: found by HBATCH_NODE_PATH, which tells the instance's rank. */
void sweep_former(struct exec *x, double seconds);

#endif
