/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_impl: what pool.c (the nodes and what is taken) and pool_find.c (the search) share. */
#ifndef HBATCH_SCHED_POOL_IMPL_H
#define HBATCH_SCHED_POOL_IMPL_H

#include <stdint.h>
#include "src/sched/pool.h"
#include "src/sched/pool_index.h"

struct pnode {
    unsigned rank;
    char *host;
    hwloc_bitmap_t cores, gpus, free_cores, free_gpus;
    unsigned ncores, ngpus, nfree_cores, nfree_gpus; /* their weights */
    enum pool_node_state state;
    char *reason;
};

struct property {
    char *name;
    hwloc_bitmap_t ranks;
};

/* Three ways to see a node: what is free on it now; what it has, if it is wholly free; what
 * it has.  The first two show nothing of a node that is not up. */
enum view { VIEW_FREE, VIEW_IDLE, VIEW_ALL, NVIEWS };

struct capacity {
    unsigned cores, gpus;
};

/* A view that a policy makes. */
struct pool_view {
    struct pool_index index;
    struct capacity *nodes; /* [nnodes] */
    size_t nnodes;
    uint64_t cores, gpus; /* totals */
};

/* What the pool derives from its nodes, and room to work in; it hangs on a pointer so that
 * questions to a const pool can be answered with it. */
struct pool_work {
    struct pool_index index[NVIEWS];
    bool stale;              /* nodes came or went: the indexes must be made anew */
    struct pool_spot *found; /* what pool_search found, ascending nodes */
    size_t nfound, found_room;
    unsigned *levels; /* how many nodes have so many slots */
    size_t levels_room;
    hwloc_bitmap_t cores, gpus; /* picked on one node */
    size_t *changed;            /* nodes, since pool_changes was asked */
    bool *is_changed;           /* [nnodes] */
    size_t nchanged, changed_room;
    bool logs;   /* somebody asks */
    bool remade; /* nodes came or went since then */
};

struct pool {
    struct pnode *nodes; /* ascending rank */
    size_t nnodes, room;
    struct property *properties;
    size_t nproperties;
    size_t cores, gpus, free_cores, free_gpus; /* over nodes that are up */
    uint64_t gains;
    struct pool_work *work;
};

/* Index of the node of RANK, or -1. */
ptrdiff_t pool_find_rank(const struct pool *p, unsigned rank);
/* Bring the indexes up to date for node I, or all of them if they are stale. */
void pool_index_node(const struct pool *p, size_t i);
void pool_index_refresh(const struct pool *p);
/* Search a place for REQ among what VIEW shows, or OWN if it is not NULL, less HELD (NULL: nothing;
 * only with VIEW_ALL): fills work->found.  Return false if there is none. */
bool pool_search(const struct pool *p, const struct pool_request *req, enum view view,
                 const struct pool_view *own, const struct rset *held);

#endif
