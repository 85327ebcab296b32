/* SPDX-License-Identifier: BSD-3-Clause */
/* sub: what a task that is a rank of a sub-instance is told: its share of this node, and who its
 * parent is, as JSON in SUB_VARIABLE:
 *
 *   {"id":ID, "name":F58, "instance":S, "level":LEVEL, "uri":S (the parent's),
 *    "node":RANK (the parent's, here), "host":S, "virtual":bool, "bind":bool,
 *    "cores":[CPUSET of each core], "gpus":[as in init], "expiration":T or 0,
 *    "grace":SECONDS (from its limit to SIGKILL for what is in it) or null, "tmpdir":S,
 *    "join":ADDRESS (of the instance that it is to be a rank of)?,
 *    "spawned":true (by a task of the parent's)?} */
#ifndef HBATCH_EXEC_SUB_H
#define HBATCH_EXEC_SUB_H

#include "src/exec/job.h"

#define SUB_VARIABLE "HBATCH_SUB_INSTANCE"

/* New text, one line. */
char *sub_describe(const struct job *job);

#endif
