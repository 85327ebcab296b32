/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/taskmap.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* RFC 34's test vectors, the examples of its tables, and RFC 13's. */
static const struct {
    const char *raw, *json, *pmi;
} vectors[] = {
    {"", "[]", ""},
    {"0", "[[0,1,1,1]]", "(vector,(0,1,1))"},
    {"0;1", "[[0,2,1,1]]", "(vector,(0,2,1))"},
    {"0-1", "[[0,1,2,1]]", "(vector,(0,1,2))"},
    {"0-1;2-3", "[[0,2,2,1]]", "(vector,(0,2,2))"},
    {"0,2;1,3", "[[0,2,1,2]]", "(vector,(0,2,1),(0,2,1))"},
    {"1;0", "[[1,1,1,1],[0,1,1,1]]", "(vector,(1,1,1),(0,1,1))"},
    {"0-3;4-7;8-11;12-15", "[[0,4,4,1]]", "(vector,(0,4,4))"},
    {"0,4,8,12;1,5,9,13;2,6,10,14;3,7,11,15", "[[0,4,1,4]]",
     "(vector,(0,4,1),(0,4,1),(0,4,1),(0,4,1))"},
    {"0-1,8-9;2-3,10-11;4-5,12-13;6-7,14-15", "[[0,4,2,2]]", "(vector,(0,4,2),(0,4,2))"},
    {"0-1;2-3;4-5;6-7;8-11;12-15", "[[0,4,2,1],[4,2,4,1]]", "(vector,(0,4,2),(4,2,4))"},
    {"0,6;1,7;2,8;3,9;4,10,12,14;5,11,13,15", "[[0,6,1,2],[4,2,1,2]]",
     "(vector,(0,6,1),(0,6,1),(4,2,1),(4,2,1))"},
    {"0-1;2-3;4-5;6-7;8-9,12-13;10-11,14-15", "[[0,6,2,1],[4,2,2,1]]",
     "(vector,(0,6,2),(4,2,2))"},
    {"14-15;12-13;10-11;8-9;4-7;0-3",
     "[[5,1,4,1],[4,1,4,1],[3,1,2,1],[2,1,2,1],[1,1,2,1],[0,1,2,1]]",
     "(vector,(5,1,4),(4,1,4),(3,1,2),(2,1,2),(1,1,2),(0,1,2))"},
    {"0-1;2-3;4-5;6-7;8-9;12-13;10-11;14-15", "[[0,5,2,1],[6,1,2,1],[5,1,2,1],[7,1,2,1]]",
     "(vector,(0,5,2),(6,1,2),(5,1,2),(7,1,2))"},
    {"12-15;8-11;4-7;0-3", "[[3,1,4,1],[2,1,4,1],[1,1,4,1],[0,1,4,1]]",
     "(vector,(3,1,4),(2,1,4),(1,1,4),(0,1,4))"},
    {"0-1;2-3;4-7;8-11", "[[0,2,2,1],[2,2,4,1]]", "(vector,(0,2,2),(2,2,4))"},
    /* a node without tasks */
    {"0;;1", "[[0,1,1,1],[2,1,1,1]]", "(vector,(0,1,1),(2,1,1))"},
};

static struct taskmap *decode(const char *text)
{
    struct error err = {0};
    struct taskmap *map = taskmap_decode(text, &err);
    ck_assert_msg(map != NULL, "%s", err.text);
    return map;
}

static void check_encoded(const struct taskmap *map, const char *json)
{
    cleanup_free char *got = taskmap_encode(map);
    ck_assert_str_eq(got, json);
}

START_TEST(converts_each_form_to_each)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        const char *const forms[] = {vectors[i].raw, vectors[i].json, vectors[i].pmi};
        for (size_t k = 0; k < ARRAY_SIZE(forms); k++) {
            struct taskmap *map = decode(forms[k]);
            cleanup_free char *raw = taskmap_encode_raw(map);
            cleanup_free char *pmi = taskmap_encode_pmi(map);
            check_encoded(map, vectors[i].json);
            ck_assert_str_eq(raw, vectors[i].raw);
            ck_assert_str_eq(pmi, vectors[i].pmi);
            taskmap_destroy(map);
        }
    }
    taskmap_destroy(NULL);
}
END_TEST

static const struct {
    const char *in, *json;
} accepts[] = {
    {"{\"version\":1, \"map\":[[0,4096,256,1]]}", "[[0,4096,256,1]]"},
    {"[[0,4096,1,256]]", "[[0,4096,1,256]]"},
    {"[[0,4096,2,128]]", "[[0,4096,2,128]]"},
    {"(vector,(0,4096,256))", "[[0,4096,256,1]]"},
    {"(vector)", "[]"},
    {" [ [0, 2, 2, 1] ] ", "[[0,2,2,1]]"},
    {"    (vector, (0,4,4), (0,4,1), )", "[[0,4,4,1],[0,4,1,1]]"},
    {"(vector, (0,1,1), (1,5,3), (6,2, 5))", "[[0,1,1,1],[1,5,3,1],[6,2,5,1]]"},
    {"[[0,1,1,1],[1,1,1,1]]", "[[0,2,1,1]]"},
    {"[[0,2,1,1],[0,2,1,1]]", "[[0,2,1,2]]"},
};

START_TEST(accepts_other_spellings)
{
    for (size_t i = 0; i < ARRAY_SIZE(accepts); i++) {
        struct taskmap *map = decode(accepts[i].in);
        check_encoded(map, accepts[i].json);
        taskmap_destroy(map);
    }
}
END_TEST

START_TEST(distributes)
{
    /* RFC 34's tables: 4*4 and 4*2 + 2*4, block, cyclic:1, cyclic:2. */
    static const unsigned same[] = {4, 4, 4, 4}, mixed[] = {2, 2, 2, 2, 4, 4};
    static const unsigned holes[] = {0, 1, 0}, one[] = {5};
    static const struct {
        const unsigned *ntasks;
        unsigned nnodes, stride; /* 0: block */
        const char *json;
    } table[] = {
        {same, 4, 0, "[[0,4,4,1]]"},
        {same, 4, 1, "[[0,4,1,4]]"},
        {same, 4, 2, "[[0,4,2,2]]"},
        {same, 4, 3, "[[0,4,3,1],[0,4,1,1]]"},
        {mixed, 6, 0, "[[0,4,2,1],[4,2,4,1]]"},
        {mixed, 6, 1, "[[0,6,1,2],[4,2,1,2]]"},
        {mixed, 6, 2, "[[0,6,2,1],[4,2,2,1]]"},
        {holes, 3, 0, "[[1,1,1,1]]"},
        {holes, 3, 1, "[[1,1,1,1]]"},
        {one, 1, 0, "[[0,1,5,1]]"},
        {one, 1, 2, "[[0,1,5,1]]"},
        {NULL, 0, 0, "[]"},
        {NULL, 0, 1, "[]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        unsigned n = table[i].nnodes, stride = table[i].stride;
        struct taskmap *map = stride ? taskmap_cyclic(table[i].ntasks, n, stride)
                                     : taskmap_block(table[i].ntasks, n);
        check_encoded(map, table[i].json);
        ck_assert_uint_eq(taskmap_nnodes(map), n);
        for (unsigned k = 0; k < n; k++)
            ck_assert_int_eq(hwloc_bitmap_weight(taskmap_tasks(map, k)),
                             (int)table[i].ntasks[k]);
        taskmap_destroy(map);
    }
}
END_TEST

START_TEST(answers_about_ranks_and_nodes)
{
    struct taskmap *map = decode("[[0,6,1,2],[4,2,1,2]]");
    ck_assert_uint_eq(taskmap_nnodes(map), 6);
    ck_assert_uint_eq(taskmap_ntasks(map), 16);
    ck_assert_int_eq(taskmap_node(map, 0), 0);
    ck_assert_int_eq(taskmap_node(map, 7), 1);
    ck_assert_int_eq(taskmap_node(map, 14), 4);
    ck_assert_int_eq(taskmap_node(map, 15), 5);
    ck_assert_int_eq(taskmap_node(map, 16), -1);
    char list[64];
    hwloc_bitmap_list_snprintf(list, sizeof(list), taskmap_tasks(map, 4));
    ck_assert_str_eq(list, "4,10,12,14");
    ck_assert_ptr_eq(taskmap_tasks(map, 4), taskmap_tasks(map, 4));
    ck_assert_ptr_null(taskmap_tasks(map, 6));
    taskmap_destroy(map);
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    uint32_t seed = 34;
    unsigned accepted = 0;
    for (int round = 0; round < 120; round++)
        for (size_t i = 0; i < ARRAY_SIZE(vectors) * 3; i++) {
            const char *const forms[] = {vectors[i / 3].raw, vectors[i / 3].json,
                                         vectors[i / 3].pmi};
            cleanup_free char *text =
                mutate_text(forms[i % 3], "0123456789,;-()[]{} ", &seed);
            struct error err = {0};
            struct taskmap *map = taskmap_decode(text, &err);
            if (!map) {
                ck_error_names(err, "task map '");
                continue;
            }
            accepted++;
            cleanup_free char *json = taskmap_encode(map);
            if (taskmap_ntasks(map) < 100000) {
                struct taskmap *again = decode(json);
                check_encoded(again, json);
                ck_assert_uint_eq(taskmap_ntasks(again), taskmap_ntasks(map));
                taskmap_destroy(again);
            }
            taskmap_destroy(map);
        }
    ck_assert_uint_gt(accepted, 200);
}
END_TEST

static const struct {
    const char *in, *names;
} rejects[] = {
    {"[", "too early"},
    {"[0-1]", "task map '[0-1]'"},
    {"[[0,1,1]]", "not [0,1,1]"},
    {"[[0,1,1,1,1]]", "block 0"},
    {"[[0,1,1,1],[0,0,1,1]]", "block 1 must be"},
    {"[[-1,1,1,1]]", "not [-1,1,1,1]"},
    {"[[0,1,0,1]]", "[0,1,0,1]"},
    {"[[0,1,1,0]]", "[0,1,1,0]"},
    {"[[0,1,1.5,1]]", "1.5"},
    {"[[0,1,1,\"1\"]]", "\"1\""},
    {"[3]", "not 3"},
    {"[[0,1,16777217,1]]", "16777217"},
    {"[[0,2,16777216,1]]", "more tasks than 16777216"},
    {"[[0,1,1,16777216],[0,1,1,1]]", "more tasks than 16777216"},
    {"[[1048576,1,1,1]]", "more nodes than 1048576"},
    {"{\"version\":2,\"map\":[]}", "version must be 1, not 2"},
    {"{\"version\":1}", "no array"},
    {"{\"map\":[]}", "version"},
    {"[] x", "byte 4"},
    {"vector, (1,1))", "vector, (1,1))"},
    {"(vector, (1.11, 2.2))", "not \" (1.11, 2.2))\""},
    {"(vector, (1,1,0))", "(1,1,0)"},
    {"((1,1,1))", "(vector,"},
    {"((1,1,1), vector,)", "(vector,"},
    {"(vector,(0,1,1)", "or the end is expected"},
    {"(vector,(0,1,1))x", "\"x\" follows the end"},
    {"(vector,(0,-1,1))", "(0,-1,1)"},
    {"(vector,(0,99999999999999999999,1))", "99999999999999999999"},
    {"0-3;5", "rank 4 is on no node"},
    {"1", "rank 0 is on no node"},
    {"0-1;1-2", "rank 1 is on two nodes"},
    {"0;x", "'x'"},
    {"0-99999999", "99999999"},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct taskmap *map = taskmap_decode(rejects[i].in, &err);
        ck_assert_msg(map == NULL, "'%s' was accepted", rejects[i].in);
        ck_assert_int_ne(err.code, 0);
        ck_error_names(err, rejects[i].names);
        ck_error_names(err, rejects[i].in);
        ck_assert_ptr_null(taskmap_decode(rejects[i].in, NULL));
    }
}
END_TEST

UNIT_MAIN("taskmap", converts_each_form_to_each, accepts_other_spellings, distributes,
          answers_about_ranks_and_nodes, survives_spoiled_texts, rejects_bad_texts)
