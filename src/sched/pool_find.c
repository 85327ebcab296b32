/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_find: questions to the pool: what its nodes show, and where a request could go. */
#include "src/sched/pool_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "src/common/util.h"

struct query query_make(const struct pool *p, const struct pool_request *req,
                        enum view view, const struct pool_view *own,
                        const struct rset *held)
{
    const struct job_shape *s = &req->shape;
    return (struct query){.p = p,
                          .req = req,
                          .view = view,
                          .own = own,
                          .index = own ? &own->index : &p->work->index[view],
                          .held = held,
                          .nodes = s->nnodes_min,
                          .slots = MAX(s->nslots, 1U),
                          .cores = MAX(s->cores_per_slot, 1U),
                          .gpus = s->gpus_per_slot,
                          .memory = s->mem_per_slot,
                          .node_memory = s->mem_per_node};
}

static const struct pool_amount nothing;

static bool is_all(struct pool_amount a, const struct pnode *n)
{
    return a.cores >= n->all.cores && a.gpus >= n->all.gpus && a.memory >= n->all.memory;
}

static struct pool_amount node_amount(const struct pnode *n, enum view view)
{
    bool up = n->state == POOL_UP;
    if (view == VIEW_ALL || (view == VIEW_IDLE && up && is_all(n->free, n)))
        return n->all;
    return view == VIEW_FREE && up ? n->free : nothing;
}

static struct pool_amount shown(const struct query *q, size_t i)
{
    const struct pnode *n = &q->p->nodes[i];
    if (q->own) {
        struct pool_amount a = q->own->nodes[i];
        return q->req->shape.exclusive && !is_all(a, n) ? nothing : a;
    }
    struct pool_amount a = node_amount(n, q->view);
    const struct rset_node *h = q->held ? rset_find(q->held, n->rank) : NULL;
    if (h) {
        if (q->req->shape.exclusive)
            return nothing;
        a.cores -= MIN(a.cores, (unsigned)hwloc_bitmap_weight(h->cores));
        a.gpus -= h->gpus ? MIN(a.gpus, (unsigned)hwloc_bitmap_weight(h->gpus)) : 0;
        a.memory -= MIN(a.memory, h->memory);
    }
    return a;
}

struct pool_amount query_amount(const struct query *q, size_t i)
{
    struct pool_amount a = shown(q, i);
    if (!q->taken)
        return a;
    struct pool_amount t = q->taken[i];
    return (struct pool_amount){a.cores - MIN(a.cores, t.cores),
                                a.gpus - MIN(a.gpus, t.gpus),
                                a.memory - MIN(a.memory, t.memory)};
}

unsigned query_slots(const struct query *q, struct pool_amount a)
{
    unsigned n = a.cores / q->cores;
    if (q->gpus)
        n = MIN(n, a.gpus / q->gpus);
    if (a.memory < q->node_memory)
        return 0;
    if (q->memory)
        n = (unsigned)MIN((uint64_t)n, (a.memory - q->node_memory) / q->memory);
    return n;
}

bool query_need(const struct query *q, unsigned nslots, struct pool_amount *need)
{
    uint64_t cores = (uint64_t)nslots * q->cores, gpus = (uint64_t)nslots * q->gpus;
    *need = (struct pool_amount){(unsigned)cores, (unsigned)gpus,
                                 nslots * q->memory + q->node_memory};
    return cores <= UINT_MAX && gpus <= UINT_MAX &&
           (!q->memory || nslots <= (UINT64_MAX - q->node_memory) / q->memory);
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

bool query_matches(const struct query *q, size_t i)
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
        struct pool_amount a = node_amount(&p->nodes[i], v);
        pool_index_set(&p->work->index[v], i, a.cores, a.gpus, a.memory);
        if (v != VIEW_ALL && p->work->order[v].nodes)
            pool_order_set(&p->work->order[v], i, a.cores, a.gpus);
    }
}

/* All of them, if they are stale. */
static void refresh(const struct pool *p)
{
    if (!p->work->stale)
        return;
    unsigned max_gpus = 0;
    for (size_t i = 0; i < p->nnodes; i++)
        max_gpus = MAX(max_gpus, p->nodes[i].all.gpus);
    for (enum view v = 0; v < NVIEWS; v++)
        pool_index_reset(&p->work->index[v], p->nnodes, max_gpus);
    for (enum view v = 0; v < VIEW_ALL; v++)
        pool_order_clear(&p->work->order[v]);
    p->work->stale = false;
    p->work->remade = true;
    for (size_t i = 0; i < p->nnodes; i++)
        pool_index_node(p, i);
}

void found_add(struct pool_work *w, size_t node, unsigned nslots)
{
    if (w->nfound == w->found_room) {
        w->found_room = MAX(2 * w->found_room, (size_t)8);
        w->found = xrealloc(w->found, w->found_room * sizeof(*w->found));
    }
    w->found[w->nfound++] = (struct pool_spot){node, nslots, 0, false};
}

bool query_is_plain(const struct query *q, unsigned gpus)
{
    return !q->req->constraint && !q->held && !q->taken && gpus <= POOL_INDEX_GPUS &&
           !(q->own && q->req->shape.exclusive);
}

unsigned query_cores(const struct query *q, size_t i)
{
    return query_is_plain(q, 0) ? pool_index_cores(q->index, i)
                                : query_amount(q, i).cores;
}

unsigned query_most(const struct query *q)
{
    const struct pool_index *ix = q->index;
    unsigned most = 0;
    if (q->gpus > 0 && ix->width > POOL_INDEX_GPUS)
        return 0;
    for (unsigned g = 0; g < ix->width; g++) {
        unsigned k = query_slots(
            q, (struct pool_amount){pool_index_most(ix, g), g, ix->memory[1]});
        most = MAX(most, k);
    }
    return most;
}

size_t query_next(const struct query *q, size_t from, unsigned nslots)
{
    struct pool_amount need;
    if (!query_need(q, nslots, &need))
        return POOL_INDEX_NONE;
    if (query_is_plain(q, need.gpus))
        return pool_index_next(q->index, from, need.cores, need.gpus, need.memory);
    for (size_t i = from;; i++) {
        i = pool_index_next(q->index, i, need.cores, need.gpus, need.memory);
        /* What is held, and many GPUs, the index does not know. */
        if (i == POOL_INDEX_NONE ||
            (query_slots(q, query_amount(q, i)) >= nslots && query_matches(q, i)))
            return i;
    }
}

uint64_t query_gather(const struct query *q)
{
    uint64_t total = 0;
    bool cores_alone = query_is_plain(q, 0) && !q->gpus && !q->memory;
    q->p->work->nfound = 0;
    for (size_t i = 0; (i = query_next(q, i, 1)) != POOL_INDEX_NONE; i++) {
        unsigned k = cores_alone ? query_cores(q, i) : query_slots(q, query_amount(q, i));
        if (cores_alone && q->cores > 1)
            k /= q->cores;
        found_add(q->p->work, i, k);
        total += k;
    }
    return total;
}

static void *room_for(void *p, size_t *room, size_t n, size_t size)
{
    if (n <= *room)
        return p;
    *room = MAX(n, 2 * *room);
    return xrealloc(p, *room * size);
}

unsigned *work_levels(struct pool_work *w, size_t most)
{
    w->levels = room_for(w->levels, &w->levels_room, most + 1, sizeof(*w->levels));
    memset(w->levels, 0, (most + 1) * sizeof(*w->levels));
    return w->levels;
}

struct pool_spot *work_some(struct pool_work *w, size_t n)
{
    w->some = room_for(w->some, &w->some_room, MAX(n, (size_t)1), sizeof(*w->some));
    return w->some;
}

unsigned place_levels(const struct query *q)
{
    struct pool_work *w = q->p->work;
    unsigned most = 0, left = q->slots;
    for (size_t i = 0; i < w->nfound; i++)
        most = MAX(most, w->found[i].nslots);
    unsigned *levels = work_levels(w, most);
    for (size_t i = 0; i < w->nfound; i++)
        levels[w->found[i].nslots]++;
    bool rest = false;
    for (unsigned k = most; k > 0; k--) {
        unsigned have = rest ? 0 : levels[k], whole = MIN(have, (left - 1) / k);
        left -= whole * k;
        levels[k] = whole;
        rest = rest || whole < have;
    }
    return rest ? left : 0;
}

/* Whether so many slots are too many by the totals alone. */
static bool too_many(const struct query *q, uint64_t slots)
{
    const struct pool *p = q->p;
    if (!q->own && q->view == VIEW_ALL)
        return false;
    uint64_t cores = q->own ? q->own->cores : p->sums.free_cores,
             gpus = q->own ? q->own->gpus : p->sums.free_gpus;
    return slots > cores / q->cores || (q->gpus && slots > gpus / q->gpus);
}

static bool search(const struct query *q, const struct place_strategy *strategy)
{
    uint64_t all = (uint64_t)q->slots * MAX(q->nodes, 1U);
    q->p->work->nfound = 0;
    if (q->nodes > q->p->nnodes || too_many(q, all))
        return false;
    refresh(q->p);
    if (q->req->shape.contiguous)
        return pool_contiguous_find(q, strategy);
    if (q->nodes == 0 && q->req->shape.nparts > 0)
        return pool_parts_find(q, strategy);
    return q->nodes > 0 ? strategy->nodes(q) : strategy->slots(q);
}

bool pool_search(const struct pool *p, const struct pool_request *req, enum view view,
                 const struct pool_view *own, const struct rset *held)
{
    struct query q = query_make(p, req, view, own, held);
    return search(&q, &place_first);
}

/* --- views that policies make ------------------------------------------------------------- */

struct pool_view *pool_view_create(const struct pool *p)
{
    struct pool_view *v = xcalloc(1, sizeof(*v));
    unsigned max_gpus = 0;
    v->nnodes = p->nnodes;
    v->nodes = xcalloc(MAX(v->nnodes, (size_t)1), sizeof(*v->nodes));
    for (size_t i = 0; i < p->nnodes; i++)
        max_gpus = MAX(max_gpus, p->nodes[i].all.gpus);
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

void pool_view_set(struct pool_view *v, size_t i, struct pool_amount amount)
{
    struct pool_amount *a = &v->nodes[i];
    if (a->cores == amount.cores && a->gpus == amount.gpus && a->memory == amount.memory)
        return;
    v->cores += amount.cores - (uint64_t)a->cores; /* unsigned arithmetic wraps */
    v->gpus += amount.gpus - (uint64_t)a->gpus;
    *a = amount;
    pool_index_set(&v->index, i, a->cores, a->gpus, a->memory);
}

struct pool_amount pool_view_get(const struct pool_view *v, size_t i)
{
    return v->nodes[i];
}

void pool_view_totals(const struct pool_view *v, uint64_t *cores, uint64_t *gpus)
{
    *cores = v->cores;
    *gpus = v->gpus;
}

static enum view view_for(const struct pool_request *req)
{
    return req->shape.exclusive ? VIEW_IDLE : VIEW_FREE;
}

const struct pool_spot *pool_find(const struct pool *p, const struct pool_view *v,
                                  const struct pool_request *req, size_t *n)
{
    struct query q = query_make(p, req, view_for(req), v, NULL);
    bool found = search(&q, req->place ? req->place : p->strategy);
    *n = p->work->nfound;
    return found ? p->work->found : NULL;
}

bool pool_fits(const struct pool *p, const struct pool_view *v,
               const struct pool_request *req, size_t *n)
{
    bool found = pool_search(p, req, view_for(req), v, NULL);
    *n = p->work->nfound;
    return found;
}

size_t pool_next_node(const struct pool *p, const struct pool_view *v,
                      const struct pool_request *req, size_t from)
{
    struct query q = query_make(p, req, VIEW_FREE, v, NULL);
    size_t i = query_next(&q, from, q.slots);
    return i == POOL_INDEX_NONE ? p->nnodes : i;
}

struct pool_amount pool_need(const struct pool *p, const struct pool_request *req,
                             size_t i, unsigned nslots)
{
    struct query q = query_make(p, req, VIEW_FREE, NULL, NULL);
    struct pool_amount need;
    if (req->shape.exclusive)
        return p->nodes[i].all;
    query_need(&q, nslots, &need);
    return need;
}

struct pool_amount pool_spot_need(const struct pool *p, const struct pool_request *req,
                                  const struct pool_spot *spot)
{
    if (spot->part == 0)
        return pool_need(p, req, spot->node, spot->nslots);
    struct pool_request part = pool_part_request(req, spot->part - 1);
    part.shape.mem_per_node = spot->again ? 0 : req->shape.mem_per_node;
    return pool_need(p, &part, spot->node, spot->nslots);
}

struct pool_counts pool_counts(const struct pool *p, size_t i)
{
    const struct pnode *n = &p->nodes[i];
    return (struct pool_counts){n->rank, n->state == POOL_UP, n->all, n->free};
}

size_t pool_position(const struct pool *p, unsigned rank)
{
    ptrdiff_t i = pool_find_rank(p, rank);
    return i < 0 ? p->nnodes : (size_t)i;
}

const size_t *pool_changes(const struct pool *p, size_t *n, bool *all)
{
    struct pool_work *w = p->work;
    refresh(p);
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
