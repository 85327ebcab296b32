/* SPDX-License-Identifier: BSD-3-Clause */
/* taskmap_impl: what encoding and decoding of task maps share. */
#ifndef HBATCH_JOB_TASKMAP_IMPL_H
#define HBATCH_JOB_TASKMAP_IMPL_H

#include "src/job/taskmap.h"

/* RFC 34's map block. */
struct taskmap_block_item {
    unsigned nodeid, nnodes, ppn, repeat;
};

/* A map from the node of each rank; NODE (from malloc) is taken over. */
struct taskmap *taskmap_from_nodes(unsigned *node, unsigned ntasks, unsigned nnodes);

#endif
