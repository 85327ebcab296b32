/* SPDX-License-Identifier: BSD-3-Clause */
/* place_first: the first nodes in rank order.  Slots alone go on as few nodes as can hold them: the first one that
 * holds all, else the roomiest (the first of equals), and so on with what is left. */
#include "src/sched/pool_impl.h"

#include <string.h>

#include "src/common/util.h"

static bool first_nodes(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned max = MAX(q->req->shape.nnodes_max, q->nodes);
    for (size_t i = 0; w->nfound < max; i++) {
        i = query_next(q, i, q->slots);
        if (i == POOL_INDEX_NONE)
            break;
        found_add(w, i, q->slots);
    }
    return w->nfound >= q->nodes;
}

/* Looks at each node that takes a slot once, to count how many have how many, which says how many nodes
 * are taken of each size; then takes these in rank order. */
static bool first_wide(const struct query *q)
{
    struct pool_work *w = q->p->work;
    uint64_t total = query_gather(q);
    size_t n = w->nfound;
    if (total < q->slots) {
        w->nfound = 0;
        return false;
    }
    unsigned left = place_levels(q);
    w->nfound = 0;
    for (size_t i = 0; i < n; i++) { /* those taken are moved to the front */
        struct pool_spot s = w->found[i];
        if (w->levels[s.nslots] > 0) {
            w->levels[s.nslots]--;
            w->found[w->nfound++] = s;
        } else if (left > 0 && s.nslots >= left) {
            w->found[w->nfound++] = (struct pool_spot){s.node, left, 0, false};
            left = 0;
        }
    }
    return true;
}

/* As first_wide, without looking at each node: works while there are enough of the roomiest nodes, as in
 * a pool of equal nodes. */
static bool first_alike(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned most = query_most(q), left = q->slots;
    size_t i = 0, k = 0;
    for (; most > 0 && left > most; left -= most, i++) {
        i = query_next(q, i, most);
        if (i == POOL_INDEX_NONE)
            break;
        found_add(w, i, most);
    }
    if (most > 0 && left <= most) {
        /* The first that holds the rest and is not among those found. */
        i = query_next(q, 0, left);
        for (; k < w->nfound && i == w->found[k].node; k++)
            i = query_next(q, i + 1, left);
        if (i != POOL_INDEX_NONE) {
            found_add(w, i, left);
            memmove(w->found + k + 1, w->found + k,
                    (w->nfound - 1 - k) * sizeof(*w->found));
            w->found[k] = (struct pool_spot){i, left, 0, false};
            return true;
        }
    }
    w->nfound = 0;
    return false;
}

static bool first_slots(const struct query *q)
{
    size_t i = query_next(q, 0, q->slots);
    if (i != POOL_INDEX_NONE) {
        found_add(q->p->work, i, q->slots);
        return true;
    }
    return q->p->nnodes > 1 && q->slots > 1 && (first_alike(q) || first_wide(q));
}

const struct place_strategy place_first = {
    .name = "first",
    .summary = "the first nodes in rank order that have room",
    .nodes = first_nodes,
    .slots = first_slots,
};
