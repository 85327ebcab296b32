/* SPDX-License-Identifier: BSD-3-Clause */
/* bind: which processors and GPUs a task gets of what its job has on this node. */
#ifndef HBATCH_EXEC_BIND_H
#define HBATCH_EXEC_BIND_H

#include <hwloc/bitmap.h>
#include "src/exec/node.h"
#include "src/job/launch_options.h"

/* Task INDEX of N: its contiguous share of SET, ids in order; where there are more tasks than ids,
 * tasks share.  A new bitmap. */
hwloc_bitmap_t bind_share(hwloc_const_bitmap_t set, unsigned index, unsigned n);

/* The PUs for local task INDEX of N of a job that has CORES (logical ids). NULL: not bound. */
hwloc_bitmap_t bind_cpus(const struct node *node, enum affinity kind, const char *map,
                         hwloc_const_bitmap_t cores, unsigned index, unsigned n);

/* The environment that shows the task its GPUs: ADD(ARG, NAME, VALUE) for each variable that the node's
 * GPUs have; "-1" hides all, where the job has none. */
void bind_gpus(const struct node *node, enum affinity kind, const char *map,
               hwloc_const_bitmap_t cores, hwloc_const_bitmap_t gpus, unsigned index,
               unsigned n, void (*add)(void *arg, const char *name, const char *value),
               void *arg);

#endif
