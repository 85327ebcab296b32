/* SPDX-License-Identifier: BSD-3-Clause */
/* policy_conservative: each job that waits has a plan: when it starts, and on which nodes.
 *
 * Jobs are planned in the order of the queue, each at the first time at which it delays none of the plans
 * made before.  When something ends before its limit, plans move forward, in order, each as far as it can
 * without touching another one: so none is ever put off.  (Two things do that: a job that comes before others in
 * the queue, after which those are planned anew, and what runs beyond its limit, or the loss of a node.)
 * Elements of an array have a plan each. */
#include "src/sched/policy.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/sched/book.h"
#include "src/sched/queue.h"
#include "src/sched/timeline.h"

/* What comes after so many elements is not looked at, unless the queue's depth is set. */
enum { PLANS_MAX = 100 };

struct plan {
    uint64_t ticket, priority, id; /* of its job */
    double start, end;             /* INFINITY, NAN: it has no place, ever */
    struct pool_spot *spots;
    struct pool_amount *needs; /* of each spot */
    size_t nspots;
};

struct conservative {
    struct plan *plans; /* [n] in the order of the queue */
    size_t n, room;
    struct timeline *timeline; /* kept from pass to pass; NULL: to be made anew */
    bool vague;                /* in it are ends that are only likely */
    bool by_plan;              /* what starts has its place in it */
    double now;                /* at the last pass */
    double freed_until;        /* when the last of what has ended since then was to end */
    size_t nnodes, nup;        /* that the plans are for */
};

static int conservative_init(struct sched *s)
{
    struct conservative *c = xcalloc(1, sizeof(*c));
    c->freed_until = -INFINITY;
    *sched_priv(s) = c;
    return 0;
}

static void drop_timeline(struct conservative *c)
{
    if (c->timeline)
        timeline_destroy(take(c->timeline));
}

static void free_spots(struct plan *p)
{
    free(take(p->spots));
    free(take(p->needs));
    p->nspots = 0;
}

static void drop_from(struct conservative *c, size_t i)
{
    if (i < c->n)
        drop_timeline(c);
    for (size_t k = i; k < c->n; k++)
        free_spots(&c->plans[k]);
    c->n = MIN(c->n, i);
}

static void conservative_fini(struct sched *s)
{
    struct conservative *c = *sched_priv(s);
    drop_from(c, 0);
    drop_timeline(c);
    free(c->plans);
    free(c);
}

/* What is beyond its limit will not be for long: it is thought to end within as much time again. */
static double likely_end(double end, double now)
{
    return end > now ? end : now + fmax(1, now - end);
}

static void take_all(struct conservative *c, const struct rset *r, double end, int sign)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *n = &r->nodes[i];
        struct pool_amount a = {(unsigned)hwloc_bitmap_weight(n->cores),
                                rset_node_ngpus(n), n->memory};
        timeline_take(c->timeline, n->rank, a, end, sign);
    }
}

static void conservative_started(struct sched *s, const struct sched_job *job,
                                 const struct rset *r, double now)
{
    struct conservative *c = *sched_priv(s);
    if (c->timeline && !c->by_plan)
        take_all(c, r, job->duration > 0 ? now + job->duration : INFINITY, 1);
}

static void conservative_ended(struct sched *s, const struct rset *r)
{
    struct conservative *c = *sched_priv(s);
    double end = book_end_of(sched_book(s), r);
    if (c->timeline && end > timeline_now(c->timeline))
        take_all(c, r, end, -1);
    else
        drop_timeline(c);
    c->freed_until =
        isnan(end) ? INFINITY : fmax(c->freed_until, likely_end(end, c->now));
}

/* --- the timeline --------------------------------------------------------------------------- */

struct fill {
    const struct pool *pool;
    struct timeline *timeline;
    double now;
    bool vague;
};

static void fill_one(void *arg, unsigned rank, struct pool_amount amount, double end)
{
    struct fill *f = arg;
    size_t i = pool_position(f->pool, rank);
    f->vague |= end <= f->now;
    if (i < pool_nnodes(f->pool))
        timeline_use(f->timeline, i, amount, -INFINITY, likely_end(end, f->now), 1);
}

static void use_plan(struct conservative *c, const struct plan *p, int sign)
{
    for (size_t i = 0; i < p->nspots; i++)
        timeline_use(c->timeline, p->spots[i].node, p->needs[i], p->start, p->end, sign);
}

static void make_plan(struct sched *s, struct conservative *c, struct plan *p,
                      const struct sched_job *job)
{
    size_t n;
    double duration = job->duration > 0 ? job->duration : INFINITY;
    const struct pool_spot *spots =
        timeline_find(c->timeline, &job->req, duration, &p->start, &n);
    free_spots(p);
    if (!spots) {
        p->start = INFINITY;
        return;
    }
    p->end = p->start + duration;
    p->spots = xmalloc(n * sizeof(*p->spots));
    memcpy(p->spots, spots, n * sizeof(*p->spots));
    p->needs = xmalloc(n * sizeof(*p->needs));
    for (size_t i = 0; i < n; i++)
        p->needs[i] = pool_spot_need(sched_pool(s), &job->req, &p->spots[i]);
    p->nspots = n;
    use_plan(c, p, 1);
}

static struct plan *add_plan(struct conservative *c, const struct sched_job *job)
{
    if (c->n == c->room) {
        c->room = MAX(2 * c->room, (size_t)64);
        c->plans = xrealloc(c->plans, c->room * sizeof(*c->plans));
    }
    c->plans[c->n] =
        (struct plan){.ticket = job->ticket, .priority = job->priority, .id = job->id};
    return &c->plans[c->n++];
}

/* Its place stays taken in the timeline. */
static void remove_plan(struct conservative *c, size_t i)
{
    free_spots(&c->plans[i]);
    memmove(c->plans + i, c->plans + i + 1, (c->n - i - 1) * sizeof(*c->plans));
    c->n--;
}

/* --- a pass --------------------------------------------------------------------------------- */

static size_t count_up(const struct pool *p)
{
    size_t n = 0;
    for (size_t i = 0; i < pool_nnodes(p); i++)
        n += pool_counts(p, i).up;
    return n;
}

static void cancel_plan(struct conservative *c, size_t i)
{
    if (c->timeline)
        use_plan(c, &c->plans[i], -1);
    remove_plan(c, i);
}

/* Plans of jobs that have left the queue go; from where the queue has a job that has none, all do.  Return
 * whether one has gone that others may move into. */
static bool match_plans(struct sched *s, struct conservative *c)
{
    size_t i = 0;
    bool gone = false;
    struct sched_job *job = sched_first(s);
    while (i < c->n && job) {
        struct plan *p = &c->plans[i];
        struct sched_job at = {.priority = p->priority, .id = p->id};
        if (p->ticket != job->ticket) {
            if (!queue_before(&at, job))
                break;
            cancel_plan(c, i);
            gone = true;
            continue;
        }
        uint64_t have = 0;
        while (i < c->n && c->plans[i].ticket == job->ticket) {
            if (have == job->count) {
                cancel_plan(c, i);
                gone = true;
                continue;
            }
            c->plans[i].priority = job->priority;
            c->plans[i++].id = job->id;
            have++;
        }
        if (have < job->count) /* its other elements come before what follows */
            break;
        job = sched_next(s, job);
    }
    gone |= i < c->n;
    drop_from(c, i);
    return gone;
}

static size_t plans_max(const struct sched *s)
{
    return sched_depth(s) > 0 ? sched_depth(s) : PLANS_MAX;
}

/* Has all that is to have one a plan? */
static bool is_planned(struct sched *s, const struct conservative *c)
{
    size_t i = 0;
    for (struct sched_job *job = sched_first(s); job; job = sched_next(s, job)) {
        uint64_t have = 0;
        for (; i < c->n && c->plans[i].ticket == job->ticket; i++)
            have++;
        if (c->n >= plans_max(s) || sched_too_deep(s, job))
            return true;
        if (have < job->count)
            return false;
    }
    return true;
}

/* Go on with the queue where the plans end. */
static void plan_rest(struct sched *s, struct conservative *c)
{
    size_t i = 0;
    for (struct sched_job *job = sched_first(s); job; job = sched_next(s, job)) {
        uint64_t have = 0;
        for (; i < c->n && c->plans[i].ticket == job->ticket; i++)
            have++;
        if (sched_too_deep(s, job))
            return;
        for (; have < job->count && c->n < plans_max(s); have++, i++)
            make_plan(s, c, add_plan(c, job), job);
        if (c->n >= plans_max(s))
            return;
    }
}

/* Each plan in turn is made anew: it has its own place still, or a better one.  Return whether one has. */
static bool compress(struct sched *s, struct conservative *c)
{
    size_t i = 0;
    bool moved = false;
    for (struct sched_job *job = sched_first(s); job && i < c->n;
         job = sched_next(s, job))
        for (; i < c->n && c->plans[i].ticket == job->ticket; i++) {
            struct plan *p = &c->plans[i];
            double before = p->start;
            use_plan(c, p, -1);
            make_plan(s, c, p, job);
            moved |= p->start < before;
        }
    return moved;
}

static bool is_free(const struct pool *pool, const struct plan *p)
{
    struct pool_amount a = {0};
    for (size_t i = 0; i < p->nspots; i++) {
        struct pool_counts c = pool_counts(pool, p->spots[i].node);
        struct pool_amount more = p->needs[i];
        bool same = i > 0 && p->spots[i - 1].node == p->spots[i].node;
        a = (struct pool_amount){more.cores + (same ? a.cores : 0),
                                 more.gpus + (same ? a.gpus : 0),
                                 more.memory + (same ? a.memory : 0)};
        if (!c.up || c.free.cores < a.cores || c.free.gpus < a.gpus ||
            c.free.memory < a.memory)
            return false;
    }
    return true;
}

/* Start the first jobs of the queue, as long as there is room and nobody has a plan that they could touch.  Return false
 * if that has changed the queue in other ways. */
static bool start_first(struct sched *s, const struct conservative *c)
{
    struct pool *pool = sched_pool(s);
    for (struct sched_job *job; c->n == 0 && (job = sched_first(s));) {
        struct placement *pl = pool_alloc(pool, &job->req);
        if (!pl)
            break;
        sched_start(s, job, pl);
        if (sched_disturbed(s))
            return false;
    }
    return true;
}

/* Start what is due.  Return false if the queue is to be looked at again: that has changed it in other ways, or others
 * come to the front. */
static bool start_due(struct sched *s, struct conservative *c, double now)
{
    size_t i = 0, before = c->n;
    struct sched_job *job = sched_first(s);
    while (job && i < c->n) {
        struct plan *p = &c->plans[i];
        struct sched_job *next = sched_next(s, job);
        if (p->ticket != job->ticket) {
            job = next;
            continue;
        }
        if (p->start > now || !is_free(sched_pool(s), p)) {
            i++;
            continue;
        }
        struct placement *pl =
            pool_alloc_at(sched_pool(s), &job->req, p->spots, p->nspots);
        bool last = job->count == 1;
        remove_plan(c, i);
        c->by_plan = true;
        sched_start(s, job, pl);
        c->by_plan = false;
        if (sched_disturbed(s))
            return false;
        if (last)
            job = next;
    }
    return c->n == before || is_planned(s, c);
}

static void make_timeline(struct sched *s, struct conservative *c, double now)
{
    struct pool *pool = sched_pool(s);
    if (c->timeline && !c->vague && timeline_advance(c->timeline, now))
        return;
    drop_timeline(c);
    c->timeline = timeline_create(pool, now);
    struct fill f = {pool, c->timeline, now, false};
    book_each(sched_book(s), fill_one, &f);
    c->vague = f.vague;
    for (size_t i = 0; i < c->n; i++)
        use_plan(c, &c->plans[i], 1);
    timeline_ready(c->timeline);
}

/* Is what is planned to begin by now to be had? */
static bool plans_hold(struct sched *s, const struct conservative *c, double now)
{
    struct pool *pool = sched_pool(s);
    if (pool_nnodes(pool) != c->nnodes || count_up(pool) != c->nup)
        return false;
    for (size_t i = 0; i < c->n; i++)
        if (c->plans[i].start < now ||
            (c->plans[i].start == now && !is_free(pool, &c->plans[i])))
            return false;
    return true;
}

static void conservative_pass(struct sched *s, double now)
{
    struct conservative *c = *sched_priv(s);
    bool again;
    do {
        bool better = match_plans(s, c) || c->freed_until > now;
        c->now = now;
        sched_disturbed(s);
        if (!plans_hold(s, c, now))
            drop_from(c, 0);
        c->freed_until = -INFINITY;
        c->nnodes = pool_nnodes(sched_pool(s));
        c->nup = count_up(sched_pool(s));
        if (!start_first(s, c)) {
            again = true;
            continue;
        }
        if (better || !is_planned(s, c)) {
            make_timeline(s, c, now);
            /* until each begins when another ends: then there is a pass in time for it */
            while (better && compress(s, c))
                ;
            plan_rest(s, c);
        }
        again = !start_due(s, c, now);
    } while (again);
}

static double conservative_estimate(struct sched *s, const struct sched_job *job)
{
    const struct conservative *c = *sched_priv(s);
    for (size_t i = 0; i < c->n; i++)
        if (c->plans[i].ticket == job->ticket)
            return c->plans[i].start;
    return 0;
}

const struct sched_policy policy_conservative = {
    .name = "conservative",
    .summary =
        "each job that waits has a plan, and jobs overtake if that delays none of them",
    .plans = true,
    .init = conservative_init,
    .fini = conservative_fini,
    .started = conservative_started,
    .ended = conservative_ended,
    .pass = conservative_pass,
    .estimate = conservative_estimate,
};
