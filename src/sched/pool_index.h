/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_index: which is the first node with enough cores, GPUs and memory?
 *
 * A segment tree over the nodes in rank order.  Each tree node keeps, for g = 0, 1, ... GPUs,
 * the greatest number of cores on a node below it that has at least g GPUs: with both kinds
 * in one number per g, a search never descends into a subtree where one node has the cores
 * and another one the GPUs.  Beyond POOL_INDEX_GPUS the index does not tell GPU counts
 * apart: its answers are candidates, of which the caller checks the GPUs.  The greatest memory below is
 * kept beside that, and spares most of the subtrees that have not enough. */
#ifndef HBATCH_SCHED_POOL_INDEX_H
#define HBATCH_SCHED_POOL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_INDEX_GPUS 16U
#define POOL_INDEX_NONE ((size_t)-1)

struct pool_index {
    unsigned *max;    /* tree[i][g], root at 1, leaf of node n at size + n */
    uint64_t *memory; /* tree[i] */
    size_t size;      /* leaves: a power of two */
    unsigned width;   /* values of g: 0 .. width - 1 */
};

/* (Re)make IX for NNODES nodes of at most MAX_GPUS GPUs, all of them empty. */
void pool_index_reset(struct pool_index *ix, size_t nnodes, unsigned max_gpus);
void pool_index_clear(struct pool_index *ix);

/* Node I has CORES, GPUS and MEMORY. */
void pool_index_set(struct pool_index *ix, size_t i, unsigned cores, unsigned gpus,
                    uint64_t memory);

/* What node I has: cores, and whether it is CORES, GPUS and MEMORY (as pool_index_next). */
static inline unsigned pool_index_cores(const struct pool_index *ix, size_t i)
{
    return ix->max[(i + ix->size) * ix->width];
}
static inline bool pool_index_has(const struct pool_index *ix, size_t i, unsigned cores,
                                  unsigned gpus, uint64_t memory)
{
    unsigned g = gpus < ix->width ? gpus : ix->width - 1;
    return ix->max[(i + ix->size) * ix->width + g] >= cores &&
           ix->memory[i + ix->size] >= memory &&
           (gpus == g || ix->width > POOL_INDEX_GPUS);
}

/* The greatest number of cores on a node with at least GPUS GPUs; GPUS < ix->width. */
unsigned pool_index_most(const struct pool_index *ix, unsigned gpus);

/* First node at or after FROM that has CORES (>= 1), GPUS and MEMORY, or POOL_INDEX_NONE. */
size_t pool_index_next(const struct pool_index *ix, size_t from, unsigned cores,
                       unsigned gpus, uint64_t memory);

#endif
