/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sim/sim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "src/common/util.h"
#include "src/sched/policy.h"

enum { CONSERVATIVE_DEPTH = 1000 };
#define PLENTY (UINT64_C(1) << 50) /* of memory, where nothing is said */

static const double bound = 10; /* s; of the slowdown */

struct job {
    struct sched_job sj;
    const struct load_job *from;
    double start;
    struct placement *pl;
};

struct sim {
    struct sim_result *r;
    struct pool *pool;
    struct sched *sched;
    struct job *jobs;     /* as in the load */
    struct job **running; /* a heap by end */
    size_t nrunning, room;
    double now;
    bool *idle;         /* by node: nothing of it is in use */
    uint64_t idle_free; /* cores of such nodes */
    size_t samples_room;
    double free_time, scattered_time; /* of free cores; of those on nodes in use */
    double busy_time;
};

/* --- what runs ------------------------------------------------------------------------------ */

static double end_of(const struct job *j)
{
    return j->start + j->from->run;
}

static void push(struct sim *s, struct job *j)
{
    if (s->nrunning == s->room) {
        s->room = MAX(2 * s->room, (size_t)256);
        s->running = xrealloc(s->running, s->room * sizeof(struct job *));
    }
    size_t i = s->nrunning++;
    for (; i > 0 && end_of(s->running[(i - 1) / 2]) > end_of(j); i = (i - 1) / 2)
        s->running[i] = s->running[(i - 1) / 2];
    s->running[i] = j;
}

static struct job *pop(struct sim *s)
{
    struct job *top = s->running[0], *j = s->running[--s->nrunning];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < s->nrunning; i = k) {
        k += k + 1 < s->nrunning && end_of(s->running[k + 1]) < end_of(s->running[k]);
        if (end_of(j) <= end_of(s->running[k]))
            break;
        s->running[i] = s->running[k];
    }
    s->running[i] = j;
    return top;
}

/* After a change on the nodes of R. */
static void count_idle(struct sim *s, const struct rset *r)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        size_t at = pool_position(s->pool, r->nodes[i].rank);
        struct pool_counts c = pool_counts(s->pool, at);
        bool idle = c.free.cores == c.all.cores && c.free.gpus == c.all.gpus;
        if (idle && !s->idle[at])
            s->idle_free += c.all.cores;
        else if (!idle && s->idle[at])
            s->idle_free -= c.all.cores;
        s->idle[at] = idle;
    }
}

static void start(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct sim *s = arg;
    struct job *j = (struct job *)(void *)((char *)sj - offsetof(struct job, sj));
    j->start = s->now;
    j->pl = pl;
    count_idle(s, pl->rset);
    push(s, j);
}

static void end(struct sim *s, struct job *j)
{
    sched_end(s->sched, j->pl->rset);
    count_idle(s, j->pl->rset);
    s->busy_time += (double)rset_ncores(j->pl->rset) * j->from->run;
    placement_destroy(take(j->pl));
}

/* --- time ----------------------------------------------------------------------------------- */

static void get_free(const struct sim *s, size_t *cores, size_t *free_cores)
{
    size_t gpus, free_gpus;
    pool_totals(s->pool, cores, &gpus, free_cores, &free_gpus);
}

/* As it was since the last event. */
static void spend(struct sim *s, double until)
{
    size_t cores, free_cores;
    double dt = until - s->now;
    get_free(s, &cores, &free_cores);
    s->free_time += dt * (double)free_cores;
    s->scattered_time += dt * (double)(free_cores - s->idle_free);
    s->now = until;
}

static void sample(struct sim *s)
{
    struct sim_result *r = s->r;
    size_t cores, free_cores;
    get_free(s, &cores, &free_cores);
    if (r->nsamples == s->samples_room) {
        s->samples_room = MAX(2 * s->samples_room, (size_t)1024);
        r->samples = xrealloc(r->samples, s->samples_room * sizeof(*r->samples));
    }
    r->samples[r->nsamples++] =
        (struct sim_sample){s->now, cores - free_cores, sched_queued(s->sched)};
    r->queue_max = MAX(r->queue_max, sched_queued(s->sched));
}

static void decide(struct sim *s)
{
    double t = time_mono();
    sched_run(s->sched, s->now);
    t = time_mono() - t;
    s->r->passes++;
    s->r->decide_total += t;
    s->r->decide_max = fmax(s->r->decide_max, t);
}

static void go(struct sim *s, struct job **order, size_t n)
{
    size_t next = 0;
    s->now = n > 0 ? order[0]->from->submit : 0;
    while (next < n || s->nrunning > 0) {
        double t = next < n ? order[next]->from->submit : INFINITY;
        if (s->nrunning > 0)
            t = fmin(t, end_of(s->running[0]));
        spend(s, t);
        while (s->nrunning > 0 && end_of(s->running[0]) <= t)
            end(s, pop(s));
        for (; next < n && order[next]->from->submit <= t; next++)
            sched_add(s->sched, &order[next]->sj);
        decide(s);
        sample(s);
    }
}

/* --- what it adds up to --------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The least of N sorted values that is at least as great as the share P of them. */
static double quantile(const double *v, size_t n, double p)
{
    size_t i = (size_t)ceil(p * (double)n);
    return n ? v[i > 0 ? i - 1 : 0] : 0;
}

static double mean(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / (double)n : 0;
}

static void add_up(struct sim *s, struct job **order, size_t n)
{
    struct sim_result *r = s->r;
    size_t cores, free_cores;
    cleanup_free double *waits = xcalloc(n + 1, sizeof(double));
    cleanup_free double *slowdowns = xcalloc(n + 1, sizeof(double));
    for (size_t i = 0; i < n; i++) {
        const struct load_job *from = order[i]->from;
        waits[i] = order[i]->start - from->submit;
        slowdowns[i] = fmax((waits[i] + from->run) / fmax(from->run, bound), 1);
    }
    qsort(waits, n, sizeof(double), by_size);
    qsort(slowdowns, n, sizeof(double), by_size);
    get_free(s, &cores, &free_cores);
    r->njobs = n;
    r->makespan = n > 0 ? s->now - order[0]->from->submit : 0;
    r->utilization = r->makespan > 0 ? s->busy_time / ((double)cores * r->makespan) : 0;
    r->wait_mean = mean(waits, n);
    r->wait_median = quantile(waits, n, 0.5);
    r->wait_p95 = quantile(waits, n, 0.95);
    r->wait_max = quantile(waits, n, 1);
    r->slowdown_mean = mean(slowdowns, n);
    r->slowdown_p95 = quantile(slowdowns, n, 0.95);
    r->fragmentation = s->free_time > 0 ? s->scattered_time / s->free_time : 0;
}

/* --- the machine ---------------------------------------------------------------------------- */

static struct pool *make_pool(const struct sim_machine *m)
{
    struct rset *r = rset_create();
    cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc();
    cleanup_bitmap hwloc_bitmap_t gpus = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(cores, 0, (int)m->cores - 1);
    if (m->gpus > 0)
        hwloc_bitmap_set_range(gpus, 0, (int)m->gpus - 1);
    for (unsigned i = 0; i < m->nodes; i++) {
        char host[32];
        snprintf(host, sizeof(host), "node%u", i);
        rset_add(r, i, host, cores, gpus)->memory = m->memory ? m->memory : PLENTY;
    }
    struct pool *p = pool_create(r);
    rset_destroy(r);
    return p;
}

struct sim_result *sim_run(const struct load *l, const struct sim_machine *m,
                           const struct sched_setup *setup)
{
    struct sim s = {.r = xcalloc(1, sizeof(*s.r)), .pool = make_pool(m)};
    cleanup_free struct job **order = xcalloc(l->njobs + 1, sizeof(struct job *));
    size_t n = 0;
    s.sched = sched_create(s.pool, setup->policy, start, &s);
    /* what it takes is no matter here */
    sched_set_depth(s.sched, setup->depth == 0 && setup->policy == &policy_conservative
                                 ? CONSERVATIVE_DEPTH
                                 : setup->depth);
    if (setup->place)
        pool_set_strategy(s.pool, setup->place);
    s.idle = xcalloc(m->nodes, sizeof(bool));
    memset(s.idle, true, m->nodes * sizeof(bool));
    s.idle_free = (uint64_t)m->nodes * m->cores;
    s.jobs = xcalloc(l->njobs + 1, sizeof(*s.jobs));
    for (size_t i = 0; i < l->njobs; i++) {
        struct job *j = &s.jobs[i];
        j->from = &l->jobs[i];
        j->sj = (struct sched_job){.id = i + 1,
                                   .priority = (uint64_t)j->from->urgency,
                                   .req = j->from->req,
                                   .duration = j->from->limit,
                                   .count = 1};
        if (pool_satisfiable(s.pool, &j->sj.req, NULL) == 0) {
            order[n++] = j;
            continue;
        }
        if (s.r->too_large++ == 0)
            s.r->first_too_large = j->from->line;
    }
    go(&s, order, n);
    add_up(&s, order, n);
    sched_destroy(s.sched);
    pool_destroy(s.pool);
    free(s.jobs);
    free(s.running);
    free(s.idle);
    return s.r;
}

void sim_result_destroy(struct sim_result *r)
{
    if (!r)
        return;
    free(r->samples);
    free(r);
}
