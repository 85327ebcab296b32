/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/pool_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/rset_parts.h"

/* --- nodes ---------------------------------------------------------------------------------- */

static unsigned weight(hwloc_const_bitmap_t set)
{
    int w = set ? hwloc_bitmap_weight(set) : 0;
    return w > 0 ? (unsigned)w : 0;
}

static hwloc_bitmap_t dup_set(hwloc_const_bitmap_t set)
{
    hwloc_bitmap_t d = set ? hwloc_bitmap_dup(set) : hwloc_bitmap_alloc();
    if (!d)
        abort();
    return d;
}

static struct pnode make_node(const struct rset_node *rn)
{
    struct pnode n = {.rank = rn->rank, .host = xstrdup(rn->host ? rn->host : "")};
    n.cores = dup_set(rn->cores);
    n.gpus = dup_set(rn->gpus);
    n.free_cores = dup_set(n.cores);
    n.free_gpus = dup_set(n.gpus);
    n.all = n.free = (struct pool_amount){weight(n.cores), weight(n.gpus), rn->memory};
    n.domains = domains_ref(rn->domains);
    return n;
}

static void clear_node(struct pnode *n)
{
    hwloc_bitmap_free(n->cores);
    hwloc_bitmap_free(n->gpus);
    hwloc_bitmap_free(n->free_cores);
    hwloc_bitmap_free(n->free_gpus);
    domains_destroy(n->domains);
    free(n->host);
    free(n->reason);
}

/* Position of the first node whose rank is not below RANK. */
static size_t lower_bound(const struct pool *p, unsigned rank)
{
    if (rank < p->nnodes && p->nodes[rank].rank == rank)
        return rank; /* the usual case: ranks without gaps */
    size_t lo = 0, hi = p->nnodes;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->nodes[mid].rank < rank)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

ptrdiff_t pool_find_rank(const struct pool *p, unsigned rank)
{
    size_t i = lower_bound(p, rank);
    return i < p->nnodes && p->nodes[i].rank == rank ? (ptrdiff_t)i : -1;
}

/* Count node N in the totals (SIGN 1) or take it out of them (-1). */
static void count_node(struct pool *p, const struct pnode *n, int sign)
{
    if (n->state != POOL_UP)
        return;
    uint64_t k = (uint64_t)(int64_t)sign; /* unsigned arithmetic wraps */
    struct pool_sums *s = &p->sums;
    s->cores += k * n->all.cores;
    s->gpus += k * n->all.gpus;
    s->memory += k * n->all.memory;
    s->free_cores += k * n->free.cores;
    s->free_gpus += k * n->free.gpus;
    s->free_memory += k * n->free.memory;
}

static void insert_node(struct pool *p, size_t at, struct pnode n)
{
    if (p->nnodes == p->room) {
        p->room = MAX(2 * p->room, (size_t)16);
        p->nodes = xrealloc(p->nodes, p->room * sizeof(*p->nodes));
    }
    memmove(p->nodes + at + 1, p->nodes + at, (p->nnodes - at) * sizeof(*p->nodes));
    p->nodes[at] = n;
    p->nnodes++;
    count_node(p, &n, 1);
    p->work->stale = true;
    p->gains++;
}

static void add_properties(struct pool *p, json_object *properties)
{
    if (!properties)
        return;
    json_object_object_foreach(properties, name, value)
    {
        hwloc_bitmap_t ranks = idset_decode(json_object_get_string(value), NULL);
        if (!ranks)
            continue; /* rset_from_json has checked it */
        p->properties =
            xrealloc(p->properties, (p->nproperties + 1) * sizeof(*p->properties));
        p->properties[p->nproperties++] = (struct property){xstrdup(name), ranks};
    }
}

struct pool *pool_create(const struct rset *r)
{
    struct pool *p = xcalloc(1, sizeof(*p));
    p->work = xcalloc(1, sizeof(*p->work));
    p->work->stale = true;
    p->work->cores = dup_set(NULL);
    p->work->gpus = dup_set(NULL);
    p->work->part = dup_set(NULL);
    p->strategy = place_strategies[0];
    for (size_t i = 0; i < r->nnodes; i++)
        insert_node(p, lower_bound(p, r->nodes[i].rank), make_node(&r->nodes[i]));
    add_properties(p, r->properties);
    return p;
}

void pool_destroy(struct pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->nnodes; i++)
        clear_node(&p->nodes[i]);
    free(p->nodes);
    for (size_t i = 0; i < p->nproperties; i++) {
        free(p->properties[i].name);
        hwloc_bitmap_free(p->properties[i].ranks);
    }
    free(p->properties);
    for (enum view v = 0; v < NVIEWS; v++)
        pool_index_clear(&p->work->index[v]);
    for (enum view v = 0; v < VIEW_ALL; v++)
        pool_order_clear(&p->work->order[v]);
    hwloc_bitmap_free(p->work->cores);
    hwloc_bitmap_free(p->work->gpus);
    hwloc_bitmap_free(p->work->part);
    free(p->work->found);
    free(p->work->some);
    free(p->work->levels);
    free(p->work->taken);
    free(p->work->part_spots);
    free(p->work->changed);
    free(p->work->is_changed);
    free(p->work);
    free(p);
}

size_t pool_nnodes(const struct pool *p)
{
    return p->nnodes;
}

struct pool_node pool_nth(const struct pool *p, size_t i)
{
    const struct pnode *n = &p->nodes[i];
    return (struct pool_node){n->rank,       n->host,      n->cores,      n->gpus,
                              n->free_cores, n->free_gpus, n->all.memory, n->free.memory,
                              n->state,      n->reason};
}

json_object *pool_properties(const struct pool *p, unsigned rank)
{
    json_object *all = NULL;
    for (size_t i = 0; i < p->nproperties; i++) {
        if (!hwloc_bitmap_isset(p->properties[i].ranks, rank))
            continue;
        if (!all)
            all = json_object_new_array();
        json_object_array_add(all, json_object_new_string(p->properties[i].name));
    }
    return all;
}

void pool_totals(const struct pool *p, size_t *cores, size_t *gpus, size_t *free_cores,
                 size_t *free_gpus)
{
    *cores = p->sums.cores;
    *gpus = p->sums.gpus;
    *free_cores = p->sums.free_cores;
    *free_gpus = p->sums.free_gpus;
}

struct pool_sums pool_sums(const struct pool *p)
{
    return p->sums;
}

void pool_set_strategy(struct pool *p, const struct place_strategy *strategy)
{
    p->strategy = strategy;
}

uint64_t pool_gains(const struct pool *p)
{
    return p->gains;
}

/* --- taking and giving back --------------------------------------------------------------- */

/* Change what is free on node I: CORES, GPUS and MEMORY are taken from it, or come back. */
static void change(struct pool *p, size_t i, hwloc_const_bitmap_t cores,
                   hwloc_const_bitmap_t gpus, uint64_t memory, bool back)
{
    struct pnode *n = &p->nodes[i];
    count_node(p, n, -1);
    if (back) {
        hwloc_bitmap_or(n->free_cores, n->free_cores, cores);
        hwloc_bitmap_and(n->free_cores, n->free_cores, n->cores);
    } else {
        hwloc_bitmap_andnot(n->free_cores, n->free_cores, cores);
    }
    n->free.cores = weight(n->free_cores);
    if (gpus && !hwloc_bitmap_iszero(gpus)) {
        if (back) {
            hwloc_bitmap_or(n->free_gpus, n->free_gpus, gpus);
            hwloc_bitmap_and(n->free_gpus, n->free_gpus, n->gpus);
        } else {
            hwloc_bitmap_andnot(n->free_gpus, n->free_gpus, gpus);
        }
        n->free.gpus = weight(n->free_gpus);
    }
    if (back)
        n->free.memory = MIN(n->free.memory + memory, n->all.memory);
    else
        n->free.memory -= memory;
    count_node(p, n, 1);
    pool_index_node(p, i);
}

struct placement *pool_alloc(struct pool *p, const struct pool_request *req)
{
    size_t n;
    const struct pool_spot *spots = pool_find(p, NULL, req, &n);
    return spots ? pool_alloc_at(p, req, spots, n) : NULL;
}

/* Pick what NSLOTS slots of REQ take of the node of SPOT, and take it. */
static void take_slots(struct pool *p, struct placement *pl,
                       const struct pool_request *req, const struct pool_spot *spot)
{
    const struct pnode *n = &p->nodes[spot->node];
    struct pool_work *w = p->work;
    bool tight = (req->place ? req->place : p->strategy)->tight;
    uint64_t memory = pool_need(p, req, spot->node, spot->nslots).memory;
    pool_pick(w, n, req, spot->nslots, tight);
    rset_add(pl->rset, n->rank, n->host, w->cores, w->gpus)->memory += memory;
    change(p, spot->node, w->cores, w->gpus, memory, false);
}

/* What is left of the node. */
static void take_rest(struct pool *p, struct placement *pl, size_t node)
{
    const struct pnode *n = &p->nodes[node];
    cleanup_bitmap hwloc_bitmap_t cores = dup_set(n->free_cores),
                                  gpus = dup_set(n->free_gpus);
    uint64_t memory = n->free.memory;
    rset_add(pl->rset, n->rank, n->host, cores, gpus)->memory += memory;
    change(p, node, cores, gpus, memory, false);
}

/* Slots of one part, or of each. Return how many. */
static unsigned take_parts(struct pool *p, struct placement *pl,
                           const struct pool_request *req, const struct pool_spot *spot)
{
    const struct job_shape *s = &req->shape;
    unsigned nslots = 0;
    for (unsigned k = 0; k < s->nparts; k++) {
        unsigned part = spot->part ? spot->part - 1 : s->parts[k].hardest;
        struct pool_request sub = pool_part_request(req, part);
        struct pool_spot some = {
            spot->node, spot->part ? spot->nslots : s->parts[part].nslots, 0, false};
        sub.shape.exclusive = false;
        take_slots(p, pl, &sub, &some);
        rset_parts_add(pl->rset, part, s->nparts, p->nodes[spot->node].rank, some.nslots,
                       p->work->cores, p->work->gpus);
        nslots += some.nslots;
        if (spot->part)
            break;
    }
    return nslots;
}

/* Memory that is for the node, and not for slots of it. */
static void take_node_memory(struct pool *p, struct placement *pl,
                             const struct pool_request *req, size_t node)
{
    cleanup_bitmap hwloc_bitmap_t none = dup_set(NULL);
    const struct pnode *n = &p->nodes[node];
    rset_add(pl->rset, n->rank, n->host, none, none)->memory += req->shape.mem_per_node;
    change(p, node, none, none, req->shape.mem_per_node, false);
}

struct placement *pool_alloc_at(struct pool *p, const struct pool_request *req,
                                const struct pool_spot *spots, size_t nspots)
{
    struct placement *pl = placement_create(nspots);
    for (size_t i = 0; i < nspots; i++) {
        size_t node = spots[i].node;
        unsigned nslots = spots[i].nslots;
        if (req->shape.nparts > 0) {
            nslots = take_parts(p, pl, req, &spots[i]);
            if (req->shape.mem_per_node && !req->shape.exclusive && !spots[i].again)
                take_node_memory(p, pl, req, node);
        } else if (!req->shape.exclusive) {
            take_slots(p, pl, req, &spots[i]);
        }
        if (req->shape.exclusive)
            take_rest(p, pl, node);
        pl->nslots[pl->rset->nnodes - 1] += nslots; /* spots ascend */
        pl->rset->nslots += nslots;
    }
    return pl;
}

static int check_part(hwloc_const_bitmap_t want, hwloc_const_bitmap_t all,
                      hwloc_const_bitmap_t avail, const struct rset_node *rn,
                      const char *what, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t rest = dup_set(want);
    hwloc_bitmap_andnot(rest, rest, all);
    bool unknown = !hwloc_bitmap_iszero(rest);
    if (!unknown) {
        hwloc_bitmap_copy(rest, want);
        hwloc_bitmap_andnot(rest, rest, avail);
    }
    if (hwloc_bitmap_iszero(rest))
        return 0;
    cleanup_free char *ids = idset_encode(rest, 0);
    return error_set(err, unknown ? ENOENT : EBUSY, "%s (rank %u): %s %s %s", rn->host,
                     rn->rank, what, ids,
                     unknown ? "is not part of this instance" : "is already taken");
}

int pool_take(struct pool *p, const struct rset *r, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t none = dup_set(NULL);
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *rn = &r->nodes[i];
        ptrdiff_t at = pool_find_rank(p, rn->rank);
        if (at < 0)
            return error_set(err, ENOENT, "this instance has no rank %u (%s)", rn->rank,
                             rn->host);
        const struct pnode *n = &p->nodes[at];
        if (check_part(rn->cores, n->cores, n->free_cores, rn, "core", err) < 0 ||
            check_part(rn->gpus ? rn->gpus : none, n->gpus, n->free_gpus, rn, "GPU",
                       err) < 0)
            return -1;
        if (rn->memory > n->free.memory)
            return error_set(err, rn->memory > n->all.memory ? ENOENT : EBUSY,
                             "%s (rank %u): %s of memory %s", rn->host, rn->rank,
                             bytes_encode(rn->memory).s,
                             rn->memory > n->all.memory ? "is more than it has"
                                                        : "is not free");
    }
    for (size_t i = 0; i < r->nnodes; i++)
        change(p, (size_t)pool_find_rank(p, r->nodes[i].rank), r->nodes[i].cores,
               r->nodes[i].gpus, r->nodes[i].memory, false);
    return 0;
}

void pool_free(struct pool *p, const struct rset *r)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        ptrdiff_t at = pool_find_rank(p, r->nodes[i].rank);
        if (at >= 0)
            change(p, (size_t)at, r->nodes[i].cores, r->nodes[i].gpus, r->nodes[i].memory,
                   true);
    }
    p->gains++;
}

void pool_undo(struct pool *p, struct placement *pl)
{
    uint64_t gains = p->gains;
    pool_free(p, pl->rset);
    p->gains = gains;
    placement_destroy(pl);
}

struct placement *placement_create(size_t nnodes)
{
    struct placement *pl = xcalloc(1, sizeof(*pl) + nnodes * sizeof(pl->nslots[0]));
    pl->rset = rset_create();
    return pl;
}

void placement_destroy(struct placement *pl)
{
    if (!pl)
        return;
    rset_destroy(pl->rset);
    free(pl);
}

/* --- nodes that change ------------------------------------------------------------------- */

int pool_set_state(struct pool *p, unsigned rank, enum pool_node_state state,
                   const char *reason)
{
    ptrdiff_t at = pool_find_rank(p, rank);
    if (at < 0)
        return -1;
    struct pnode *n = &p->nodes[at];
    char *copy = reason ? xstrdup(reason) : NULL;
    free(n->reason);
    n->reason = copy;
    count_node(p, n, -1);
    if (state == POOL_UP && n->state != POOL_UP)
        p->gains++;
    n->state = state;
    count_node(p, n, 1);
    pool_index_node(p, (size_t)at);
    return 0;
}

int pool_add_node(struct pool *p, const struct rset_node *node, struct error *err)
{
    if (pool_find_rank(p, node->rank) >= 0)
        return error_set(err, EEXIST, "rank %u (%s) is already part of this instance",
                         node->rank, node->host);
    insert_node(p, lower_bound(p, node->rank), make_node(node));
    return 0;
}

int pool_remove_node(struct pool *p, unsigned rank, struct error *err)
{
    ptrdiff_t at = pool_find_rank(p, rank);
    if (at < 0)
        return error_set(err, ENOENT, "this instance has no rank %u", rank);
    struct pnode *n = &p->nodes[at];
    if (n->free.cores < n->all.cores || n->free.gpus < n->all.gpus ||
        n->free.memory < n->all.memory)
        return error_set(
            err, EBUSY,
            "%s (rank %u) is in use by jobs: %u of its %u cores and %u of its %u "
            "GPUs are taken; drain it and wait for them",
            n->host, rank, n->all.cores - n->free.cores, n->all.cores,
            n->all.gpus - n->free.gpus, n->all.gpus);
    count_node(p, n, -1);
    clear_node(n);
    memmove(n, n + 1, (p->nnodes - (size_t)at - 1) * sizeof(*n));
    p->nnodes--;
    for (size_t i = 0; i < p->nproperties; i++)
        hwloc_bitmap_clr(p->properties[i].ranks, rank);
    p->work->stale = true;
    return 0;
}

struct rset *pool_rset(const struct pool *p)
{
    struct rset *r = rset_create();
    for (size_t i = 0; i < p->nnodes; i++) {
        const struct pnode *n = &p->nodes[i];
        struct rset_node *rn = rset_add(r, n->rank, n->host, n->cores, n->gpus);
        rn->memory = n->all.memory;
        rn->domains = domains_ref(n->domains);
    }
    for (size_t i = 0; i < p->nproperties; i++) {
        if (hwloc_bitmap_iszero(p->properties[i].ranks))
            continue;
        cleanup_free char *ranks = idset_encode(p->properties[i].ranks, 0);
        if (!r->properties)
            r->properties = json_object_new_object();
        json_object_object_add(r->properties, p->properties[i].name,
                               json_object_new_string(ranks));
    }
    return r;
}
