/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of MPI_Comm_spawn: src/instance/spawn_info.h, man/hbatch-spawn.7. */
#include "src/instance/spawn_info.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
    const char *text;
    unsigned maxprocs;
    const char *set;
} softs[] = {
    /* MPI's, with the examples of the standard (MPI 4.0, section 11.8.4) */
    {"1", 4, "1"},
    {"1:4", 4, "1-4"},
    {"1:8", 4, "1-4"},
    {"2:10:2", 10, "2,4,6,8,10"},
    {"0:4", 4, "1-4"},
    {"1,2,3", 2, "1-2"},
    {"1:3,7,9:11", 10, "1-3,7,9-10"},
    {"5:1,2", 8, "2"},
    {"0:10:4", 10, "4,8"},
    {"1:1000000000", 5, "1-5"},
    {"1:2147483647:2147483647", 5, "1"},
    /* RFC 14's */
    {"2-4", 9, "2-4"},
    {"2-16:2:*", 9, "2,4,8"},
    {"3+", 5, "3-5"},
    {"[2-9:3]", 9, "2,5,8"},
};

START_TEST(soft)
{
    for (size_t i = 0; i < ARRAY_SIZE(softs); i++) {
        struct error err;
        cleanup_bitmap hwloc_bitmap_t set =
            spawn_soft_decode(softs[i].text, softs[i].maxprocs, &err);
        ck_assert_msg(set != NULL, "%s: %s", softs[i].text, err.text);
        cleanup_free char *text = idset_encode(set, 0);
        ck_assert_msg(strcmp(text, softs[i].set) == 0, "%s: %s", softs[i].text, text);
    }
}
END_TEST

static const struct {
    const char *text, *says;
} bad_softs[] = {
    {"", "FIRST:LAST"},
    {"0", "from 1 to 8"},
    {"9:12", "from 1 to 8"},
    {"1:", "FIRST:LAST"},
    {":2", "FIRST:LAST"},
    {"1:2:0", "FIRST:LAST"},
    {"1:2:3:4", "FIRST:LAST"},
    {"1,,2", "FIRST:LAST"},
    {"1,", "FIRST:LAST"},
    {"a", "FIRST:LAST"},
    {"1 2", "FIRST:LAST"},
    {"99999999999", "FIRST:LAST"},
    {"2-1", "2-1"},
    {"-1", "-1"},
};

START_TEST(bad_soft)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad_softs); i++) {
        struct error err = {0};
        hwloc_bitmap_t set = spawn_soft_decode(bad_softs[i].text, 8, &err);
        ck_assert_msg(set == NULL, "'%s' was taken", bad_softs[i].text);
        ck_assert_msg(strstr(err.text, bad_softs[i].says) != NULL, "'%s': %s",
                      bad_softs[i].text, err.text);
    }
}
END_TEST

START_TEST(all_keys)
{
    struct error err;
    struct spawn_info s = {.cores = 1, .urgency = -1};
    struct spawn_program p = {0};
    cleanup_json json_object *info = json_tokener_parse(
        "{\"hbatch_nodes\":\"2\",\"hbatch_cores\":\"3\",\"hbatch_gpus\":\"1\","
        "\"hbatch_exclusive\":\"true\",\"hbatch_time_limit\":\"1.5m\",\"hbatch_urgency\":"
        "\"31\",\"hbatch_job_name\":\"a b\",\"hbatch_output\":\"out\",\"hbatch_error\":"
        "\"err\",\"hbatch_requires\":\"host:n1\",\"hbatch_timeout\":\"1s\",\"soft\":"
        "\"1:2\",\"path\":\"/a:/b\",\"pmix.host\":\"n[1-2]\",\"pmix.ppr\":\"4:node\","
        "\"pmix.personality\":\"ompi\",\"arch\":\"any\"}");
    ck_assert_int_eq(spawn_info_add(&s, &p, info, NULL, 8, &err), 0);
    ck_assert_uint_eq(s.nodes, 2);
    ck_assert_uint_eq(s.cores, 3);
    ck_assert_uint_eq(s.gpus, 1);
    ck_assert(s.exclusive);
    ck_assert_double_eq(s.time_limit, 90);
    ck_assert_int_eq(s.urgency, 31);
    ck_assert_uint_eq(s.per_node, 4);
    ck_assert_str_eq(json_object_get_string(s.name), "a b");
    ck_assert_str_eq(json_object_get_string(s.output), "out");
    ck_assert_str_eq(json_object_get_string(s.error), "err");
    ck_assert_str_eq(json_object_to_json_string_ext(s.hosts, JSON_C_TO_STRING_PLAIN),
                     "[\"n1\",\"n2\"]");
    ck_assert_str_eq(json_object_to_json_string_ext(s.requires, JSON_C_TO_STRING_PLAIN),
                     "{\"hostlist\":[\"n1\"]}");
    ck_assert_str_eq(json_object_get_string(p.path), "/a:/b");
    ck_assert_int_eq(hwloc_bitmap_weight(p.soft), 2);
    spawn_info_fini(&s);
    spawn_program_fini(&p);
}
END_TEST

/* Variables do the same, go over keys, and are taken out. */
START_TEST(variables)
{
    struct error err;
    struct spawn_info s = {.cores = 1};
    struct spawn_program p = {0};
    cleanup_json json_object *info = json_tokener_parse("{\"hbatch_cores\":\"3\"}");
    cleanup_json json_object *env = json_tokener_parse(
        "{\"A\":\"1\",\"HBATCH_SPAWN_CORES\":\"4\",\"HBATCH_SPAWN_TIME_LIMIT\":\"2s\","
        "\"HBATCH_SPAWN_SOFT\":\"1\",\"B\":\"2\"}");
    ck_assert_int_eq(spawn_info_add(&s, &p, info, env, 8, &err), 0);
    ck_assert_uint_eq(s.cores, 4);
    ck_assert_double_eq(s.time_limit, 2);
    ck_assert_int_eq(hwloc_bitmap_weight(p.soft), 1);
    ck_assert_str_eq(json_object_to_json_string_ext(env, JSON_C_TO_STRING_PLAIN),
                     "{\"A\":\"1\",\"B\":\"2\"}");
    spawn_info_fini(&s);
    spawn_program_fini(&p);
}
END_TEST

static const struct {
    const char *info, *env, *says;
} rejects[] = {
    {"{\"hbatch_foo\":\"1\"}", "{}", "no key hbatch_foo"},
    {"{\"hbatch_\":\"1\"}", "{}", "no key hbatch_"},
    {"{\"hbatch_soft\":\"1\"}", "{}", "no key hbatch_soft"},
    {"{}", "{\"HBATCH_SPAWN_FOO\":\"1\"}", "no key HBATCH_SPAWN_FOO"},
    {"{}", "{\"HBATCH_SPAWN_\":\"1\"}", "no key HBATCH_SPAWN_"},
    {"{}", "{\"HBATCH_SPAWN_NODES_AND_MUCH_MORE_THAN_ANY_KEY_HAS\":\"1\"}",
     "MORE_THAN_ANY_KEY_HAS"},
    {"{\"hbatch_nodes\":\"\"}", "{}", "hbatch_nodes: needs a value"},
    {"{\"hbatch_nodes\":7}", "{}", "hbatch_nodes: needs a value"},
    {"{\"hbatch_nodes\":\"0\"}", "{}", "hbatch_nodes=0: must be a positive"},
    {"{\"hbatch_nodes\":\"1-2\"}", "{}", "hbatch_nodes=1-2"},
    {"{\"hbatch_cores\":\"4294967296\"}", "{}", "4294967296"},
    {"{\"hbatch_gpus\":\"-1\"}", "{}", "hbatch_gpus=-1"},
    {"{\"hbatch_exclusive\":\"oui\"}", "{}", "hbatch_exclusive=oui"},
    {"{\"hbatch_time_limit\":\"1w\"}", "{}", "1w"},
    {"{\"hbatch_timeout\":\"x\"}", "{}", "hbatch_timeout=x"},
    {"{\"hbatch_urgency\":\"32\"}", "{}", "from 0 to 31"},
    {"{\"hbatch_requires\":\"(\"}", "{}", "hbatch_requires=("},
    {"{\"host\":\"n[1-\"}", "{}", "n[1-"},
    {"{\"pmix.ppr\":\"4\"}", "{}", "pmix.ppr=4"},
    {"{\"soft\":\"9\"}", "{}", "soft=9"},
};

START_TEST(reject)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct spawn_info s = {.cores = 1};
        struct spawn_program p = {0};
        cleanup_json json_object *info = json_tokener_parse(rejects[i].info);
        cleanup_json json_object *env = json_tokener_parse(rejects[i].env);
        ck_assert_msg(spawn_info_add(&s, &p, info, env, 8, &err) < 0, "%s %s was taken",
                      rejects[i].info, rejects[i].env);
        ck_assert_int_eq(err.code, EINVAL);
        ck_assert_msg(strstr(err.text, rejects[i].says) != NULL, "%s %s: %s",
                      rejects[i].info, rejects[i].env, err.text);
        spawn_info_fini(&s);
        spawn_program_fini(&p);
    }
}
END_TEST

UNIT_MAIN("spawn_info", soft, bad_soft, all_keys, variables, reject)
