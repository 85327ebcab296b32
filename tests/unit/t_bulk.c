/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/bulk.h"

#include "src/common/util.h"
#include "src/job/jobspec.h"
#include "src/job/jsonutil.h"
#include "tests/unit/unit.h"

#define SPEC(command, system)                                                            \
    "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"task\","   \
    "\"with\":[{\"type\":\"core\",\"count\":1}]}],\"tasks\":[{\"command\":" command      \
    ",\"slot\":\"task\",\"count\":{\"per_slot\":1}}],"                                   \
    "\"attributes\":{\"system\":{" system "}}}"

static json_object *parse(const char *text)
{
    json_object *o = json_tokener_parse(text);
    ck_assert_ptr_nonnull(o);
    return o;
}

/* The command of row I. */
static char *command_of(const char *text, int64_t i)
{
    cleanup_json json_object *o = parse(text);
    bulk_apply(o, i);
    ck_assert_ptr_null(bulk_rows(o));
    json_object *task = json_object_array_get_idx(json_object_object_get(o, "tasks"), 0);
    return xstrdup(json_object_to_json_string_ext(json_object_object_get(task, "command"),
                                                  JSON_C_TO_STRING_PLAIN));
}

static const char many[] = SPEC(
    "[\"a\",\"-x\"]", "\"bulk\":[[\"1\"],[],[\"two words\",\"\"],[\"\\u00e9{{id}}\"]]");

START_TEST(a_row_is_what_comes_behind_the_command)
{
    static const char *const wanted[] = {"[\"a\",\"-x\",\"1\"]", "[\"a\",\"-x\"]",
                                         "[\"a\",\"-x\",\"two words\",\"\"]",
                                         "[\"a\",\"-x\",\"\303\251{{id}}\"]"};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        cleanup_free char *got = command_of(many, (int64_t)i);
        ck_assert_str_eq(got, wanted[i]);
    }
    cleanup_free char *none = command_of(many, -1);
    ck_assert_str_eq(none, "[\"a\",\"-x\"]");
    cleanup_free char *beyond = command_of(many, 4);
    ck_assert_str_eq(beyond, "[\"a\",\"-x\"]");
}
END_TEST

START_TEST(without_rows_nothing_changes)
{
    cleanup_json json_object *o = parse(SPEC("[\"a\"]", "")),
                             *copy = parse(SPEC("[\"a\"]", ""));
    bulk_apply(o, 0);
    ck_assert(json_object_equal(o, copy));
    cleanup_json json_object *odd = parse("{\"tasks\":{}}");
    bulk_apply(odd, 0);
    bulk_apply(NULL, 0);
}
END_TEST

START_TEST(words_are_the_rows)
{
    cleanup_json json_object *o = parse(many);
    struct bulk_words *w = bulk_words_create(bulk_rows(o));
    unsigned n = 99;
    ck_assert_uint_eq(bulk_words_count(w), 4);
    ck_assert_str_eq(bulk_words_row(w, 0, &n), "1");
    ck_assert_uint_eq(n, 1);
    ck_assert_ptr_nonnull(bulk_words_row(w, 1, &n));
    ck_assert_uint_eq(n, 0);
    const char *word = bulk_words_row(w, 2, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(word, "two words");
    ck_assert_str_eq(word + strlen(word) + 1, "");
    ck_assert_str_eq(bulk_words_row(w, 3, &n), "\303\251{{id}}");
    ck_assert_ptr_null(bulk_words_row(w, 4, &n));
    bulk_words_destroy(w);
    cleanup_json json_object *empty = parse("[[],[]]");
    w = bulk_words_create(empty);
    ck_assert_ptr_nonnull(bulk_words_row(w, 1, &n));
    ck_assert_uint_eq(n, 0);
    bulk_words_destroy(w);
    bulk_words_destroy(NULL);
}
END_TEST

static const struct {
    const char *system, *part;
} rejects[] = {
    {"\"bulk\":[]", "attributes.system.bulk: must be an array of one or more rows"},
    {"\"bulk\":{}", "attributes.system.bulk: must be an array"},
    {"\"bulk\":\"x\"", "not \"x\""},
    {"\"bulk\":[[\"a\"],\"b\"]", "attributes.system.bulk[1]: must be an array of words"},
    {"\"bulk\":[[\"a\"],[\"b\",7]]", "attributes.system.bulk[1][1]: must be a string"},
    {"\"bulk\":[[\"a\\u0000b\"]]",
     "attributes.system.bulk[0][0]: must be a string without NUL"},
    {"\"bulk\":[[\"a\"]],\"shell\":{\"options\":{\"apps\":[{\"command\":[\"a\"],"
     "\"ntasks\":1}]}}",
     "a job of several programs cannot be one of many"},
};

START_TEST(rejects_what_are_no_rows)
{
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        cleanup_free char *text = xasprintf(SPEC("[\"a\"]", "%s"), rejects[i].system);
        struct jobspec *js = jobspec_decode(text, strlen(text), &err);
        ck_assert_msg(!js, "%s is accepted", rejects[i].system);
        ck_error_names(err, rejects[i].part);
    }
    cleanup_json json_object *rows = json_object_new_array();
    for (int i = 0; i < BULK_MAX; i++)
        json_object_array_add(rows, json_object_new_array());
    ck_assert_int_eq(bulk_check("x", rows, &err), 0);
    json_object_array_add(rows, json_object_new_array());
    ck_assert_int_lt(bulk_check("x", rows, &err), 0);
    ck_error_names(err, "65537 rows");
}
END_TEST

UNIT_MAIN("bulk", a_row_is_what_comes_behind_the_command, without_rows_nothing_changes,
          words_are_the_rows, rejects_what_are_no_rows)
