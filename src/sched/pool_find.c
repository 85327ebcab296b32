/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_find: where a request could go, and if nowhere, why. */
#include "src/sched/pool_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "src/common/util.h"

/* A question to the pool, with what does not change from node to node. */
struct query {
    const struct pool *p;
    const struct pool_request *req;
    enum view view;
    const struct pool_view *own; /* in place of view, or NULL */
    const struct pool_index *index;
    const struct rset *held;
    unsigned nodes;       /* asked for, 0: slots alone */
    unsigned slots;       /* per node, or in all */
    unsigned cores, gpus; /* per slot */
};

static struct query make_query(const struct pool *p, const struct pool_request *req,
                               enum view view, const struct pool_view *own,
                               const struct rset *held)
{
    const struct job_shape *s = &req->shape;
    return (struct query){p,
                          req,
                          view,
                          own,
                          own ? &own->index : &p->work->index[view],
                          held,
                          s->nnodes_min,
                          MAX(s->nslots, 1U),
                          MAX(s->cores_per_slot, 1U),
                          s->gpus_per_slot};
}

static struct capacity node_capacity(const struct pnode *n, enum view view)
{
    bool up = n->state == POOL_UP;
    bool idle = n->nfree_cores == n->ncores && n->nfree_gpus == n->ngpus;
    if (view == VIEW_ALL || (view == VIEW_IDLE && up && idle))
        return (struct capacity){n->ncores, n->ngpus};
    if (view == VIEW_FREE && up)
        return (struct capacity){n->nfree_cores, n->nfree_gpus};
    return (struct capacity){0, 0};
}

static struct capacity capacity(const struct query *q, size_t i)
{
    const struct pnode *n = &q->p->nodes[i];
    if (q->own) {
        struct capacity c = q->own->nodes[i];
        bool part = c.cores < n->ncores || c.gpus < n->ngpus;
        return q->req->shape.exclusive && part ? (struct capacity){0, 0} : c;
    }
    struct capacity c = node_capacity(n, q->view);
    const struct rset_node *h = q->held ? rset_find(q->held, n->rank) : NULL;
    if (h) {
        if (q->req->shape.exclusive)
            return (struct capacity){0, 0};
        c.cores -= MIN(c.cores, (unsigned)hwloc_bitmap_weight(h->cores));
        c.gpus -= h->gpus ? MIN(c.gpus, (unsigned)hwloc_bitmap_weight(h->gpus)) : 0;
    }
    return c;
}

static unsigned slots_of(const struct query *q, struct capacity c)
{
    unsigned n = c.cores / q->cores;
    return q->gpus ? MIN(n, c.gpus / q->gpus) : n;
}

struct asked {
    const struct pool *p;
    unsigned rank;
};

static bool has_property(const void *arg, const char *name)
{
    const struct asked *a = arg;
    for (size_t i = 0; i < a->p->nproperties; i++)
        if (strcmp(a->p->properties[i].name, name) == 0)
            return hwloc_bitmap_isset(a->p->properties[i].ranks, a->rank);
    return false;
}

static bool matches(const struct query *q, size_t i)
{
    if (!q->req->constraint)
        return true;
    const struct pnode *n = &q->p->nodes[i];
    struct asked a = {q->p, n->rank};
    struct constraint_node cn = {n->rank, n->host, has_property, &a};
    return constraint_match(q->req->constraint, &cn);
}

static void log_change(struct pool_work *w, size_t i)
{
    if (w->logs && !w->remade && !w->is_changed[i]) {
        w->is_changed[i] = true;
        w->changed[w->nchanged++] = i;
    }
}

void pool_index_node(const struct pool *p, size_t i)
{
    if (p->work->stale)
        return;
    log_change(p->work, i);
    for (enum view v = 0; v < NVIEWS; v++) {
        struct capacity c = node_capacity(&p->nodes[i], v);
        pool_index_set(&p->work->index[v], i, c.cores, c.gpus);
    }
}

void pool_index_refresh(const struct pool *p)
{
    if (!p->work->stale)
        return;
    unsigned max_gpus = 0;
    for (size_t i = 0; i < p->nnodes; i++)
        max_gpus = MAX(max_gpus, p->nodes[i].ngpus);
    for (enum view v = 0; v < NVIEWS; v++)
        pool_index_reset(&p->work->index[v], p->nnodes, max_gpus);
    p->work->stale = false;
    p->work->remade = true;
    for (size_t i = 0; i < p->nnodes; i++)
        pool_index_node(p, i);
}

static void found_add(struct pool_work *w, size_t node, unsigned nslots)
{
    if (w->nfound == w->found_room) {
        w->found_room = MAX(2 * w->found_room, (size_t)8);
        w->found = xrealloc(w->found, w->found_room * sizeof(*w->found));
    }
    w->found[w->nfound++] = (struct pool_spot){node, nslots};
}

/* The first node at or after FROM that takes NSLOTS slots, or POOL_INDEX_NONE. */
static size_t next_node(const struct query *q, size_t from, unsigned nslots)
{
    uint64_t cores = (uint64_t)nslots * q->cores, gpus = (uint64_t)nslots * q->gpus;
    if (cores > UINT_MAX || gpus > UINT_MAX)
        return POOL_INDEX_NONE;
    const struct pool_index *ix = q->index;
    for (size_t i = from;; i++) {
        i = pool_index_next(ix, i, (unsigned)cores, (unsigned)gpus);
        /* What is held, and many GPUs, the index does not know. */
        if (i == POOL_INDEX_NONE ||
            (slots_of(q, capacity(q, i)) >= nslots && matches(q, i)))
            return i;
    }
}

static bool search_nodes(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned max = MAX(q->req->shape.nnodes_max, q->nodes);
    for (size_t i = 0; w->nfound < max; i++) {
        i = next_node(q, i, q->slots);
        if (i == POOL_INDEX_NONE)
            break;
        found_add(w, i, q->slots);
    }
    return w->nfound >= q->nodes;
}

static void *room_for(void *p, size_t *room, size_t n, size_t size)
{
    if (n <= *room)
        return p;
    *room = MAX(n, 2 * *room);
    return xrealloc(p, *room * size);
}

/* Slots over several nodes: the roomiest first, until the rest fits one.  Looks at each node
 * that takes one once, to count how many have how many slots, which says how many nodes are taken of each
 * size; then takes these in rank order. */
static bool search_slots_wide(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned most = 0, left = q->slots;
    uint64_t total = 0;
    w->nfound = 0;
    for (size_t i = 0; (i = next_node(q, i, 1)) != POOL_INDEX_NONE; i++) {
        unsigned k = slots_of(q, capacity(q, i));
        found_add(w, i, k);
        most = MAX(most, k);
        total += k;
    }
    size_t n = w->nfound;
    w->nfound = 0;
    if (total < left)
        return false;

    w->levels =
        room_for(w->levels, &w->levels_room, (size_t)most + 1, sizeof(*w->levels));
    memset(w->levels, 0, ((size_t)most + 1) * sizeof(*w->levels));
    for (size_t i = 0; i < n; i++)
        w->levels[w->found[i].nslots]++;
    /* From here on, levels[k] is how many nodes of k slots are taken whole. */
    bool rest = false; /* the last node, which takes what is left */
    for (unsigned k = most; k > 0; k--) {
        unsigned have = rest ? 0 : w->levels[k], whole = MIN(have, (left - 1) / k);
        left -= whole * k;
        w->levels[k] = whole;
        rest = rest || whole < have;
    }

    for (size_t i = 0; i < n; i++) { /* those taken are moved to the front */
        struct pool_spot s = w->found[i];
        if (w->levels[s.nslots] > 0) {
            w->levels[s.nslots]--;
            w->found[w->nfound++] = s;
        } else if (rest && s.nslots >= left) {
            rest = false;
            w->found[w->nfound++] = (struct pool_spot){s.node, left};
        }
    }
    return true;
}

/* Most slots that a node has by the index, or 0 where the index does not tell. */
static unsigned most_slots(const struct query *q)
{
    const struct pool_index *ix = q->index;
    unsigned most = 0;
    if (q->gpus > 0 && ix->width > POOL_INDEX_GPUS)
        return 0;
    for (unsigned g = 0; g < ix->width; g++) {
        unsigned k = slots_of(q, (struct capacity){pool_index_most(ix, g), g});
        most = MAX(most, k);
    }
    return most;
}

/* As search_slots_wide, without looking at each node: works while there are enough of the
 * roomiest nodes, as in a pool of equal nodes. */
static bool search_slots_alike(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned most = most_slots(q), left = q->slots;
    size_t i = 0, k = 0;
    for (; most > 0 && left > most; left -= most, i++) {
        i = next_node(q, i, most);
        if (i == POOL_INDEX_NONE)
            break;
        found_add(w, i, most);
    }
    if (most > 0 && left <= most) {
        /* The first that holds the rest and is not among those found. */
        i = next_node(q, 0, left);
        for (; k < w->nfound && i == w->found[k].node; k++)
            i = next_node(q, i + 1, left);
        if (i != POOL_INDEX_NONE) {
            found_add(w, i, left);
            memmove(w->found + k + 1, w->found + k,
                    (w->nfound - 1 - k) * sizeof(*w->found));
            w->found[k] = (struct pool_spot){i, left};
            return true;
        }
    }
    w->nfound = 0;
    return false;
}

static bool search_slots(const struct query *q)
{
    size_t i = next_node(q, 0, q->slots);
    if (i != POOL_INDEX_NONE) {
        found_add(q->p->work, i, q->slots);
        return true;
    }
    return q->p->nnodes > 1 && q->slots > 1 &&
           (search_slots_alike(q) || search_slots_wide(q));
}

/* Whether so many slots are too many by the totals alone. */
static bool too_many(const struct query *q, uint64_t slots)
{
    const struct pool *p = q->p;
    if (!q->own && q->view == VIEW_ALL)
        return false;
    uint64_t cores = q->own ? q->own->cores : p->free_cores,
             gpus = q->own ? q->own->gpus : p->free_gpus;
    return slots > cores / q->cores || (q->gpus && slots > gpus / q->gpus);
}

bool pool_search(const struct pool *p, const struct pool_request *req, enum view view,
                 const struct pool_view *own, const struct rset *held)
{
    struct query q = make_query(p, req, view, own, held);
    uint64_t all = (uint64_t)q.slots * MAX(q.nodes, 1U);
    p->work->nfound = 0;
    if (q.nodes > p->nnodes || too_many(&q, all))
        return false;
    pool_index_refresh(p);
    return q.nodes > 0 ? search_nodes(&q) : search_slots(&q);
}

/* --- views that policies make ------------------------------------------------------------- */

struct pool_view *pool_view_create(const struct pool *p)
{
    struct pool_view *v = xcalloc(1, sizeof(*v));
    unsigned max_gpus = 0;
    v->nnodes = p->nnodes;
    v->nodes = xcalloc(MAX(v->nnodes, (size_t)1), sizeof(*v->nodes));
    for (size_t i = 0; i < p->nnodes; i++)
        max_gpus = MAX(max_gpus, p->nodes[i].ngpus);
    pool_index_reset(&v->index, v->nnodes, max_gpus);
    return v;
}

void pool_view_destroy(struct pool_view *v)
{
    if (!v)
        return;
    pool_index_clear(&v->index);
    free(v->nodes);
    free(v);
}

void pool_view_set(struct pool_view *v, size_t i, unsigned cores, unsigned gpus)
{
    struct capacity *c = &v->nodes[i];
    if (c->cores == cores && c->gpus == gpus)
        return;
    v->cores += cores - (uint64_t)c->cores; /* unsigned arithmetic wraps */
    v->gpus += gpus - (uint64_t)c->gpus;
    *c = (struct capacity){cores, gpus};
    pool_index_set(&v->index, i, cores, gpus);
}

struct pool_amount pool_view_get(const struct pool_view *v, size_t i)
{
    return (struct pool_amount){v->nodes[i].cores, v->nodes[i].gpus};
}

void pool_view_totals(const struct pool_view *v, uint64_t *cores, uint64_t *gpus)
{
    *cores = v->cores;
    *gpus = v->gpus;
}

const struct pool_spot *pool_find(const struct pool *p, const struct pool_view *v,
                                  const struct pool_request *req, size_t *n)
{
    bool found =
        pool_search(p, req, req->shape.exclusive ? VIEW_IDLE : VIEW_FREE, v, NULL);
    *n = p->work->nfound;
    return found ? p->work->found : NULL;
}

size_t pool_next_node(const struct pool *p, const struct pool_view *v,
                      const struct pool_request *req, size_t from)
{
    struct query q = make_query(p, req, VIEW_FREE, v, NULL);
    size_t i = next_node(&q, from, q.slots);
    return i == POOL_INDEX_NONE ? p->nnodes : i;
}

struct pool_counts pool_counts(const struct pool *p, size_t i)
{
    const struct pnode *n = &p->nodes[i];
    return (struct pool_counts){n->rank,
                                n->state == POOL_UP,
                                {n->ncores, n->ngpus},
                                {n->nfree_cores, n->nfree_gpus}};
}

size_t pool_position(const struct pool *p, unsigned rank)
{
    ptrdiff_t i = pool_find_rank(p, rank);
    return i < 0 ? p->nnodes : (size_t)i;
}

const size_t *pool_changes(const struct pool *p, size_t *n, bool *all)
{
    struct pool_work *w = p->work;
    pool_index_refresh(p);
    *all = w->remade || !w->logs;
    if (*all) {
        w->logs = true;
        w->changed = xrealloc(w->changed, MAX(p->nnodes, (size_t)1) * sizeof(size_t));
        free(w->is_changed);
        w->is_changed = xcalloc(MAX(p->nnodes, (size_t)1), sizeof(bool));
        w->nchanged = 0;
    }
    w->remade = false;
    *n = w->nchanged;
    for (size_t i = 0; i < *n; i++)
        w->is_changed[w->changed[i]] = false;
    w->nchanged = 0;
    return w->changed;
}

/* --- why not ------------------------------------------------------------------------------- */

struct text {
    char s[128];
};

static struct text amount(uint64_t n, const char *unit)
{
    struct text t;
    snprintf(t.s, sizeof(t.s), "%" PRIu64 " %s%s", n, unit, n == 1 ? "" : "s");
    return t;
}

/* "4 were", "1 was" */
static struct text were(uint64_t n)
{
    struct text t;
    snprintf(t.s, sizeof(t.s), "%" PRIu64 " %s", n, n == 1 ? "was" : "were");
    return t;
}

static struct text resources(uint64_t cores, uint64_t gpus, bool with_gpus)
{
    struct text t;
    snprintf(t.s, sizeof(t.s), "%.40s%s%.40s", amount(cores, "core").s,
             with_gpus ? " and " : "", with_gpus ? amount(gpus, "GPU").s : "");
    return t;
}

/* What the nodes that match add up to. */
struct sums {
    size_t nodes, fitting; /* fitting: that hold what one node must */
    uint64_t cores, gpus, slots;
    struct capacity best;
};

/* Is A the better example of a node for one that must have so many GPUs? */
static bool better(struct capacity a, struct capacity b, uint64_t gpus)
{
    uint64_t ga = MIN(a.gpus, gpus), gb = MIN(b.gpus, gpus);
    return ga != gb ? ga > gb : a.cores != b.cores ? a.cores > b.cores : a.gpus > b.gpus;
}

static struct sums add_up(const struct query *q, bool constrained, uint64_t cores,
                          uint64_t gpus)
{
    struct sums s = {0};
    for (size_t i = 0; i < q->p->nnodes; i++) {
        if (constrained && !matches(q, i))
            continue;
        struct capacity c = capacity(q, i);
        s.nodes++;
        s.fitting += c.cores >= cores && c.gpus >= gpus;
        s.cores += c.cores;
        s.gpus += c.gpus;
        s.slots += slots_of(q, c);
        if (better(c, s.best, gpus))
            s.best = c;
    }
    return s;
}

static int too_few(const struct sums *s, const char *who, const char *verb,
                   const char *where, uint64_t cores, uint64_t gpus, struct error *err)
{
    if (s->cores < cores)
        return error_set(err, ENOSPC, "%s %s %s%s; %s asked for", who, verb,
                         amount(s->cores, "core").s, where, were(cores).s);
    if (s->gpus < gpus)
        return error_set(err, ENOSPC, "%s %s %s%s; %s asked for", who, verb,
                         amount(s->gpus, "GPU").s, where, were(gpus).s);
    return 0;
}

/* Only called for what has no place, so it may take its time.  The first reason that holds is
 * told: the order goes from the whole to the parts. */
static int explain(const struct query *q, struct error *err)
{
    uint64_t all = (uint64_t)q->slots * MAX(q->nodes, 1U);
    unsigned per_node = q->nodes > 0 ? q->slots : 1;
    uint64_t cores = (uint64_t)per_node * q->cores, gpus = (uint64_t)per_node * q->gpus;
    const char *where = q->held ? " that the asking job leaves free" : "";
    const char *which = q->req->constraint ? " that matches the constraint" : "";

    struct sums s = add_up(q, false, cores, gpus);
    if (s.nodes < q->nodes)
        return error_set(err, ENOSPC, "this instance has %s; %s asked for",
                         amount(s.nodes, "node").s, were(q->nodes).s);
    if (too_few(&s, "this instance", "has", where, all * q->cores, all * q->gpus, err) <
        0)
        return -1;
    if (q->req->constraint) {
        s = add_up(q, true, cores, gpus);
        if (s.nodes == 0)
            return error_set(err, ENOSPC,
                             "no node of this instance matches the constraint");
        if (s.nodes < q->nodes)
            return error_set(err, ENOSPC, "the constraint leaves %s; %s asked for",
                             amount(s.nodes, "node").s, were(q->nodes).s);
        if (too_few(&s, "the nodes that match the constraint", "have", where,
                    all * q->cores, all * q->gpus, err) < 0)
            return -1;
    }
    struct text slots = amount(per_node, "slot"), need = resources(cores, gpus, gpus > 0);
    const char *unit = per_node == 1 ? "one slot" : slots.s;
    if (s.fitting == 0)
        return error_set(err, ENOSPC, "no node%s has %s%s for %s: the largest has %s",
                         which, need.s, where, unit,
                         resources(s.best.cores, s.best.gpus, gpus > 0).s);
    if (s.fitting < q->nodes)
        return error_set(err, ENOSPC, "%s%s with %s%s for %s; %s asked for",
                         s.fitting == 1 ? "there is only 1 node" : "there are only ",
                         s.fitting == 1 ? "" : amount(s.fitting, "node").s, need.s, where,
                         unit, were(q->nodes).s);
    return error_set(err, ENOSPC, "there is room for %s of %s%s; %s asked for",
                     amount(s.slots, "slot").s,
                     resources(q->cores, q->gpus, q->gpus > 0).s, where,
                     were(q->slots).s);
}

int pool_satisfiable(const struct pool *p, const struct pool_request *req,
                     struct error *err)
{
    return pool_satisfiable_beside(p, req, NULL, err);
}

int pool_satisfiable_beside(const struct pool *p, const struct pool_request *req,
                            const struct rset *held, struct error *err)
{
    if (pool_search(p, req, VIEW_ALL, NULL, held))
        return 0;
    struct query q = make_query(p, req, VIEW_ALL, NULL, held);
    return explain(&q, err);
}
