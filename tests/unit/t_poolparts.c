/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of several parts (programs that ask for different things), under random loads with fixed seeds: against an
 * obvious way to place them, and against a search that tries all ways. */
#include "src/job/rset_parts.h"
#include "src/sched/pool.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

enum { NODES = 4, PARTS = 3, JOBS = 6, STEPS = 300, SEEDS = 10 };

struct amounts {
    int cores, gpus, memory;
};

static struct amounts of_node(const struct pool *p, size_t i, bool all)
{
    struct pool_node n = pool_nth(p, i);
    if (!all && n.state != POOL_UP)
        return (struct amounts){0};
    return (struct amounts){hwloc_bitmap_weight(all ? n.cores : n.free_cores),
                            hwloc_bitmap_weight(all ? n.gpus : n.free_gpus),
                            (int)(all ? n.memory : n.free_memory)};
}

static int slots_in(struct amounts a, const struct job_part *p)
{
    int n = a.cores / (int)p->cores;
    if (p->gpus)
        n = MIN(n, a.gpus / (int)p->gpus);
    if (p->memory)
        n = MIN(n, a.memory / (int)p->memory);
    return n;
}

static void take_from(struct amounts *a, const struct job_part *p, int n)
{
    a->cores -= n * (int)p->cores;
    a->gpus -= n * (int)p->gpus;
    a->memory -= n * (int)p->memory;
}

/* --- all ways ------------------------------------------------------------------------------------ */

/* LEFT slots of PART go on nodes from I on. */
static bool try_all(const struct job_shape *s, struct amounts *a, unsigned part, int left,
                    size_t i)
{
    if (left == 0)
        return part + 1 == s->nparts ||
               try_all(s, a, part + 1, (int)s->parts[part + 1].nslots, 0);
    if (i == NODES)
        return false;
    for (int n = MIN(left, slots_in(a[i], &s->parts[part])); n >= 0; n--) {
        struct amounts before = a[i];
        take_from(&a[i], &s->parts[part], n);
        bool found = try_all(s, a, part, left - n, i + 1);
        a[i] = before;
        if (found)
            return true;
    }
    return false;
}

/* --- the obvious way: the strategy "first" ------------------------------------------------------- */

static bool place_in_order(const struct job_shape *s, const struct amounts *free,
                           bool back, int out[PARTS][NODES])
{
    struct amounts a[NODES];
    memset(out, 0, PARTS * sizeof(out[0]));
    memcpy(a, free, sizeof(a));
    for (unsigned k = 0; k < s->nparts; k++) {
        unsigned part = s->parts[back ? s->nparts - 1 - k : k].hardest;
        const struct job_part *p = &s->parts[part];
        for (int left = (int)p->nslots; left > 0;) {
            int best = -1,
                most = 0; /* the first that holds what is left, or the roomiest */
            for (int i = 0; i < NODES; i++) {
                int n = out[part][i] ? 0 : MIN(slots_in(a[i], p), left);
                if (n > most) {
                    best = i;
                    most = n;
                }
            }
            if (best < 0)
                return false;
            out[part][best] = most;
            left -= most;
        }
        for (int i = 0; i < NODES; i++)
            take_from(&a[i], p, out[part][i]);
    }
    return true;
}

/* Slots of each part on each node into OUT; false: there is no place. */
static bool place(const struct job_shape *s, const struct amounts *free,
                  int out[PARTS][NODES])
{
    memset(out, 0, PARTS * sizeof(out[0]));
    for (int i = 0; i < NODES; i++) { /* the first that holds all */
        bool holds = free[i].cores >= (int)s->cores_per_slot &&
                     free[i].gpus >= (int)s->gpus_per_slot &&
                     free[i].memory >= (int)s->mem_per_slot;
        for (unsigned k = 0; holds && k < s->nparts; k++)
            out[k][i] = (int)s->parts[k].nslots;
        if (holds)
            return true;
    }
    return place_in_order(s, free, false, out) || place_in_order(s, free, true, out);
}

/* What is for the node itself is taken off; a node that lacks it takes nothing. */
static void take_node_memory(const struct job_shape *s, struct amounts *a)
{
    for (size_t i = 0; i < NODES; i++)
        if (a[i].memory < (int)s->mem_per_node)
            a[i] = (struct amounts){0};
        else
            a[i].memory -= (int)s->mem_per_node;
}

/* --- checks -------------------------------------------------------------------------------------- */

/* What PL says of its parts is all that it has, and nothing is in two of them. */
static void check_shares(const struct pool_request *req, const struct placement *pl)
{
    const struct job_shape *s = &req->shape;
    unsigned total = 0;
    for (size_t i = 0; i < pl->rset->nnodes; i++) {
        const struct rset_node *node = &pl->rset->nodes[i];
        cleanup_json json_object *on = rset_parts_on(pl->rset, node->rank);
        cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc(),
                                      gpus = hwloc_bitmap_alloc();
        unsigned slots = 0;
        uint64_t memory = 0;
        ck_assert_uint_eq(json_object_array_length(on), s->nparts);
        for (unsigned k = 0; k < s->nparts; k++) {
            json_object *o = json_object_array_get_idx(on, k);
            int n = json_object_get_int(json_object_array_get_idx(o, 0));
            cleanup_bitmap hwloc_bitmap_t c = idset_decode(
                json_object_get_string(json_object_array_get_idx(o, 1)), NULL);
            cleanup_bitmap hwloc_bitmap_t g = idset_decode(
                json_object_get_string(json_object_array_get_idx(o, 2)), NULL);
            ck_assert_int_eq(hwloc_bitmap_weight(c), n * (int)s->parts[k].cores);
            ck_assert_int_eq(hwloc_bitmap_weight(g), n * (int)s->parts[k].gpus);
            ck_assert(!hwloc_bitmap_intersects(c, cores) &&
                      !hwloc_bitmap_intersects(g, gpus));
            hwloc_bitmap_or(cores, cores, c);
            hwloc_bitmap_or(gpus, gpus, g);
            memory += (uint64_t)n * s->parts[k].memory;
            slots += (unsigned)n;
        }
        if (!s->exclusive) {
            ck_assert(hwloc_bitmap_isequal(cores, node->cores) &&
                      (node->gpus ? hwloc_bitmap_isequal(gpus, node->gpus)
                                  : hwloc_bitmap_iszero(gpus)));
            ck_assert_uint_eq(memory + s->mem_per_node, node->memory);
        }
        ck_assert_uint_eq(pl->nslots[i], slots);
        total += slots;
    }
    ck_assert_uint_eq(pl->rset->nslots, total);
}

static void check_slots(const struct pool *p, const struct pool_request *req,
                        const struct placement *pl, int want[PARTS][NODES])
{
    for (unsigned k = 0; k < req->shape.nparts; k++) {
        unsigned got[NODES] = {0};
        rset_parts_slots(pl->rset, k, got);
        for (size_t i = 0; i < pool_nnodes(p); i++) {
            size_t at = 0;
            while (at < pl->rset->nnodes &&
                   pl->rset->nodes[at].rank != pool_nth(p, i).rank)
                at++;
            ck_assert_int_eq(at < pl->rset->nnodes ? (int)got[at] : 0, want[k][i]);
        }
    }
}

static struct job_part parts[PARTS];

static struct pool_request random_request(uint64_t *seed)
{
    struct job_shape s = {
        .tasks_per_slot = 1, .parts = parts, .nparts = 2 + kit_random(seed, PARTS - 1)};
    if (kit_random(seed, 4) == 0) {
        s.nnodes_min = s.nnodes_max = 1 + kit_random(seed, 3);
        s.exclusive = kit_random(seed, 3) == 0;
    }
    s.nslots = 1;
    s.mem_per_node = kit_random(seed, 4) ? 0 : kit_random(seed, 40);
    for (unsigned i = 0; i < s.nparts; i++) {
        parts[i] =
            (struct job_part){.nslots = 1 + kit_random(seed, s.nnodes_min ? 2 : 4),
                              .cores = 1 + kit_random(seed, 4),
                              .gpus = kit_random(seed, 2) ? 0 : kit_random(seed, 3),
                              .memory = kit_random(seed, 3) ? 0 : kit_random(seed, 30),
                              .tasks_per_slot = 1};
        s.cores_per_slot += parts[i].nslots * parts[i].cores;
        s.gpus_per_slot += parts[i].nslots * parts[i].gpus;
        s.mem_per_slot += parts[i].nslots * parts[i].memory;
        s.ntasks += parts[i].nslots * MAX(s.nnodes_min, 1u);
    }
    job_parts_order(parts, s.nparts);
    const struct place_strategy *all[] = {&place_first, &place_first, &place_best,
                                          &place_spread};
    return (struct pool_request){.shape = s,
                                 .place = all[kit_random(seed, ARRAY_SIZE(all))]};
}

static unsigned asked, packed; /* packed: not found by placing one part after the other */

/* Whether there is a place, and if so the placement, which is checked. */
static struct placement *check_one(struct pool *p, const struct pool_request *req)
{
    const struct job_shape *s = &req->shape;
    struct amounts free[NODES], copy[NODES], all[NODES];
    int want[PARTS][NODES];
    struct pool_view *v = pool_view_create(p);
    size_t n;
    for (size_t i = 0; i < NODES; i++) {
        free[i] = copy[i] = of_node(p, i, false);
        all[i] = of_node(p, i, true);
        pool_view_set(v, i,
                      (struct pool_amount){(unsigned)free[i].cores,
                                           (unsigned)free[i].gpus,
                                           (uint64_t)free[i].memory});
    }
    bool fits = pool_fits(p, NULL, req, &n);
    /* the same by a view, and whatever the strategy */
    ck_assert_int_eq(pool_fits(p, v, req, &n), fits);
    ck_assert_int_eq(pool_find(p, v, req, &n) != NULL, fits);
    const struct pool_spot *spots = pool_find(p, NULL, req, &n);
    ck_assert_int_eq(spots != NULL, fits);
    for (size_t i = 1; fits && i < n; i++) /* they ascend */
        ck_assert(
            spots[i - 1].node < spots[i].node ||
            (spots[i - 1].node == spots[i].node && spots[i - 1].part < spots[i].part));
    bool first = false;
    if (s->nnodes_min == 0) {
        take_node_memory(s, free);
        take_node_memory(s, copy);
        take_node_memory(s, all);
        ck_assert_int_eq(try_all(s, copy, 0, (int)s->parts[0].nslots, 0), fits);
        first = place(s, free, want);
        ck_assert(fits || !first);
        asked += fits;
        packed += fits && !first;
        ck_assert_int_eq(pool_satisfiable(p, req, NULL) == 0,
                         try_all(s, all, 0, (int)s->parts[0].nslots, 0));
    }
    pool_view_destroy(v);
    struct placement *pl = pool_alloc(p, req);
    ck_assert_int_eq(pl != NULL, fits);
    if (!pl)
        return NULL;
    check_shares(req, pl);
    if (first && req->place == &place_first)
        check_slots(p, req, pl, want);
    if (s->nnodes_min > 0)
        ck_assert_uint_eq(pl->rset->nnodes, s->nnodes_min);
    return pl;
}

static struct pool *random_pool(uint64_t *seed)
{
    struct rset *r = rset_create();
    for (unsigned i = 0; i < NODES; i++) {
        cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc(),
                                      gpus = hwloc_bitmap_alloc();
        unsigned ngpus = kit_random(seed, 6);
        hwloc_bitmap_set_range(cores, 0, (int)(3 + kit_random(seed, 8)));
        if (ngpus)
            hwloc_bitmap_set_range(gpus, 0, (int)ngpus - 1);
        struct rset_node *n = rset_add(r, 2 * i, "n", cores, gpus);
        n->memory = kit_random(seed, 200);
        if (kit_random(
                seed,
                2)) { /* the first half of the cores, and the even GPUs, are near each other */
            struct domains *d = n->domains = domains_create(2);
            int k;
            hwloc_bitmap_foreach_begin(k, cores) hwloc_bitmap_set(
                d->at[k >= hwloc_bitmap_weight(cores) / 2].cores, (unsigned)k);
            hwloc_bitmap_foreach_end();
            hwloc_bitmap_foreach_begin(k, gpus)
                hwloc_bitmap_set(d->at[k % 2].gpus, (unsigned)k);
            hwloc_bitmap_foreach_end();
        }
    }
    struct pool *p = pool_create(r);
    rset_destroy(r);
    return p;
}

static void compare_free(const struct pool *p, bool all)
{
    for (size_t i = 0; i < NODES && all; i++) {
        struct pool_node n = pool_nth(p, i);
        ck_assert(hwloc_bitmap_isequal(n.cores, n.free_cores) &&
                  hwloc_bitmap_isequal(n.gpus, n.free_gpus));
        ck_assert_uint_eq(n.memory, n.free_memory);
    }
}

START_TEST(agrees_with_the_obvious)
{
    asked = packed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t random = seed;
        struct pool *p = random_pool(&random);
        struct placement *jobs[JOBS] = {NULL};
        for (int step = 0; step < STEPS; step++) {
            struct placement **job = &jobs[kit_random(&random, JOBS)];
            if (kit_random(&random, 30) == 0)
                pool_set_state(p, 2 * kit_random(&random, NODES),
                               (enum pool_node_state)kit_random(&random, 2), "because");
            struct pool_request req = random_request(&random);
            struct placement *pl = check_one(p, &req);
            if (pl && kit_random(&random, 3) == 0) {
                struct error err;
                ck_assert_int_eq(pool_take(p, pl->rset, &err),
                                 -1); /* nothing of it is free */
                pool_undo(p, pl);
                continue;
            }
            if (*job) {
                pool_free(p, (*job)->rset);
                placement_destroy(*job);
            }
            *job = pl;
        }
        for (int i = 0; i < JOBS; i++)
            if (jobs[i]) {
                pool_free(p, jobs[i]->rset);
                placement_destroy(jobs[i]);
            }
        compare_free(p, true);
        pool_destroy(p);
    }
    ck_assert_msg(asked > 200 && packed > 0, "%u of %u", packed, asked);
}
END_TEST

/* Cores 0-3 of each of two nodes; one has GPUs. */
START_TEST(gives_each_program_its_own)
{
    struct pool *p = kit_pool("0:0-3 1:0-3:0-1");
    struct job_part two[] = {{.nslots = 1, .cores = 1, .tasks_per_slot = 1},
                             {.nslots = 2, .cores = 2, .gpus = 1, .tasks_per_slot = 1}};
    job_parts_order(two, 2);
    struct pool_request req = {.shape = {.nslots = 1,
                                         .cores_per_slot = 5,
                                         .gpus_per_slot = 2,
                                         .ntasks = 3,
                                         .tasks_per_slot = 1,
                                         .parts = two,
                                         .nparts = 2}};
    struct placement *pl = pool_alloc(p, &req);
    ck_assert_ptr_nonnull(pl);
    cleanup_free char *text = kit_text(pl->rset, pl->nslots);
    ck_assert_str_eq(text, "0:0x1 1:0-3:0-1x2");
    ck_assert_str_eq(
        json_object_to_json_string_ext(pl->rset->scheduling, JSON_C_TO_STRING_PLAIN),
        "{\"parts\":[[{\"rank\":\"0\",\"slots\":1,\"children\":{\"core\":\"0\"}}],"
        "[{\"rank\":\"1\",\"slots\":2,\"children\":{\"core\":\"0-3\",\"gpu\":\"0-1\"}}]]"
        "}");
    /* through JSON and back */
    cleanup_json json_object *o = rset_to_json(pl->rset);
    struct error err;
    struct rset *again = rset_from_json(o, &err);
    unsigned n[2];
    rset_parts_slots(again, 1, n);
    ck_assert(n[0] == 0 && n[1] == 2);
    rset_parts_slots(again, 2, n); /* there is none */
    ck_assert(n[0] == 0 && n[1] == 0);
    rset_destroy(again);
    pool_free(p, pl->rset);
    placement_destroy(pl);
    pool_destroy(p);
}
END_TEST

START_TEST(survives_what_is_no_parts)
{
    static const char *const texts[] = {
        "{}",
        "{'parts':3}",
        "{'parts':[3,[]]}",
        "{'parts':[[3,{}],[{'rank':'x','slots':1}]]}",
        "{'parts':[[{'rank':'0','slots':-1}],[{'rank':'0','slots':1}]]}",
        "{'parts':[[{'rank':3,'slots':1,'children':{}}],[{'rank':'0','slots':1,'children'"
        ":{'core':7}}]]}"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct rset *r = kit_rset("0:0-3 3:0");
        unsigned n[2] = {9, 9};
        cleanup_free char *text = xstrdup(texts[i]);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        r->scheduling = json_tokener_parse(text);
        rset_parts_slots(r, 0, n);
        ck_assert(n[0] == 0 && n[1] == 0);
        json_object_put(rset_parts_on(r, 0));
        rset_destroy(r);
    }
}
END_TEST

static const struct {
    const char *pool;
    struct job_part parts[2];
    const char *names;
} rejects[] = {
    {"0:0-3 1:0-3",
     {{.nslots = 2, .cores = 4}, {.nslots = 1, .cores = 1}},
     "has 8 cores; 9 were asked for"},
    {"0:0-3 1:0-3",
     {{.nslots = 1, .cores = 1}, {.nslots = 1, .cores = 5}},
     "program 2: no node has 5 cores for one slot"},
    {"0:0-3 1:0-3",
     {{.nslots = 1, .cores = 1, .gpus = 1}, {.nslots = 1, .cores = 2}},
     "has 0 GPUs; 1 was asked for"},
    {"0:0-2 1:0-2",
     {{.nslots = 1, .cores = 2}, {.nslots = 2, .cores = 2}},
     "of 2 programs together find no place on 2 nodes"},
    {"0:0-4 1:0-4",
     {{.nslots = 2, .cores = 3}, {.nslots = 1, .cores = 4}},
     "of 2 programs together find no place on 2 nodes"},
    {"0:0-3 1:0-3",
     {{.nslots = 1, .cores = 1, .memory = 5}, {.nslots = 1, .cores = 1}},
     "no count of memory; 5 was asked for"},
};

START_TEST(tells_why_not)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct pool *p = kit_pool(rejects[i].pool);
        struct job_part two[2];
        struct error err = {0};
        struct job_shape s = {
            .nslots = 1, .tasks_per_slot = 1, .parts = two, .nparts = 2};
        memcpy(two, rejects[i].parts, sizeof(two));
        for (int k = 0; k < 2; k++) {
            s.cores_per_slot += two[k].nslots * two[k].cores;
            s.gpus_per_slot += two[k].nslots * two[k].gpus;
            s.mem_per_slot += two[k].nslots * two[k].memory;
        }
        job_parts_order(two, 2);
        struct pool_request req = {.shape = s};
        ck_assert_int_eq(pool_satisfiable(p, &req, &err), -1);
        ck_assert_msg(strstr(err.text, rejects[i].names) != NULL, "%zu: %s", i, err.text);
        ck_assert_ptr_null(pool_alloc(p, &req));
        pool_destroy(p);
    }
}
END_TEST

UNIT_MAIN("poolparts", agrees_with_the_obvious, gives_each_program_its_own,
          survives_what_is_no_parts, tells_why_not)
