/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_order: the nodes by how little they have: fewest GPUs first, then fewest cores, then the lowest place.  For
 * the tightest node that will do. */
#ifndef HBATCH_SCHED_POOL_ORDER_H
#define HBATCH_SCHED_POOL_ORDER_H

#include "src/sched/tree.h"

struct pool_order_node {
    struct tree_node in;
    unsigned cores, gpus; /* no cores: it is not in the tree */
    unsigned most;        /* cores, below it */
};

struct pool_order {
    struct tree tree;
    struct pool_order_node *nodes; /* NULL: nobody has asked yet, and nothing is kept */
    size_t nnodes;
};

/* For NNODES nodes that have nothing. */
void pool_order_reset(struct pool_order *o, size_t nnodes);
void pool_order_clear(struct pool_order *o);
void pool_order_set(struct pool_order *o, size_t i, unsigned cores, unsigned gpus);

/* The first one in order, after AFTER (NONE: all of them), that has CORES (>= 1) and GPUS, or POOL_ORDER_NONE. */
#define POOL_ORDER_NONE ((size_t)-1)
size_t pool_order_next(const struct pool_order *o, size_t after, unsigned cores,
                       unsigned gpus);

#endif
