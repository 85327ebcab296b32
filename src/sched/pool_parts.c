/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_parts: places for requests of several parts, whose slots are not alike.
 *
 * One node that holds all of it is taken if there is one (but to spread); else the parts go one after the other, each as
 * the strategy would place it alone beside those before: the hardest first, and if that leads nowhere, last.  What finds
 * none so is searched for (pool_pack.c). */
#include "src/sched/pool_impl.h"

#include <string.h>

#include "src/common/util.h"

struct pool_request pool_part_request(const struct pool_request *req, unsigned part)
{
    const struct job_part *p = &req->shape.parts[part];
    struct pool_request sub = {.constraint = req->constraint, .place = req->place};
    sub.shape = (struct job_shape){.nslots = p->nslots,
                                   .cores_per_slot = p->cores,
                                   .gpus_per_slot = p->gpus,
                                   .mem_per_slot = p->memory,
                                   .tasks_per_slot = p->tasks_per_slot};
    return sub;
}

static void add_spot(struct pool_work *w, struct pool_spot s)
{
    if (w->npart_spots == w->part_room) {
        w->part_room = MAX(2 * w->part_room, (size_t)16);
        w->part_spots = xrealloc(w->part_spots, w->part_room * sizeof(*w->part_spots));
    }
    w->part_spots[w->npart_spots++] = s;
}

/* Room for what is taken of each node: nothing. */
static struct pool_amount *make_taken(const struct pool *p)
{
    struct pool_work *w = p->work;
    if (w->taken_room < p->nnodes) {
        free(w->taken);
        w->taken_room = p->nnodes;
        w->taken = xcalloc(w->taken_room, sizeof(*w->taken));
    }
    return w->taken;
}

static bool place_part(const struct query *q, const struct place_strategy *strategy,
                       unsigned part)
{
    struct pool_work *w = q->p->work;
    struct pool_request req = pool_part_request(q->req, part);
    struct query sub = query_make(q->p, &req, q->view, q->own, q->held);
    sub.taken = w->taken;
    sub.node_memory =
        q->node_memory; /* which is not taken, so it is there for all parts */
    w->nfound = 0;
    if (!strategy->slots(&sub))
        return false;
    for (size_t i = 0; i < w->nfound; i++) {
        struct pool_spot s = w->found[i];
        struct pool_amount need, *t = &w->taken[s.node];
        query_need(&sub, s.nslots, &need);
        t->cores += need.cores;
        t->gpus += need.gpus;
        t->memory += need.memory - q->node_memory;
        s.part = part + 1;
        add_spot(w, s);
    }
    return true;
}

static int by_node(const void *a, const void *b)
{
    const struct pool_spot *s = a, *t = b;
    return s->node != t->node ? (s->node > t->node) - (s->node < t->node)
                              : (s->part > t->part) - (s->part < t->part);
}

static void put_in_order(struct pool_work *w)
{
    qsort(w->found, w->nfound, sizeof(*w->found), by_node);
    for (size_t i = 1; i < w->nfound; i++)
        w->found[i].again = w->found[i].node == w->found[i - 1].node;
}

static bool place_in_order(const struct query *q, const struct place_strategy *strategy,
                           bool hardest_last)
{
    const struct job_shape *s = &q->req->shape;
    struct pool_work *w = q->p->work;
    bool found = true;
    make_taken(q->p);
    w->npart_spots = 0;
    for (unsigned k = 0; k < s->nparts && found; k++)
        found = place_part(q, strategy,
                           s->parts[hardest_last ? s->nparts - 1 - k : k].hardest);
    w->nfound = 0;
    for (size_t i = 0; i < w->npart_spots; i++) {
        const struct pool_spot *spot = &w->part_spots[i];
        w->taken[spot->node] = (struct pool_amount){0};
        if (found)
            found_add(w, spot->node, spot->nslots);
    }
    if (found) {
        memcpy(w->found, w->part_spots, w->nfound * sizeof(*w->found));
        put_in_order(w);
    }
    return found;
}

static bool place_apart(const struct query *q, const struct place_strategy *strategy)
{
    return place_in_order(q, strategy, false) || place_in_order(q, strategy, true);
}

/* On one node. */
static bool place_whole(const struct query *q, const struct place_strategy *strategy)
{
    q->p->work->nfound = 0;
    return strategy->slots(q);
}

static bool place_any(const struct query *q, const struct place_strategy *strategy)
{
    return place_whole(q, strategy) || (q->p->nnodes > 1 && place_apart(q, strategy));
}

bool pool_parts_find(const struct query *q, const struct place_strategy *strategy)
{
    if (!place_any(q, &place_first)) {
        bool found = q->p->nnodes > 1 && pool_parts_pack(q);
        put_in_order(q->p->work);
        return found;
    }
    if (strategy == &place_first)
        return true;
    return strategy == &place_spread
               ? place_apart(q, strategy) || place_any(q, &place_first)
               : place_any(q, strategy) || place_any(q, &place_first);
}
