/* SPDX-License-Identifier: BSD-3-Clause */
/* poolkit: short texts for pools, requests and placements, shared by the tests of the scheduler.
 *
 * A set of nodes is "RANK:CORES[:GPUS] ...", each id set as an idset; hosts are nodeRANK.
 * A placement is the same with "xNSLOTS" after each node. */
#ifndef HBATCH_TESTS_POOLKIT_H
#define HBATCH_TESTS_POOLKIT_H

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/sched/pool.h"

static inline struct rset *kit_rset(const char *text)
{
    struct rset *r = rset_create();
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        char *cores = strchr(w, ':'), *gpus = strchr(cores + 1, ':'), host[32];
        *cores++ = '\0';
        if (gpus)
            *gpus++ = '\0';
        cleanup_bitmap hwloc_bitmap_t c = idset_decode(cores, NULL);
        cleanup_bitmap hwloc_bitmap_t g = idset_decode(gpus ? gpus : "", NULL);
        snprintf(host, sizeof(host), "node%s", w);
        rset_add(r, (unsigned)atoi(w), host, c, g);
    }
    return r;
}

static inline struct pool *kit_pool(const char *text)
{
    struct rset *r = kit_rset(text);
    struct pool *p = pool_create(r);
    rset_destroy(r);
    return p;
}

/* NODES - MAX_NODES nodes of SLOTS slots each, or SLOTS slots in all when NODES is 0. */
static inline struct pool_request kit_request(unsigned nodes, unsigned max_nodes,
                                              unsigned slots, unsigned cores,
                                              unsigned gpus, bool exclusive)
{
    return (struct pool_request){.shape = {.nnodes_min = nodes,
                                           .nnodes_max = max_nodes,
                                           .nslots = slots,
                                           .cores_per_slot = cores,
                                           .gpus_per_slot = gpus,
                                           .tasks_per_slot = 1,
                                           .exclusive = exclusive}};
}

/* NSLOTS may be NULL. */
static inline char *kit_text(const struct rset *r, const unsigned *nslots)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < r->nnodes; i++) {
        cleanup_free char *before = text;
        cleanup_free char *c = idset_encode(r->nodes[i].cores, 0);
        cleanup_free char *g = idset_encode(r->nodes[i].gpus, 0);
        cleanup_free char *x = nslots ? xasprintf("x%u", nslots[i]) : xstrdup("");
        text = xasprintf("%s%s%u:%s%s%s%s", before, i ? " " : "", r->nodes[i].rank, c,
                         *g ? ":" : "", g, x);
    }
    return text;
}

/* A small random number generator, the same everywhere. */
static inline unsigned kit_random(uint64_t *seed, unsigned n)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(*seed >> 33) % n;
}

#endif
