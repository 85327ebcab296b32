/* SPDX-License-Identifier: BSD-3-Clause */
/* policy_easy: first come first served in priority order, and what would wait behind the first job
 * that does not fit, the *head*, may overtake it if that does not delay it (EASY backfill).
 *
 * The head starts at the *shadow time*, when enough of what runs has come to its limit.  A job that
 * ends before that by its own limit may have anything that is free.  A longer one may have what the head
 * does not need then: the head has a *reservation*, certain nodes, of which the part that is free
 * now is withheld; if the job has no place beside that, but would have one otherwise, the reservation
 * is made anew on other nodes, if there are, with the job in place.
 *
 * Three views of the pool go along with the book's horizon, which is at the shadow time: what is
 * free just before it, where the head finds no place; at it, where it does; and what is free now and
 * not withheld. */
#include "src/sched/policy.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/sched/book.h"
#include "src/sched/kinds.h"
#include "src/sched/queue.h"

enum {
    /* So many nodes more than it needs are looked at for those of which the least has to be withheld. */
    CHOICE = 64,
    /* So often between two changes of resources a reservation is tried to be moved. */
    MOVES = 16
};

struct candidate {
    size_t node;
    unsigned cost; /* what would be withheld of it */
};

struct easy {
    struct pool_view *before, *at, *spare;
    size_t nnodes;
    struct pool_amount *reserved; /* [nnodes] */
    struct pool_spot *spots;      /* the reservation: nspots > 0 */
    size_t nspots, spots_room;
    uint64_t updates; /* of nodes in views */

    uint64_t head;  /* its ticket; 0: there is none */
    double shadow;  /* INFINITY: not known */
    bool hopeless;  /* it does not fit, whatever ends */
    uint64_t gains; /* the pool's, that all this is for */
    uint64_t state; /* counts changes of these four */
    unsigned moves;
    bool again; /* the queue has changed in the middle of a pass */

    struct sched_kind **heap; /* by candidate */
    size_t nheap, heap_room;
    struct candidate *choice;
    size_t choice_room;
};

static int easy_init(struct sched *s)
{
    *sched_priv(s) = xcalloc(1, sizeof(struct easy));
    return 0;
}

static void easy_fini(struct sched *s)
{
    struct easy *e = *sched_priv(s);
    pool_view_destroy(e->before);
    pool_view_destroy(e->at);
    pool_view_destroy(e->spare);
    free(e->reserved);
    free(e->spots);
    free(e->heap);
    free(e->choice);
    free(e);
}

/* --- the views ------------------------------------------------------------------------------ */

static unsigned less(unsigned a, unsigned b)
{
    return a > b ? a - b : 0;
}

static const struct pool_amount nothing;

/* A and B, but not more than MOST. */
static struct pool_amount plus(struct pool_amount a, struct pool_amount b,
                               struct pool_amount most)
{
    return (struct pool_amount){MIN(most.cores, a.cores + b.cores),
                                MIN(most.gpus, a.gpus + b.gpus),
                                MIN(most.memory, a.memory + b.memory)};
}

/* A less B, but not less than nothing. */
static struct pool_amount minus(struct pool_amount a, struct pool_amount b)
{
    return (struct pool_amount){less(a.cores, b.cores), less(a.gpus, b.gpus),
                                a.memory > b.memory ? a.memory - b.memory : 0};
}

static void update_node(struct sched *s, struct easy *e, size_t i)
{
    struct pool_counts c = pool_counts(sched_pool(s), i);
    struct pool_amount before = book_before(sched_book(s), c.rank),
                       until = book_until(sched_book(s), c.rank), kept = e->reserved[i];
    e->updates++;
    if (!c.up)
        c.all = c.free = nothing;
    pool_view_set(e->before, i, plus(c.free, before, c.all));
    pool_view_set(e->at, i, plus(c.free, until, c.all));
    pool_view_set(e->spare, i, minus(c.free, minus(kept, until)));
}

static void make_views(struct sched *s, struct easy *e)
{
    struct pool *p = sched_pool(s);
    pool_view_destroy(e->before);
    pool_view_destroy(e->at);
    pool_view_destroy(e->spare);
    e->before = pool_view_create(p);
    e->at = pool_view_create(p);
    e->spare = pool_view_create(p);
    e->nnodes = pool_nnodes(p);
    free(e->reserved);
    e->reserved = xcalloc(MAX(e->nnodes, (size_t)1), sizeof(*e->reserved));
    e->nspots = 0;
    e->head = 0;
    for (size_t i = 0; i < e->nnodes; i++)
        update_node(s, e, i);
}

static void update_views(struct sched *s, struct easy *e)
{
    struct pool *p = sched_pool(s);
    size_t n, nranks;
    bool all;
    const size_t *nodes = pool_changes(p, &n, &all);
    const unsigned *ranks = book_changes(sched_book(s), &nranks);
    if (all || !e->at) {
        make_views(s, e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        update_node(s, e, nodes[i]);
    for (size_t i = 0; i < nranks; i++) {
        size_t at = pool_position(p, ranks[i]);
        if (at < e->nnodes)
            update_node(s, e, at);
    }
}

/* --- the shadow time ------------------------------------------------------------------------ */

/* When a wide request finds too few nodes, it need not be tried again before that many have changed. */
struct search {
    const struct pool_request *req;
    const struct pool_view *view;
    uint64_t not_before; /* e->updates */
};

static bool fits(struct sched *s, struct easy *e, struct search *f)
{
    size_t n;
    unsigned want = f->req->shape.nnodes_min;
    update_views(s, e);
    if (e->updates < f->not_before)
        return false;
    if (pool_fits(sched_pool(s), f->view, f->req, &n))
        return true;
    f->not_before = e->updates + (n > 0 && n < want ? want - n : 0);
    return false;
}

/* Move the book's horizon to where REQ first fits; false: it never does. */
static bool find_shadow(struct sched *s, struct easy *e, const struct pool_request *req)
{
    struct book *b = sched_book(s);
    struct search before = {req, e->before, 0}, at = {req, e->at, 0};
    if (fits(s, e, &before)) {
        while (isfinite(book_previous_end(b))) {
            book_set_horizon(b, book_previous_end(b));
            if (!fits(s, e, &before))
                return true;
        }
        return true; /* it fits now: there was no need to ask */
    }
    while (!fits(s, e, &at)) {
        double next = book_next_end(b);
        if (isnan(next))
            return false;
        book_set_horizon(b, next);
    }
    return true;
}

/* --- the reservation ------------------------------------------------------------------------ */

static void drop_reservation(struct sched *s, struct easy *e)
{
    size_t n = e->nspots;
    e->nspots = 0;
    for (size_t i = 0; i < n; i++) {
        e->reserved[e->spots[i].node] = nothing;
        update_node(s, e, e->spots[i].node);
    }
}

static int by_cost(const void *a, const void *b)
{
    const struct candidate *c = a, *d = b;
    return c->cost != d->cost ? (c->cost > d->cost) - (c->cost < d->cost)
                              : (c->node > d->node) - (c->node < d->node);
}

/* Choose nodes for REQ by what is free at the shadow time: those of which the least is withheld.
 * Return how many spots, 0: there is no place. */
static size_t choose(struct sched *s, struct easy *e, const struct pool_request *req,
                     struct pool_spot **spots)
{
    struct pool *p = sched_pool(s);
    const struct job_shape *shape = &req->shape;
    size_t want = MAX(shape->nnodes_min, 1U), n = 0;
    unsigned nslots = MAX(shape->nslots, 1U);
    if (e->choice_room < want + CHOICE) {
        e->choice_room = want + CHOICE;
        e->choice = xrealloc(e->choice, e->choice_room * sizeof(*e->choice));
    }
    for (size_t i = 0; n < want + CHOICE && !shape->contiguous; i++) {
        i = pool_next_node(p, e->at, req, i);
        if (i >= e->nnodes)
            break;
        struct pool_amount need = pool_need(p, req, i, nslots),
                           until = book_until(sched_book(s), pool_counts(p, i).rank);
        e->choice[n++] = (struct candidate){i, less(need.cores, until.cores) +
                                                   less(need.gpus, until.gpus)};
    }
    if (n >= want) {
        qsort(e->choice, n, sizeof(*e->choice), by_cost);
        *spots = xmalloc(want * sizeof(**spots));
        for (size_t i = 0; i < want; i++)
            (*spots)[i] = (struct pool_spot){e->choice[i].node, nslots, 0, false};
        return want;
    }
    const struct pool_spot *found =
        shape->nnodes_min && !shape->contiguous ? NULL : pool_find(p, e->at, req, &n);
    if (!found)
        return 0;
    *spots = xmalloc(n * sizeof(**spots));
    memcpy(*spots, found, n * sizeof(**spots));
    return n;
}

/* Make it, or make it anew; false: there is no place, and it stays as it is. */
static bool reserve(struct sched *s, struct easy *e, const struct pool_request *req)
{
    struct pool_spot *spots = NULL;
    size_t n = choose(s, e, req, &spots);
    if (n == 0)
        return false;
    drop_reservation(s, e);
    free(e->spots);
    e->spots = spots;
    e->nspots = n;
    for (size_t i = 0; i < n; i++) {
        struct pool_amount *kept = &e->reserved[spots[i].node]; /* of other spots there */
        *kept = plus(*kept, pool_spot_need(sched_pool(s), req, &spots[i]),
                     pool_counts(sched_pool(s), spots[i].node).all);
        update_node(s, e, spots[i].node);
    }
    return true;
}

static bool still_holds(const struct easy *e)
{
    for (size_t i = 0; i < e->nspots; i++) {
        struct pool_amount at = pool_view_get(e->at, e->spots[i].node),
                           want = e->reserved[e->spots[i].node];
        if (at.cores < want.cores || at.gpus < want.gpus || at.memory < want.memory)
            return false;
    }
    return true;
}

/* Everything about HEAD, which does not fit now. */
static void plan(struct sched *s, struct easy *e, struct sched_job *head, double now)
{
    update_views(s, e);
    bool hopeless = !find_shadow(s, e, &head->req);
    double shadow = hopeless ? INFINITY : fmax(book_horizon(sched_book(s)), now);
    uint64_t gains = pool_gains(sched_pool(s));
    bool same = e->head == head->ticket && e->hopeless == hopeless && e->shadow == shadow;
    if (!same || !still_holds(e))
        drop_reservation(s, e);
    if (!same || e->gains != gains) {
        e->state++;
        e->moves = 0;
    }
    e->head = head->ticket;
    e->hopeless = hopeless;
    e->shadow = shadow;
    e->gains = gains;
}

/* --- backfill ------------------------------------------------------------------------------- */

static void heap_down(struct easy *e, size_t i)
{
    for (;;) {
        size_t k = 2 * i + 1;
        if (k + 1 < e->nheap &&
            queue_before(e->heap[k + 1]->candidate, e->heap[k]->candidate))
            k++;
        if (k >= e->nheap || !queue_before(e->heap[k]->candidate, e->heap[i]->candidate))
            return;
        struct sched_kind *kind = e->heap[i];
        e->heap[i] = e->heap[k];
        e->heap[k] = kind;
        i = k;
    }
}

/* The longest that a job of the kind may be. */
static double limit_of(const struct easy *e, const struct sched_kind *k, double now)
{
    return k->refused == e->state ? fmin(e->shadow - now, DBL_MAX) : INFINITY;
}

static void make_heap(struct sched *s, struct easy *e, double now)
{
    const struct kinds *ks = sched_kinds(s);
    if (e->heap_room < ks->n) {
        e->heap_room = 2 * ks->n;
        e->heap = xrealloc(e->heap, e->heap_room * sizeof(struct sched_kind *));
    }
    e->nheap = 0;
    for (size_t i = 0; i < ks->n; i++) {
        struct sched_kind *k = ks->list[i];
        if (k->full == e->gains + 1)
            continue;
        k->candidate = kind_next(k, UINT64_MAX, 0, limit_of(e, k, now));
        if (k->candidate)
            e->heap[e->nheap++] = k;
    }
    for (size_t i = e->nheap / 2; i-- > 0;)
        heap_down(e, i);
}

/* The kind at the top of the heap goes on with the next job from MARK on, or leaves it. */
static void heap_step(struct easy *e, double now, uint64_t priority, uint64_t id)
{
    struct sched_kind *k = e->heap[0];
    k->candidate = k->gone ? NULL : kind_next(k, priority, id, limit_of(e, k, now));
    if (!k->candidate)
        e->heap[0] = e->heap[--e->nheap];
    heap_down(e, 0);
}

/* Is there more at the shadow time than the head needs, by the sums? */
static bool leaves_enough(const struct easy *e, const struct pool_request *head,
                          const struct pool_request *req)
{
    uint64_t cores, gpus;
    const struct job_shape *h = &head->shape, *r = &req->shape;
    uint64_t hs = (uint64_t)MAX(h->nnodes_min, 1U) * MAX(h->nslots, 1U),
             rs = (uint64_t)MAX(r->nnodes_min, 1U) * MAX(r->nslots, 1U);
    pool_view_totals(e->at, &cores, &gpus);
    return cores >= hs * MAX(h->cores_per_slot, 1U) + rs * MAX(r->cores_per_slot, 1U) &&
           gpus >= hs * h->gpus_per_slot + rs * r->gpus_per_slot;
}

/* A place for a job that runs beyond the shadow time, or NULL. */
static struct placement *place_long(struct sched *s, struct easy *e,
                                    const struct pool_request *head,
                                    const struct pool_request *req)
{
    struct pool *p = sched_pool(s);
    size_t n;
    if (e->nspots == 0 && !reserve(s, e, head))
        return NULL;
    const struct pool_spot *spots = pool_find(p, e->spare, req, &n);
    if (spots)
        return pool_alloc_at(p, req, spots, n);
    if (e->moves >= MOVES || !leaves_enough(e, head, req))
        return NULL;
    e->moves++;
    struct placement *pl = pool_alloc(p, req);
    if (!pl)
        return NULL;
    update_views(s, e);
    if (reserve(s, e, head))
        return pl;
    pool_undo(p, pl);
    update_views(s, e);
    return NULL;
}

/* Try the job at the top of the heap.  Return false when there is nothing more to be done with this
 * head. */
static bool try_one(struct sched *s, struct easy *e, struct sched_job *head, double now)
{
    struct sched_kind *k = e->heap[0];
    struct sched_job *job = k->candidate;
    uint64_t priority = job->priority, id = job->id;
    size_t n;
    if (sched_too_deep(s, job))
        return false;
    if (sched_too_late(s, job)) {
        heap_step(e, now, priority, id);
        return true;
    }
    bool fast = e->hopeless || (job->duration > 0 && job->duration <= e->shadow - now);
    struct placement *pl = fast ? pool_alloc(sched_pool(s), &k->req) : NULL;
    if (!pl && (fast || !pool_fits(sched_pool(s), NULL, &k->req, &n))) {
        k->full = e->gains + 1;
        e->heap[0] = e->heap[--e->nheap];
        heap_down(e, 0);
        return true;
    }
    if (!fast)
        pl = place_long(s, e, &head->req, &k->req);
    if (!pl) {
        k->refused = e->state;
        heap_step(e, now, priority, id);
        return true;
    }
    sched_start(s, job, pl);
    e->again = sched_disturbed(s);
    if (e->again)
        return false;
    update_views(s, e);
    heap_step(e, now, priority, id);
    return true;
}

/* False: the queue is not what it was, and is to be looked at again. */
static bool backfill(struct sched *s, struct easy *e, struct sched_job *head, double now)
{
    e->again = false;
    plan(s, e, head, now);
    kinds_hold(sched_kinds(s));
    make_heap(s, e, now);
    while (e->nheap > 0 && try_one(s, e, head, now))
        ;
    kinds_release(sched_kinds(s));
    return !e->again;
}

/* Start jobs in order; return the first one that finds no place, or NULL. */
static struct sched_job *start_in_order(struct sched *s)
{
    struct pool *p = sched_pool(s);
    for (struct sched_job *job; (job = sched_first(s));) {
        uint64_t gains = pool_gains(p) + 1;
        if (job->kind->full == gains)
            return job;
        struct placement *pl = pool_alloc(p, &job->req);
        if (!pl) {
            job->kind->full = gains;
            return job;
        }
        sched_start(s, job, pl);
    }
    return NULL;
}

static void easy_pass(struct sched *s, double now)
{
    struct easy *e = *sched_priv(s);
    struct sched_job *head;
    do {
        head = start_in_order(s);
        sched_disturbed(s);
    } while (head && !backfill(s, e, head, now));
}

static double easy_estimate(struct sched *s, const struct sched_job *job)
{
    const struct easy *e = *sched_priv(s);
    if (job->ticket != e->head)
        return 0;
    return e->hopeless ? INFINITY : e->shadow;
}

const struct sched_policy policy_easy = {
    .name = "easy",
    .summary =
        "as fcfs, but jobs overtake the first one that waits if that does not delay it",
    .plans = true,
    .init = easy_init,
    .fini = easy_fini,
    .pass = easy_pass,
    .estimate = easy_estimate,
};
