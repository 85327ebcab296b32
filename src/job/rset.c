/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rset.h"

#include <string.h>

#include "src/common/bytes.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/rset_groups.h"

struct rset *rset_create(void)
{
    return xcalloc(1, sizeof(struct rset));
}

void rset_destroy(struct rset *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->nnodes; i++) {
        free(r->nodes[i].host);
        hwloc_bitmap_free(r->nodes[i].cores);
        hwloc_bitmap_free(r->nodes[i].gpus);
        domains_destroy(r->nodes[i].domains);
    }
    if (r->nodes != &r->one)
        free(r->nodes);
    json_object_put(r->properties);
    json_object_put(r->scheduling);
    free(r);
}

/* Index of the first node whose rank is RANK or more. */
static size_t position(const struct rset *r, unsigned rank)
{
    size_t low = 0, high = r->nnodes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->nodes[middle].rank < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct rset_node *rset_find(const struct rset *r, unsigned rank)
{
    size_t i = position(r, rank);
    return i < r->nnodes && r->nodes[i].rank == rank ? &r->nodes[i] : NULL;
}

static void grow(struct rset *r)
{
    if (r->nnodes == 0) { /* most sets have one node */
        r->nodes = &r->one;
        return;
    }
    struct rset_node *old = r->nodes == &r->one ? NULL : r->nodes;
    r->nodes = xrealloc(old, r->nnodes * 2 * sizeof(*r->nodes));
    if (!old)
        r->nodes[0] = r->one;
}

/* There is a node for each job that runs, and few have GPUs: an empty set takes no memory. */
static hwloc_bitmap_t some(hwloc_const_bitmap_t set)
{
    return set && !hwloc_bitmap_iszero(set) ? hwloc_bitmap_dup(set) : NULL;
}

struct rset_node *rset_add(struct rset *r, unsigned rank, const char *host,
                           hwloc_const_bitmap_t cores, hwloc_const_bitmap_t gpus)
{
    bool last = r->nnodes == 0 || r->nodes[r->nnodes - 1].rank < rank; /* as a rule */
    size_t i = last ? r->nnodes : position(r, rank);
    struct rset_node *node;
    if (!last && r->nodes[i].rank == rank) {
        node = &r->nodes[i];
        hwloc_bitmap_or(node->cores, node->cores, cores);
        if (gpus && node->gpus)
            hwloc_bitmap_or(node->gpus, node->gpus, gpus);
        else if (gpus)
            node->gpus = some(gpus);
        return node;
    }
    if ((r->nnodes & (r->nnodes - 1)) == 0) /* a full array has 0 or a power of two */
        grow(r);
    node = &r->nodes[i];
    memmove(node + 1, node, (r->nnodes - i) * sizeof(*node));
    r->nnodes++;
    node->rank = rank;
    node->host = xstrdup(host);
    node->cores = hwloc_bitmap_dup(cores);
    node->gpus = some(gpus);
    node->memory = 0;
    node->domains = NULL;
    return node;
}

unsigned rset_node_ngpus(const struct rset_node *node)
{
    return node->gpus ? (unsigned)hwloc_bitmap_weight(node->gpus) : 0;
}

size_t rset_ncores(const struct rset *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->nnodes; i++)
        n += (size_t)hwloc_bitmap_weight(r->nodes[i].cores);
    return n;
}

size_t rset_ngpus(const struct rset *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->nnodes; i++)
        n += rset_node_ngpus(&r->nodes[i]);
    return n;
}

uint64_t rset_memory(const struct rset *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->nnodes; i++)
        n += r->nodes[i].memory;
    return n;
}

char *rset_nodelist(const struct rset *r)
{
    struct hostlist *hl = hostlist_create();
    for (size_t i = 0; i < r->nnodes; i++)
        hostlist_append_name(hl, r->nodes[i].host);
    char *text = hostlist_encode(hl);
    hostlist_destroy(hl);
    return text;
}

char *rset_ranks(const struct rset *r)
{
    cleanup_bitmap hwloc_bitmap_t ranks = hwloc_bitmap_alloc();
    for (size_t i = 0; i < r->nnodes; i++)
        hwloc_bitmap_set(ranks, r->nodes[i].rank);
    return idset_encode(ranks, 0);
}
