/* SPDX-License-Identifier: BSD-3-Clause */
/* EASY backfill against a slow and obvious model of it, under random loads with fixed seeds: the model
 * keeps a plain list of what runs, looks at all of it for every question, and walks the whole queue. */
#include "src/sched/sched.h"

#include <math.h>
#include "tests/unit/amounts.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

enum {
    NODES = AMOUNTS_NODES,
    CORES = 8,
    JOBS = 60,
    KINDS = 14,
    STEPS = 700,
    SEEDS = 40,
    MOVES = 16
};

struct job {
    struct sched_job sj;
    int kind;
    bool runs;
    bool stays;           /* as if it had no end */
    double end;           /* by its limit */
    double promised;      /* the latest start, once it was told */
    struct amounts has;   /* what the model gave it */
    struct placement *pl; /* what the scheduler gave it */
};

struct model {
    struct sched *s;
    struct pool *pool;
    struct amounts all;
    bool up[NODES];
    struct job job[JOBS];
    struct pool_request kinds[KINDS];
    double now;
    size_t depth;
    unsigned gains;
    bool quiet; /* only jobs that end come between: promises hold */
    /* what is kept from pass to pass */
    const struct job *head;
    double shadow;
    bool hopeless;
    unsigned gains_then;
    int moves;
    bool refused[KINDS], reserved;
    struct amounts reservation;
    /* what it would start, in order */
    struct job *want[JOBS];
    size_t nwant, got;
};

/* --- places --------------------------------------------------------------------------------- */

static bool is_queued(const struct job *j)
{
    return j->sj.queued != 0;
}

/* Free at T: now, and what ends until then by its limit. */
static struct amounts free_at(const struct model *m, double t)
{
    struct amounts a = m->all;
    for (int i = 0; i < NODES; i++) {
        for (const struct job *j = m->job; j < m->job + JOBS; j++)
            if (j->runs && (j->end > t || j->stays)) {
                a.cores[i] -= j->has.cores[i];
                a.gpus[i] -= j->has.gpus[i];
            }
        if (!m->up[i])
            a.cores[i] = a.gpus[i] = 0;
    }
    return a;
}

static bool place(const struct model *m, const struct amounts *a, const struct job *j,
                  struct amounts *out)
{
    const struct job_shape *s = &j->sj.req.shape;
    return amounts_find(&m->all, a, s, MAX(s->nnodes_max, s->nnodes_min), out);
}

/* Nodes for the head at the shadow time, of which the least has to be kept free from now on. */
static bool choose(const struct model *m, struct amounts *out)
{
    const struct job_shape *s = &m->head->sj.req.shape;
    struct amounts at = free_at(m, m->shadow), now = free_at(m, m->now);
    bool fits[NODES], any = false;
    int left = (int)MAX(s->nnodes_min, 1U);
    for (int i = 0; i < NODES; i++)
        any |= fits[i] = amounts_slots(&m->all, &at, i, s) >= (int)s->nslots;
    *out = (struct amounts){{0}, {0}};
    if (!any && s->nnodes_min == 0)
        return amounts_find(&m->all, &at, s, 0, out);
    for (; left > 0; left--) {
        int best = -1, least = 0;
        for (int i = 0; i < NODES; i++) {
            struct amounts need = {{0}, {0}};
            if (!fits[i])
                continue;
            amounts_give(&m->all, s, i, (int)s->nslots, &need);
            int cost = MAX(0, need.cores[i] - (at.cores[i] - now.cores[i])) +
                       MAX(0, need.gpus[i] - (at.gpus[i] - now.gpus[i]));
            if (best < 0 || cost < least) {
                best = i;
                least = cost;
            }
        }
        if (best < 0)
            return false;
        fits[best] = false;
        amounts_give(&m->all, s, best, (int)s->nslots, out);
    }
    return true;
}

/* --- a pass --------------------------------------------------------------------------------- */

static bool goes_before(const struct job *a, const struct job *b)
{
    return a->sj.priority != b->sj.priority ? a->sj.priority > b->sj.priority
                                            : a->sj.id < b->sj.id;
}

static void run(struct model *m, struct job *j, const struct amounts *a)
{
    j->has = *a;
    j->runs = true;
    j->end = j->sj.duration > 0 ? m->now + j->sj.duration : INFINITY;
    m->want[m->nwant++] = j;
}

static bool same_amounts_fit(const struct amounts *a, const struct amounts *b)
{
    for (int i = 0; i < NODES; i++)
        if (a->cores[i] > b->cores[i] || a->gpus[i] > b->gpus[i])
            return false;
    return true;
}

static void find_shadow(struct model *m, const struct job *head)
{
    struct amounts out, at = free_at(m, INFINITY);
    double shadow = INFINITY;
    bool hopeless = !amounts_find(&m->all, &at, &head->sj.req.shape,
                                  head->sj.req.shape.nnodes_min, &out);
    for (const struct job *j = m->job; j < m->job + JOBS && !hopeless; j++) {
        at = free_at(m, j->end);
        if (j->runs && j->end < shadow &&
            amounts_find(&m->all, &at, &head->sj.req.shape, head->sj.req.shape.nnodes_min,
                         &out))
            shadow = j->end;
    }
    bool same = m->head == head && m->shadow == shadow && m->hopeless == hopeless;
    m->head = head;
    m->shadow = shadow;
    m->hopeless = hopeless;
    at = free_at(m, shadow);
    m->reserved = m->reserved && same && same_amounts_fit(&m->reservation, &at);
    if (!same || m->gains_then != m->gains) {
        memset(m->refused, 0, sizeof(m->refused));
        m->moves = 0;
    }
    m->gains_then = m->gains;
}

/* By the sums. */
static bool leaves_enough(const struct model *m, const struct job_shape *h,
                          const struct job_shape *r)
{
    struct amounts at = free_at(m, m->shadow);
    unsigned cores = 0, gpus = 0, hs = MAX(h->nnodes_min, 1U) * h->nslots,
             rs = MAX(r->nnodes_min, 1U) * r->nslots;
    for (int i = 0; i < NODES; i++) {
        cores += (unsigned)at.cores[i];
        gpus += (unsigned)at.gpus[i];
    }
    return cores >= hs * h->cores_per_slot + rs * r->cores_per_slot &&
           gpus >= hs * h->gpus_per_slot + rs * r->gpus_per_slot;
}

static bool place_long(struct model *m, struct job *j, struct amounts *out)
{
    struct amounts now = free_at(m, m->now), at = free_at(m, m->shadow), spare = now;
    if (m->refused[j->kind])
        return false;
    if (!m->reserved)
        m->reserved = choose(m, &m->reservation);
    for (int i = 0; i < NODES && m->reserved; i++) {
        int c = MAX(0, m->reservation.cores[i] - (at.cores[i] - now.cores[i])),
            g = MAX(0, m->reservation.gpus[i] - (at.gpus[i] - now.gpus[i]));
        spare.cores[i] = MAX(0, now.cores[i] - c);
        spare.gpus[i] = MAX(0, now.gpus[i] - g);
    }
    if (m->reserved && place(m, &spare, j, out))
        return true;
    m->refused[j->kind] = true;
    struct amounts other;
    if (!m->reserved || m->moves >= MOVES ||
        !leaves_enough(m, &m->head->sj.req.shape, &j->sj.req.shape))
        return false;
    m->moves++;
    ck_assert(place(m, &now, j, out));
    j->has = *out;
    j->runs = j->stays = true; /* to see what is left at the shadow time */
    bool moved = choose(m, &other);
    j->runs = j->stays = false;
    if (moved) {
        m->reservation = other;
        m->refused[j->kind] = false;
    }
    return moved;
}

/* The queue in order; returns how many. */
static size_t list_queue(struct model *m, struct job **list)
{
    size_t n = 0;
    for (struct job *j = m->job; j < m->job + JOBS; j++) {
        if (!is_queued(j) || j->runs || j->sj.priority == 0)
            continue;
        size_t i = n++;
        for (; i > 0 && goes_before(j, list[i - 1]); i--)
            list[i] = list[i - 1];
        list[i] = j;
    }
    return n;
}

static void predict(struct model *m)
{
    struct job *list[JOBS];
    struct amounts out, now;
    size_t n = list_queue(m, list), i = 0, waiting = 0;
    m->nwant = m->got = 0;
    for (; i < n; i++) {
        now = free_at(m, m->now);
        if (!place(m, &now, list[i], &out))
            break;
        run(m, list[i], &out);
    }
    if (i == n)
        return;
    find_shadow(m, list[i]);
    if (m->quiet && isfinite(m->shadow) && list[i]->promised == 0)
        list[i]->promised = m->shadow;
    for (waiting = 1, i++; i < n; i++) {
        struct job *j = list[i];
        now = free_at(m, m->now);
        bool fast =
            m->hopeless || (j->sj.duration > 0 && j->sj.duration <= m->shadow - m->now);
        if (m->depth > 0 && waiting >= m->depth)
            return;
        if (place(m, &now, j, &out) && (fast || place_long(m, j, &out)))
            run(m, j, &out);
        else
            waiting++;
    }
}

/* --- the scheduler's answers ----------------------------------------------------------------- */

static void start(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct model *m = arg;
    struct job *j = (struct job *)(void *)((char *)sj - offsetof(struct job, sj));
    ck_assert_uint_lt(m->got, m->nwant);
    ck_assert_ptr_eq(j, m->want[m->got++]);
    for (size_t i = 0, k = 0; i < NODES; i++) {
        int cores = 0, gpus = 0;
        if (k < pl->rset->nnodes && pl->rset->nodes[k].rank == i) {
            cores = hwloc_bitmap_weight(pl->rset->nodes[k].cores);
            gpus = (int)rset_node_ngpus(&pl->rset->nodes[k]);
            k++;
        }
        ck_assert_int_eq(cores, j->has.cores[i]);
        ck_assert_int_eq(gpus, j->has.gpus[i]);
    }
    for (const struct job *o = m->job; o < m->job + JOBS; o++)
        for (size_t i = 0; o->pl && i < o->pl->rset->nnodes; i++) {
            const struct rset_node *a = &o->pl->rset->nodes[i],
                                   *b = rset_find(pl->rset, a->rank);
            ck_assert(!b || (!hwloc_bitmap_intersects(a->cores, b->cores) &&
                             !(a->gpus && b->gpus &&
                               hwloc_bitmap_intersects(a->gpus, b->gpus))));
        }
    if (j->promised > 0 && m->quiet)
        ck_assert(m->now <= j->promised);
    j->pl = pl;
}

static void end(struct model *m, struct job *j)
{
    sched_end(m->s, j->pl->rset);
    placement_destroy(take(j->pl));
    j->runs = false;
    m->gains++;
}

static void pass(struct model *m)
{
    predict(m);
    ck_assert_uint_eq(sched_run(m->s, m->now), m->nwant);
    ck_assert_uint_eq(m->got, m->nwant);
    for (struct job *j = m->job; j < m->job + JOBS; j++)
        if (is_queued(j) && sched_estimate(m->s, &j->sj) > 0) {
            ck_assert_ptr_eq(j, m->head);
            ck_assert(sched_estimate(m->s, &j->sj) == m->shadow);
        }
}

/* --- loads ---------------------------------------------------------------------------------- */

static void make_kinds(struct model *m, uint64_t *seed, bool alike)
{
    for (int k = 0; k < KINDS; k++) {
        unsigned nodes = kit_random(seed, 2) ? 1 + kit_random(seed, 5) : 0;
        if (alike)
            m->kinds[k] = kit_request(1 + (unsigned)k % NODES, 1 + (unsigned)k % NODES, 1,
                                      CORES, 0, k >= NODES);
        else
            m->kinds[k] =
                kit_request(nodes, nodes ? nodes + kit_random(seed, 3) / 2 : 0,
                            1 + kit_random(seed, nodes ? 3 : 14), 1 + kit_random(seed, 3),
                            kit_random(seed, 6) == 0, kit_random(seed, 10) == 0);
    }
}

static struct model *make_model(uint64_t *seed, bool alike)
{
    struct model *m = xcalloc(1, sizeof(*m));
    m->pool = kit_pool(alike ? "0:0-7 1:0-7 2:0-7 3:0-7 4:0-7 5:0-7 6:0-7 7:0-7"
                             : "0:0-7:0-1 1:0-7 2:0-3:0 3:0-7 4:0-7:0-3 5:0-1 6:0-7 7:0");
    m->s = sched_create(m->pool, sched_policy_find("easy"), start, m);
    for (size_t i = 0; i < NODES; i++) {
        struct pool_counts c = pool_counts(m->pool, i);
        m->all.cores[i] = (int)c.all.cores;
        m->all.gpus[i] = (int)c.all.gpus;
        m->up[i] = true;
    }
    make_kinds(m, seed, alike);
    return m;
}

static void submit(struct model *m, struct job *j, uint64_t *seed, uint64_t id)
{
    int kind = (int)kit_random(seed, KINDS);
    if (j->pl || is_queued(j) || pool_satisfiable(m->pool, &m->kinds[kind], NULL) < 0)
        return;
    *j = (struct job){.kind = kind, .sj = {.id = id, .req = m->kinds[kind], .count = 1}};
    j->sj.priority = m->quiet ? 16 : kit_random(seed, 3);
    j->sj.duration = kit_random(seed, 8) ? 1 + kit_random(seed, 40) : 0;
    sched_add(m->s, &j->sj);
}

/* To the next time at which a limit is reached, or a part of the way. */
static void pass_time(struct model *m, uint64_t *seed)
{
    double next = m->now + 1 + kit_random(seed, 10);
    for (const struct job *j = m->job; j < m->job + JOBS; j++)
        if (j->runs)
            next = fmin(next, j->end);
    m->now = next;
    for (struct job *j = m->job; j < m->job + JOBS; j++)
        if (j->runs && (j->end <= m->now || kit_random(seed, 12) == 0))
            end(m, j);
}

static void set_node(struct model *m, unsigned rank)
{
    m->up[rank] = !m->up[rank];
    pool_set_state(m->pool, rank, m->up[rank] ? POOL_UP : POOL_DRAINED, NULL);
    m->gains += m->up[rank];
    sched_set_depth(m->s,
                    m->depth); /* the loss of a node alone is no reason for a pass */
}

static void one_load(uint64_t seed, bool alike, bool quiet, size_t depth)
{
    struct model *m = make_model(&seed, alike);
    uint64_t id = 1;
    m->quiet = quiet;
    m->depth = depth;
    sched_set_depth(m->s, depth);
    for (int step = 0; step < STEPS; step++) {
        struct job *j = &m->job[kit_random(&seed, JOBS)];
        unsigned what = kit_random(&seed, 20);
        if (what < 11)
            submit(m, j, &seed, id++);
        else if (what < 18)
            pass_time(m, &seed);
        else if (what == 18 && !quiet && is_queued(j))
            sched_reprioritize(m->s, &j->sj, kit_random(&seed, 3));
        else if (what == 19 && !quiet && kit_random(&seed, 6) == 0)
            set_node(m, kit_random(&seed, NODES));
        else if (what == 19 && !quiet && kit_random(&seed, 3) == 0)
            sched_remove(m->s, &j->sj);
        if (quiet || kit_random(&seed, 3))
            pass(m);
    }
    for (struct job *j = m->job; j < m->job + JOBS; j++) {
        if (j->pl)
            end(m, j);
        sched_remove(m->s, &j->sj);
    }
    sched_destroy(m->s);
    pool_destroy(m->pool);
    free(m);
}

START_TEST(agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        one_load(seed, false, false, seed % 4 == 0 ? 5 : 0);
        one_load(seed, false, true, 0);
        one_load(seed, true, seed % 2, 0);
    }
}
END_TEST

UNIT_MAIN("easy", agrees_with_the_model)
