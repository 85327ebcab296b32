/* SPDX-License-Identifier: BSD-3-Clause */
/* taskmap: which task ranks run on which node, RFC 34 (version 1 blocks:
 * [[nodeid,nnodes,ppn,repeat],...]), with the PMI-1 PMI_process_mapping and raw forms. */
#ifndef HBATCH_JOB_TASKMAP_H
#define HBATCH_JOB_TASKMAP_H

#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

/* The most tasks and nodes that a map can have. */
#define TASKMAP_NTASKS_MAX (1U << 24)
#define TASKMAP_NNODES_MAX (1U << 20)

/* A map of no tasks means that the mapping is unknown: "[]", and "" in the other forms. */
struct taskmap;

/* The counts must keep within the limits above; nothing asked of here may be larger.
 * Block distribution: NTASKS[i] tasks on node i, consecutive ranks. */
struct taskmap *taskmap_block(const unsigned *ntasks, unsigned nnodes);
/* Cyclic: one task a node in turn, STRIDE at a time (>= 1), until each has its number. */
struct taskmap *taskmap_cyclic(const unsigned *ntasks, unsigned nnodes, unsigned stride);
/* The tasks of A, and after them those of B, whose nodes are the same. */
struct taskmap *taskmap_join(const struct taskmap *a, const struct taskmap *b);
void taskmap_destroy(struct taskmap *map); /* NULL is allowed */

/* Decode any RFC 34 form: JSON (bare array or {"version":1,"map":[...]}), PMI-1
 * "(vector,(0,4,1))" (blanks are allowed), raw "0-3;4-7". */
struct taskmap *taskmap_decode(const char *text, struct error *err);
/* Encode; the caller frees. */
char *taskmap_encode(const struct taskmap *map);     /* "[[0,2,2,1]]" */
char *taskmap_encode_pmi(const struct taskmap *map); /* "(vector,(0,2,2))" */
char *taskmap_encode_raw(const struct taskmap *map); /* "0-1;2-3" */

unsigned taskmap_nnodes(const struct taskmap *map);
unsigned taskmap_ntasks(const struct taskmap *map);
/* Node index of task RANK, or -1. Constant time. */
int taskmap_node(const struct taskmap *map, unsigned rank);
/* Ranks on node INDEX, owned by the map (made on the first call for that node, so not to be
 * called by two threads at once), or NULL when there is no such node. */
hwloc_const_bitmap_t taskmap_tasks(const struct taskmap *map, unsigned index);

#endif
