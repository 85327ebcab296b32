/* SPDX-License-Identifier: BSD-3-Clause */
/* share: what a job has of a node, in the node's own words, for an instance that is that job: its cores as the machine
 * numbers them, and its GPUs, numbered anew. */
#ifndef HBATCH_JOB_SHARE_H
#define HBATCH_JOB_SHARE_H

#include <hwloc/bitmap.h>
#include <json-c/json.h>

/* Add "cores", "gpus" and "numa" to O: those of NODE, an object with lists of these names, whose places are in CORES and
 * GPUS (NULL: none). */
void share_add(json_object *o, json_object *node, hwloc_const_bitmap_t cores,
               hwloc_const_bitmap_t gpus);

#endif
