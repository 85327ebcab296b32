/* SPDX-License-Identifier: BSD-3-Clause */
/* place_best: best fit, against fragmentation.
 *
 * Slots that one node holds go on the tightest node: that with the fewest free GPUs, of these the one with the
 * fewest free cores, the first of equals.  So what has room for wide jobs and for jobs with GPUs is kept.
 * Nodes that were asked for are taken of those in use, if there are enough that have room, else of all; and
 * their ranks are to be adjacent: the shortest run of ranks that holds them (the first of equals), or, while none
 * does, the longest, and so on with what is left.
 * Slots over several nodes take as few nodes as they can, the roomiest; of those that are equally roomy, in runs as
 * above; and what is left for the last node goes on the tightest. */
#include "src/sched/pool_impl.h"

#include <string.h>

#include "src/common/util.h"

/* --- the tightest node ---------------------------------------------------------------------- */

static bool is_tighter(struct pool_amount a, struct pool_amount b)
{
    return a.gpus != b.gpus ? a.gpus < b.gpus : a.cores < b.cores;
}

/* Of a view that a policy has made, or while parts are placed: no order is kept of that. */
static size_t tightest_of_all(const struct query *q, unsigned nslots)
{
    size_t best = POOL_INDEX_NONE;
    struct pool_amount least = {0};
    for (size_t i = 0; (i = query_next(q, i, nslots)) != POOL_INDEX_NONE; i++) {
        struct pool_amount a = query_amount(q, i);
        if (best == POOL_INDEX_NONE || is_tighter(a, least)) {
            best = i;
            least = a;
        }
    }
    return best;
}

static const struct pool_order *get_order(const struct query *q)
{
    const struct pool *p = q->p;
    struct pool_order *o = &p->work->order[q->view];
    if (o->nodes)
        return o;
    pool_order_reset(o, p->nnodes);
    for (size_t i = 0; i < p->nnodes; i++) {
        struct pool_amount a = query_amount(q, i);
        pool_order_set(o, i, a.cores, a.gpus);
    }
    return o;
}

static size_t tightest(const struct query *q, unsigned nslots)
{
    struct pool_amount need;
    if (q->own || q->taken || q->view == VIEW_ALL)
        return tightest_of_all(q, nslots);
    if (!query_need(q, nslots, &need))
        return POOL_INDEX_NONE;
    const struct pool_order *o = get_order(q);
    size_t i = pool_order_next(o, POOL_ORDER_NONE, need.cores, need.gpus);
    while (i != POOL_ORDER_NONE &&
           (query_slots(q, query_amount(q, i)) < nslots || !query_matches(q, i)))
        i = pool_order_next(o, i, need.cores, need.gpus);
    return i;
}

/* --- runs of adjacent ranks ----------------------------------------------------------------- */

struct run {
    size_t from, len; /* in a list of spots */
};

static int by_length(const void *a, const void *b)
{
    const struct run *r = a, *s = b;
    return r->len != s->len ? (r->len < s->len) - (r->len > s->len)
                            : (r->from > s->from) - (r->from < s->from);
}

/* Into RUNS, the longest first. */
static size_t find_runs(const struct pool *p, const struct pool_spot *s, size_t n,
                        struct run *runs)
{
    size_t nruns = 0;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && p->nodes[s[next].node].rank ==
                                           p->nodes[s[next - 1].node].rank + 1;)
            next++;
        runs[nruns++] = (struct run){i, next - i};
    }
    qsort(runs, nruns, sizeof(*runs), by_length);
    return nruns;
}

static int by_node(const void *a, const void *b)
{
    const struct pool_spot *s = a, *t = b;
    return (s->node > t->node) - (s->node < t->node);
}

/* Take WANT of the N spots at S, which ascend: whole runs while they are too short, then the shortest that
 * is long enough. */
static void take_runs(const struct pool *p, const struct pool_spot *s, size_t n,
                      size_t want)
{
    cleanup_free struct run *runs = xmalloc((n + 1) * sizeof(*runs));
    size_t nruns = find_runs(p, s, n, runs), k = 0;
    while (want > 0) {
        if (runs[k].len >= want) {
            size_t len = 0;
            for (size_t i = k; i < nruns && runs[i].len >= want; i++)
                if (runs[i].len != len) { /* the first of this length */
                    len = runs[i].len;
                    k = i;
                }
        }
        struct run r = runs[k++];
        size_t take = MIN(r.len, want);
        for (size_t i = r.from; i < r.from + take; i++)
            found_add(p->work, s[i].node, s[i].nslots);
        want -= take;
    }
}

static void sort_found(struct pool_work *w)
{
    for (size_t i = 1; i < w->nfound; i++)
        if (w->found[i].node < w->found[i - 1].node) {
            qsort(w->found, w->nfound, sizeof(*w->found), by_node);
            return;
        }
}

/* --- the strategy --------------------------------------------------------------------------- */

static bool is_idle(const struct query *q, size_t i)
{
    struct pool_amount a = query_amount(q, i), all = q->p->nodes[i].all;
    return a.cores >= all.cores && a.gpus >= all.gpus && a.memory >= all.memory;
}

static bool best_nodes(const struct query *q)
{
    struct pool_work *w = q->p->work;
    size_t max = MAX(q->req->shape.nnodes_max, q->nodes), nused = 0;
    if (max == 1) {
        size_t i = tightest(q, q->slots);
        if (i != POOL_INDEX_NONE)
            found_add(w, i, q->slots);
        return i != POOL_INDEX_NONE;
    }
    for (size_t i = 0; (i = query_next(q, i, q->slots)) != POOL_INDEX_NONE; i++)
        found_add(w, i, q->slots);
    size_t n = w->nfound, want = MIN(n, max);
    if (n <= max)
        return n >= q->nodes;
    struct pool_spot *some = work_some(w, n);
    for (size_t i = 0; i < n; i++)
        if (!is_idle(q, w->found[i].node))
            some[nused++] = w->found[i];
    if (nused >= want)
        n = nused;
    else
        memcpy(some, w->found, n * sizeof(*some));
    w->nfound = 0;
    take_runs(q->p, some, n, want);
    sort_found(w);
    return true;
}

/* The tightest of those that take LEFT slots and are not found. */
static size_t tightest_beside(const struct query *q, unsigned left)
{
    const struct pool_work *w = q->p->work;
    size_t best = POOL_INDEX_NONE, k = 0;
    struct pool_amount least = {0};
    for (size_t i = 0; (i = query_next(q, i, left)) != POOL_INDEX_NONE; i++) {
        while (k < w->nfound && w->found[k].node < i)
            k++;
        if (k < w->nfound && w->found[k].node == i)
            continue;
        struct pool_amount a = query_amount(q, i);
        if (best == POOL_INDEX_NONE || is_tighter(a, least)) {
            best = i;
            least = a;
        }
    }
    return best;
}

static bool best_wide(const struct query *q)
{
    struct pool_work *w = q->p->work;
    if (query_gather(q) < q->slots) {
        w->nfound = 0;
        return false;
    }
    size_t n = w->nfound, kept = 0, nsome = 0;
    unsigned left = place_levels(q), last = 0;
    struct pool_spot *some = work_some(w, n);
    /* Of all sizes but the smallest that is taken whole, all nodes are taken. */
    for (size_t i = 0; i < n; i++)
        if (w->levels[w->found[i].nslots] > 0 && (!last || w->found[i].nslots < last))
            last = w->found[i].nslots;
    for (size_t i = 0; i < n; i++) {
        if (last > 0 && w->found[i].nslots == last)
            some[nsome++] = w->found[i];
        else if (last > 0 && w->found[i].nslots > last)
            w->found[kept++] = w->found[i];
    }
    w->nfound = kept;
    if (last > 0)
        take_runs(q->p, some, nsome, w->levels[last]);
    sort_found(w);
    size_t i = tightest_beside(q, left);
    found_add(w, i, left);
    sort_found(w);
    return true;
}

static bool best_slots(const struct query *q)
{
    size_t i = tightest(q, q->slots);
    if (i != POOL_INDEX_NONE) {
        found_add(q->p->work, i, q->slots);
        return true;
    }
    return q->p->nnodes > 1 && q->slots > 1 && best_wide(q);
}

const struct place_strategy place_best = {
    .name = "best",
    .summary = "the tightest node, or adjacent ones: whole nodes are kept free",
    .tight = true,
    .nodes = best_nodes,
    .slots = best_slots,
};
