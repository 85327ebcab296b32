/* SPDX-License-Identifier: BSD-3-Clause */
/* Random loads through each policy with each placement: never two jobs on one core, GPU or byte, whatever runs has what it
 * asked for, the first job that waits is one that does not fit, and all jobs get their turn.  Backfill puts nobody off who was
 * first (EASY; by a slow search of its own) or planned (conservative), and leaves nothing idle that a job could use without
 * doing that.  With lanes, not more jobs of one run than may. */
#include "src/job/rset_parts.h"
#include "src/sched/sched.h"
#include "src/sched/setup.h"

#include <math.h>
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

enum { NODES = 9, CORES = 8, GPUS = 4, MEMORY = 1000, JOBS = 200, SEEDS = 5 };

struct job {
    struct sched_job sj;
    double end;      /* when it really ends */
    double limit;    /* when it would at the latest */
    double promised; /* the latest start; INFINITY: nothing was said */
    struct placement *pl;
    bool ran;
    struct job_part parts[2];
};

enum {
    LANES = 3,
    ROOM = 4
}; /* the second lane has room for so many; the third is a group of its own */

struct load {
    bool lanes;
    const char *policy;
    uint64_t running[LANES];
    struct pool *pool;
    struct sched *s;
    struct job job[JOBS];
    int core[NODES][CORES], gpu[NODES][GPUS]; /* whose it is, 0: nobody's */
    uint64_t used[NODES];
    double now;
    uint64_t seed;
    int nran;
};

static void own(int *owner, int n, hwloc_const_bitmap_t ids, int from, int to)
{
    for (int i = 0; ids && i < n; i++)
        if (hwloc_bitmap_isset(ids, (unsigned)i)) {
            ck_assert_int_eq(owner[i], from);
            owner[i] = to;
        }
}

static void own_all(struct load *l, const struct job *j, bool take)
{
    int id = (int)j->sj.id;
    for (size_t i = 0; i < j->pl->rset->nnodes; i++) {
        const struct rset_node *n = &j->pl->rset->nodes[i];
        own(l->core[n->rank], CORES, n->cores, take ? 0 : id, take ? id : 0);
        own(l->gpu[n->rank], GPUS, n->gpus, take ? 0 : id, take ? id : 0);
        l->used[n->rank] += take ? n->memory : -n->memory;
        ck_assert_uint_le(l->used[n->rank], MEMORY);
    }
}

/* Of a job of several parts. */
static void check_parts(const struct job *j)
{
    const struct job_shape *s = &j->sj.req.shape;
    const struct rset *r = j->pl->rset;
    unsigned nslots[NODES], nodes = s->nnodes_min ? s->nnodes_min : 1;
    ck_assert_uint_ge(rset_ncores(r), s->cores_per_slot * nodes);
    ck_assert_uint_ge(rset_ngpus(r), s->gpus_per_slot * nodes);
    ck_assert_uint_ge(rset_memory(r), s->mem_per_slot * nodes);
    for (unsigned k = 0; k < s->nparts; k++) {
        unsigned sum = 0;
        rset_parts_slots(r, k, nslots);
        for (size_t i = 0; i < r->nnodes; i++) {
            sum += nslots[i];
            ck_assert(!s->nnodes_min || nslots[i] == s->parts[k].nslots);
        }
        ck_assert_uint_eq(sum, s->parts[k].nslots * nodes);
    }
}

static void check_size(const struct job *j)
{
    const struct job_shape *s = &j->sj.req.shape;
    const struct rset *r = j->pl->rset;
    unsigned slots = 0;
    for (size_t i = 1; s->contiguous && i < r->nnodes; i++)
        ck_assert_uint_eq(r->nodes[i].rank, r->nodes[i - 1].rank + 1);
    if (s->nparts > 0) {
        check_parts(j);
        return;
    }
    for (size_t i = 0; i < r->nnodes; i++) {
        unsigned k = j->pl->nslots[i];
        slots += k;
        ck_assert_uint_ge(r->nodes[i].memory, s->mem_per_node + k * s->mem_per_slot);
        ck_assert_int_ge(hwloc_bitmap_weight(r->nodes[i].cores),
                         (int)(k * s->cores_per_slot));
        ck_assert_int_ge((int)rset_node_ngpus(&r->nodes[i]), (int)(k * s->gpus_per_slot));
        if (s->nnodes_min)
            ck_assert_uint_eq(k, s->nslots);
    }
    ck_assert_uint_eq(slots, s->nslots * (s->nnodes_min ? (unsigned)r->nnodes : 1));
}

/* One more of its lane runs, or one less. */
static void count_lane(struct load *l, const struct job *j, int n)
{
    uint64_t *running = &l->running[j->sj.lane];
    *running += (uint64_t)(int64_t)n;
    if (j->sj.lane != 1)
        return;
    ck_assert_uint_le(*running, ROOM);
    sched_set_room(l->s, 1, ROOM - *running);
}

static void start(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct load *l = arg;
    struct job *j = (struct job *)(void *)((char *)sj - offsetof(struct job, sj));
    ck_assert(!j->ran);
    j->ran = true;
    j->pl = pl;
    j->end = l->now + sj->duration * (1 + kit_random(&l->seed, 4)) / 4;
    j->limit = l->now + sj->duration;
    ck_assert_msg(l->now <= j->promised + 1e-6, "job %d was to start at %g, not %g",
                  (int)sj->id, j->promised, l->now);
    l->nran++;
    count_lane(l, j, 1);
    check_size(j);
    own_all(l, j, true);
}

static struct job *next_end(struct load *l)
{
    struct job *first = NULL;
    for (struct job *j = l->job; j < l->job + JOBS; j++)
        if (j->pl && (!first || j->end < first->end))
            first = j;
    return first;
}

/* Those that end first, all that do so at the same time. */
static void end_first(struct load *l)
{
    struct job *j = next_end(l);
    ck_assert_ptr_ne(j, NULL); /* else nothing runs, and jobs wait */
    l->now = j->end;
    for (; j && j->end <= l->now; j = next_end(l)) {
        own_all(l, j, false);
        sched_end(l->s, j->pl->rset);
        count_lane(l, j, -1);
        placement_destroy(take(j->pl));
    }
}

static struct pool *make_pool(void)
{
    struct rset *r =
        kit_rset("0:0-7 1:0-7:0-3 2:0-7:0-3 3:0-7:0-1 4:0-7 5:0-7 6:0-7:0-3 7:0-7 8:0-7");
    struct domains *d = domains_create(2);
    for (unsigned i = 0; i < CORES; i++)
        hwloc_bitmap_set(d->at[i / 4].cores, i);
    for (unsigned i = 0; i < GPUS; i++)
        hwloc_bitmap_set(d->at[1 - i / 2].gpus, i);
    for (size_t i = 0; i < r->nnodes; i++) {
        r->nodes[i].memory = MEMORY;
        r->nodes[i].domains = i % 2 ? domains_ref(d) : NULL;
    }
    domains_destroy(d);
    struct pool *p = pool_create(r);
    rset_destroy(r);
    return p;
}

/* Two programs that ask for different things. */
static void split(struct job *j, uint64_t *seed)
{
    struct job_shape *s = &j->sj.req.shape;
    s->nslots = 1;
    s->cores_per_slot = s->gpus_per_slot = 0;
    s->mem_per_slot = s->mem_per_node = 0;
    s->nnodes_max = s->nnodes_min;
    s->contiguous = s->contiguous && s->nnodes_min;
    s->exclusive = s->exclusive && s->nnodes_min;
    s->parts = j->parts;
    s->nparts = 2;
    for (int i = 0; i < 2; i++) {
        j->parts[i] =
            (struct job_part){.nslots = 1 + kit_random(seed, s->nnodes_min ? 2 : 8),
                              .cores = 1 + kit_random(seed, 3),
                              .gpus = i * kit_random(seed, 2),
                              .tasks_per_slot = 1,
                              .memory = kit_random(seed, 2) ? kit_random(seed, 200) : 0};
        s->cores_per_slot += j->parts[i].nslots * j->parts[i].cores;
        s->gpus_per_slot += j->parts[i].nslots * j->parts[i].gpus;
        s->mem_per_slot += j->parts[i].nslots * j->parts[i].memory;
    }
    job_parts_order(j->parts, 2);
}

static void make_job(struct load *l, struct job *j, uint64_t id)
{
    uint64_t *seed = &l->seed;
    do {
        unsigned nodes = kit_random(seed, 3) ? 0 : 1 + kit_random(seed, 4);
        j->sj = (struct sched_job){.id = id, .priority = 16, .count = 1};
        j->sj.req = kit_request(
            nodes, nodes ? nodes + kit_random(seed, 2) : 0,
            1 + kit_random(seed, nodes ? 4 : 12), 1 + kit_random(seed, 3),
            kit_random(seed, 3) ? 0 : 1 + kit_random(seed, 2), kit_random(seed, 8) == 0);
        if (kit_random(seed, 2))
            j->sj.req.shape.mem_per_slot = kit_random(seed, 200);
        if (kit_random(seed, 2))
            j->sj.req.shape.mem_per_node = kit_random(seed, 600);
        j->sj.req.shape.contiguous = kit_random(seed, 6) == 0;
        if (kit_random(seed, 5) == 0)
            split(j, seed);
        if (kit_random(seed, 3) == 0)
            j->sj.req.place = place_strategies[kit_random(seed, 3)];
    } while (pool_satisfiable(l->pool, &j->sj.req, NULL) < 0);
    j->sj.duration = 1 + kit_random(seed, 1000);
    j->sj.lane = l->lanes ? kit_random(seed, LANES) : 0;
    j->promised = INFINITY;
}

/* What waits at the head does not fit: no place is kept free for nothing.  With plans for all, it may be kept for
 * another one. */
static void check_head(struct load *l, const struct sched_policy *policy)
{
    size_t n;
    unsigned groups = sched_ngroups(l->s);
    for (unsigned g = 0; g < groups; g++) {
        struct sched_job *head =
            groups > 1 ? sched_group_first(l->s, g) : sched_first(l->s);
        if (head && strcmp(policy->name, "conservative") != 0)
            ck_assert_msg(!pool_fits(l->pool, NULL, &head->req, &n), "%s, job %d",
                          policy->name, (int)head->id);
    }
}

/* What is free when all has ended whose limit is not after T. */
static struct pool_view *view_at(const struct load *l, double t)
{
    struct pool_view *v = pool_view_create(l->pool);
    for (size_t i = 0; i < NODES; i++) {
        struct pool_amount a = pool_counts(l->pool, i).free;
        for (const struct job *j = l->job; j < l->job + JOBS; j++)
            for (size_t k = 0; j->pl && j->limit <= t && k < j->pl->rset->nnodes; k++) {
                const struct rset_node *n = &j->pl->rset->nodes[k];
                if (n->rank != i)
                    continue;
                a.cores += (unsigned)hwloc_bitmap_weight(n->cores);
                a.gpus += rset_node_ngpus(n);
                a.memory += n->memory;
            }
        pool_view_set(v, i, a);
    }
    return v;
}

static bool fits_at(const struct load *l, const struct sched_job *sj, double t)
{
    size_t n;
    struct pool_view *v = view_at(l, t);
    bool fits = pool_fits(l->pool, v, &sj->req, &n);
    pool_view_destroy(v);
    return fits;
}

/* When SJ could start if nobody else did. */
static double earliest(const struct load *l, const struct sched_job *sj)
{
    double best = INFINITY;
    for (const struct job *j = l->job; j < l->job + JOBS; j++)
        if (j->pl && j->limit < best && fits_at(l, sj, j->limit))
            best = j->limit;
    return best;
}

static struct job *job_of_entry(struct sched_job *sj)
{
    return (struct job *)(void *)((char *)sj - offsetof(struct job, sj));
}

static void promise(const struct load *l, struct job *j, double start)
{
    ck_assert_msg(start <= j->promised + 1e-6,
                  "%s, job %d at %g: %g, and %g was said before", l->policy,
                  (int)j->sj.id, l->now, start, j->promised);
    j->promised = start;
}

/* Who is first starts when it could have started without the others; and whoever fits and is over by then has started. */
static void check_easy(struct load *l)
{
    size_t n;
    struct sched_job *head = sched_first(l->s);
    if (!head)
        return;
    double start = earliest(l, head);
    promise(l, job_of_entry(head), start);
    double said = sched_estimate(l->s, head);
    ck_assert_msg(said == start, "job %d at %g: %g, not %g", (int)head->id, l->now, start,
                  said);
    for (struct sched_job *sj = sched_next(l->s, head); sj; sj = sched_next(l->s, sj))
        ck_assert_msg(l->now + sj->duration > start ||
                          !pool_fits(l->pool, NULL, &sj->req, &n),
                      "job %d could run until %g", (int)sj->id, start);
}

static void check_plans(struct load *l)
{
    for (struct sched_job *sj = sched_first(l->s); sj; sj = sched_next(l->s, sj)) {
        double start = sched_estimate(l->s, sj);
        if (start > 0)
            promise(l, job_of_entry(sj), start);
    }
}

static void check_promises(struct load *l, const struct sched_policy *policy)
{
    if (l->lanes) /* when there is room in a lane, its first job comes before others that were first until then */
        return;
    if (strcmp(policy->name, "easy") == 0)
        check_easy(l);
    else if (strcmp(policy->name, "conservative") == 0)
        check_plans(l);
}

static void run(const struct sched_policy *policy, const struct place_strategy *strategy,
                bool lanes, uint64_t seed)
{
    struct load *l = xcalloc(1, sizeof(*l));
    uint64_t added = 0;
    l->seed = seed;
    l->pool = make_pool();
    pool_set_strategy(l->pool, strategy);
    l->s = sched_create(l->pool, policy, start, l);
    l->lanes = lanes;
    l->policy = policy->name;
    if (lanes) {
        sched_set_room(l->s, 1, ROOM);
        sched_set_lane(l->s, 2, 1, false);
    }
    while (l->nran < JOBS) {
        for (unsigned k = kit_random(&l->seed, 5); k > 0 && added < JOBS; k--) {
            make_job(l, &l->job[added], added + 1);
            sched_add(l->s, &l->job[added++].sj);
        }
        sched_run(l->s, l->now);
        check_head(l, policy);
        check_promises(l, policy);
        if (sched_queued(l->s) > 0)
            end_first(l);
    }
    while (next_end(l))
        end_first(l);
    struct pool_sums sums = pool_sums(l->pool);
    ck_assert_uint_eq(sums.free_cores, sums.cores);
    ck_assert_uint_eq(sums.free_gpus, sums.gpus);
    ck_assert_uint_eq(sums.free_memory, sums.memory);
    ck_assert_uint_eq(sums.memory, NODES * MEMORY);
    sched_destroy(l->s);
    pool_destroy(l->pool);
    free(l);
}

START_TEST(loads)
{
    for (size_t p = 0; sched_policies[p]; p++)
        for (size_t k = 0; place_strategies[k]; k++)
            for (int lanes = 0; lanes < 2; lanes++)
                run(sched_policies[p], place_strategies[k], lanes, (uint64_t)_i);
}
END_TEST

UNIT_LOOP_MAIN("mixed", loads, 1, SEEDS + 1)
