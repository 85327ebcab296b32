/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_contiguous: places for requests that are to be on nodes of adjacent ranks.
 *
 * Nodes that were asked for: the first run of adjacent ranks that has them, or (with a tight strategy) the shortest that
 * has, the first of equals; where more may be taken, as many as any run has.  Slots alone: one node that holds all of
 * them, else the fewest adjacent nodes that do, the first such; each has as many as it takes, and the last one the rest.
 * Strategies differ in nothing else, and what is found does not depend on them. */
#include "src/sched/pool_impl.h"

#include "src/common/util.h"

/* The end of the run that begins at FROM of nodes that take NSLOTS slots each. */
static size_t run_end(const struct query *q, size_t from, unsigned nslots)
{
    const struct pool *p = q->p;
    size_t i = from + 1;
    while (i < p->nnodes && p->nodes[i].rank == p->nodes[i - 1].rank + 1 &&
           query_next(q, i, nslots) == i)
        i++;
    return i;
}

static bool find_nodes(const struct query *q, bool tight)
{
    struct pool_work *w = q->p->work;
    size_t most = MAX(q->req->shape.nnodes_max, q->nodes), longest = 0, total = 0,
           best = 0, len = 0;
    for (size_t i = 0, end; (i = query_next(q, i, q->slots)) != POOL_INDEX_NONE;
         i = end) {
        end = run_end(q, i, q->slots);
        longest = MAX(longest, end - i);
        total += end - i;
    }
    if (longest < q->nodes) {
        /* so many at the most are there; where there are enough, one more may join two runs */
        w->nfound = total < q->nodes ? total : 0;
        return false;
    }
    size_t want = MIN(most, longest);
    for (size_t i = 0, end; (i = query_next(q, i, q->slots)) != POOL_INDEX_NONE;
         i = end) {
        end = run_end(q, i, q->slots);
        if (end - i >= want && (len == 0 || (tight && end - i < len))) {
            best = i;
            len = end - i;
        }
    }
    for (size_t i = best; i < best + want; i++)
        found_add(w, i, q->slots);
    return true;
}

/* A stretch of adjacent nodes, and the slots that it takes. */
struct window {
    size_t from, end;
    uint64_t slots;
};

static bool find_window(const struct query *q, struct window *best)
{
    const struct pool *p = q->p;
    struct window w = {0};
    bool found = false;
    for (size_t i = 0; (i = query_next(q, i, 1)) != POOL_INDEX_NONE; i++) {
        if (i != w.end || w.end == 0 || p->nodes[i].rank != p->nodes[i - 1].rank + 1)
            w = (struct window){i, i, 0};
        w.slots += query_slots(q, query_amount(q, i));
        w.end = i + 1;
        for (uint64_t first; w.from < i; w.from++, w.slots -= first) {
            first = query_slots(q, query_amount(q, w.from));
            if (w.slots - first < q->slots)
                break;
        }
        if (w.slots >= q->slots && (!found || w.end - w.from < best->end - best->from)) {
            *best = w;
            found = true;
        }
    }
    return found;
}

static bool find_slots(const struct query *q, const struct place_strategy *strategy)
{
    struct pool_work *w = q->p->work;
    struct window best;
    unsigned left = q->slots;
    if (!find_window(q, &best))
        return false;
    if (best.end - best.from == 1) /* the strategy's node, which it has if there is one */
        return strategy == &place_spread ? place_first.slots(q) : strategy->slots(q);
    for (size_t i = best.from; i < best.end; i++) {
        unsigned n = MIN(left, query_slots(q, query_amount(q, i)));
        found_add(w, i, n);
        left -= n;
    }
    return true;
}

bool pool_contiguous_find(const struct query *q, const struct place_strategy *strategy)
{
    return q->nodes > 0 ? find_nodes(q, strategy->tight) : find_slots(q, strategy);
}
