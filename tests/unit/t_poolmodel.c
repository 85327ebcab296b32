/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool against a model of it (poolmodel.h), under random loads with fixed seeds. */
#include "src/sched/pool.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/poolmodel.h"
#include "tests/unit/unit.h"

enum { STEPS = 1200, SEEDS = 12, DOMAINS = 3 };

/* Whether IDS are the lowest free ones in OWNER. */
static void check_lowest(hwloc_const_bitmap_t ids, const int *owner, int n, int total)
{
    ck_assert_int_eq(ids ? hwloc_bitmap_weight(ids) : 0, total);
    for (int i = 0; i < n && total > 0; i++) {
        ck_assert_int_eq(hwloc_bitmap_isset(ids, (unsigned)i) == 1, owner[i] == 0);
        total -= owner[i] == 0;
    }
}

/* Whether IDS are what the rule says of the free ones in OWNER for SLOTS runs of LEN. */
static void check_ids(hwloc_const_bitmap_t ids, const int *owner, int n, int slots,
                      int len, bool tight)
{
    bool want[MAX(CORES, GPUS)] = {false};
    int have = 0, total = slots * len, at = -1, least = 0;
    for (int start = 0; start < n; start++) {
        int run = 0;
        while ((start == 0 || owner[start - 1] != 0) && start + run < n &&
               owner[start + run] == 0)
            run++;
        if (run >= total && (at < 0 || (tight && run < least))) {
            at = start;
            least = run;
        }
    }
    for (int i = at; at >= 0 && i < at + total; i++, have++)
        want[i] = true;
    for (int start = 0; have < total && start + len <= n;) {
        int run = 0;
        while (run < len && owner[start + run] == 0)
            run++;
        for (int i = start; run == len && have < total && i < start + len; i++, have++)
            want[i] = true;
        start += run == len ? len : 1;
    }
    if (have < total) {
        check_lowest(ids, owner, n, total);
        return;
    }
    ck_assert_int_eq(hwloc_bitmap_weight(ids), total);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(hwloc_bitmap_isset(ids, (unsigned)i) == 1, want[i]);
}

/* Note who owns what; nothing may be owned twice. */
static void own(int *owner, int n, hwloc_const_bitmap_t ids, int from, int to)
{
    ck_assert_int_lt(ids ? hwloc_bitmap_last(ids) : -1, n);
    for (int i = 0; ids && i < n; i++)
        if (hwloc_bitmap_isset(ids, (unsigned)i)) {
            ck_assert_int_eq(owner[i], from);
            owner[i] = to;
        }
}

static void own_rset(struct model *m, const struct rset *r, int from, int to)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        struct model_node *n = &m->node[r->nodes[i].rank];
        own(n->core, n->ncores, r->nodes[i].cores, from, to);
        own(n->gpu, n->ngpus, r->nodes[i].gpus, from, to);
        if (to)
            n->used += r->nodes[i].memory;
        else
            n->used -= r->nodes[i].memory;
        ck_assert_uint_le(n->used, n->memory);
    }
}

/* How many of SET are free. */
static int count_in(hwloc_const_bitmap_t set, const int *owner, int n)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        k += owner[i] == 0 && hwloc_bitmap_isset(set, (unsigned)i);
    return k;
}

static int count_both(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b)
{
    int k = 0;
    for (unsigned i = 0; i < MAX(CORES, GPUS); i++)
        k += hwloc_bitmap_isset(a, i) && hwloc_bitmap_isset(b, i);
    return k;
}

/* Without GPUs: if all cores that are near at most K free GPUs suffice, no others are taken. */
static void check_away(const struct model_node *n, const struct rset_node *rn, int total)
{
    for (int k = 0; k <= GPUS; k++) {
        hwloc_bitmap_t near = hwloc_bitmap_alloc(); /* to more */
        for (size_t i = 0; i < n->domains->n; i++)
            if (count_in(n->domains->at[i].gpus, n->gpu, n->ngpus) > k)
                hwloc_bitmap_or(near, near, n->domains->at[i].cores);
        int others =
            model_count_free(n->core, n->ncores) - count_in(near, n->core, n->ncores);
        if (others >= total)
            ck_assert_int_eq(count_both(rn->cores, near), 0);
        hwloc_bitmap_free(near);
    }
}

/* Is there a domain that holds so much, and are they of one if there is? */
static void check_together(const struct model_node *n, const struct rset_node *rn,
                           int cores, int gpus)
{
    int most = -1, want = -1;
    for (size_t i = 0; i < n->domains->n; i++) {
        const struct domain *d = &n->domains->at[i];
        int free = count_in(d->gpus, n->gpu, n->ngpus);
        if (count_in(d->cores, n->core, n->ncores) >= cores && free >= gpus &&
            (want < 0 || free < most)) {
            most = free;
            want = (int)i;
        }
    }
    if (want < 0)
        return;
    ck_assert_int_eq(count_both(rn->cores, n->domains->at[want].cores), cores);
    ck_assert_int_eq(count_both(rn->gpus, n->domains->at[want].gpus), gpus);
}

static void check_near(const struct model_node *n, const struct rset_node *rn,
                       const struct job_shape *s, int slots)
{
    int cores = slots * (int)s->cores_per_slot, gpus = slots * (int)s->gpus_per_slot;
    ck_assert_int_eq(hwloc_bitmap_weight(rn->cores), cores);
    ck_assert_int_eq((int)rset_node_ngpus(rn), gpus);
    if (gpus == 0)
        check_away(n, rn, cores);
    else
        check_together(n, rn, cores, gpus);
}

static void check_placement(const struct model *m, const struct pool_request *req,
                            const struct placement *pl, const int *slots)
{
    const struct job_shape *s = &req->shape;
    size_t k = 0;
    unsigned total = 0;
    for (int i = 0; i < NODES; i++) {
        if (slots[i] == 0)
            continue;
        total += (unsigned)slots[i];
        ck_assert_uint_lt(k, pl->rset->nnodes);
        const struct rset_node *rn = &pl->rset->nodes[k];
        const struct model_node *n = &m->node[i];
        ck_assert_uint_eq(rn->rank, (unsigned)i);
        ck_assert_uint_eq(pl->nslots[k], (unsigned)slots[i]);
        ck_assert_uint_eq(rn->memory,
                          s->exclusive
                              ? n->memory
                              : s->mem_per_node + (uint64_t)slots[i] * s->mem_per_slot);
        if (!s->exclusive && n->domains) {
            check_near(n, rn, s, slots[i]);
        } else if (s->exclusive) {
            ck_assert_int_eq(hwloc_bitmap_weight(rn->cores), n->ncores);
            ck_assert_int_eq((int)rset_node_ngpus(rn), n->ngpus);
        } else {
            check_ids(rn->cores, n->core, n->ncores, slots[i], (int)s->cores_per_slot,
                      req->place == &place_best);
            check_lowest(rn->gpus, n->gpu, n->ngpus, slots[i] * (int)s->gpus_per_slot);
        }
        k++;
    }
    ck_assert_uint_eq(k, pl->rset->nnodes);
    ck_assert_uint_eq(pl->rset->nslots, total);
}

/* The pool shows what the model says. */
static void compare(const struct pool *p, const struct model *m)
{
    size_t k = 0, cores = 0, gpus = 0, free_cores = 0, free_gpus = 0, got[4];
    for (int i = 0; i < NODES; i++) {
        const struct model_node *n = &m->node[i];
        if (!n->present)
            continue;
        struct pool_node pn = pool_nth(p, k++);
        ck_assert_uint_eq(pn.rank, (unsigned)i);
        ck_assert_int_eq(pn.state, n->state);
        ck_assert_int_eq(hwloc_bitmap_weight(pn.cores), n->ncores);
        ck_assert_uint_eq(pn.memory, n->memory);
        ck_assert_uint_eq(pn.free_memory, n->memory - n->used);
        for (int c = 0; c < n->ncores; c++)
            ck_assert_int_eq(hwloc_bitmap_isset(pn.free_cores, (unsigned)c),
                             n->core[c] == 0);
        for (int g = 0; g < n->ngpus; g++)
            ck_assert_int_eq(hwloc_bitmap_isset(pn.free_gpus, (unsigned)g),
                             n->gpu[g] == 0);
        if (n->state == POOL_UP) {
            cores += (size_t)n->ncores;
            gpus += (size_t)n->ngpus;
            free_cores += (size_t)model_count_free(n->core, n->ncores);
            free_gpus += (size_t)model_count_free(n->gpu, n->ngpus);
        }
    }
    ck_assert_uint_eq(k, pool_nnodes(p));
    pool_totals(p, &got[0], &got[1], &got[2], &got[3]);
    ck_assert(got[0] == cores && got[1] == gpus && got[2] == free_cores &&
              got[3] == free_gpus);
}

static struct pool_request random_request(uint64_t *seed)
{
    static const struct place_strategy *const strategies[] = {&place_first, &place_best,
                                                              &place_spread};
    unsigned nodes = kit_random(seed, 3) == 0 ? 1 + kit_random(seed, 3) : 0;
    unsigned more = kit_random(seed, 4) == 0 ? UINT_MAX : nodes + kit_random(seed, 3);
    unsigned slots = 1 + kit_random(seed, kit_random(seed, 3) == 0 ? 25 : 4);
    unsigned gpus =
        kit_random(seed, 2) ? 0 : kit_random(seed, kit_random(seed, 4) ? 3 : GPUS);
    struct pool_request req =
        kit_request(nodes, nodes ? more : 0, slots, 1 + kit_random(seed, 4), gpus,
                    kit_random(seed, 6) == 0);
    if (kit_random(seed, 3) == 0)
        req.shape.mem_per_slot = kit_random(seed, 300);
    if (kit_random(seed, 3) == 0)
        req.shape.mem_per_node = kit_random(seed, 500);
    req.shape.contiguous = kit_random(seed, 4) == 0;
    req.place = strategies[kit_random(seed, ARRAY_SIZE(strategies))];
    return req;
}

/* A constraint on a random set of ranks, one time in three; what it lets pass in MATCH. */
static struct constraint *random_constraint(uint64_t *seed, bool *match)
{
    bool some = kit_random(seed, 3) == 0;
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_set(set, NODES + 1);
    for (unsigned i = 0; i < NODES; i++) {
        match[i] = !some || kit_random(seed, 2);
        if (match[i])
            hwloc_bitmap_set(set, i);
    }
    if (!some)
        return NULL;
    cleanup_free char *ids = idset_encode(set, 0);
    cleanup_free char *text = xasprintf("{\"ranks\":[\"%s\"]}", ids);
    cleanup_json json_object *o = json_tokener_parse(text);
    struct error err;
    struct constraint *c = constraint_from_json(o, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    return c;
}

static void end_job(struct pool *p, struct model *m, struct job *j)
{
    own_rset(m, j->pl->rset, j->number, 0);
    pool_free(p, j->pl->rset);
    placement_destroy(j->pl);
    *j = (struct job){0};
}

/* Satisfiable means: can be placed in a pool of the same nodes that is empty, or has nothing
 * but HELD taken. */
static void check_satisfiable(const struct pool *p, const struct pool_request *req,
                              const struct rset *held)
{
    struct error err = {0};
    struct rset *all = pool_rset(p);
    struct pool *empty = pool_create(all);
    if (held)
        ck_assert_int_eq(pool_take(empty, held, &err), 0);
    struct placement *pl = pool_alloc(empty, req);
    int rc = pool_satisfiable_beside(p, req, held, &err);
    ck_assert_msg((rc == 0) == (pl != NULL), "rc %d, placement %p, '%s'", rc, (void *)pl,
                  err.text);
    ck_assert((rc == 0) == (err.text[0] == '\0'));
    placement_destroy(pl);
    pool_destroy(empty);
    rset_destroy(all);
}

static void step_alloc(struct pool *p, struct model *m, uint64_t *seed)
{
    struct job *j = &m->job[kit_random(seed, JOBS)];
    bool match[NODES];
    int slots[NODES];
    struct pool_request req = random_request(seed);
    struct constraint *c = random_constraint(seed, match);
    req.constraint = c;
    if (kit_random(seed, 4) == 0)
        check_satisfiable(p, &req, j->number ? j->pl->rset : NULL);
    ck_assert_int_eq(pool_satisfiable(p, &req, NULL) == 0,
                     model_search(m, &req, match, true, slots));
    if (!j->number) {
        bool fits = model_search(m, &req, match, false, slots);
        struct placement *pl = pool_alloc(p, &req);
        ck_assert_int_eq(pl != NULL, fits);
        if (pl) {
            check_placement(m, &req, pl, slots);
            *j = (struct job){++m->last, pl};
            own_rset(m, pl->rset, 0, j->number);
        }
    }
    constraint_destroy(c);
}

/* Each core and each GPU is in one of them, or in none. */
static struct domains *random_domains(uint64_t *seed, const struct model_node *n)
{
    struct domains *d = domains_create(1 + kit_random(seed, DOMAINS));
    for (int i = 0; i < n->ncores + n->ngpus; i++) {
        size_t in = kit_random(seed, (unsigned)d->n + (kit_random(seed, 8) == 0));
        if (in < d->n && i < n->ncores)
            hwloc_bitmap_set(d->at[in].cores, (unsigned)i);
        else if (in < d->n)
            hwloc_bitmap_set(d->at[in].gpus, (unsigned)(i - n->ncores));
    }
    return d;
}

static void step_node(struct pool *p, struct model *m, uint64_t *seed)
{
    unsigned rank = kit_random(seed, NODES);
    struct model_node *n = &m->node[rank];
    if (n->present && kit_random(seed, 3)) {
        n->state = (enum pool_node_state)kit_random(seed, 3);
        ck_assert_int_eq(pool_set_state(p, rank, n->state, "because"), 0);
    } else if (n->present) {
        bool used = model_count_free(n->core, n->ncores) < n->ncores ||
                    model_count_free(n->gpu, n->ngpus) < n->ngpus || n->used > 0;
        ck_assert_int_eq(pool_remove_node(p, rank, NULL), used ? -1 : 0);
        n->present = used;
    } else {
        *n = (struct model_node){.present = true,
                                 .ncores = 1 + (int)kit_random(seed, CORES),
                                 .ngpus = kit_random(seed, 2)
                                              ? (int)kit_random(seed, 4)
                                              : (int)kit_random(seed, GPUS)};
        if (kit_random(seed, 2))
            n->memory = kit_random(seed, 1000);
        cleanup_free char *gpus =
            n->ngpus ? xasprintf("0-%d", n->ngpus - 1) : xstrdup("");
        cleanup_free char *text = xasprintf("%u:0-%d:%s", rank, n->ncores - 1, gpus);
        struct rset *r = kit_rset(text);
        r->nodes[0].memory = n->memory;
        if (kit_random(seed, 2))
            r->nodes[0].domains = n->domains = random_domains(seed, n);
        ck_assert_int_eq(pool_add_node(p, &r->nodes[0], NULL), 0);
        rset_destroy(r);
    }
}

/* What a job has is given back and taken again, as a restart does. */
static void step_retake(struct pool *p, struct job *j)
{
    struct error err;
    ck_assert_int_eq(pool_take(p, j->pl->rset, &err), -1);
    pool_free(p, j->pl->rset);
    ck_assert_int_eq(pool_take(p, j->pl->rset, &err), 0);
}

START_TEST(agrees_with_the_model)
{
    uint64_t seed = (uint64_t)_i;
    struct rset *none = kit_rset("");
    struct pool *p = pool_create(none);
    struct model m = {0};
    for (int i = 0; i < 3 * NODES; i++)
        step_node(p, &m, &seed);
    for (int step = 0; step < STEPS; step++) {
        struct job *j = &m.job[kit_random(&seed, JOBS)];
        unsigned what = kit_random(&seed, 20);
        if (what < 11)
            step_alloc(p, &m, &seed);
        else if (what < 17 && j->number)
            end_job(p, &m, j);
        else if (what < 18)
            step_node(p, &m, &seed);
        else if (j->number)
            step_retake(p, j);
        if (step % 4 == 0)
            compare(p, &m);
    }
    for (int i = 0; i < JOBS; i++)
        if (m.job[i].number)
            end_job(p, &m, &m.job[i]);
    compare(p, &m);
    for (size_t i = 0; i < pool_nnodes(p); i++) {
        struct pool_node n = pool_nth(p, i);
        ck_assert(hwloc_bitmap_isequal(n.cores, n.free_cores));
        ck_assert(hwloc_bitmap_isequal(n.gpus, n.free_gpus));
    }
    rset_destroy(none);
    pool_destroy(p);
}
END_TEST

UNIT_LOOP_MAIN("poolmodel", agrees_with_the_model, 1, SEEDS + 1)
