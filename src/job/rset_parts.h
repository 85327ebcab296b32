/* SPDX-License-Identifier: BSD-3-Clause */
/* rset_parts: which part of what a job has is for which of its programs, where they have slots of their own.
 *
 * It is beside R's execution, in its key "scheduling", {"parts":[[ENTRY,...],...]}: of each program in turn, entries as
 * those of R_lite, with the number of slots on each of the ranks:
 *     {"rank":"0-1","slots":2,"children":{"core":"0-3","gpu":"0"}} */
#ifndef HBATCH_JOB_RSET_PARTS_H
#define HBATCH_JOB_RSET_PARTS_H

#include "src/job/rset.h"

/* NSLOTS slots of part PART of NPARTS are on CORES and GPUS of RANK, which is not below those that were said of that
 * part. */
void rset_parts_add(struct rset *r, unsigned part, unsigned nparts, unsigned rank,
                    unsigned nslots, hwloc_const_bitmap_t cores,
                    hwloc_const_bitmap_t gpus);
/* How many slots of PART are on each of R's nodes, into NSLOTS [r->nnodes]. */
void rset_parts_slots(const struct rset *r, unsigned part, unsigned *nslots);
/* What is on RANK: an array of [SLOTS,"CORES","GPUS"], one for each part; NULL: R has no parts. */
json_object *rset_parts_on(const struct rset *r, unsigned rank);

#endif
