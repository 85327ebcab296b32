/* SPDX-License-Identifier: BSD-3-Clause */
/* place_spread: the load is spread: each slot goes on the node that has the most free cores then, of those that
 * take one more (the first of equals); nodes that were asked for are those with the most free cores. */
#include "src/sched/pool_impl.h"

#include <string.h>

#include "src/common/util.h"

/* The first WANT nodes that have as many free cores as a node can have and NSLOTS slots, if there are so many: as in a pool
 * of which much is free, or little. */
static bool take_roomiest(const struct query *q, size_t want, unsigned nslots)
{
    struct pool_amount need;
    if (!query_need(q, nslots, &need) || !query_is_plain(q, need.gpus) ||
        need.gpus >= q->index->width)
        return false;
    unsigned most = pool_index_most(q->index, need.gpus);
    if (most < need.cores || most == 0)
        return false;
    struct pool_work *w = q->p->work;
    for (size_t i = 0; w->nfound < want; i++) {
        i = pool_index_next(q->index, i, most, need.gpus, need.memory);
        if (i == POOL_INDEX_NONE)
            break;
        found_add(w, i, nslots);
    }
    if (w->nfound == want)
        return true;
    w->nfound = 0;
    return false;
}

/* The N nodes that are found: keep WANT of them, those with the most free cores, the first of equals. */
static void keep_roomiest(const struct query *q, size_t want)
{
    struct pool_work *w = q->p->work;
    size_t n = w->nfound, left = want;
    unsigned most = 0;
    for (size_t i = 0; i < n; i++)
        most = MAX(most, query_cores(q, w->found[i].node));
    unsigned *levels = work_levels(w, most);
    for (size_t i = 0; i < n; i++)
        levels[query_cores(q, w->found[i].node)]++;
    for (unsigned k = most + 1; k-- > 0;) { /* from here on: how many are kept */
        levels[k] = (unsigned)MIN((size_t)levels[k], left);
        left -= levels[k];
    }
    w->nfound = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned *keep = &levels[query_cores(q, w->found[i].node)];
        if (*keep > 0) {
            (*keep)--;
            w->found[w->nfound++] = w->found[i];
        }
    }
}

static bool spread_nodes(const struct query *q)
{
    struct pool_work *w = q->p->work;
    size_t max = MAX(q->req->shape.nnodes_max, q->nodes);
    if (max <= q->p->nnodes && take_roomiest(q, max, q->slots))
        return true;
    for (size_t i = 0; (i = query_next(q, i, q->slots)) != POOL_INDEX_NONE; i++)
        found_add(w, i, q->slots);
    if (w->nfound > max)
        keep_roomiest(q, max);
    return w->nfound >= q->nodes;
}

/* A node of F free cores that takes K slots of C cores gives them away at F, F - C, F - 2 C, ...: the slots go
 * in falling order of that.  Count them: how many slots are there at each number of free cores? */
static unsigned *count_offers(const struct query *q, unsigned most)
{
    struct pool_work *w = q->p->work;
    unsigned c = q->cores, *at = work_levels(w, (size_t)most + 1);
    for (size_t i = 0; i < w->nfound; i++) {
        unsigned f = query_cores(q, w->found[i].node), below = f - w->found[i].nslots * c;
        at[f]++;
        at[below]--; /* unsigned arithmetic wraps, and comes back */
    }
    for (unsigned f = most; f >= c && f > 0; f--)
        at[f - c] += at[f];
    return at;
}

static bool spread_slots(const struct query *q)
{
    struct pool_work *w = q->p->work;
    if (q->slots == 1 && q->gpus < q->index->width && !q->taken) { /* the usual case */
        unsigned most = pool_index_most(q->index, q->gpus);
        size_t i = POOL_INDEX_NONE;
        if (most >= q->cores)
            i = pool_index_next(q->index, 0, most, q->gpus, 0);
        if (i == POOL_INDEX_NONE)
            return false;
        if (query_slots(q, query_amount(q, i)) > 0 && query_matches(q, i)) {
            found_add(w, i, 1);
            return true;
        }
    }
    if (q->slots <= q->p->nnodes && take_roomiest(q, q->slots, 1))
        return true;
    if (query_gather(q) < q->slots) {
        w->nfound = 0;
        return false;
    }
    unsigned most = 0, left = q->slots;
    for (size_t i = 0; i < w->nfound; i++)
        most = MAX(most, query_cores(q, w->found[i].node));
    const unsigned *at = count_offers(q, most);
    unsigned level = most; /* all offers above it are taken, and LEFT of those at it */
    while (at[level] <= left) {
        left -= at[level];
        if (left == 0)
            break;
        level--;
    }
    bool all = left == 0; /* those at the level, too */
    size_t n = w->nfound;
    w->nfound = 0;
    for (size_t i = 0; i < n; i++) {
        struct pool_spot s = w->found[i];
        unsigned f = query_cores(q, s.node), take = 0;
        if (f > level)
            take = MIN(s.nslots, (f - level - 1) / q->cores + 1);
        bool more = take < s.nslots && f - take * q->cores == level;
        if (more && (all || left > 0)) {
            take++;
            left -= !all;
        }
        if (take > 0)
            w->found[w->nfound++] = (struct pool_spot){s.node, take, 0, false};
    }
    return true;
}

const struct place_strategy place_spread = {
    .name = "spread",
    .summary = "slot by slot on the node with the most free cores",
    .nodes = spread_nodes,
    .slots = spread_slots,
};
