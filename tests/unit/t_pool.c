/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/pool.h"
#include "tests/unit/poolkit.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define TWO "0:0-3 1:0-3"
#define GPU "0:0-7:0-1 1:0-7:0-3 2:0-15"
#define ANY UINT_MAX

START_TEST(places)
{
    static const struct {
        const char *nodes, *taken;
        unsigned min, max, slots, cores, gpus;
        bool exclusive;
        const char *want; /* NULL: no place */
    } cases[] = {
        /* slots alone */
        {TWO, "", 0, 0, 1, 1, 0, false, "0:0x1"},
        {TWO, "0:0-3", 0, 0, 1, 1, 0, false, "1:0x1"},
        {TWO, "0:0-3 1:0-3", 0, 0, 1, 1, 0, false, NULL},
        {TWO, "", 0, 0, 4, 1, 0, false, "0:0-3x4"},
        {TWO, "0:0", 0, 0, 4, 1, 0, false, "1:0-3x4"},
        {TWO, "", 0, 0, 5, 1, 0, false, "0:0-3x4 1:0x1"},
        {TWO, "0:0", 0, 0, 6, 1, 0, false, "0:1-2x2 1:0-3x4"},
        {TWO, "", 0, 0, 9, 1, 0, false, NULL},
        {TWO, "", 0, 0, 2, 3, 0, false, "0:0-2x1 1:0-2x1"},
        {TWO, "", 0, 0, 3, 3, 0, false, NULL},
        {TWO, "", 0, 0, 1, 5, 0, false, NULL},
        {"0:0 1:0-1 2:0-2 3:0", "", 0, 0, 4, 1, 0, false, "0:0x1 2:0-2x3"},
        {"0:0 1:0-1 2:0-2 3:0", "", 0, 0, 5, 1, 0, false, "1:0-1x2 2:0-2x3"},
        {"0:0 1:0-1 2:0-2 3:0", "", 0, 0, 6, 1, 0, false, "0:0x1 1:0-1x2 2:0-2x3"},
        /* adjacent cores: for all slots, for each slot, as they come */
        {"0:0-7", "0:1", 0, 0, 1, 2, 0, false, "0:2-3x1"},
        {"0:0-7", "0:1", 0, 0, 2, 1, 0, false, "0:2-3x2"},
        {"0:0-7", "0:2,5", 0, 0, 2, 2, 0, false, "0:0-1,3-4x2"},
        {"0:0-7", "0:1,3,5", 0, 0, 1, 3, 0, false, "0:0,2,4x1"},
        /* GPUs */
        {GPU, "", 0, 0, 1, 1, 1, false, "0:0:0x1"},
        {GPU, "", 0, 0, 1, 1, 3, false, "1:0:0-2x1"},
        {GPU, "", 0, 0, 2, 2, 2, false, "1:0-3:0-3x2"},
        {GPU, "", 0, 0, 3, 2, 2, false, "0:0-1:0-1x1 1:0-3:0-3x2"},
        {GPU, "", 0, 0, 7, 1, 1, false, NULL},
        {GPU, "1:0-7", 0, 0, 1, 1, 3, false, NULL},
        {GPU, "0:0:0", 0, 0, 1, 1, 1, false, "0:1:1x1"},
        {GPU, "", 0, 0, 1, 9, 0, false, "2:0-8x1"},
        {GPU, "", 0, 0, 1, 1, 5, false, NULL},
        {"0:0:0-15 1:0:0-16 2:0:0-17", "", 0, 0, 1, 1, 18, false, "2:0:0-17x1"},
        {"0:0-8:0-17 1:0-8:0-17", "", 0, 0, 10, 1, 2, false, "0:0-8:0-17x9 1:0:0-1x1"},
        /* nodes */
        {TWO, "", 1, 1, 1, 1, 0, false, "0:0x1"},
        {TWO, "", 2, 2, 1, 1, 0, false, "0:0x1 1:0x1"},
        {TWO, "", 2, 2, 2, 2, 0, false, "0:0-3x2 1:0-3x2"},
        {TWO, "0:0", 2, 2, 2, 2, 0, false, NULL},
        {TWO, "0:0", 1, 1, 2, 2, 0, false, "1:0-3x2"},
        {TWO, "", 3, 3, 1, 1, 0, false, NULL},
        {GPU, "", 2, 2, 1, 1, 1, false, "0:0:0x1 1:0:0x1"},
        {GPU, "", 3, 3, 1, 1, 1, false, NULL},
        {GPU, "", 1, ANY, 1, 1, 0, false, "0:0x1 1:0x1 2:0x1"},
        {GPU, "", 1, 2, 1, 1, 0, false, "0:0x1 1:0x1"},
        {GPU, "1:0-7", 1, ANY, 1, 1, 0, false, "0:0x1 2:0x1"},
        {GPU, "1:0-7", 3, ANY, 1, 1, 0, false, NULL},
        /* whole nodes */
        {TWO, "", 1, 1, 1, 1, 0, true, "0:0-3x1"},
        {TWO, "0:3", 1, 1, 1, 1, 0, true, "1:0-3x1"},
        {TWO, "0:3", 2, 2, 1, 1, 0, true, NULL},
        {TWO, "", 0, 0, 1, 1, 0, true, "0:0-3x1"},
        {TWO, "", 0, 0, 5, 1, 0, true, "0:0-3x4 1:0-3x1"},
        {GPU, "", 1, 1, 1, 1, 4, true, "1:0-7:0-3x1"},
        {GPU, "1::3", 1, 1, 1, 1, 3, true, NULL},
        {GPU, "1::3", 1, 1, 1, 1, 3, false, "1:0:0-2x1"},
        /* sparse ranks and ids */
        {"3:8-11:2 7:1,5:7", "", 0, 0, 1, 1, 1, false, "3:8:2x1"},
        {"3:8-11:2 7:1,5:7", "3:8:2", 0, 0, 1, 2, 1, false, "7:1,5:7x1"},
        {"", "", 0, 0, 1, 1, 0, false, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pool *p = kit_pool(cases[i].nodes);
        struct rset *taken = kit_rset(cases[i].taken);
        struct error err;
        ck_assert_msg(pool_take(p, taken, &err) == 0, "case %zu: %s", i, err.text);
        struct pool_request req =
            kit_request(cases[i].min, cases[i].max, cases[i].slots, cases[i].cores,
                        cases[i].gpus, cases[i].exclusive);
        struct placement *pl = pool_alloc(p, &req);
        cleanup_free char *got = pl ? kit_text(pl->rset, pl->nslots) : NULL;
        if (!cases[i].want)
            ck_assert_msg(!pl, "case %zu: got %s, wanted nothing", i, got);
        else
            ck_assert_msg(pl && strcmp(got, cases[i].want) == 0,
                          "case %zu: got %s, wanted %s", i, got, cases[i].want);
        if (pl)
            pool_free(p, pl->rset);
        pool_free(p, taken);
        size_t cores, gpus, free_cores, free_gpus;
        pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
        ck_assert_uint_eq(cores, free_cores);
        ck_assert_uint_eq(gpus, free_gpus);
        placement_destroy(pl);
        rset_destroy(taken);
        pool_destroy(p);
    }
    placement_destroy(NULL);
    pool_destroy(NULL);
}
END_TEST

static struct constraint *constraint(const char *text)
{
    struct error err;
    cleanup_json json_object *o = json_tokener_parse(text);
    struct constraint *c = constraint_from_json(o, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    return c;
}

/* Two nodes of 8 cores, the second with two GPUs, and one of 4 cores; "big" are the first two. */
static struct pool *mixed_pool(void)
{
    struct rset *r = kit_rset("0:0-7 1:0-7:0-1 2:0-3");
    r->properties = json_tokener_parse("{\"big\":\"0-1\",\"gpu\":\"1\"}");
    struct pool *p = pool_create(r);
    rset_destroy(r);
    return p;
}

START_TEST(heeds_constraints)
{
    static const struct {
        const char *constraint;
        unsigned min, max, slots, cores;
        const char *want;
    } cases[] = {
        {"{\"properties\":[\"gpu\"]}", 0, 0, 1, 1, "1:0x1"},
        {"{\"properties\":[\"big\"]}", 1, ANY, 1, 1, "0:0x1 1:0x1"},
        {"{\"properties\":[\"^big\"]}", 0, 0, 1, 1, "2:0x1"},
        {"{\"properties\":[\"big\"]}", 3, 3, 1, 1, NULL},
        {"{\"hostlist\":[\"node[1-2]\"]}", 0, 0, 10, 1, "1:0-7x8 2:0-1x2"},
        {"{\"ranks\":[\"2\"]}", 0, 0, 1, 5, NULL},
        {"{\"properties\":[\"nothing\"]}", 0, 0, 1, 1, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pool *p = mixed_pool();
        struct constraint *c = constraint(cases[i].constraint);
        struct pool_request req = kit_request(cases[i].min, cases[i].max, cases[i].slots,
                                              cases[i].cores, 0, false);
        req.constraint = c;
        ck_assert_int_eq(pool_satisfiable(p, &req, NULL), cases[i].want ? 0 : -1);
        struct placement *pl = pool_alloc(p, &req);
        cleanup_free char *got = pl ? kit_text(pl->rset, pl->nslots) : NULL;
        ck_assert_msg(!got == !cases[i].want && (!got || strcmp(got, cases[i].want) == 0),
                      "case %zu: got %s, wanted %s", i, got, cases[i].want);
        placement_destroy(pl);
        constraint_destroy(c);
        pool_destroy(p);
    }
}
END_TEST

START_TEST(drained_and_down)
{
    struct pool *p = kit_pool(TWO);
    struct pool_request one = kit_request(0, 0, 1, 1, 0, false),
                        wide = kit_request(2, 2, 1, 1, 0, false);
    struct placement *a = pool_alloc(p, &one);
    uint64_t gains = pool_gains(p);
    ck_assert_int_eq(pool_set_state(p, 0, POOL_DRAINED, "bad disk"), 0);
    ck_assert_str_eq(pool_nth(p, 0).reason, "bad disk");
    ck_assert_int_eq(pool_nth(p, 0).state, POOL_DRAINED);
    ck_assert_int_eq(pool_set_state(p, 2, POOL_DOWN, NULL), -1);
    ck_assert_ptr_null(pool_alloc(p, &wide));
    ck_assert_int_eq(pool_satisfiable(p, &wide, NULL), 0);
    ck_assert_uint_eq(gains, pool_gains(p));

    size_t cores, gpus, free_cores, free_gpus;
    pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
    ck_assert_uint_eq(cores, 4);
    ck_assert_uint_eq(free_cores, 4);
    struct placement *b = pool_alloc(p, &one);
    ck_assert_uint_eq(b->rset->nodes[0].rank, 1);
    pool_free(p, a->rset); /* its node is drained: it comes back, but is not used */
    pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
    ck_assert_uint_eq(free_cores, 3);

    gains = pool_gains(p);
    ck_assert_int_eq(pool_set_state(p, 0, POOL_UP, NULL), 0);
    ck_assert_ptr_null(pool_nth(p, 0).reason);
    ck_assert_uint_lt(gains, pool_gains(p));
    struct placement *c = pool_alloc(p, &wide);
    cleanup_free char *got = kit_text(c->rset, c->nslots);
    ck_assert_str_eq(got, "0:0x1 1:1x1");
    ck_assert_int_eq(pool_set_state(p, 1, POOL_DOWN, "lost"), 0);
    pool_free(p, c->rset);
    pool_free(p, b->rset);
    pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
    ck_assert_uint_eq(free_cores, 4);
    placement_destroy(a);
    placement_destroy(b);
    placement_destroy(c);
    pool_destroy(p);
}
END_TEST

START_TEST(grows_and_shrinks)
{
    struct error err;
    struct pool *p = mixed_pool();
    struct rset *more = kit_rset("3:0-1:0 9:0-63");
    ck_assert_int_eq(pool_add_node(p, &more->nodes[1], &err), 0);
    ck_assert_int_eq(pool_add_node(p, &more->nodes[0], &err), 0);
    ck_assert_int_eq(pool_add_node(p, &more->nodes[0], &err), -1);
    ck_assert_int_eq(err.code, EEXIST);
    ck_error_names(err, "rank 3 (node3)");
    struct pool_request big = kit_request(0, 0, 1, 64, 0, false);
    struct placement *pl = pool_alloc(p, &big);
    ck_assert_uint_eq(pl->rset->nodes[0].rank, 9);
    ck_assert_int_eq(pool_remove_node(p, 9, &err), -1);
    ck_assert_int_eq(err.code, EBUSY);
    ck_error_names(err, "node9 (rank 9)");
    ck_error_names(err, "64 of its 64 cores");
    pool_free(p, pl->rset);
    ck_assert_int_eq(pool_remove_node(p, 9, &err), 0);
    pool_free(p, pl->rset); /* late news of a node that left: nothing happens */
    ck_assert_ptr_null(pool_alloc(p, &big));
    ck_assert_int_eq(pool_remove_node(p, 9, &err), -1);
    ck_error_names(err, "rank 9");
    ck_assert_int_eq(pool_remove_node(p, 0, &err), 0);
    struct rset *r = pool_rset(p);
    cleanup_free char *got = kit_text(r, NULL);
    ck_assert_str_eq(got, "1:0-7:0-1 2:0-3 3:0-1:0");
    ck_assert_str_eq(
        json_object_to_json_string_ext(r->properties, JSON_C_TO_STRING_PLAIN),
        "{\"big\":\"1\",\"gpu\":\"1\"}");
    rset_destroy(r);
    rset_destroy(more);
    placement_destroy(pl);
    pool_destroy(p);
}
END_TEST

START_TEST(refuses_with_numbers)
{
    static const struct {
        const char *nodes, *constraint, *held;
        unsigned min, slots, cores, gpus;
        bool exclusive;
        const char *text;
    } cases[] = {
        {"0:0-15", NULL, "", 0, 64, 1, 0, false,
         "this instance has 16 cores; 64 were asked for"},
        {"0:0", NULL, "", 0, 2, 1, 0, false,
         "this instance has 1 core; 2 were asked for"},
        {TWO, NULL, "", 4, 1, 1, 0, false, "this instance has 2 nodes; 4 were asked for"},
        {TWO, NULL, "", 2, 5, 1, 0, false,
         "this instance has 8 cores; 10 were asked for"},
        {TWO, NULL, "", 0, 1, 1, 1, false, "this instance has 0 GPUs; 1 was asked for"},
        {TWO, NULL, "", 0, 4294967295U, 4294967295U, 0, false,
         "this instance has 8 cores; 18446744065119617025 were asked for"},
        {"0:0-15 1:0-15", NULL, "", 0, 1, 32, 0, false,
         "no node has 32 cores for one slot: the largest has 16 cores"},
        {"0:0-15 1:0-15 2:0:0-3", NULL, "", 0, 1, 32, 0, false,
         "no node has 32 cores for one slot: the largest has 16 cores"},
        {"0:0-15 1:0-31:0-1 2:0-3:0-3", NULL, "", 0, 1, 16, 4, false,
         "no node has 16 cores and 4 GPUs for one slot: the largest has 4 cores and 4 "
         "GPUs"},
        {"0:0-15 1:0-31:0-1 2:0-3:0-3", NULL, "", 1, 4, 2, 1, false,
         "no node has 8 cores and 4 GPUs for 4 slots: the largest has 4 cores and 4 "
         "GPUs"},
        {"0:0-15 1:0-31:0-1 2:0-3:0-3", NULL, "", 3, 1, 1, 1, false,
         "there are only 2 nodes with 1 core and 1 GPU for one slot; 3 were asked for"},
        {"0:0-15 1:0-31:0-1 2:0-3:0-3", NULL, "", 2, 2, 8, 0, false, NULL},
        {"0:0-15 1:0-31:0-1 2:0-3:0-3", NULL, "", 2, 3, 8, 0, false,
         "there is only 1 node with 24 cores for 3 slots; 2 were asked for"},
        {TWO, NULL, "", 0, 4, 2, 0, false, NULL},
        {"0:0-4 1:0-4", NULL, "", 0, 3, 3, 0, false,
         "there is room for 2 slots of 3 cores; 3 were asked for"},
        {TWO, "{\"properties\":[\"fast\"]}", "", 0, 1, 1, 0, false,
         "no node of this instance matches the constraint"},
        {TWO, "{\"ranks\":[\"1\"]}", "", 2, 1, 1, 0, false,
         "the constraint leaves 1 node; 2 were asked for"},
        {TWO, "{\"ranks\":[\"1\"]}", "", 0, 5, 1, 0, false,
         "the nodes that match the constraint have 4 cores; 5 were asked for"},
        {"0:0-15 1:0-3 2:0-3", "{\"ranks\":[\"1-2\"]}", "", 0, 1, 5, 0, false,
         "no node that matches the constraint has 5 cores for one slot: the largest has "
         "4 cores"},
        {TWO, NULL, "0:0-1 1:0", 0, 5, 1, 0, false, NULL},
        {TWO, NULL, "0:0-1 1:0", 0, 6, 1, 0, false,
         "this instance has 5 cores that the asking job leaves free; 6 were asked for"},
        {TWO, NULL, "0:0-1 1:0", 0, 1, 4, 0, false,
         "no node has 4 cores that the asking job leaves free for one slot: the largest "
         "has 3 cores"},
        {TWO, NULL, "0:0-1", 1, 1, 1, 0, true, NULL},
        {TWO, NULL, "0:0-1", 2, 1, 1, 0, true,
         "there is only 1 node with 1 core that the asking job leaves free for one slot; "
         "2 were asked for"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        struct pool *p = kit_pool(cases[i].nodes);
        struct rset *held = kit_rset(cases[i].held);
        struct pool_request req =
            kit_request(cases[i].min, cases[i].min, cases[i].slots, cases[i].cores,
                        cases[i].gpus, cases[i].exclusive);
        struct constraint *c =
            cases[i].constraint ? constraint(cases[i].constraint) : NULL;
        req.constraint = c;
        int rc = held->nnodes ? pool_satisfiable_beside(p, &req, held, &err)
                              : pool_satisfiable(p, &req, &err);
        if (!cases[i].text) {
            ck_assert_msg(rc == 0, "case %zu: %s", i, err.text);
        } else {
            ck_assert_msg(rc == -1 && strcmp(err.text, cases[i].text) == 0,
                          "case %zu: '%s'", i, err.text);
            ck_assert_int_eq(err.code, ENOSPC);
        }
        constraint_destroy(c);
        rset_destroy(held);
        pool_destroy(p);
    }
}
END_TEST

START_TEST(takes_only_what_is_there)
{
    static const struct {
        const char *take, *text; /* NULL: can be taken */
    } cases[] = {
        {"0:0-1 1:0", NULL},
        {"0:2-3:0", NULL},
        {"1:1 0:3", "node0 (rank 0): core 3 is already taken"},
        {"0::0", "node0 (rank 0): GPU 0 is already taken"},
        {"0:4-5", "node0 (rank 0): core 4-5 is not part of this instance"},
        {"1::0", "node1 (rank 1): GPU 0 is not part of this instance"},
        {"5:0", "this instance has no rank 5 (node5)"},
        {"1:1-3", NULL},
    };
    struct pool *p = kit_pool("0:0-3:0 1:0-3");
    ck_assert_int_eq(pool_set_state(p, 1, POOL_DRAINED, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        struct rset *r = kit_rset(cases[i].take);
        int rc = pool_take(p, r, &err);
        ck_assert_msg(rc == (cases[i].text ? -1 : 0), "case %zu: %s", i, err.text);
        ck_assert_str_eq(err.text, cases[i].text ? cases[i].text : "");
        rset_destroy(r);
    }
    pool_destroy(p);
}
END_TEST

/* What a job gives back of its placement is free for others at once, and its end frees the rest. */
START_TEST(takes_back_in_parts)
{
    struct pool *p = kit_pool("0:0-3:0 1:0-3:0 2:0-3:0");
    struct pool_request all = kit_request(3, 3, 1, 2, 1, false),
                        whole = kit_request(1, 1, 1, 4, 0, true);
    struct placement *pl = pool_alloc(p, &all), *other;
    size_t cores, gpus, free_cores, free_gpus;
    ck_assert_ptr_nonnull(pl);
    ck_assert_ptr_null(pool_alloc(p, &whole));
    static const struct {
        const char *part;
        size_t cores, gpus;
    } cases[] = {{"1:0-1:0", 8, 1}, {"1:0-1:0", 8, 1}, {"7:0", 8, 1}, {"2:0", 9, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases);
         i++) { /* the same again, and what is not there */
        struct rset *part = kit_rset(cases[i].part);
        uint64_t gains = pool_gains(p);
        pool_free(p, part);
        ck_assert_uint_ge(pool_gains(p), gains);
        pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
        ck_assert_msg(free_cores == cases[i].cores && free_gpus == cases[i].gpus,
                      "case %zu: %zu %zu", i, free_cores, free_gpus);
        rset_destroy(part);
    }
    other = pool_alloc(p, &whole);
    ck_assert_ptr_nonnull(other);
    ck_assert_uint_eq(other->rset->nodes[0].rank, 1);
    struct rset *rest = kit_rset("0:0-1:0 2:1:0");
    pool_free(p, rest);
    pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
    ck_assert_uint_eq(free_cores, 8);
    pool_free(p, other->rset);
    pool_totals(p, &cores, &gpus, &free_cores, &free_gpus);
    ck_assert_uint_eq(free_cores, 12);
    rset_destroy(rest);
    placement_destroy(other);
    placement_destroy(pl);
    pool_destroy(p);
}
END_TEST

/* Nodes of adjacent ranks. */
START_TEST(places_contiguously)
{
    static const struct {
        const char *nodes, *taken;
        unsigned min, max, slots, cores;
        const char *first, *best; /* NULL: no place */
        const char *why;          /* that it can never run */
    } cases[] = {
#define SIX "0:0-3 1:0-3 2:0-3 4:0-3 5:0-3 7:0-3"
        {SIX, "", 2, 2, 1, 1, "0:0x1 1:0x1", "4:0x1 5:0x1", NULL},
        {SIX, "", 3, 3, 4, 1, "0:0-3x4 1:0-3x4 2:0-3x4", "0:0-3x4 1:0-3x4 2:0-3x4", NULL},
        {SIX, "1:0", 3, 3, 4, 1, NULL, NULL, NULL},
        {SIX, "1:0", 2, 2, 4, 1, "4:0-3x4 5:0-3x4", "4:0-3x4 5:0-3x4", NULL},
        {SIX, "0:0", 2, 2, 4, 1, "1:0-3x4 2:0-3x4", "1:0-3x4 2:0-3x4", NULL},
        {SIX, "", 2, 9, 1, 1, "0:0x1 1:0x1 2:0x1", "0:0x1 1:0x1 2:0x1", NULL},
        {SIX, "", 1, 1, 1, 1, "0:0x1", "7:0x1", NULL},
        {SIX, "", 4, 4, 1, 1, NULL, NULL,
         "there are 6 nodes with 1 core for one slot, but no 4 of adjacent ranks"},
        /* slots alone */
        {SIX, "", 0, 0, 4, 1, "0:0-3x4", "0:0-3x4", NULL},
        {SIX, "0:0 1:0-2", 0, 0, 6, 1, "4:0-3x4 5:0-1x2", "4:0-3x4 5:0-1x2", NULL},
        {SIX, "", 0, 0, 10, 1, "0:0-3x4 1:0-3x4 2:0-1x2", "0:0-3x4 1:0-3x4 2:0-1x2",
         NULL},
        {SIX, "1:0", 0, 0, 11, 1, "0:0-3x4 1:1-3x3 2:0-3x4", "0:0-3x4 1:1-3x3 2:0-3x4",
         NULL},
        {SIX, "", 0, 0, 13, 1, NULL, NULL,
         "there is room for 24 slots of 1 core, but not for 13 on nodes of adjacent "
         "ranks"},
        {SIX, "", 0, 0, 7, 4, NULL, NULL,
         "this instance has 24 cores; 28 were asked for"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        struct pool *p = kit_pool(cases[i].nodes);
        struct rset *taken = kit_rset(cases[i].taken);
        struct pool_request req = kit_request(cases[i].min, cases[i].max, cases[i].slots,
                                              cases[i].cores, 0, false);
        req.shape.contiguous = true;
        ck_assert_int_eq(pool_satisfiable(p, &req, &err), cases[i].why ? -1 : 0);
        ck_assert_msg(strcmp(err.text, cases[i].why ? cases[i].why : "") == 0, "%zu: %s",
                      i, err.text);
        ck_assert_int_eq(pool_take(p, taken, &err), 0);
        for (int best = 0; best < 2; best++) {
            const char *want = best ? cases[i].best : cases[i].first;
            req.place = best ? &place_best : &place_first;
            struct placement *pl = pool_alloc(p, &req);
            cleanup_free char *got =
                pl ? kit_text(pl->rset, pl->nslots) : xstrdup("none");
            ck_assert_msg(strcmp(got, want ? want : "none") == 0, "%zu, %s: %s", i,
                          req.place->name, got);
            if (pl)
                pool_undo(p, pl);
        }
        rset_destroy(taken);
        pool_destroy(p);
    }
}
END_TEST

UNIT_MAIN("pool", places, places_contiguously, heeds_constraints, drained_and_down,
          grows_and_shrinks, refuses_with_numbers, takes_only_what_is_there,
          takes_back_in_parts)
