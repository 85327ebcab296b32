/* SPDX-License-Identifier: BSD-3-Clause */
/* mapping: which tasks of a job go to which node: RFC 34 maps, by the job's option taskmap. */
#ifndef HBATCH_INSTANCE_MAPPING_H
#define HBATCH_INSTANCE_MAPPING_H

#include "src/common/error.h"
#include "src/instance/job.h"

/* Set ntasks and map of JOB, which has its placement.  -1 with err set, and ntasks set: the map
 * that was asked for is not possible. */
int mapping_make(struct job *job, struct error *err);

/* Option per-resource {"type":"node"}: one task on each node, whatever slots there are. */
bool mapping_one_per_node(const struct jobspec *spec);

#endif
