/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/util.h"
#include "src/job/count.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
    const char *in;
    const char *out;
    const char *json;
    unsigned values[6]; /* the first ones; ended by 0, unless there are more */
} codec[] = {
    /* RFC 45 */
    {"1-5:2:+",
     "1-5:2",
     "{\"min\":1,\"max\":5,\"operator\":\"+\",\"operand\":2}",
     {1, 3, 5}},
    {"1-5:2",
     "1-5:2",
     "{\"min\":1,\"max\":5,\"operator\":\"+\",\"operand\":2}",
     {1, 3, 5}},
    {"1-4:1:+",
     "1-4",
     "{\"min\":1,\"max\":4,\"operator\":\"+\",\"operand\":1}",
     {1, 2, 3, 4}},
    {"1-4",
     "1-4",
     "{\"min\":1,\"max\":4,\"operator\":\"+\",\"operand\":1}",
     {1, 2, 3, 4}},
    {"[1-4:2:*]",
     "1-4:2:*",
     "{\"min\":1,\"max\":4,\"operator\":\"*\",\"operand\":2}",
     {1, 2, 4}},
    {"[100+]", "100+", "{\"min\":100}", {100, 101, 102, 103, 104, 105}},
    /* RFC 14 and RFC 46 */
    {"3-30",
     "3-30",
     "{\"min\":3,\"max\":30,\"operator\":\"+\",\"operand\":1}",
     {3, 4, 5, 6, 7, 8}},
    {"4,9,16,25", "4,9,16,25", "\"4,9,16,25\"", {4, 9, 16, 25}},
    {"2+", "2+", "{\"min\":2}", {2, 3, 4, 5, 6, 7}},
    {"2-16:2:^",
     "2-16:2:^",
     "{\"min\":2,\"max\":16,\"operator\":\"^\",\"operand\":2}",
     {2, 4, 16}},
    /* and what follows */
    {"4", "4", "4", {4}},
    {"[4]", "4", "4", {4}},
    {"3-3", "3", "3", {3}},
    {"7,8,9", "7-9", "{\"min\":7,\"max\":9,\"operator\":\"+\",\"operand\":1}", {7, 8, 9}},
    {"[1,7-9]", "1,7-9", "\"1,7-9\"", {1, 7, 8, 9}},
    {"4-6:3", "4-6:3", "{\"min\":4,\"max\":6,\"operator\":\"+\",\"operand\":3}", {4}},
    {"25-133:17:+",
     "25-133:17",
     "{\"min\":25,\"max\":133,\"operator\":\"+\",\"operand\":17}",
     {25, 42, 59, 76, 93, 110}},
    {"2+:2:*",
     "2+:2:*",
     "{\"min\":2,\"operator\":\"*\",\"operand\":2}",
     {2, 4, 8, 16, 32, 64}},
    {"3+:3:^", "3+:3:^", "{\"min\":3,\"operator\":\"^\",\"operand\":3}", {3, 27, 19683}},
    {"2+:2147483647:^",
     "2+:2147483647:^",
     "{\"min\":2,\"operator\":\"^\",\"operand\":2147483647}",
     {2}},
    {"2147483647", "2147483647", "2147483647", {2147483647}},
    {"2147483646+", "2147483646+", "{\"min\":2147483646}", {2147483646, 2147483647}},
    {"2147483646+:2147483647:*",
     "2147483646+:2147483647:*",
     "{\"min\":2147483646,\"operator\":\"*\",\"operand\":2147483647}",
     {2147483646}},
    {"{\"min\":3,\"max\":3}", "3", "3", {3}},
    {"{\"min\": 2, \"max\": 5, \"operand\": 3}",
     "2-5:3",
     "{\"min\":2,\"max\":5,\"operator\":\"+\",\"operand\":3}",
     {2, 5}},
};

static void same_count(const struct count *a, const struct count *b)
{
    ck_assert_uint_eq(a->min, b->min);
    ck_assert_uint_eq(a->max, b->max);
    ck_assert(a->ids ? b->ids && hwloc_bitmap_isequal(a->ids, b->ids) : !b->ids);
    if (a->min == a->max)
        return; /* the steps of a single number are not written */
    ck_assert_uint_eq(a->operand, b->operand);
    ck_assert_int_eq(a->op, b->op);
}

/* Through text and JSON, a count stays itself. */
static void check_round_trip(const struct count *c)
{
    struct error err;
    struct count again;
    cleanup_free char *text = count_encode(c);
    ck_assert_msg(count_decode(text, &again, &err) == 0, "%s", err.text);
    same_count(c, &again);
    count_clear(&again);
    cleanup_json json_object *o = count_to_json(c);
    ck_assert_msg(count_from_json(o, &again, &err) == 0, "%s", err.text);
    same_count(c, &again);
    count_clear(&again);
}

START_TEST(decodes_encodes_and_iterates)
{
    for (size_t i = 0; i < ARRAY_SIZE(codec); i++) {
        struct error err;
        struct count c;
        ck_assert_msg(count_decode(codec[i].in, &c, &err) == 0, "%s", err.text);
        cleanup_free char *out = count_encode(&c);
        ck_assert_str_eq(out, codec[i].out);
        cleanup_json json_object *o = count_to_json(&c);
        ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                         codec[i].json);
        check_round_trip(&c);
        unsigned v = count_first(&c);
        for (size_t k = 0; k < ARRAY_SIZE(codec[i].values); k++) {
            ck_assert_msg(v == codec[i].values[k], "%s: value %zu is %u, not %u",
                          codec[i].in, k, v, codec[i].values[k]);
            if (!v)
                break;
            ck_assert(count_contains(&c, v));
            v = count_next(&c, v);
        }
        count_clear(&c);
        ck_assert_ptr_null(c.ids);
    }
}
END_TEST

START_TEST(next_and_contains_agree)
{
    static const char *const texts[] = {"4",        "2-9:3", "2-20:3:*", "2-70:2:^",
                                        "3,5,9-12", "5+:7",  "1-1",      "3+:2:*"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct count c;
        ck_assert_int_eq(count_decode(texts[i], &c, NULL), 0);
        unsigned v = count_first(&c);
        for (unsigned n = 0; n < 100; n++) {
            bool in = n == v;
            ck_assert_msg(count_contains(&c, n) == in, "%s: %u", texts[i], n);
            if (in)
                v = count_next(&c, v);
            ck_assert_msg(count_next(&c, n) == v, "%s: after %u", texts[i], n);
        }
        ck_assert_uint_eq(count_next(&c, UINT_MAX), 0);
        count_clear(&c);
    }
}
END_TEST

START_TEST(takes_json_strings_and_integers)
{
    static const struct {
        const char *json;
        const char *text;
    } in[] = {{"3", "3"},
              {"\"3\"", "3"},
              {"\"2-4\"", "2-4"},
              {"\"1,3\"", "1,3"},
              {"{\"min\":1}", "1+"},
              {"{\"min\":2,\"max\":16,\"operand\":2,\"operator\":\"^\"}", "2-16:2:^"}};
    for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
        struct error err;
        struct count c;
        cleanup_json json_object *o = json_tokener_parse(in[i].json);
        ck_assert_msg(count_from_json(o, &c, &err) == 0, "%s", err.text);
        cleanup_free char *text = count_encode(&c);
        ck_assert_str_eq(text, in[i].text);
        count_clear(&c);
    }
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    uint32_t state = 4545;
    size_t accepted = 0;
    for (int i = 0; i < 6000; i++) {
        cleanup_free char *text = mutate_text(codec[i % (int)ARRAY_SIZE(codec)].in,
                                              "0123456789,-+:*^[]{}\"", &state);
        struct error err = {0};
        struct count c;
        if (count_decode(text, &c, &err) < 0) {
            ck_assert_int_ne(err.code, 0);
            ck_assert_uint_eq(c.min, 0);
            ck_assert_ptr_null(c.ids);
            continue;
        }
        accepted++;
        check_round_trip(&c);
        ck_assert(count_contains(&c, count_first(&c)));
        count_clear(&c);
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *in;
    const char *names;
} rejects[] = {
    {"", "expected a number"},
    {"[]", "'[]'"},
    {"[", "']'"},
    {"]", "']'"},
    {"[0]", "1 or more"},
    {"0", "1 or more"},
    {"0-3", "1 or more"},
    {"0,3", "0"},
    {"{}", "min"},
    {"3-2", "maximum"},
    {"3-2:1:+", "maximum"},
    {"2-8:01", "'01'"},
    {"2-8:0", "'0'"},
    {"2-8:1;+", "';+'"},
    {"2-8:1:*", "operand"},
    {"2-8:1:^", "operand"},
    {"1-8:2:^", "minimum"},
    {"2-8:1:/", "operator"},
    {"2-8:1:", "operator"},
    {"2-8:1:++", "'+'"},
    {"2-8::+", "':+'"},
    {"2-8:", "expected a number"},
    {"4.2", "'.2'"},
    {"x", "'x'"},
    {"1-2x", "'x'"},
    {"01,2", "'01,2'"},
    {"00", "'00'"},
    {"3,2", "'3,2'"},
    {"2,2,2,2", "'2,2,2,2'"},
    {"1,2+", "'+'"},
    {"[0,2]]", "'[0,2]]'"},
    {"[2", "'[2'"},
    {"2]", "']'"},
    {"[[2]]", "'[2]'"},
    {"2-", "expected a number at its end"},
    {"-5", "'-5'"},
    {"2++", "'+'"},
    {" 2", "' 2'"},
    {"2147483648", "too large"},
    {"1-99999999999999999999", "too large"},
    {"{\"man\": 4}", "man"},
    {"{\"min\":2,\"max\":4,\"step\":1}", "step"},
    {"{\"min\":4,\"max\":6,\"operand\":0,\"operator\":\"+\"}", "\"operand\""},
    {"{\"min\":4,\"max\":6,\"operand\":-1,\"operator\":\"+\"}", "-1"},
    {"{\"min\":-2,\"max\":6,\"operand\":1,\"operator\":\"+\"}", "-2"},
    {"{\"min\":2.5}", "2.5"},
    {"{\"min\":\"2\"}", "\"min\""},
    {"{\"min\":3,\"max\":1}", "maximum"},
    {"{\"min\":3,\"max\":null}", "null"},
    {"{\"min\":2,\"max\":16,\"operand\":1,\"operator\":\"*\"}", "operand"},
    {"{\"min\":1,\"max\":16,\"operand\":2,\"operator\":\"^\"}", "minimum"},
    {"{\"min\":2,\"max\":16,\"operand\":1,\"operator\":\"/\"}", "operator"},
    {"{\"min\":2,\"max\":16,\"operand\":1,\"operator\":\"++\"}", "++"},
    {"{\"min\":2,\"operator\":7}", "7"},
    {"{\"min\":2", "{\"min\":2"},
    {"{[\"min\": 4]}", "JSON"},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct count c;
        ck_assert_msg(count_decode(rejects[i].in, &c, &err) == -1, "'%s' was accepted",
                      rejects[i].in);
        ck_assert_int_ne(err.code, 0);
        ck_error_names(err, rejects[i].names);
        ck_assert_int_eq(count_decode(rejects[i].in, &c, NULL), -1);
    }
}
END_TEST

static const struct {
    const char *json;
    const char *names;
} json_rejects[] = {
    {"0", "count 0"},
    {"-1", "-1"},
    {"1.5", "1.5"},
    {"2147483648", "2147483648"},
    {"true", "true"},
    {"null", "null"},
    {"[1]", "[1]"},
    {"\"\"", "''"},
    {"\"x\"", "'x'"},
    {"\"13-\"", "13-"},
    {"\"1\\u0000\"", "u0000"},
    {"\"{\\\"min\\\":1}\"", "min"},
    {"{}", "\"min\""},
};

START_TEST(rejects_bad_json)
{
    for (size_t i = 0; i < ARRAY_SIZE(json_rejects); i++) {
        struct error err = {0};
        struct count c;
        cleanup_json json_object *o = json_tokener_parse(json_rejects[i].json);
        ck_assert_msg(count_from_json(o, &c, &err) == -1, "%s was accepted",
                      json_rejects[i].json);
        ck_error_names(err, json_rejects[i].names);
    }
}
END_TEST

UNIT_MAIN("count", decodes_encodes_and_iterates, next_and_contains_agree,
          takes_json_strings_and_integers, survives_spoiled_texts, rejects_bad_texts,
          rejects_bad_json)
