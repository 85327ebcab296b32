/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: the resources of an instance and what of them is free.  Pure: no I/O, no clock.
 *
 * Nodes carry cores and GPUs as bitmaps of logical ids.  A placement takes cores of nodes for
 * slots; the same core or GPU is never given twice.  Finding a place does not look at every
 * node: the pool keeps an index over the nodes' free counts. */
#ifndef HBATCH_SCHED_POOL_H
#define HBATCH_SCHED_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include "src/job/constraint.h"
#include "src/job/jobspec.h"
#include "src/job/rset.h"

struct pool;

enum pool_node_state { POOL_UP, POOL_DRAINED, POOL_DOWN };

/* A node as the pool shows it (owned by the pool, valid until it changes). */
struct pool_node {
    unsigned rank;
    const char *host;
    hwloc_const_bitmap_t cores, gpus;           /* all */
    hwloc_const_bitmap_t free_cores, free_gpus; /* not given to a job */
    enum pool_node_state state;
    const char *reason; /* of a drain, or NULL */
};

/* What a job asks for, ready for placing. Not owned by the pool. */
struct pool_request {
    struct job_shape shape;
    const struct constraint *constraint; /* or NULL */
};

/* Where a job's slots go: part i uses nslots[i] slots on the node of rset->nodes[i]. */
struct placement {
    struct rset *rset; /* what the job gets; whole nodes when exclusive; nslots is set */
    unsigned *nslots;  /* rset->nnodes entries */
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

/* Could REQ ever run here, were everything free (drained and down nodes count)? Return 0, or
 * -1 with err set: "this instance has 16 cores; 64 were asked for". */
int pool_satisfiable(const struct pool *p, const struct pool_request *req,
                     struct error *err);
/* As pool_satisfiable, with the resources of HELD regarded as gone: can REQ run while the
 * owner of HELD does? (a spawn request must not wait for its own parent). */
int pool_satisfiable_beside(const struct pool *p, const struct pool_request *req,
                            const struct rset *held, struct error *err);

/* Find and take resources now.  First fit in rank order.  On a node: the first run of adjacent
 * cores that holds all its slots, else a run for each slot, else the lowest cores; the lowest
 * GPUs.  A request for nodes gets nnodes_min of them, and more up to nnodes_max if they are
 * free, each with nslots slots.  A request for slots alone takes as few nodes as can hold
 * them: the first one that holds all, else the roomiest (the first of equals), and so on with
 * what is left.  Return a new placement, its nodes in rank order, or NULL: not now. */
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
void pool_view_set(struct pool_view *v, size_t i, unsigned cores, unsigned gpus);
struct pool_amount pool_view_get(const struct pool_view *v, size_t i);
void pool_view_totals(const struct pool_view *v, uint64_t *cores, uint64_t *gpus);

/* A node, by its position, and the slots to be had there. */
struct pool_spot {
    size_t node;
    unsigned nslots;
};

/* Where REQ would go by what V shows (NULL: what is free now), as pool_alloc says; NULL: nowhere, and *N is
 * how many nodes would do.  Valid until the next call.  An exclusive request takes nodes of which V
 * shows all. */
const struct pool_spot *pool_find(const struct pool *p, const struct pool_view *v,
                                  const struct pool_request *req, size_t *n);
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
