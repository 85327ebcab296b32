/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_sched: how many placements a second of its own time the scheduler makes, alone, on NODES nodes of
 * CORES cores and GPUS GPUs (default 10000 x 64 x 4), placed by STRATEGY; or by the policy conservative, until JOBS have started. */
#include "src/sched/sched.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/common/util.h"

struct bench {
    unsigned nodes, cores, gpus;
    struct pool *pool;
    struct sched *s;
    struct placement **running; /* room for one per core */
    size_t nrunning;
    uint64_t seed;
};

/* What this process has used: others beside it do not count. */
static double cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(struct sched_job *job, struct placement *pl, void *arg)
{
    struct bench *b = arg;
    (void)job;
    b->running[b->nrunning++] = pl;
}

static unsigned pick(struct bench *b, size_t n)
{
    b->seed = b->seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((b->seed >> 33) % n);
}

static void end(struct bench *b, size_t i)
{
    sched_end(b->s, b->running[i]->rset);
    placement_destroy(b->running[i]);
    b->running[i] = b->running[--b->nrunning];
}

static void end_all(struct bench *b)
{
    while (b->nrunning > 0)
        end(b, b->nrunning - 1);
    malloc_trim(
        0); /* or the next one to allocate more pays for sorting what was freed here */
}

static void report(const char *what, size_t n, double seconds)
{
    printf("%-58s %9zu in %8.1f ms %12.0f /s\n", what, n, seconds * 1e3,
           (double)n / seconds);
}

static struct sched_job make_job(unsigned nodes, unsigned slots, unsigned cores,
                                 unsigned gpus, uint64_t count)
{
    struct sched_job j = {.id = 1, .priority = 16, .count = count};
    j.req.shape = (struct job_shape){.nnodes_min = nodes,
                                     .nnodes_max = nodes,
                                     .nslots = slots,
                                     .cores_per_slot = cores,
                                     .gpus_per_slot = gpus,
                                     .tasks_per_slot = 1};
    return j;
}

/* An array of jobs into the empty pool until it is full; then one ends and one starts, many
 * times, the pool being full. */
static void fill_and_turn(struct bench *b, const char *what, struct sched_job job)
{
    char text[96];
    job.count = UINT64_MAX / 2;
    sched_add(b->s, &job);
    double t = cpu_time();
    size_t n = sched_run(b->s, 0);
    snprintf(text, sizeof(text), "%s: fill", what);
    report(text, n, cpu_time() - t);
    t = cpu_time();
    size_t turns = MIN((size_t)300000, 20 * n);
    for (size_t i = 0; i < turns; i++) {
        end(b, pick(b, b->nrunning));
        sched_run(b->s, 0);
    }
    snprintf(text, sizeof(text), "%s: end one, start one, in a full pool", what);
    report(text, turns, cpu_time() - t);
    sched_remove(b->s, &job);
    end_all(b);
}

static void queue_many(struct bench *b, size_t n)
{
    struct sched_job *jobs = xcalloc(n, sizeof(*jobs));
    struct sched_job head = make_job(b->nodes + 1, 1, 1, 0, 1); /* never fits */
    head.priority = 17;
    sched_add(b->s, &head);
    double t = cpu_time();
    for (size_t i = 0; i < n; i++) {
        jobs[i] = make_job(0, 1, 1, 0, 1);
        jobs[i].id = i + 2;
        sched_add(b->s, &jobs[i]);
        sched_run(b->s, 0);
    }
    report("queue a job behind a blocked head, and a pass", n, cpu_time() - t);
    t = cpu_time();
    for (size_t i = 0; i < n; i++)
        sched_reprioritize(b->s, &jobs[i], 1 + pick(b, 16));
    report("change the priority of one of them", n, cpu_time() - t);
    t = cpu_time();
    for (size_t i = 0; i < n; i++)
        sched_run(b->s, 0);
    report("a pass when nothing changed", n, cpu_time() - t);
    t = cpu_time();
    for (size_t i = 0; i < n; i++)
        sched_remove(b->s, &jobs[i]);
    report("remove one of them", n, cpu_time() - t);
    sched_remove(b->s, &head);
    free(jobs);
}

/* --- EASY backfill ------------------------------------------------------------------------- */

/* What runs, by its end. */
struct mixed {
    struct bench *b;
    struct sched_job *jobs;
    double now;
    struct ending {
        double at;
        struct placement *pl;
    } * heap;
    size_t n, started;
};

static void push(struct mixed *m, struct ending e)
{
    size_t i = m->n++;
    for (; i > 0 && m->heap[(i - 1) / 2].at > e.at; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = e;
}

static struct ending pop(struct mixed *m)
{
    struct ending top = m->heap[0], e = m->heap[--m->n];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < m->n; i = k) {
        k += k + 1 < m->n && m->heap[k + 1].at < m->heap[k].at;
        if (e.at <= m->heap[k].at)
            break;
        m->heap[i] = m->heap[k];
    }
    m->heap[i] = e;
    return top;
}

static void mixed_start(struct sched_job *job, struct placement *pl, void *arg)
{
    struct mixed *m = arg;
    double real = job->duration * (0.3 + 0.7 * pick(m->b, 1000) / 1000);
    push(m, (struct ending){m->now + real, pl});
    m->started++;
}

/* One core to a few hundred nodes, some with GPUs, small ones more often; a minute to a day. */
static void mix(struct bench *b, struct sched_job *j, uint64_t id)
{
    unsigned kind = pick(b, 100), minutes = 1 + pick(b, 1440), nodes = 1u << pick(b, 9);
    if (kind < 60)
        *j = make_job(0, 1 + pick(b, b->cores), 1, 0, 1);
    else if (kind < 75 && b->gpus > 0)
        *j = make_job(0, 1 + pick(b, b->gpus), 1 + pick(b, 8), 1, 1);
    else
        *j = make_job(MIN(nodes, b->nodes), b->cores, 1, 0, 1);
    j->id = id;
    j->duration = 60.0 * minutes;
}

static void backfill(struct bench *b, const char *policy, size_t queued, size_t total)
{
    struct mixed m = {.b = b};
    char text[96];
    struct sched *s = sched_create(b->pool, sched_policy_find(policy), mixed_start, &m);
    m.jobs = xcalloc(total, sizeof(*m.jobs));
    m.heap = xcalloc(total, sizeof(*m.heap));
    size_t added = 0;
    double t = cpu_time();
    while (added < queued) {
        mix(b, &m.jobs[added], added + 1);
        sched_add(s, &m.jobs[added++]);
    }
    size_t first = sched_run(s, 0);
    snprintf(text, sizeof(text), "%s, a mixed load: the first pass", policy);
    report(text, first, cpu_time() - t);
    t = cpu_time();
    size_t passes = 0, before = m.started;
    double worst = 0;
    while (added < total) {
        struct ending e = pop(&m);
        m.now = e.at;
        sched_end(s, e.pl->rset);
        placement_destroy(e.pl);
        double one = cpu_time();
        size_t n = sched_run(s, m.now);
        worst = MAX(worst, cpu_time() - one);
        passes++;
        for (; n > 0 && added < total; n--) { /* as many are queued all the time */
            mix(b, &m.jobs[added], added + 1);
            sched_add(s, &m.jobs[added++]);
        }
    }
    double spent = cpu_time() - t;
    snprintf(text, sizeof(text),
             "%s, a mixed load: end one, start what fits, queue as many", policy);
    report(text, m.started - before, spent);
    printf("    %zu are queued, a pass after each end: %.1f us, the worst %.1f ms\n",
           sched_queued(s), spent / (double)passes * 1e6, worst * 1e3);
    while (m.n > 0) {
        struct ending e = pop(&m);
        sched_end(s, e.pl->rset);
        placement_destroy(e.pl);
    }
    for (size_t i = 0; i < total; i++)
        sched_remove(s, &m.jobs[i]);
    sched_destroy(s);
    free(m.jobs);
    free(m.heap);
    malloc_trim(0);
}

static void no_start(struct sched_job *job, struct placement *pl, void *arg)
{
    (void)job;
    struct bench *b = arg;
    b->running[b->nrunning++] = pl;
}

/* N jobs of KINDS shapes that do not fit, and a pass after each change of the pool. */
static void nothing_to_start(struct bench *b, size_t n, unsigned kinds)
{
    struct sched *s = sched_create(b->pool, sched_policy_find("easy"), no_start, b);
    struct sched_job *jobs = xcalloc(n, sizeof(*jobs)), all = make_job(0, 1, 1, 0, 1);
    all.count = (uint64_t)b->nodes * b->cores;
    all.duration = 1000;
    sched_add(s, &all);
    sched_run(s, 0);
    for (size_t i = 0; i < n; i++) {
        unsigned k = (unsigned)(i % kinds);
        jobs[i] = make_job(0, 2 + k, 1, 0, 1);
        jobs[i].id = i + 2;
        jobs[i].duration = 60 + pick(b, 10000);
        sched_add(s, &jobs[i]);
    }
    double worst = 0, sum = 0;
    enum { PASSES = 200 };
    sched_run(s, 1);
    for (int i = 0; i < PASSES;
         i++) { /* one core comes back, and is too little for any of them */
        size_t at = pick(b, b->nrunning);
        struct placement *pl = b->running[at];
        sched_end(s, pl->rset);
        double t = cpu_time();
        size_t started = sched_run(s, 2);
        t = cpu_time() - t;
        sum += t;
        worst = MAX(worst, t);
        if (started != 0 || pool_take(b->pool, pl->rset, NULL) < 0)
            abort();
        sched_adopt(s, pl->rset, 1000);
    }
    printf("%-58s %9d, %.3f ms each, the worst %.3f ms\n",
           "a pass with nothing to start, 1,000,000 queued, 1,000 shapes", PASSES,
           sum / PASSES * 1e3, worst * 1e3);
    for (size_t i = 0; i < n; i++)
        sched_remove(s, &jobs[i]);
    while (b->nrunning > 0) {
        struct placement *pl = b->running[--b->nrunning];
        sched_end(s, pl->rset);
        placement_destroy(pl);
    }
    sched_destroy(s);
    free(jobs);
    malloc_trim(0);
}

/* Each GPU is near as many cores. */
static struct domains *make_domains(const struct bench *b)
{
    struct domains *d = domains_create(b->gpus);
    for (unsigned i = 0; i < b->gpus; i++) {
        hwloc_bitmap_set(d->at[i].gpus, i);
        hwloc_bitmap_set_range(d->at[i].cores, i * b->cores / b->gpus,
                               (int)((i + 1) * b->cores / b->gpus) - 1);
    }
    return d;
}

static void bench_all(struct bench *b)
{
    fill_and_turn(b, "1 core", make_job(0, 1, 1, 0, 1));
    if (b->gpus > 0)
        fill_and_turn(b, "1 core, 1 GPU", make_job(0, 1, 1, 1, 1));
    fill_and_turn(b, "6 cores", make_job(0, 1, MIN(6U, b->cores), 0, 1));
    fill_and_turn(b, "1 whole node", make_job(0, b->cores, 1, 0, 1));
    if (b->nodes > 1) {
        unsigned wide = MIN(b->nodes, 100U);
        fill_and_turn(b, "slots of two nodes", make_job(0, 2 * b->cores, 1, 0, 1));
        fill_and_turn(b, "100 nodes", make_job(wide, b->cores, 1, 0, 1));
        fill_and_turn(b, "all nodes", make_job(b->nodes, b->cores, 1, 0, 1));
    }
    queue_many(b, 1000000);
    backfill(b, "easy", 100000, 250000);
    nothing_to_start(b, 1000000, 1000);
}

int main(int argc, char **argv)
{
    struct bench b = {.nodes = argc > 1 ? (unsigned)atoi(argv[1]) : 10000,
                      .cores = argc > 2 ? (unsigned)atoi(argv[2]) : 64,
                      .gpus = argc > 3 ? (unsigned)atoi(argv[3]) : 4};
    const struct place_strategy *strategy =
        place_strategy_find(argc > 4 ? argv[4] : place_strategies[0]->name);
    if (b.nodes == 0 || b.cores == 0 || !strategy) {
        fprintf(stderr, "usage: bench_sched [NODES [CORES [GPUS [STRATEGY [conservative "
                        "[JOBS]]]]]]\n");
        return 2;
    }
    struct rset *r = rset_create();
    cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc();
    cleanup_bitmap hwloc_bitmap_t gpus = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(cores, 0, (int)b.cores - 1);
    if (b.gpus > 0)
        hwloc_bitmap_set_range(gpus, 0, (int)b.gpus - 1);
    struct domains *near = b.gpus > 1 && b.cores >= b.gpus ? make_domains(&b) : NULL;
    for (unsigned i = 0; i < b.nodes; i++) {
        char host[32];
        snprintf(host, sizeof(host), "node%u", i);
        rset_add(r, i, host, cores, gpus)->domains = domains_ref(near);
    }
    domains_destroy(near);
    double t = cpu_time();
    b.pool = pool_create(r);
    pool_set_strategy(b.pool, strategy);
    printf("%u nodes of %u cores and %u GPUs, placement %s; pool made in %.1f ms\n",
           b.nodes, b.cores, b.gpus, strategy->name, (cpu_time() - t) * 1e3);
    b.s = sched_create(b.pool, sched_policies[0], start, &b);
    b.running = xcalloc((size_t)b.nodes * b.cores, sizeof(struct placement *));

    if (argc > 5 && strcmp(argv[5], "conservative") == 0)
        backfill(&b, argv[5], 100000, 100000 + (argc > 6 ? (size_t)atoi(argv[6]) : 1000));
    else
        bench_all(&b);
    free(b.running);
    sched_destroy(b.s);
    pool_destroy(b.pool);
    rset_destroy(r);
    return 0;
}
