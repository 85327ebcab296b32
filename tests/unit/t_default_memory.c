/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/default_memory.h"
#include "src/common/bytes.h"
#include "src/common/util.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#define CORES(n) "{'type':'core','count':" n "}"
#define SLOT(n, with) "{'type':'slot','count':" n ",'label':'a','with':[" with "]}"
#define NODE(with, more) "{'type':'node','count':2,'with':[" with "]" more "}"
#define MEM(n, unit) "{'type':'memory','count':" n ",'unit':'" unit "'}"
#define G (UINT64_C(1) << 30)

static const struct {
    const char *before;
    uint64_t per_core;
    const char *after; /* NULL: the same */
} cases[] = {
    {SLOT("4", CORES("3")), 2 * G, SLOT("4", CORES("3") "," MEM("6", "GiB"))},
    {SLOT("1", CORES("1") ",{'type':'gpu','count':1}"), 1536 << 10,
     SLOT("1", CORES("1") ",{'type':'gpu','count':1}," MEM("1536", "KiB"))},
    {SLOT("1", CORES("1")), 1, SLOT("1", CORES("1") "," MEM("1", "B"))},
    {NODE(SLOT("1", CORES("2")), ""), G,
     NODE(SLOT("1", CORES("2") "," MEM("2", "GiB")), "")},
    /* some of several programs */
    {SLOT("1", CORES("1") "," MEM("5", "B")) "," SLOT("2", CORES("2")), G,
     SLOT("1", CORES("1") "," MEM("5", "B")) "," SLOT("2",
                                                      CORES("2") "," MEM("2", "GiB"))},
    /* who asks, or takes all */
    {SLOT("4", CORES("3") "," MEM("5", "B")), G, NULL},
    {SLOT("4", CORES("3")) "," MEM("5", "B"), G, NULL},
    {NODE(SLOT("1", CORES("2")) "," MEM("5", "B"), ""), G, NULL},
    {NODE(SLOT("1", CORES("2")), ",'exclusive':true"), G, NULL},
    {"{'type':'slot','count':1,'exclusive':true,'label':'a','with':[" CORES("2") "]}", G,
     NULL},
    /* what is wrong */
    {"", G, NULL},
    {"3,{},{'type':'slot'},{'type':'slot','with':3},{'type':'node','with':[[]]}", G,
     NULL},
    {SLOT("1", CORES("'x'")), G, NULL},
    {SLOT("1", CORES("0")), G, NULL},
    {SLOT("1", CORES("2000000000")), G *G, NULL},
};

START_TEST(adds_where_there_is_none)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *after = cases[i].after ? cases[i].after : cases[i].before;
        cleanup_free char *from = xasprintf("[%s]", cases[i].before),
                          *to = xasprintf("[%s]", after);
        cleanup_json json_object *got = json_quoted(from), *want = json_quoted(to);
        default_memory_add(got, cases[i].per_core);
        ck_assert_msg(json_object_equal(got, want), "%zu: %s", i,
                      json_object_to_json_string(got));
    }
    default_memory_add(NULL, 1);
}
END_TEST

static const struct {
    uint64_t n;
    unsigned count;
    const char *unit;
} splits[] = {
    {0, 0, "B"},
    {1, 1, "B"},
    {1023, 1023, "B"},
    {1024, 1, "KiB"},
    {1536, 1536, "B"},
    {5 * G, 5, "GiB"},
    {UINT64_C(1) << 60, 1, "EiB"},
    {(UINT64_C(1) << 31) - 1, 2147483647, "B"},
    {(UINT64_C(1) << 31) + 1, 2097153, "KiB"},
};

START_TEST(splits_amounts)
{
    for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
        unsigned count;
        const char *unit = bytes_split(splits[i].n, &count);
        ck_assert_uint_eq(count, splits[i].count);
        ck_assert_str_eq(unit, splits[i].unit);
        ck_assert_uint_ge(count * bytes_unit(unit), splits[i].n);
    }
}
END_TEST

UNIT_MAIN("default_memory", adds_where_there_is_none, splits_amounts)
