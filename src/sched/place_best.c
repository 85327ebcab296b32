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

/* Of a view that a policy has made no order is kept, nor of what parts of a request leave. */
static bool keeps_order(const struct query *q)
{
    return !q->own && !q->taken && q->view != VIEW_ALL;
}

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

/* The first one in order after AFTER (POOL_ORDER_NONE: of all), by what the pool has. */
static size_t next_tightest(const struct query *q, size_t after, unsigned nslots)
{
    struct pool_amount need;
    if (!query_need(q, nslots, &need))
        return POOL_INDEX_NONE;
    const struct pool_order *o = get_order(q);
    size_t i = pool_order_next(o, after, need.cores, need.gpus);
    while (i != POOL_ORDER_NONE &&
           (query_slots(q, query_amount(q, i)) < nslots || !query_matches(q, i)))
        i = pool_order_next(o, i, need.cores, need.gpus);
    return i;
}

static size_t tightest(const struct query *q, unsigned nslots)
{
    return keeps_order(q) ? next_tightest(q, POOL_ORDER_NONE, nslots)
                          : tightest_of_all(q, nslots);
}

/* --- runs of adjacent ranks ----------------------------------------------------------------- */

/* Nodes from FROM on, LEN of them. */
struct run {
    size_t from, len;
    size_t next; /* the next one as long, or NO_RUN */
};
#define NO_RUN ((size_t)-1)

/* Nodes that take NSLOTS slots; USED: and are not idle. */
struct search {
    const struct query *q;
    unsigned nslots;
    bool used;
    bool plain; /* the index tells all */
    struct pool_amount need;
    bool dense;       /* ranks have no gaps */
    struct run *runs; /* [nnodes] */
    size_t n, total;  /* runs, nodes in them */
};

static struct search make_search(const struct query *q, unsigned nslots)
{
    const struct pool *p = q->p;
    struct search s = {.q = q, .nslots = nslots};
    s.plain = query_need(q, nslots, &s.need) && query_is_plain(q, s.need.gpus);
    s.dense = p->nodes[p->nnodes - 1].rank - p->nodes[0].rank == p->nnodes - 1;
    s.runs = xmalloc(p->nnodes * sizeof(*s.runs));
    return s;
}

static void clear_search(struct search *s)
{
    free(s->runs);
}

static bool is_idle(const struct query *q, size_t i)
{
    if (!q->own)
        return pool_index_cores(&q->p->work->index[VIEW_IDLE], i) > 0;
    struct pool_amount a = query_amount(q, i), all = q->p->nodes[i].all;
    return a.cores >= all.cores && a.gpus >= all.gpus && a.memory >= all.memory;
}

static bool takes(const struct search *s, size_t i)
{
    const struct query *q = s->q;
    bool room =
        s->plain
            ? pool_index_has(q->index, i, s->need.cores, s->need.gpus, s->need.memory)
            : query_slots(q, query_amount(q, i)) >= s->nslots && query_matches(q, i);
    return room && !(s->used && is_idle(q, i));
}

/* The first one at or after I; nnodes: there is none. */
static size_t next_node(const struct search *s, size_t i)
{
    size_t n = s->q->p->nnodes;
    if (s->plain && s->used) /* what is idle the tree does not know */
        while (i < n && !takes(s, i))
            i++;
    else
        for (; (i = query_next(s->q, i, s->nslots)) < n && s->used && is_idle(s->q, i);)
            i++;
    return MIN(i, n);
}

static void find_runs(struct search *s, bool used)
{
    const struct pool *p = s->q->p;
    s->used = used;
    s->n = s->total = 0;
    for (size_t i = 0, end; (i = next_node(s, i)) < p->nnodes; i = end) {
        for (end = i + 1; end < p->nnodes && takes(s, end) &&
                          (s->dense || p->nodes[end].rank == p->nodes[end - 1].rank + 1);)
            end++;
        s->runs[s->n++] = (struct run){i, end - i, NO_RUN};
        s->total += end - i;
    }
}

static void add_run(struct pool_work *w, size_t from, size_t len, unsigned nslots)
{
    for (size_t i = from; i < from + len; i++)
        found_add(w, i, nslots);
}

/* Take WANT of the nodes: whole runs while they are too short, the longest first, then the shortest that is long enough;
 * of equals the first. */
static void take_runs(const struct search *s, size_t want)
{
    struct pool_work *w = s->q->p->work;
    size_t longest = 0, len;
    for (size_t i = 0; i < s->n; i++)
        longest = MAX(longest, s->runs[i].len);
    cleanup_free size_t *first = xmalloc((longest + 1) * sizeof(*first));
    memset(first, 0xff, (longest + 1) * sizeof(*first));
    for (size_t i = s->n; i-- > 0;) {
        s->runs[i].next = first[s->runs[i].len];
        first[s->runs[i].len] = i;
    }
    for (len = longest; want > 0; want -= len) {
        while (first[len] == NO_RUN)
            len--;
        if (len >= want)
            break;
        add_run(w, s->runs[first[len]].from, len, s->nslots);
        first[len] = s->runs[first[len]].next;
    }
    for (len = want; want > 0 && first[len] == NO_RUN;)
        len++;
    if (want > 0)
        add_run(w, s->runs[first[len]].from, want, s->nslots);
}

static int by_node(const void *a, const void *b)
{
    const struct pool_spot *s = a, *t = b;
    return (s->node > t->node) - (s->node < t->node);
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

static bool best_nodes(const struct query *q)
{
    struct pool_work *w = q->p->work;
    size_t max = MAX(q->req->shape.nnodes_max, q->nodes);
    if (max == 1) {
        size_t i = tightest(q, q->slots);
        if (i != POOL_INDEX_NONE)
            found_add(w, i, q->slots);
        return i != POOL_INDEX_NONE;
    }
    __attribute__((cleanup(clear_search))) struct search s = make_search(q, q->slots);
    find_runs(&s, true);
    if (s.total < max)
        find_runs(&s, false);
    if (s.total > 0)
        take_runs(&s, MIN(s.total, max));
    sort_found(w);
    return w->nfound >= q->nodes;
}

static bool is_found(const struct pool_work *w, size_t node)
{
    const struct pool_spot key = {.node = node};
    return w->nfound > 0 &&
           bsearch(&key, w->found, w->nfound, sizeof(*w->found), by_node) != NULL;
}

/* The tightest of those that take LEFT slots and are not found, which ascend. */
static size_t tightest_beside(const struct query *q, unsigned left)
{
    const struct pool_work *w = q->p->work;
    if (keeps_order(q)) {
        size_t i = tightest(q, left);
        while (i != POOL_ORDER_NONE && is_found(w, i))
            i = next_tightest(q, i, left);
        return i;
    }
    size_t best = POOL_INDEX_NONE;
    struct pool_amount least = {0};
    for (size_t i = 0; (i = query_next(q, i, left)) != POOL_INDEX_NONE; i++) {
        struct pool_amount a = query_amount(q, i);
        if (is_found(w, i) || (best != POOL_INDEX_NONE && !is_tighter(a, least)))
            continue;
        best = i;
        least = a;
    }
    return best;
}

/* What is left goes on the tightest node. */
static void add_last(const struct query *q, unsigned left)
{
    sort_found(q->p->work);
    found_add(q->p->work, tightest_beside(q, left), left);
    sort_found(q->p->work);
}

/* As best_wide, where there are more of the roomiest nodes than are taken whole. */
static bool best_alike(const struct query *q)
{
    unsigned most = query_most(q), whole = most > 0 ? (q->slots - 1) / most : 0;
    if (whole == 0)
        return false;
    __attribute__((cleanup(clear_search))) struct search s = make_search(q, most);
    find_runs(&s, false);
    if (s.total <= whole)
        return false;
    take_runs(&s, whole);
    add_last(q, q->slots - whole * most);
    return true;
}

/* The runs are those of the N spots at SPOTS, which ascend. */
static void set_runs(struct search *s, const struct pool_spot *spots, size_t n)
{
    const struct pnode *nodes = s->q->p->nodes;
    s->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct run *r = s->n > 0 ? &s->runs[s->n - 1] : NULL;
        size_t at = spots[i].node;
        if (r && r->from + r->len == at && nodes[at].rank == nodes[at - 1].rank + 1)
            r->len++;
        else
            s->runs[s->n++] = (struct run){at, 1, NO_RUN};
    }
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
    if (last > 0) {
        __attribute__((cleanup(clear_search))) struct search s = make_search(q, last);
        set_runs(&s, some, nsome);
        take_runs(&s, w->levels[last]);
    }
    add_last(q, left);
    return true;
}

static bool best_slots(const struct query *q)
{
    size_t i = tightest(q, q->slots);
    if (i != POOL_INDEX_NONE) {
        found_add(q->p->work, i, q->slots);
        return true;
    }
    return q->p->nnodes > 1 && q->slots > 1 && (best_alike(q) || best_wide(q));
}

const struct place_strategy place_best = {
    .name = "best",
    .summary = "the tightest node, or adjacent ones: whole nodes are kept free",
    .tight = true,
    .nodes = best_nodes,
    .slots = best_slots,
};
