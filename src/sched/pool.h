/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: the resources of an instance and what of them is free.  Pure: no I/O, no clock.
 *
 * Nodes carry cores and GPUs as bitmaps of logical ids, and bytes of memory.  A placement takes cores of
 * nodes for slots; the same core, GPU or byte is never given twice.  A request that does not ask for memory takes
 * none, unless it is exclusive.  Finding a place does not look at every node: the pool keeps an index over the
 * nodes' free counts.  Which of the places that would do is taken is the affair of a strategy (place.h). */
#ifndef HBATCH_SCHED_POOL_H
#define HBATCH_SCHED_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include "src/job/constraint.h"
#include "src/job/jobspec.h"
#include "src/job/rset.h"
#include "src/sched/place.h"

struct pool;

enum pool_node_state { POOL_UP, POOL_DRAINED, POOL_DOWN };

/* A node as the pool shows it (owned by the pool, valid until it changes). */
struct pool_node {
    unsigned rank;
    const char *host;
    hwloc_const_bitmap_t cores, gpus;           /* all */
    hwloc_const_bitmap_t free_cores, free_gpus; /* not given to a job */
    uint64_t memory, free_memory;               /* bytes; 0: none is counted */
    enum pool_node_state state;
    const char *reason; /* of a drain, or NULL */
};

/* What a job asks for, ready for placing. Not owned by the pool. */
struct pool_request {
    struct job_shape shape;
    const struct constraint *constraint; /* or NULL */
    const struct place_strategy *place;  /* NULL: the pool's */
};

/* Where a job's slots go: part i uses nslots[i] slots on the node of rset->nodes[i]. */
struct placement {
    /* What the job gets; whole nodes when exclusive; nslots is set; and what is for which of its parts, if it has some
     * (rset_parts.h), whose slots are counted then. */
    struct rset *rset;
    unsigned nslots[]; /* [rset->nnodes] */
};

/* Build from R (copied); all nodes up and free. */
struct pool *pool_create(const struct rset *r);
void pool_destroy(struct pool *p); /* NULL is allowed */

size_t pool_nnodes(const struct pool *p);
struct pool_node pool_nth(const struct pool *p, size_t i); /* i < nnodes, in rank order */
/* Names of the properties of a rank, an array (a new reference); NULL: it has none. */
json_object *pool_properties(const struct pool *p, unsigned rank);
/* Totals over nodes that are up: cores, GPUs; free ones in *free_cores, *free_gpus. */
void pool_totals(const struct pool *p, size_t *cores, size_t *gpus, size_t *free_cores,
                 size_t *free_gpus);
/* The same of everything. */
struct pool_sums {
    uint64_t cores, gpus, memory, free_cores, free_gpus, free_memory;
};
struct pool_sums pool_sums(const struct pool *p);

/* How requests are placed that do not say it themselves; place_strategies[0] at first. */
void pool_set_strategy(struct pool *p, const struct place_strategy *strategy);

/* Could REQ ever run here, were everything free (drained and down nodes count)? Return 0, or
 * -1 with err set: "this instance has 16 cores; 64 were asked for". */
int pool_satisfiable(const struct pool *p, const struct pool_request *req,
                     struct error *err);
/* As pool_satisfiable, with the resources of HELD regarded as gone: can REQ run while the
 * owner of HELD does? (a spawn request must not wait for its own parent). */
int pool_satisfiable_beside(const struct pool *p, const struct pool_request *req,
                            const struct rset *held, struct error *err);

/* Find and take resources now.  A request for nodes gets nnodes_min of them, and more up to nnodes_max if
 * they are free, each with nslots slots.  Which ones, and how slots alone are put on nodes, the strategy says.
 * On a node: the first (with a tight strategy, the smallest) run of adjacent cores that holds all its slots,
 * else a run for each slot, else the lowest cores; the lowest GPUs.  Where the node's domains are known,
 * GPUs and cores of one domain are taken together, and who asks for no GPU keeps away from cores near free ones.
 * A contiguous request goes on nodes of adjacent ranks (pool_contiguous.c).
 * A request of several parts goes on one node that holds all of it, or else its parts go one after the other, those
 * first that are the hardest to place (pool_parts.c), or else wherever a search finds a place (pool_pack.c).
 * Return a new placement, its nodes in rank order, or NULL: not now. */
struct placement *pool_alloc(struct pool *p, const struct pool_request *req);
/* Take exactly R (a restart re-attaches running jobs), whatever the state of its nodes: -1,
 * and nothing taken, if some of it is taken already or does not exist. */
int pool_take(struct pool *p, const struct rset *r, struct error *err);
/* Give back what a placement took.  Nodes that are no longer there are passed over. */
void pool_free(struct pool *p, const struct rset *r);
/* A number that grows whenever there may be more room than before (resources came back, a
 * node came or came up): a request that found no place need not be tried again until then. */
uint64_t pool_gains(const struct pool *p);
/* An empty one with room for the slots of NNODES nodes. */
struct placement *placement_create(size_t nnodes);
void placement_destroy(struct placement *pl); /* NULL is allowed */

/* --- for policies that plan -------------------------------------------------------------- */

struct pool_amount {
    unsigned cores, gpus;
    uint64_t memory;
};

/* Of one node: what it has, and what is not given to a job. */
struct pool_counts {
    unsigned rank;
    bool up;
    struct pool_amount all, free;
};
struct pool_counts pool_counts(const struct pool *p, size_t i);
size_t pool_position(const struct pool *p,
                     unsigned rank); /* nnodes: there is no such rank */

/* The positions of nodes that changed in any way since the last call, until the next change; ALL:
 * it may be all of them, and they may be other ones.  The pool keeps it for one who asks. */
const size_t *pool_changes(const struct pool *p, size_t *n, bool *all);

/* A view says of each node how much of it may be used: what will be free at some other time,
 * for instance.  It is for the nodes there are now, with nothing of each to begin with. */
struct pool_view;
struct pool_view *pool_view_create(const struct pool *p);
void pool_view_destroy(struct pool_view *v); /* NULL is allowed */
void pool_view_set(struct pool_view *v, size_t i, struct pool_amount amount);
struct pool_amount pool_view_get(const struct pool_view *v, size_t i);
void pool_view_totals(const struct pool_view *v, uint64_t *cores, uint64_t *gpus);

/* A node, by its position, and the slots to be had there.  Of a request of several parts: all of them (one slot), or
 * slots of one; then a node may have several spots, one after the other. */
struct pool_spot {
    size_t node;
    unsigned nslots;
    unsigned part; /* 0: whole slots; else the part's number from 1 on */
    bool again;    /* the spot before is on the same node */
};

/* Where REQ would go by what V shows (NULL: what is free now), as pool_alloc says; NULL: nowhere, and *N is
 * how many nodes would do.  Valid until the next call.  An exclusive request takes nodes of which V
 * shows all. */
const struct pool_spot *pool_find(const struct pool *p, const struct pool_view *v,
                                  const struct pool_request *req, size_t *n);
/* Is there any place?  As pool_find, with whatever place is found first. */
bool pool_fits(const struct pool *p, const struct pool_view *v,
               const struct pool_request *req, size_t *n);
/* What NSLOTS slots of REQ take of node I. */
struct pool_amount pool_need(const struct pool *p, const struct pool_request *req,
                             size_t i, unsigned nslots);
/* What SPOT takes of its node. */
struct pool_amount pool_spot_need(const struct pool *p, const struct pool_request *req,
                                  const struct pool_spot *spot);
/* The first node at or after FROM that has by V what REQ needs on a node, or for all its slots if
 * it does not ask for nodes; nnodes: there is none. */
size_t pool_next_node(const struct pool *p, const struct pool_view *v,
                      const struct pool_request *req, size_t from);
/* Take a place that was found, where all of it is free now. */
struct placement *pool_alloc_at(struct pool *p, const struct pool_request *req,
                                const struct pool_spot *spots, size_t n);
/* It was taken to see what would be, and is not used: as if that had not been.  Destroys it. */
void pool_undo(struct pool *p, struct placement *pl);

/* --- nodes that change ------------------------------------------------------------------- */

/* Change a node's state; REASON may be NULL. -1 if there is no such rank. Running jobs keep
 * what they have; nothing new is placed on a node that is not up. */
int pool_set_state(struct pool *p, unsigned rank, enum pool_node_state state,
                   const char *reason);
/* Add a node, up and free (an instance grows), or remove one that has nothing taken.  -1: not
 * possible.  The properties of a removed node's rank go with it. */
int pool_add_node(struct pool *p, const struct rset_node *node, struct error *err);
int pool_remove_node(struct pool *p, unsigned rank, struct error *err);
/* The set of all nodes and all they have, with their properties, as R. The caller destroys. */
struct rset *pool_rset(const struct pool *p);

#endif
