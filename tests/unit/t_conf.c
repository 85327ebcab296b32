/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/conf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

START_TEST(texts)
{
    static const struct {
        const char *text, *json;
    } table[] = {
        {"", "{}"},
        {"# nothing\n\n   \t\n", "{}"},
        {"a = 1\nb = \"x\" # y\n", "{\"a\":1,\"b\":\"x\"}"},
        {"a = 1.50\nb=-3\nc=1e3\nd=007", "{\"a\":1.50,\"b\":-3,\"c\":1e3,\"d\":007}"},
        {"a.b.c = true\na.b.d = false", "{\"a\":{\"b\":{\"c\":true,\"d\":false}}}"},
        {"[a]\nb = 1\n[a.c]\nd = 2\n[e]\n", "{\"a\":{\"b\":1,\"c\":{\"d\":2}},\"e\":{}}"},
        {"[queues.\"a b\"]\nx = 'no \\n escape'",
         "{\"queues\":{\"a b\":{\"x\":\"no \\\\n escape\"}}}"},
        {"a = [1, \"two\", [3]]", "{\"a\":[1,\"two\",[3]]}"},
        {"a = [ # first\n  \"x#]\", # ]\n  \"y\",\n]\nb = 2",
         "{\"a\":[\"x#]\",\"y\"],\"b\":2}"},
        {"a = { b = 1, c.d = \"x\" }\ne = {}",
         "{\"a\":{\"b\":1,\"c\":{\"d\":\"x\"}},\"e\":{}}"},
        {"a = \"tab\\tquote\\\"\"", "{\"a\":\"tab\\tquote\\\"\"}"},
        {"  {\"a\":\n {\"b\": [1]}}\n", "{\"a\":{\"b\":[1]}}"},
        {"a = \"\"\"\nx # y\n\"z\"\t\"\"\" # end\nb = \"\"",
         "{\"a\":\"x # y\\n\\\"z\\\"\\t\",\"b\":\"\"}"},
        {"a = \"\"\"\\\n  {x} \\\n   {y}\\\n  \"\"\"\nb = 1",
         "{\"a\":\"{x} {y}\",\"b\":1}"},
        {"a = '''no \\n\nescape'''", "{\"a\":\"no \\\\n\\nescape\"}"},
        {"a = [\"\"\"x]\n\"\"\",\n\"\"]", "{\"a\":[\"x]\\n\",\"\"]}"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_json json_object *o = conf_decode(table[i].text, NULL, &err);
        ck_assert_msg(o != NULL, "%s: %s", table[i].text, err.text);
        ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                         table[i].json);
    }
}
END_TEST

START_TEST(lines)
{
    static const struct {
        const char *path;
        unsigned line;
    } table[] = {{"a", 1},     {"q", 3},         {"q.debug", 3},       {"q.debug.x", 4},
                 {"q.b.y", 9}, {"q.debug.l", 5}, {"q.debug.x.z.w", 4}, {"none", 0}};
    static const char *const both[] = {
        "a = 1\n\n[q.debug]\nx = 1\nl = [\n1,\n2]\n[q.b]\ny = 1\n",
        "{\"a\":1,\n\n\"q\":{\"debug\":{\n\"x\":1,\n\"l\":[\n1,{\"k\":\"]\"\n}\n],\"m\":"
        "2},"
        "\"b\":{\n\"y\":1}}}"};
    struct error err;
    for (size_t t = 0; t < ARRAY_SIZE(both); t++) {
        cleanup_json json_object *numbers = json_object_new_object();
        cleanup_json json_object *o = conf_decode(both[t], numbers, &err);
        ck_assert_msg(o != NULL, "%s", err.text);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
            ck_assert_msg(conf_line(numbers, table[i].path) == table[i].line,
                          "%zu: %s: %u", t, table[i].path,
                          conf_line(numbers, table[i].path));
    }
    ck_assert_uint_eq(conf_line(NULL, "a"), 0);
}
END_TEST

START_TEST(settings)
{
    static const struct {
        const char *text, *json;
    } table[] = {
        {"policy=easy", "{\"policy\":\"easy\"}"},
        {"a.b=[\"x\"]", "{\"a\":{\"b\":[\"x\"]}}"},
        {"n=3", "{\"n\":3}"},
        {"x=a b=c", "{\"x\":\"a b=c\"}"},
        {"x=", "{\"x\":\"\"}"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_json json_object *o = conf_setting(table[i].text, &err);
        ck_assert_msg(o != NULL, "%s: %s", table[i].text, err.text);
        ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                         table[i].json);
    }
    ck_assert_ptr_null(conf_setting("=x", &err));
    ck_error_names(err, "=x");
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"a", "line 1"},
        {"a = 1\nb", "line 2"},
        {"a = 1\n\na = 2", "line 3: a is set twice"},
        {"[a]\nb=1\n[a.b]\n", "line 3"},
        {"[a", "line 1"},
        {"[[a]]", "line 1"},
        {"a = [1\n2]\n", "line 1: the value of a"},
        {"a = [1,\n", "line 1"},
        {"a = \"x\nb = 1", "line 1"},
        {"a = \"\\q\"", "the value of a"},
        {"a = x", "the value of a"},
        {"a = 2026-01-01", "the value of a"},
        {"a = 1 2", "the value of a"},
        {"a = {b = 1, b = 2}", "the value of a"},
        {"a = {b = }", "the value of a"},
        {"a. = 1", "line 1"},
        {"= 1", "line 1"},
        {"{", "line 1: is not a JSON object"},
        {"{\"a\":1,\n\"b\":}", "line 2: is not a JSON object"},
        {"{}\nx", "comes after it"},
        {"a = "
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
         "]]]]",
         "the value of a"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_json json_object *numbers = json_object_new_object();
        json_object *o = conf_decode(table[i].text, numbers, &err);
        ck_assert_msg(o == NULL, "%s", table[i].text);
        ck_error_names(err, table[i].why);
    }
    ck_assert_ptr_null(conf_read("/nonexistent/file", &err));
    ck_error_names(err, "/nonexistent/file");
}
END_TEST

UNIT_MAIN("conf", texts, lines, settings, rejects)
