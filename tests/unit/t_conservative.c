/* SPDX-License-Identifier: BSD-3-Clause */
/* Conservative backfill against a slow and obvious model, under random loads with fixed seeds: the
 * model has a table of what is in use on each node in each second, and looks at every second. */
#include "src/sched/sched.h"

#include <math.h>
#include "tests/unit/amounts.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

enum { NODES = 5, SECONDS = 1200, JOBS = 24, STEPS = 160, SEEDS = 25 };

struct job {
    struct sched_job sj;
    struct amounts plan, has;
    int start, end; /* planned; end is the limit once it runs */
    bool planned, runs;
    int promised; /* the latest start; -1: nothing was said */
    struct placement *pl;
};

struct model {
    struct sched *s;
    struct pool *pool;
    struct amounts all;
    struct job job[JOBS];
    int now;
    bool better; /* something has ended early */
    struct job *want[JOBS];
    size_t nwant, got;
};

/* What is free on node I in second T, but for JOB's own plan. */
static struct amounts free_in(const struct model *m, int t, const struct job *but)
{
    struct amounts a = m->all;
    for (const struct job *j = m->job; j < m->job + JOBS; j++)
        for (int i = 0; i < NODES; i++) {
            if (j->runs && t < j->end) {
                a.cores[i] -= j->has.cores[i];
                a.gpus[i] -= j->has.gpus[i];
            } else if (j->planned && j != but && !j->runs && j->start <= t &&
                       t < j->end) {
                a.cores[i] -= j->plan.cores[i];
                a.gpus[i] -= j->plan.gpus[i];
            }
        }
    return a;
}

/* The first second from now on at which J has a place for all of its time. */
static void plan(struct model *m, struct job *j)
{
    for (int t = m->now; t < SECONDS; t++) {
        struct amounts least = free_in(m, t, j);
        for (int u = t; u < t + (int)j->sj.duration; u++) {
            struct amounts a = free_in(m, u, j);
            for (int i = 0; i < NODES; i++) {
                least.cores[i] = MIN(least.cores[i], a.cores[i]);
                least.gpus[i] = MIN(least.gpus[i], a.gpus[i]);
            }
        }
        if (!amounts_find(&m->all, &least, &j->sj.req.shape, j->sj.req.shape.nnodes_max,
                          &j->plan))
            continue;
        j->planned = true;
        j->start = t;
        j->end = t + (int)j->sj.duration;
        return;
    }
    ck_abort_msg("no place");
}

static size_t list_queue(struct model *m, struct job **list)
{
    size_t n = 0;
    for (struct job *j = m->job; j < m->job + JOBS; j++) {
        if (!j->sj.queued)
            continue;
        size_t i = n++;
        for (; i > 0 && (j->sj.priority > list[i - 1]->sj.priority ||
                         (j->sj.priority == list[i - 1]->sj.priority &&
                          j->sj.id < list[i - 1]->sj.id));
             i--)
            list[i] = list[i - 1];
        list[i] = j;
    }
    return n;
}

static void predict(struct model *m)
{
    struct job *list[JOBS];
    size_t n = list_queue(m, list), i = 0;
    m->nwant = m->got = 0;
    while (i < n && list[i]->planned)
        i++;
    for (size_t k = i; k < n; k++) { /* one has come before those */
        m->better |= list[k]->planned;
        list[k]->promised = list[k]->planned ? -1 : list[k]->promised;
        list[k]->planned = false;
    }
    for (bool moved = m->better; moved;) {
        moved = false;
        for (size_t k = 0; k < i; k++) {
            int before = list[k]->start;
            plan(m, list[k]);
            moved |= list[k]->start < before;
        }
    }
    for (; i < n; i++)
        plan(m, list[i]);
    m->better = false;
    for (i = 0; i < n; i++) {
        struct job *j = list[i];
        ck_assert(j->promised < 0 || j->start <= j->promised); /* no plan is put off */
        j->promised = j->start;
    }
    for (i = 0; i < n; i++)
        if (list[i]->start == m->now)
            m->want[m->nwant++] = list[i];
}

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
        ck_assert_int_eq(cores, j->plan.cores[i]);
        ck_assert_int_eq(gpus, j->plan.gpus[i]);
    }
    j->has = j->plan;
    j->runs = true;
    j->pl = pl;
}

static void end(struct model *m, struct job *j)
{
    sched_end(m->s, j->pl->rset);
    placement_destroy(take(j->pl));
    m->better |= j->end > m->now;
    j->runs = j->planned = false;
}

static void submit(struct model *m, struct job *j, uint64_t *seed, uint64_t id,
                   bool alike)
{
    unsigned nodes = kit_random(seed, 2) ? 1 + kit_random(seed, 3) : 0;
    if (j->pl || j->sj.queued)
        return;
    *j = (struct job){.promised = -1, .sj = {.id = id, .count = 1, .priority = 16}};
    j->sj.req = kit_request(nodes, nodes ? nodes + kit_random(seed, 3) / 2 : 0,
                            1 + kit_random(seed, nodes ? 3 : 9), 1 + kit_random(seed, 2),
                            kit_random(seed, 6) == 0, kit_random(seed, 8) == 0);
    j->sj.duration = 1 + kit_random(seed, 20);
    if (!alike)
        j->sj.priority += kit_random(seed, 6) == 0;
    if (pool_satisfiable(m->pool, &j->sj.req, NULL) == 0)
        sched_add(m->s, &j->sj);
}

static void one_load(uint64_t seed, bool alike)
{
    struct model *m = xcalloc(1, sizeof(*m));
    m->pool = kit_pool("0:0-3:0 1:0-7 2:0-3 3:0-5:0-1 4:0-3");
    m->s = sched_create(m->pool, sched_policy_find("conservative"), start, m);
    for (size_t i = 0; i < NODES; i++) {
        struct pool_counts c = pool_counts(m->pool, i);
        m->all.cores[i] = (int)c.all.cores;
        m->all.gpus[i] = (int)c.all.gpus;
    }
    for (int step = 0; step < STEPS; step++) {
        if (kit_random(&seed, 5) < 3) {
            submit(m, &m->job[kit_random(&seed, JOBS)], &seed, (uint64_t)step, alike);
        } else {
            int next = m->now + 1 + (int)kit_random(&seed, 5);
            for (const struct job *j = m->job; j < m->job + JOBS; j++)
                if (j->runs)
                    next = MIN(next, j->end);
            m->now = next;
            for (struct job *j = m->job; j < m->job + JOBS; j++)
                if (j->runs && (j->end <= m->now || kit_random(&seed, 10) == 0))
                    end(m, j);
            struct job *j = &m->job[kit_random(&seed, JOBS)];
            if (kit_random(&seed, 8) == 0 && j->sj.queued) { /* canceled */
                m->better |= j->planned;
                j->planned = false;
                sched_remove(m->s, &j->sj);
            }
        }
        predict(m);
        ck_assert_uint_eq(sched_run(m->s, m->now), m->nwant);
        for (struct job *j = m->job; j < m->job + JOBS; j++)
            if (j->sj.queued)
                ck_assert(sched_estimate(m->s, &j->sj) == j->start);
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
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_load(seed, seed % 3 != 0);
}
END_TEST

/* --- single cases --------------------------------------------------------------------------- */

static char started[64];

static void note(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct placement **last = arg;
    placement_destroy(take(*last));
    *last = pl;
    snprintf(started + strlen(started), sizeof(started) - strlen(started), "%d ",
             (int)sj->id);
}

/* What runs beyond its limit holds up what was to start then, and is thought to end soon; elements of an
 * array are planned one by one; what comes behind the limit of the queue is not looked at. */
START_TEST(cases)
{
    struct pool *pool = kit_pool("0:0-3");
    struct placement *last = NULL;
    struct sched *s = sched_create(pool, sched_policy_find("conservative"), note, &last);
    struct sched_job a = {.id = 1, .priority = 16, .count = 1, .duration = 10},
                     b = {.id = 2, .priority = 16, .count = 3, .duration = 10},
                     c = {.id = 9, .priority = 16, .count = 1, .duration = 10};
    a.req = kit_request(0, 0, 4, 1, 0, false);
    b.req = kit_request(0, 0, 2, 1, 0, false);
    c.req = kit_request(0, 0, 1, 1, 0, false);
    started[0] = '\0';
    sched_add(s, &a);
    sched_add(s, &b);
    sched_add(s, &c);
    ck_assert_uint_eq(sched_run(s, 100), 1);
    ck_assert(sched_estimate(s, &b) == 110);
    ck_assert(sched_estimate(s, &c) == 120); /* beside the third of them */
    sched_reprioritize(s, &c, 15);
    ck_assert_uint_eq(sched_run(s, 115), 0);
    ck_assert(sched_estimate(s, &b) == 120); /* five seconds too late, five more */
    sched_end(s, last->rset);
    ck_assert_uint_eq(sched_run(s, 116), 2);
    ck_assert_str_eq(started, "1 2 2 ");
    ck_assert_uint_eq(b.count, 1);
    ck_assert(sched_estimate(s, &b) == 126 && sched_estimate(s, &c) == 126);
    sched_set_depth(s, 1);
    sched_remove(s, &b);
    sched_remove(s, &c);
    sched_add(s, &b);
    sched_add(s, &c);
    ck_assert_uint_eq(sched_run(s, 117), 0);
    ck_assert(sched_estimate(s, &b) == 126 && sched_estimate(s, &c) == 0);
    pool_set_state(pool, 0, POOL_DRAINED, NULL);
    sched_set_depth(s, 0);
    ck_assert_uint_eq(sched_run(s, 118), 0);
    ck_assert(isinf(sched_estimate(s, &b)));
    placement_destroy(last);
    sched_destroy(s);
    pool_destroy(pool);
}
END_TEST

UNIT_MAIN("conservative", agrees_with_the_model, cases)
