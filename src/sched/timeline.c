/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/timeline.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"

/* A change on one node; counts may go either way. */
struct change {
    int cores, gpus;
    int64_t memory;
};
struct step {
    double at;
    struct change c;
};

struct node {
    unsigned rank;
    bool up;
    struct pool_amount all;
    struct change free; /* now */
    struct step *steps; /* after now, ascending */
    size_t nsteps, room;
    size_t passed; /* steps before the window, and what is free after them */
    struct change then;
};

/* The same changes, of all nodes. */
struct event {
    double at;
    size_t node;
};

struct timeline {
    const struct pool *pool;
    double now;
    struct node *nodes;
    size_t nnodes;
    struct event
        *events; /* ascending, one for each step; and of steps that are no more */
    size_t nevents, room;
    struct event *fresh; /* that are to be put there */
    size_t nfresh, fresh_room;
    size_t nfirst;          /* events when it was made */
    bool ready;             /* the events are there */
    struct pool_view *view; /* what is free in the whole of the window */
};

struct timeline *timeline_create(const struct pool *p, double now)
{
    struct timeline *t = xcalloc(1, sizeof(*t));
    t->pool = p;
    t->now = now;
    t->nnodes = pool_nnodes(p);
    t->nodes = xcalloc(t->nnodes + 1, sizeof(*t->nodes));
    t->view = pool_view_create(p);
    for (size_t i = 0; i < t->nnodes; i++) {
        struct pool_counts c = pool_counts(p, i);
        t->nodes[i] = (struct node){
            .rank = c.rank,
            .up = c.up,
            .all = c.all,
            .free = {(int)c.free.cores, (int)c.free.gpus, (int64_t)c.free.memory}};
    }
    return t;
}

void timeline_destroy(struct timeline *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->nnodes; i++)
        free(t->nodes[i].steps);
    free(t->nodes);
    free(t->events);
    free(t->fresh);
    pool_view_destroy(t->view);
    free(t);
}

/* The first of N events that is later than AT, or (not AFTER) not before it. */
static size_t first_event(const struct timeline *t, double at, bool after)
{
    size_t lo = 0, hi = t->nevents;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (after ? t->events[mid].at <= at : t->events[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int by_time(const void *a, const void *b)
{
    const struct event *e = a, *f = b;
    return e->at != f->at ? (e->at > f->at) - (e->at < f->at)
                          : (e->node > f->node) - (e->node < f->node);
}

/* A wide job has many at one time: they are put in their places together, when it matters. */
static void add_event(struct timeline *t, double at, size_t node)
{
    const struct event e = {at, node};
    if (bsearch(&e, t->events, t->nevents, sizeof(e), by_time))
        return; /* of a step that was there before */
    if (t->nfresh == t->fresh_room) {
        t->fresh_room = MAX(2 * t->fresh_room, (size_t)64);
        t->fresh = xrealloc(t->fresh, t->fresh_room * sizeof(*t->fresh));
    }
    t->fresh[t->nfresh++] = e;
}

static void merge_fresh(struct timeline *t)
{
    size_t n = t->nevents, k = t->nfresh;
    if (k == 0)
        return;
    if (n + k > t->room) {
        t->room = 2 * (n + k);
        t->events = xrealloc(t->events, t->room * sizeof(*t->events));
    }
    qsort(t->fresh, k, sizeof(*t->fresh), by_time);
    for (size_t to = n + k; k > 0;)
        t->events[--to] = n > 0 && by_time(&t->events[n - 1], &t->fresh[k - 1]) > 0
                              ? t->events[--n]
                              : t->fresh[--k];
    t->nevents += t->nfresh;
    t->nfresh = 0;
}

static void add(struct change *a, struct change b)
{
    a->cores += b.cores;
    a->gpus += b.gpus;
    a->memory += b.memory;
}

static struct change times(struct pool_amount a, int sign)
{
    return (struct change){sign * (int)a.cores, sign * (int)a.gpus,
                           sign * (int64_t)a.memory};
}

static void add_step(struct timeline *t, size_t i, double at, struct change c)
{
    struct node *n = &t->nodes[i];
    size_t k = n->nsteps;
    if (!isfinite(at) && at > 0)
        return;
    if (at <= t->now) {
        add(&n->free, c);
        return;
    }
    while (k > 0 && n->steps[k - 1].at > at)
        k--;
    if (k > 0 && n->steps[k - 1].at == at) {
        struct step *s = &n->steps[k - 1];
        add(&s->c, c);
        if (s->c.cores == 0 && s->c.gpus == 0 && s->c.memory == 0) {
            memmove(s, s + 1, (n->nsteps - k) * sizeof(*s));
            n->nsteps--;
        }
        return;
    }
    if (n->nsteps == n->room) {
        n->room = MAX(2 * n->room, (size_t)4);
        n->steps = xrealloc(n->steps, n->room * sizeof(*n->steps));
    }
    memmove(n->steps + k + 1, n->steps + k, (n->nsteps - k) * sizeof(*n->steps));
    n->steps[k] = (struct step){at, c};
    n->nsteps++;
    if (t->ready)
        add_event(t, at, i);
}

void timeline_ready(struct timeline *t)
{
    for (size_t i = 0; i < t->nnodes; i++)
        t->nevents += t->nodes[i].nsteps;
    t->room = t->nevents + 64;
    t->events = xcalloc(t->room, sizeof(*t->events));
    size_t n = 0;
    for (size_t i = 0; i < t->nnodes; i++)
        for (size_t k = 0; k < t->nodes[i].nsteps; k++)
            t->events[n++] = (struct event){t->nodes[i].steps[k].at, i};
    qsort(t->events, n, sizeof(*t->events), by_time);
    t->nfirst = n;
    t->ready = true;
}

void timeline_use(struct timeline *t, size_t i, struct pool_amount amount, double begin,
                  double end, int sign)
{
    if (isfinite(begin))
        add_step(t, i, begin, times(amount, -sign));
    add_step(t, i, end, times(amount, sign));
}

/* --- while time goes on ------------------------------------------------------------------------- */

void timeline_take(struct timeline *t, unsigned rank, struct pool_amount amount,
                   double end, int sign)
{
    size_t lo = 0, hi = t->nnodes;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->nodes[mid].rank < rank)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == t->nnodes || t->nodes[lo].rank != rank)
        return;
    add(&t->nodes[lo].free, times(amount, -sign));
    add_step(t, lo, end, times(amount, sign));
}

static void fold_steps(struct timeline *t, struct node *n)
{
    size_t k = 0;
    for (; k < n->nsteps && n->steps[k].at <= t->now; k++)
        add(&n->free, n->steps[k].c);
    if (k == 0)
        return;
    n->nsteps -= k;
    memmove(n->steps, n->steps + k, n->nsteps * sizeof(*n->steps));
}

static bool agrees(const struct timeline *t)
{
    if (t->nnodes != pool_nnodes(t->pool))
        return false;
    for (size_t i = 0; i < t->nnodes; i++) {
        const struct node *n = &t->nodes[i];
        struct pool_counts c = pool_counts(t->pool, i);
        if (c.rank != n->rank || c.up != n->up || c.all.cores != n->all.cores ||
            c.all.gpus != n->all.gpus || c.all.memory != n->all.memory ||
            (int)c.free.cores != n->free.cores || (int)c.free.gpus != n->free.gpus ||
            (int64_t)c.free.memory != n->free.memory)
            return false;
    }
    return true;
}

bool timeline_advance(struct timeline *t, double now)
{
    enum { SLACK = 4096 };
    if (now < t->now)
        return false;
    merge_fresh(t);
    t->now = now;
    size_t over = first_event(t, now, true);
    for (size_t i = 0; i < over; i++)
        fold_steps(t, &t->nodes[t->events[i].node]);
    t->nevents -= over;
    memmove(t->events, t->events + over, t->nevents * sizeof(*t->events));
    return t->nevents <= 2 * t->nfirst + SLACK && agrees(t);
}

double timeline_now(const struct timeline *t)
{
    return t->now;
}

/* --- where there is room ------------------------------------------------------------------------ */

/* What is free on node I from FROM to TO (not included). */
static void look(struct timeline *t, size_t i, double from, double to)
{
    struct node *n = &t->nodes[i];
    for (; n->passed < n->nsteps && n->steps[n->passed].at <= from; n->passed++)
        add(&n->then, n->steps[n->passed].c);
    struct change now = n->then, least = now;
    size_t k = n->passed;
    /* whoever asks for anything asks for a core */
    for (; least.cores > 0 && k < n->nsteps && n->steps[k].at < to; k++) {
        add(&now, n->steps[k].c);
        least = (struct change){MIN(least.cores, now.cores), MIN(least.gpus, now.gpus),
                                MIN(least.memory, now.memory)};
    }
    struct pool_amount a = {0};
    if (n->up)
        a = (struct pool_amount){MIN((unsigned)MAX(least.cores, 0), n->all.cores),
                                 MIN((unsigned)MAX(least.gpus, 0), n->all.gpus),
                                 MIN((uint64_t)MAX(least.memory, 0), n->all.memory)};
    pool_view_set(t->view, i, a);
}

const struct pool_spot *timeline_find(struct timeline *t, const struct pool_request *req,
                                      double duration, double *when, size_t *n)
{
    double from = t->now;
    merge_fresh(t);
    for (size_t i = 0; i < t->nnodes; i++) {
        t->nodes[i].passed = 0;
        t->nodes[i].then = t->nodes[i].free;
        look(t, i, from, from + duration);
    }
    for (size_t next = 0;;) {
        *when = from;
        if (pool_fits(t->pool, t->view, req, n))
            return pool_find(t->pool, t->view, req, n);
        if (next == t->nevents)
            return NULL;
        /* to the next event: the window slides, and nodes with events at its ends change */
        double to = t->events[next].at;
        for (; next < t->nevents && t->events[next].at <= to; next++)
            look(t, t->events[next].node, to, to + duration);
        for (size_t k = first_event(t, from + duration, false);
             k < t->nevents && t->events[k].at < to + duration; k++)
            look(t, t->events[k].node, to, to + duration);
        from = to;
    }
}
