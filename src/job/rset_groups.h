/* SPDX-License-Identifier: BSD-3-Clause */
/* rset_groups: the nodes of an R folded: one group for all ranks with equal cores, GPUs and memory, in
 * the order of each group's first rank. */
#ifndef HBATCH_JOB_RSET_GROUPS_H
#define HBATCH_JOB_RSET_GROUPS_H

#include "src/job/rset.h"

struct rset_group {
    const struct rset_node *node; /* the first one: stands for all */
    hwloc_bitmap_t ranks;
};

struct rset_groups {
    struct rset_group *at;
    size_t n;
};

/* Points into R, which must not change meanwhile. */
struct rset_groups rset_groups_create(const struct rset *r);
void rset_groups_clear(struct rset_groups *g);

#endif
