/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/sched.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

/* An owner of jobs that notes what starts, as "ID ID ...". */
struct owner {
    struct sched *s;
    struct pool *pool;
    char log[4096];
    struct placement *pl[64]; /* what runs, in order of start */
    size_t nruns;
    struct sched_job *add; /* to be added from within the next start */
    struct sched_job *remove;
};

static void start(struct sched_job *job, struct placement *pl, void *arg)
{
    struct owner *o = arg;
    size_t len = strlen(o->log);
    snprintf(o->log + len, sizeof(o->log) - len, "%s%u", len ? " " : "",
             (unsigned)job->id);
    ck_assert_uint_lt(o->nruns, ARRAY_SIZE(o->pl));
    o->pl[o->nruns++] = pl;
    if (o->add)
        sched_add(o->s, take(o->add));
    if (o->remove)
        sched_remove(o->s, take(o->remove));
    ck_assert_uint_eq(sched_run(o->s, 0), 0); /* from within a pass: nothing */
}

static struct owner *owner_create(const char *nodes, const struct sched_policy *policy)
{
    struct owner *o = xcalloc(1, sizeof(*o));
    o->pool = kit_pool(nodes);
    o->s = sched_create(o->pool, policy, start, o);
    ck_assert_ptr_eq(sched_pool(o->s), o->pool);
    return o;
}

static void owner_end(struct owner *o, size_t i)
{
    sched_end(o->s, o->pl[i]->rset);
    placement_destroy(o->pl[i]);
    memmove(o->pl + i, o->pl + i + 1, (--o->nruns - i) * sizeof(o->pl[0]));
}

static void owner_destroy(struct owner *o)
{
    while (o->nruns > 0)
        owner_end(o, 0);
    sched_destroy(o->s);
    pool_destroy(o->pool);
    free(o);
}

static struct sched_job make_job(uint64_t id, uint64_t priority, unsigned slots)
{
    return (struct sched_job){.id = id,
                              .priority = priority,
                              .req = kit_request(0, 0, slots, 1, 0, false),
                              .count = 1};
}

/* What a pass starts, and forget it. */
#define ck_starts(o, text)                                                               \
    do {                                                                                 \
        size_t before_ = (o)->nruns;                                                     \
        size_t n_ = sched_run((o)->s, 0);                                                \
        ck_assert_str_eq((o)->log, (text));                                              \
        ck_assert_uint_eq(n_, (o)->nruns - before_);                                     \
        (o)->log[0] = '\0';                                                              \
    } while (0)

START_TEST(first_come_first_served)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job j[] = {make_job(1, 16, 2), make_job(2, 16, 3), make_job(3, 16, 1),
                            make_job(4, 20, 1), make_job(5, 0, 1)};
    for (size_t i = 0; i < ARRAY_SIZE(j); i++)
        sched_add(o->s, &j[i]);
    ck_assert_uint_eq(sched_queued(o->s), 5);
    ck_starts(o, "4 1"); /* 2 needs three cores, and 3 does not overtake it */
    ck_starts(o, "");
    owner_end(o, 0);
    ck_starts(o, "");
    owner_end(o, 0);
    ck_starts(o, "2 3"); /* 5 is held */
    ck_assert_uint_eq(sched_queued(o->s), 1);
    ck_assert_ptr_null(sched_first(o->s));
    owner_end(o, 0);
    sched_reprioritize(o->s, &j[4], 1);
    ck_starts(o, "5");
    ck_assert_uint_eq(sched_queued(o->s), 0);
    owner_destroy(o);
}
END_TEST

START_TEST(head_changes)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job a = make_job(1, 16, 8), b = make_job(2, 16, 4),
                     c = make_job(3, 16, 1);
    sched_add(o->s, &a);
    sched_add(o->s, &b);
    ck_starts(o, ""); /* a can never run here: it blocks all */
    sched_add(o->s, &c);
    ck_starts(o, "");
    sched_reprioritize(o->s, &c, 17);
    ck_starts(o, "3");
    sched_remove(o->s, &a);
    ck_starts(o, "");
    sched_remove(o->s, &a); /* no longer there */
    sched_reprioritize(o->s, &a, 31);
    ck_assert_uint_eq(a.priority, 31);
    ck_assert_uint_eq(sched_queued(o->s), 1);
    /* The same job with another wish is another job. */
    sched_remove(o->s, &b);
    b.req.shape.nslots = 3;
    sched_add(o->s, &b);
    ck_starts(o, "2");
    owner_destroy(o);
}
END_TEST

START_TEST(nodes_change)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job a = make_job(1, 16, 6);
    sched_add(o->s, &a);
    ck_starts(o, "");
    struct rset *more = kit_rset("1:0-3");
    ck_assert_int_eq(pool_add_node(o->pool, &more->nodes[0], NULL), 0);
    pool_set_state(o->pool, 0, POOL_DRAINED, NULL);
    ck_starts(o, "");
    pool_set_state(o->pool, 0, POOL_UP, NULL);
    ck_starts(o, "1");
    rset_destroy(more);
    owner_destroy(o);
}
END_TEST

START_TEST(arrays_start_one_by_one)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job a = make_job(1, 16, 1), b = make_job(2, 16, 1);
    a.count = 6;
    sched_add(o->s, &a);
    sched_add(o->s, &b);
    ck_assert_uint_eq(sched_queued(o->s), 7);
    ck_starts(o, "1 1 1 1");
    ck_assert_uint_eq(a.count, 2);
    ck_assert(a.queued);
    ck_assert_uint_eq(sched_queued(o->s), 3);
    owner_end(o, 3);
    owner_end(o, 0);
    owner_end(o, 0);
    ck_starts(o, "1 1 2");
    ck_assert(!a.queued && !b.queued);
    owner_destroy(o);
}
END_TEST

START_TEST(start_may_change_the_queue)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job a = make_job(1, 16, 1), b = make_job(2, 16, 1),
                     c = make_job(3, 20, 1);
    sched_add(o->s, &a);
    sched_add(o->s, &b);
    o->add = &c;
    o->remove = &b;
    ck_starts(o, "1 3");
    ck_assert_uint_eq(sched_queued(o->s), 0);
    owner_destroy(o);
}
END_TEST

/* A policy that counts its calls. */
static unsigned passes, starts, ends;

static void count_pass(struct sched *s, double now)
{
    passes++;
    *sched_priv(s) = &passes;
    struct sched_job *job = sched_first(s);
    struct placement *pl = job ? pool_alloc(sched_pool(s), &job->req) : NULL;
    if (pl)
        sched_start(s, job, pl);
    ck_assert_double_eq(now, 0);
}

static void count_start(struct sched *s, const struct sched_job *job,
                        const struct rset *r, double now)
{
    (void)s;
    (void)now;
    ck_assert_uint_eq(job->id, 1);
    ck_assert_uint_eq(r->nnodes, 1);
    starts++;
}

static void count_end(struct sched *s, const struct rset *r)
{
    ck_assert_ptr_eq(*sched_priv(s), &passes);
    ck_assert_uint_eq(r->nnodes, 1);
    ends++;
}

START_TEST(no_pass_without_a_change)
{
    static const struct sched_policy counting = {.name = "counting",
                                                 .pass = count_pass,
                                                 .started = count_start,
                                                 .ended = count_end};
    struct owner *o = owner_create("0:0-3", &counting);
    struct sched_job a = make_job(1, 16, 1), b = make_job(2, 16, 9);
    ck_starts(o, "");
    sched_add(o->s, &a);
    sched_add(o->s, &b);
    ck_starts(o, "1");
    unsigned before = passes;
    for (int i = 0; i < 100; i++)
        ck_starts(o, "");
    ck_assert_uint_eq(passes, before);
    owner_end(o, 0);
    ck_starts(o, "");
    sched_remove(o->s, &b);
    ck_starts(o, "");
    ck_assert_uint_eq(passes, before + 2);
    ck_assert_uint_eq(starts, 1);
    ck_assert_uint_eq(ends, 1);
    owner_destroy(o);
}
END_TEST

/* What cannot end before the end stands in nobody's way; the rest of the queue keeps its order. */
START_TEST(too_late)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job j[] = {make_job(1, 16, 4), make_job(2, 16, 4), make_job(3, 16, 4),
                            make_job(4, 16, 4), make_job(5, 16, 1)};
    j[0].duration = 10;
    j[1].duration = 101; /* never */
    j[2].duration = 50;
    j[3].duration = 5;
    j[4].duration = 0; /* no limit: may start at any time */
    sched_set_end(o->s, 100);
    ck_assert(sched_next_late(o->s) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(j); i++)
        sched_add(o->s, &j[i]);
    ck_starts(o, "1");
    ck_assert_uint_eq(sched_queued(o->s), 4);
    ck_assert(sched_next_late(o->s) == 50); /* job 3 is at the head */
    owner_end(o, 0);
    ck_assert_uint_eq(sched_run(o->s, 50), 1); /* the last moment for it */
    ck_assert_str_eq(o->log, "3");
    o->log[0] = '\0';
    owner_end(o, 0);
    ck_assert_uint_eq(sched_run(o->s, 96), 1); /* job 4 would have ended at 101 */
    ck_assert_str_eq(o->log, "5");
    ck_assert_uint_eq(sched_queued(o->s), 2);

    /* late ones are still jobs of the queue */
    sched_reprioritize(o->s, &j[1], 30);
    sched_remove(o->s, &j[3]);
    ck_assert_uint_eq(sched_queued(o->s), 1);
    ck_assert_ptr_null(sched_first(o->s));
    owner_end(o, 0);
    o->log[0] = '\0';
    sched_set_end(o->s, 300);
    ck_assert_uint_eq(sched_run(o->s, 97), 1);
    ck_assert_str_eq(o->log, "2");
    owner_destroy(o);
}
END_TEST

/* The head of the queue becomes too late while it waits: time alone brings the next one's turn. */
START_TEST(late_while_waiting)
{
    struct owner *o = owner_create("0:0-3", sched_policy_find("fcfs"));
    struct sched_job j[] = {make_job(1, 16, 2), make_job(2, 16, 4), make_job(3, 16, 2)};
    j[1].duration = 60;
    sched_set_end(o->s, 100);
    for (size_t i = 0; i < ARRAY_SIZE(j); i++)
        sched_add(o->s, &j[i]);
    ck_starts(o, "1");
    ck_assert_uint_eq(sched_run(o->s, 40), 0);
    ck_assert(sched_next_late(o->s) == 40);
    ck_assert_uint_eq(sched_run(o->s, 40.5), 1);
    ck_assert_str_eq(o->log, "3");
    ck_assert(sched_next_late(o->s) == 0);
    owner_destroy(o);
}
END_TEST

static int fail_init(struct sched *s)
{
    (void)s;
    return -1;
}

START_TEST(policies)
{
    ck_assert_str_eq(sched_policies[0]->name, "fcfs");
    ck_assert_ptr_eq(sched_policy_find("fcfs"), sched_policies[0]);
    ck_assert_ptr_null(sched_policy_find("best"));
    ck_assert_ptr_null(sched_policy_find(NULL));
    for (size_t i = 0; sched_policies[i]; i++)
        ck_assert(sched_policies[i]->summary && sched_policies[i]->pass);
    struct sched_policy broken = {
        .name = "broken", .init = fail_init, .pass = count_pass};
    ck_assert_ptr_null(sched_create(NULL, &broken, start, NULL));
    sched_destroy(NULL);
}
END_TEST

/* --- the queue and the policy against a plain list, under random loads ------------------- */

enum { JOBS = 200, STEPS = 4000 };

struct load {
    struct sched_job job[JOBS];
    struct placement *pl[JOBS][4]; /* of running elements */
    struct pool *mirror;           /* where the list does its own placing */
    struct sched *s;
    struct sched_job *want[1000]; /* what the list would start now, in order */
    size_t nwant, got;
};

static bool goes_before(const struct sched_job *a, const struct sched_job *b)
{
    return a->priority > b->priority || (a->priority == b->priority && a->id < b->id);
}

static void check_order(struct load *l)
{
    struct sched_job *last = NULL;
    size_t shown = 0, queued = 0, elements = 0;
    for (struct sched_job *j = sched_first(l->s); j; j = sched_next(l->s, j)) {
        ck_assert(!last || goes_before(last, j));
        ck_assert(j->queued && j->priority > 0);
        last = j;
        shown++;
    }
    for (size_t i = 0; i < JOBS; i++) {
        queued += l->job[i].queued && l->job[i].priority > 0;
        elements += l->job[i].queued ? l->job[i].count : 0;
    }
    ck_assert_uint_eq(shown, queued);
    ck_assert_uint_eq(elements, sched_queued(l->s));
}

/* What must start: the best of all queued jobs, again and again, until one finds no place. */
static void predict(struct load *l)
{
    uint64_t left[JOBS];
    l->nwant = l->got = 0;
    for (size_t i = 0; i < JOBS; i++)
        left[i] = l->job[i].queued && l->job[i].priority > 0 ? l->job[i].count : 0;
    while (true) {
        ptrdiff_t best = -1;
        for (ptrdiff_t i = 0; i < JOBS; i++)
            if (left[i] > 0 && (best < 0 || goes_before(&l->job[i], &l->job[best])))
                best = i;
        struct placement *pl = best < 0 ? NULL : pool_alloc(l->mirror, &l->job[best].req);
        if (!pl)
            return;
        placement_destroy(pl);
        left[best]--;
        l->want[l->nwant++] = &l->job[best];
    }
}

static void load_start(struct sched_job *job, struct placement *pl, void *arg)
{
    struct load *l = arg;
    ck_assert_uint_lt(l->got, l->nwant);
    ck_assert_ptr_eq(job, l->want[l->got++]);
    struct placement **runs = l->pl[job - l->job];
    while (*runs)
        runs++;
    *runs = pl;
}

static void load_end(struct load *l, size_t i)
{
    for (size_t k = 0; k < 4; k++)
        if (l->pl[i][k]) {
            pool_free(l->mirror, l->pl[i][k]->rset);
            sched_end(l->s, l->pl[i][k]->rset);
            placement_destroy(take(l->pl[i][k]));
        }
}

START_TEST(agrees_with_a_plain_list)
{
    struct load *l = xcalloc(1, sizeof(*l));
    struct pool *pool = kit_pool("0:0-7:0-1 1:0-7 2:0-3:0 3:0-15");
    l->mirror = kit_pool("0:0-7:0-1 1:0-7 2:0-3:0 3:0-15");
    l->s = sched_create(pool, sched_policy_find("fcfs"), load_start, l);
    uint64_t seed = 7;
    for (int step = 0; step < STEPS; step++) {
        size_t i = kit_random(&seed, JOBS);
        struct sched_job *j = &l->job[i];
        unsigned what = kit_random(&seed, 8);
        bool idle =
            !j->queued && !l->pl[i][0] && !l->pl[i][1] && !l->pl[i][2] && !l->pl[i][3];
        if (idle && what < 6) {
            *j = (struct sched_job){.id = i, .priority = kit_random(&seed, 4)};
            j->req = kit_request(kit_random(&seed, 2), kit_random(&seed, 3),
                                 1 + kit_random(&seed, 6), 1 + kit_random(&seed, 2),
                                 kit_random(&seed, 8) == 0, kit_random(&seed, 8) == 0);
            j->count = 1 + kit_random(&seed, 4);
            if (pool_satisfiable(pool, &j->req, NULL) == 0)
                sched_add(l->s, j);
        } else if (what < 4) {
            load_end(l, i);
        } else if (what < 6) {
            sched_reprioritize(l->s, j, kit_random(&seed, 4));
        } else if (what == 6 && kit_random(&seed, 4) == 0) {
            sched_remove(l->s, j);
        }
        check_order(l);
        if (kit_random(&seed, 3) == 0) {
            predict(l);
            ck_assert_uint_eq(sched_run(l->s, step), l->nwant);
            ck_assert_uint_eq(l->got, l->nwant);
        }
    }
    for (size_t i = 0; i < JOBS; i++) {
        load_end(l, i);
        sched_remove(l->s, &l->job[i]);
    }
    ck_assert_uint_eq(sched_queued(l->s), 0);
    sched_destroy(l->s);
    pool_destroy(pool);
    pool_destroy(l->mirror);
    free(l);
}
END_TEST

/* Depth of the tree below N, with a check of its shape. */
static unsigned depth(const struct tree_node *n)
{
    if (!n)
        return 0;
    ck_assert(!n->left || (n->left->parent == n && n->left->weight <= n->weight));
    ck_assert(!n->right || (n->right->parent == n && n->right->weight <= n->weight));
    unsigned l = depth(n->left), r = depth(n->right);
    return 1 + MAX(l, r);
}

START_TEST(the_queue_stays_shallow)
{
    enum { N = 20000 };
    struct pool *pool = kit_pool("0:0");
    struct sched *s = sched_create(pool, sched_policy_find("fcfs"), load_start, NULL);
    struct sched_job *jobs = xcalloc(N, sizeof(*jobs));
    for (size_t i = 0; i < N; i++) { /* in order: the worst case of a plain tree */
        jobs[i] = make_job(i, 16, 1);
        sched_add(s, &jobs[i]);
    }
    for (size_t i = 0; i < N; i += 2)
        sched_remove(s, &jobs[i]);
    struct tree_node *root = &jobs[1].in_queue;
    while (root->parent)
        root = root->parent;
    ck_assert_uint_le(depth(root), 50); /* about 2.5 log2(10000), with luck to spare */
    size_t i = 1;
    for (struct sched_job *j = sched_first(s); j; j = sched_next(s, j), i += 2)
        ck_assert_ptr_eq(j, &jobs[i]);
    ck_assert_uint_eq(i, N + 1);
    sched_destroy(s);
    free(jobs);
    pool_destroy(pool);
}
END_TEST

/* A job that waits holds up its own group; what is closed is not seen; all move when lanes do. */
START_TEST(lanes)
{
    struct owner *o = owner_create("0:0-3 1:0-3", sched_policy_find("fcfs"));
    struct sched_job jobs[6];
    for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = make_job(i + 1, 16, i % 2 == 0 ? 1 : 8); /* 2, 4 and 6 need all */
        jobs[i].lane = i % 3;
    }
    for (unsigned i = 0; i < 3; i++)
        sched_add(o->s, &jobs[i]);
    sched_set_lane(o->s, 1, 1, false);
    sched_set_lane(o->s, 2, 2, true);
    for (unsigned i = 3; i < 6; i++)
        sched_add(o->s, &jobs[i]);
    /* lane 0: 1 (1), 4 (8); lane 1: 2 (8), 5 (1); lane 2, closed: 3 (1), 6 (8) */
    sched_run(o->s, 0);
    ck_assert_str_eq(o->log, "1");
    sched_set_lane(o->s, 2, 2, false);
    sched_run(o->s, 0);
    ck_assert_str_eq(o->log, "1 3");
    sched_halt(o->s, true);
    ck_assert_ptr_null(sched_first(o->s));
    owner_end(o, 0);
    owner_end(o, 0);
    ck_assert_uint_eq(sched_run(o->s, 0), 0);
    sched_halt(o->s, false);
    sched_run(o->s, 0);
    ck_assert_str_eq(o->log, "1 3 2");
    sched_set_lane(o->s, 0, 0, true);
    owner_end(o, 0);
    sched_run(o->s, 0);
    ck_assert_str_eq(o->log, "1 3 2 5");
    owner_end(o, 0);
    sched_run(o->s, 0);
    ck_assert_str_eq(o->log, "1 3 2 5 6");
    ck_assert_uint_eq(sched_queued(o->s), 1);
    sched_remove(o->s, &jobs[3]);
    ck_assert_uint_eq(sched_queued(o->s), 0);
    owner_destroy(o);
}
END_TEST

/* --- lanes with a limited room ---------------------------------------------------------------- */

enum { RJOBS = 60, RLANES = 3, RSTEPS = 3000 };

/* Jobs and arrays in lanes, of which each has a number that may run; the owner counts them. */
struct rooms {
    struct sched *s;
    struct pool *pool;
    struct sched_job jobs[RJOBS];
    uint64_t limit[RLANES], runs[RLANES];
    struct {
        struct placement *pl;
        unsigned lane;
    } running[64];
    size_t n;
};

static void tell_room(struct rooms *r, unsigned lane)
{
    uint64_t limit = r->limit[lane], runs = r->runs[lane];
    sched_set_room(r->s, lane,
                   limit == UINT64_MAX ? UINT64_MAX
                   : runs >= limit     ? 0
                                       : limit - runs);
}

static void room_start(struct sched_job *job, struct placement *pl, void *arg)
{
    struct rooms *r = arg;
    unsigned lane = job->lane;
    ck_assert_uint_lt(r->runs[lane], r->limit[lane]);
    /* those of its lane start in order, as all need the same */
    for (size_t i = 0; i < RJOBS; i++)
        if (r->jobs[i].queued && r->jobs[i].lane == lane && r->jobs[i].priority > 0)
            ck_assert(r->jobs[i].priority < job->priority ||
                      (r->jobs[i].priority == job->priority && r->jobs[i].id >= job->id));
    ck_assert_uint_lt(r->n, ARRAY_SIZE(r->running));
    r->running[r->n].pl = pl;
    r->running[r->n++].lane = lane;
    r->runs[lane]++;
    tell_room(r, lane);
}

static void room_end(struct rooms *r, size_t i)
{
    unsigned lane = r->running[i].lane;
    sched_end(r->s, r->running[i].pl->rset);
    placement_destroy(r->running[i].pl);
    r->running[i] = r->running[--r->n];
    r->runs[lane]--;
    tell_room(r, lane);
}

/* No core is left idle that a job could have. */
static void check_conserved(const struct rooms *r)
{
    uint64_t queued = 0;
    for (size_t i = 0; i < RJOBS; i++) {
        const struct sched_job *job = &r->jobs[i];
        queued += job->queued ? job->count : 0;
        ck_assert(!job->queued || job->priority == 0 || r->n == 8 ||
                  r->runs[job->lane] >= r->limit[job->lane]);
    }
    ck_assert_uint_eq(sched_queued(r->s), queued);
}

static void room_step(struct rooms *r, unsigned (*rnd)(unsigned), unsigned step)
{
    struct sched_job *job = &r->jobs[rnd(RJOBS)];
    unsigned lane = rnd(RLANES);
    switch (rnd(8)) {
    case 0:
    case 1:
    case 2:
        if (!job->queued) {
            *job = make_job(step * 100, rnd(4), 1);
            job->lane = lane;
            job->duration = 60;
            job->count = rnd(3) == 0 ? 1 + rnd(9) : 1;
            sched_add(r->s, job);
        }
        break;
    case 3:
        sched_remove(r->s, job);
        break;
    case 4:
        if (job->queued)
            sched_reprioritize(r->s, job, rnd(4));
        break;
    case 5:
        if (job->queued)
            sched_recount(r->s, job, 1 + rnd(6), job->id + rnd(2));
        break;
    case 6:
        r->limit[lane] = rnd(3) == 0 ? UINT64_MAX : rnd(5);
        tell_room(r, lane);
        break;
    default:
        if (r->n > 0)
            room_end(r, rnd((unsigned)r->n));
    }
}

static uint64_t room_seed;

static unsigned room_random(unsigned n)
{
    room_seed = room_seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((room_seed >> 33) % n);
}

START_TEST(rooms)
{
    for (size_t p = 0; sched_policies[p]; p++) {
        struct rooms r = {.pool = kit_pool("0:0-3 1:0-3")};
        r.s = sched_create(r.pool, sched_policies[p], room_start, &r);
        room_seed = p + 1;
        for (unsigned i = 0; i < RLANES; i++) {
            r.limit[i] = UINT64_MAX;
            sched_set_lane(r.s, i, i, false);
        }
        for (unsigned step = 1; step <= RSTEPS; step++) {
            room_step(&r, room_random, step);
            sched_run(r.s, 0);
            check_conserved(&r);
        }
        while (r.n > 0)
            room_end(&r, 0);
        sched_destroy(r.s);
        pool_destroy(r.pool);
    }
}
END_TEST

UNIT_MAIN("sched", first_come_first_served, head_changes, nodes_change,
          arrays_start_one_by_one, start_may_change_the_queue, no_pass_without_a_change,
          too_late, late_while_waiting, policies, agrees_with_a_plain_list,
          the_queue_stays_shallow, lanes, rooms)
