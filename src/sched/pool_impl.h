/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_impl: what the files of the pool share: pool.c (the nodes and what is taken), pool_find.c (questions),
 * pool_pick.c (what of a node), pool_why.c (why not) and the strategies of placement (place_NAME.c). */
#ifndef HBATCH_SCHED_POOL_IMPL_H
#define HBATCH_SCHED_POOL_IMPL_H

#include <stdint.h>
#include "src/job/domains.h"
#include "src/sched/pool.h"
#include "src/sched/pool_index.h"
#include "src/sched/pool_order.h"

struct pnode {
    unsigned rank;
    char *host;
    hwloc_bitmap_t cores, gpus, free_cores, free_gpus;
    struct domains *domains;      /* or NULL */
    struct pool_amount all, free; /* their weights, and memory */
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

/* A view that a policy makes. */
struct pool_view {
    struct pool_index index;
    struct pool_amount *nodes; /* [nnodes] */
    size_t nnodes;
    uint64_t cores, gpus; /* totals */
};

/* What the pool derives from its nodes, and room to work in; it hangs on a pointer so that
 * questions to a const pool can be answered with it. */
struct pool_work {
    struct pool_index index[NVIEWS];
    struct pool_order order[VIEW_ALL]; /* of what is free and of what is idle */
    bool stale;              /* nodes came or went: the indexes must be made anew */
    struct pool_spot *found; /* what was found, ascending nodes */
    size_t nfound, found_room;
    unsigned *levels; /* room for counting: how many nodes have so much */
    size_t levels_room;
    struct pool_spot *some; /* room for nodes to choose from */
    size_t some_room;
    struct pool_amount
        *taken; /* of each node, while a request's parts are placed: by those before */
    size_t taken_room;
    struct pool_spot *part_spots; /* of these */
    size_t npart_spots, part_room;
    hwloc_bitmap_t cores, gpus, part; /* picked on one node */
    size_t *changed;                  /* nodes, since pool_changes was asked */
    bool *is_changed;                 /* [nnodes] */
    size_t nchanged, changed_room;
    bool logs;   /* somebody asks */
    bool remade; /* nodes came or went since then */
};

struct pool {
    struct pnode *nodes; /* ascending rank */
    size_t nnodes, room;
    struct property *properties;
    size_t nproperties;
    struct pool_sums sums;
    uint64_t gains;
    const struct place_strategy *strategy;
    struct pool_work *work;
};

/* Index of the node of RANK, or -1. */
ptrdiff_t pool_find_rank(const struct pool *p, unsigned rank);
/* Bring the indexes up to date for node I. */
void pool_index_node(const struct pool *p, size_t i);

/* Search a place for REQ among what VIEW shows, or OWN if it is not NULL, less HELD, in the first way that comes: fills
 * work->found.  Return false if there is none. */
bool pool_search(const struct pool *p, const struct pool_request *req, enum view view,
                 const struct pool_view *own, const struct rset *held);

/* --- a question ----------------------------------------------------------------------------- */

/* With what does not change from node to node. */
struct query {
    const struct pool *p;
    const struct pool_request *req;
    enum view view;
    const struct pool_view *own; /* in place of view, or NULL */
    const struct pool_index *index;
    const struct rset *held; /* regarded as gone, or NULL; only with VIEW_ALL */
    const struct pool_amount
        *taken;     /* regarded as gone of each node, or NULL; no index knows of it */
    unsigned nodes; /* asked for, 0: slots alone */
    unsigned slots; /* per node, or in all */
    unsigned cores, gpus;         /* per slot */
    uint64_t memory, node_memory; /* per slot, and per node */
};

struct query query_make(const struct pool *p, const struct pool_request *req,
                        enum view view, const struct pool_view *own,
                        const struct rset *held);
/* What node I shows, and how many slots that is. */
struct pool_amount query_amount(const struct query *q, size_t i);
unsigned query_slots(const struct query *q, struct pool_amount a);
bool query_matches(const struct query *q, size_t i);
/* Whether the index knows all that decides if a node takes slots with so many GPUs in all. */
bool query_is_plain(const struct query *q, unsigned gpus);
unsigned query_cores(const struct query *q, size_t i); /* that node I shows */
/* The most slots that a node takes, or 0 where the index does not tell; of nodes that match or do not. */
unsigned query_most(const struct query *q);
/* The first node at or after FROM that takes NSLOTS slots, or POOL_INDEX_NONE. */
size_t query_next(const struct query *q, size_t from, unsigned nslots);
/* What NSLOTS slots need of a node; false: more than a number holds. */
bool query_need(const struct query *q, unsigned nslots, struct pool_amount *need);
/* All nodes that take a slot, with as many as they take, into what is found; return the sum. */
uint64_t query_gather(const struct query *q);

/* Note a place: nodes ascend. */
void found_add(struct pool_work *w, size_t node, unsigned nslots);
/* Zeroed room for counts of 0 - MOST. */
unsigned *work_levels(struct pool_work *w, size_t most);
/* Room for N spots, as it is. */
struct pool_spot *work_some(struct pool_work *w, size_t n);

/* As many slots as were asked for over the nodes that are found, of which each has as many as it takes: the
 * roomiest nodes first, until the rest fits one.  Counts in work->levels how many nodes of each number of slots are
 * taken whole; return what is left for the last node, 0: nothing. */
unsigned place_levels(const struct query *q);

/* --- several parts -------------------------------------------------------------------------- */

/* As place_strategy's slots, for requests with parts.  Whether there is a place does not depend on STRATEGY. */
bool pool_parts_find(const struct query *q, const struct place_strategy *strategy);
/* Any place for a request with parts, if there is one, into what is found, in any order. */
bool pool_parts_pack(const struct query *q);
/* The request for part PART (from 0 on) alone, without what is for a node. */
struct pool_request pool_part_request(const struct pool_request *req, unsigned part);

/* --- adjacent nodes --------------------------------------------------------------------------- */

/* As place_strategy's functions, for requests that are to be on nodes of adjacent ranks. */
bool pool_contiguous_find(const struct query *q, const struct place_strategy *strategy);

/* --- what of a node ------------------------------------------------------------------------- */

/* The cores and GPUs for NSLOTS slots of REQ on N into W->cores and W->gpus. */
void pool_pick(struct pool_work *w, const struct pnode *n, const struct pool_request *req,
               unsigned nslots, bool tight);

#endif
