/* SPDX-License-Identifier: BSD-3-Clause */
/* former: what an instance left on this host in an earlier life, of which nothing may run beside the
 * present one: its executors, found by their run directory, and the processes of its jobs, found by
 * HBATCH_NODE_PATH in their environment. */
#ifndef HBATCH_INSTANCE_FORMER_H
#define HBATCH_INSTANCE_FORMER_H

/* End the executors in RUNDIR and what INSTANCE's jobs left, wherever in the system it is; wait for it, at
 * most SECONDS.  How many processes could not be ended. */
unsigned former_end(const char *instance, const char *rundir, double seconds);

#endif
