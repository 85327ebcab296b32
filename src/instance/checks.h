/* SPDX-License-Identifier: BSD-3-Clause */
/* checks: what must hold before an instance begins: a run directory with room in it, a live
 * executor beside each rank, one version and one rank on each node, clocks that agree.
 *
 * What fails on one rank only is not told there: the rank takes part in the gathering of the
 * nodes with node_unusable() in place of its node, so that all come to the same verdict and the
 * leader tells it once, with the names of the hosts. */
#ifndef HBATCH_INSTANCE_CHECKS_H
#define HBATCH_INSTANCE_CHECKS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>
#include "src/common/error.h"

/* How far a clock may be off the leader's before the leader warns. */
#define CHECKS_SKEW_WARN 2.0
/* Below this it may be the time that a rank waited for a core: it is not corrected. */
#define CHECKS_SKEW_MIN 1.0

/* The files of an instance can be made in DIR, which --rundir told. */
int checks_rundir(const char *dir, struct error *err);

/* The executor, just started, has not ended again.  It is not reaped. */
int checks_executor(pid_t pid, struct error *err);

/* NODES, by rank, can make an instance; else one sentence that names the hosts.  SRUN: the ranks
 * were started by it, which the remedy depends on. */
int checks_nodes(json_object *const *nodes, unsigned size, bool srun, struct error *err);

/* Put into each node as "clock" by how much its clock is ahead of the leader's, 0 if that is
 * little.  TIMES: each rank's clock, in seconds as a text, taken at the same moment. */
void checks_set_clocks(json_object *const *nodes, unsigned size, unsigned leader,
                       char *const *times);
/* The node's "clock". */
double checks_clock(json_object *node);
/* A sentence on the clocks that are off by more than CHECKS_SKEW_WARN, which the caller frees;
 * NULL: none is. */
char *checks_skew(json_object *const *nodes, unsigned size, unsigned leader);

#endif
