/* SPDX-License-Identifier: BSD-3-Clause */
/* rset: a resource set R, RFC 20 version 1: which nodes, and of each which cores and GPUs, and how much memory.
 *
 * The RFC does not know memory; an entry of R_lite has it beside its children, "memory":BYTES (of each node),
 * where others pass it over. */
#ifndef HBATCH_JOB_RSET_H
#define HBATCH_JOB_RSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/job/domains.h"

struct rset_node {
    unsigned rank;           /* rank in the instance that owns this R */
    char *host;              /* name, from R's nodelist */
    hwloc_bitmap_t cores;    /* logical core ids of the node */
    hwloc_bitmap_t gpus;     /* logical GPU ids; NULL: none */
    uint64_t memory;         /* bytes; 0: none is counted */
    struct domains *domains; /* what of it is near what, or NULL */
};

struct rset {
    struct rset_node *nodes; /* ascending rank; a single one may be ONE */
    struct rset_node one;
    size_t nnodes;
    unsigned nslots;         /* of an allocation, in all; 0: unset */
    double starttime;        /* seconds since the epoch; 0: unset */
    double expiration;       /* 0: never */
    json_object *properties; /* {"name": "idset of ranks"}, or NULL */
    json_object *scheduling; /* opaque, or NULL */
};

struct rset *rset_create(void);
void rset_destroy(struct rset *r); /* NULL is allowed */

/* Add a node (HOST copied; the bitmaps copied; GPUS may be NULL). Ranks stay sorted. A rank
 * that is there already gets the cores and GPUs added to its own. The pointer, and those
 * given before, are valid until the next call: it is for the memory, and domains, which it then owns. */
struct rset_node *rset_add(struct rset *r, unsigned rank, const char *host,
                           hwloc_const_bitmap_t cores, hwloc_const_bitmap_t gpus);
struct rset_node *rset_find(const struct rset *r, unsigned rank); /* or NULL */

/* RFC 20 JSON in and out. Nodes with equal children are folded into one R_lite entry. Keys
 * that the RFC does not know are ignored. */
struct rset *rset_from_json(json_object *o, struct error *err);
json_object *rset_to_json(const struct rset *r);

/* How many GPUs NODE has. */
unsigned rset_node_ngpus(const struct rset_node *node);
size_t rset_ncores(const struct rset *r);
size_t rset_ngpus(const struct rset *r);
uint64_t rset_memory(const struct rset *r);
/* Hosts in rank order as a hostlist text; ranks as an idset text. The caller frees. */
char *rset_nodelist(const struct rset *r);
char *rset_ranks(const struct rset *r);

#endif
