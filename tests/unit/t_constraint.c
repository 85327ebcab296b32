/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/constraint.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

/* Four nodes: their ranks are their index, their properties these. */
static const struct {
    const char *host, *properties;
} nodes[] = {
    {"host0", "ssd "},
    {"host1", "ssd huge "},
    {"host2", "slowgpu "},
    {"login", ""},
};

static bool has_property(const void *arg, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "%s ", name);
    return strstr(arg, wanted) != NULL;
}

/* The indexes of the nodes that match, as digits. */
static void matches(const struct constraint *c, char *found)
{
    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++) {
        struct constraint_node node = {i, nodes[i].host, has_property,
                                       nodes[i].properties};
        if (constraint_match(c, &node))
            *found++ = (char)('0' + i);
    }
    *found = '\0';
}

/* RFC 31's examples, and its special cases. */
static const struct {
    const char *json, *matches;
} good[] = {
    {"{'properties':['ssd']}", "01"},
    {"{'properties':['^slowgpu']}", "013"},
    {"{'not':[{'properties':['slowgpu']}]}", "013"},
    {"{'or':[{'properties':['ssd']},{'properties':['huge']}]}", "01"},
    {"{'hostlist':['host[0-1]']}", "01"},
    {"{'not':[{'hostlist':['host[0-1]']}]}", "23"},
    {"{'and':[{'hostlist':['host[0-1]']},{'properties':['ssd']}]}", "01"},
    {"{'ranks':['0']}", "0"},
    {"{'not':[{'properties':['foo','bar']}]}", "0123"},
    {"{'or':[]}", "0123"},
    {"{'and':[]}", "0123"},
    {"{'not':[]}", ""},
    {"{}", "0123"},
    {"{'properties':[]}", "0123"},
    {"{'properties':['ssd','huge']}", "1"},
    {"{'properties':['ssd','^huge']}", "0"},
    {"{'hostlist':['login','host[2,0]','login']}", "023"},
    {"{'ranks':['0-1','3']}", "013"},
    {"{'and':[{'ranks':['1-3']},{'not':[{'or':[{'hostlist':['login']},{'ranks':['2']}]}]}"
     "]}",
     "1"},
    {"{'or':[{},{'ranks':['9']}]}", "0123"},
    {"{'not':[{}]}", ""},
};

START_TEST(matches_as_the_rfc_says)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct error err = {0};
        char found[8];
        cleanup_json json_object *o = json_quoted(good[i].json);
        struct constraint *c = constraint_from_json(o, &err);
        ck_assert_msg(c != NULL, "%s: %s", good[i].json, err.text);
        matches(c, found);
        ck_assert_msg(strcmp(found, good[i].matches) == 0, "%s matches %s, not %s",
                      good[i].json, found, good[i].matches);
        struct constraint_node bare = {.rank = 0};
        constraint_match(c, &bare); /* a node of which nothing is known */
        constraint_destroy(c);
    }
    constraint_destroy(NULL);
}
END_TEST

#define P(name) "{'properties':['" name "']}"

/* RFC 35's examples with properties as the default operator, its grammar, and the terms. */
static const struct {
    const char *query, *json;
} queries[] = {
    {"foo", P("foo")},
    {"foo bar", "{'and':[" P("foo") "," P("bar") "]}"},
    {"foo bar rank:0", "{'and':[" P("foo") "," P("bar") ",{'ranks':['0']}]}"},
    {"a|b|c", "{'or':[" P("a") "," P("b") "," P("c") "]}"},
    {"a|b&c", "{'or':[" P("a") ",{'and':[" P("b") "," P("c") "]}]}"},
    {"(a|b)&c", "{'and':[{'or':[" P("a") "," P("b") "]}," P("c") "]}"},
    {"(a|-b)&c", "{'and':[{'or':[" P("a") ",{'not':[" P("b") "]}]}," P("c") "]}"},
    /* each spelling of each operator */
    {"a and b && c & d", "{'and':[" P("a") "," P("b") "," P("c") "," P("d") "]}"},
    {"a or b || c | d", "{'or':[" P("a") "," P("b") "," P("c") "," P("d") "]}"},
    {"a||b", "{'or':[" P("a") "," P("b") "]}"},
    {"not a", "{'not':[" P("a") "]}"},
    {"-a", "{'not':[" P("a") "]}"},
    {"not not a", "{'not':[{'not':[" P("a") "]}]}"},
    {"not -a", "{'not':[{'not':[" P("a") "]}]}"},
    {"not(a b)", "{'not':[{'and':[" P("a") "," P("b") "]}]}"},
    {"not a b", "{'and':[{'not':[" P("a") "]}," P("b") "]}"},
    {"a not b", "{'and':[" P("a") ",{'not':[" P("b") "]}]}"},
    {"a -b", "{'and':[" P("a") ",{'not':[" P("b") "]}]}"},
    {" ( a ) ", P("a")},
    {"((a))", P("a")},
    {"(a)(b)", "{'and':[" P("a") "," P("b") "]}"},
    {"a&(b|c)", "{'and':[" P("a") ",{'or':[" P("b") "," P("c") "]}]}"},
    {"a b|c", "{'or':[{'and':[" P("a") "," P("b") "]}," P("c") "]}"},
    /* words that only look like operators, and '-' within words */
    {"notes order android", "{'and':[" P("notes") "," P("order") "," P("android") "]}"},
    {"amd-mi50@gpu", P("amd-mi50@gpu")},
    /* terms */
    {"host:node[1-2] and -gpu",
     "{'and':[{'hostlist':['node[1-2]']},{'not':[" P("gpu") "]}]}"},
    {"hosts:a,b", "{'hostlist':['a,b']}"},
    {"hostlist:a", "{'hostlist':['a']}"},
    {"ranks:0-3,7", "{'ranks':['0-3,7']}"},
    {"property:a,b", "{'properties':['a','b']}"},
    {"properties:a", P("a")},
    {"a,b", "{'properties':['a','b']}"},
    {"^a", P("^a")},
    {"-host:a", "{'not':[{'hostlist':['a']}]}"},
    /* quotes */
    {"\"a b\"", P("a b")},
    {"property:\"or\" \"and\"", "{'and':[" P("or") "," P("and") "]}"},
    {"rank:\"0,2\"|\"a:b\"", "{'or':[{'ranks':['0,2']}," P("a:b") "]}"},
};

START_TEST(parses_queries)
{
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        struct error err = {0};
        cleanup_free char *want = json_quotes(queries[i].json);
        cleanup_json json_object *o = constraint_parse(queries[i].query, &err);
        ck_assert_msg(o != NULL, "%s", err.text);
        ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), want);
        struct constraint *c = constraint_from_json(o, &err);
        ck_assert_msg(c != NULL, "%s", err.text);
        constraint_destroy(c);
    }
    cleanup_json json_object *o = constraint_parse("host:'host[0-1]' -'huge'", NULL);
    char found[8];
    struct constraint *c = constraint_from_json(o, NULL);
    matches(c, found);
    ck_assert_str_eq(found, "0");
    constraint_destroy(c);
}
END_TEST

/* What a query became can be read from its text, within a jobspec's depth, and compiled. */
static void check_text(json_object *o, const char *query)
{
    struct error err = {0};
    const char *text = json_object_to_json_string(o);
    cleanup_json json_object *again = jsonutil_decode(text, strlen(text), &err);
    ck_assert_msg(again != NULL, "%s: %s", query, err.text);
    struct constraint *c = constraint_from_json(again, &err);
    ck_assert_msg(c != NULL, "%s: %s", query, err.text);
    constraint_destroy(c);
}

START_TEST(nests_as_deep_as_json_may)
{
    char query[256] = "";
    for (int i = 0; i < 16; i++)
        strcat(query, "(a|-b&");
    strcat(query, "-c))))))))))))))))");
    struct error err = {0};
    cleanup_json json_object *o = constraint_parse(query, &err);
    ck_assert_msg(o != NULL, "%s", err.text);
    check_text(o, query);
}
END_TEST

START_TEST(survives_spoiled_input)
{
    uint32_t seed = 31;
    unsigned accepted = 0, parsed = 0;
    char found[8];
    for (int round = 0; round < 150; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
            struct error err = {0};
            cleanup_json json_object *o = json_quoted(good[i].json);
            cleanup_json json_object *bad = mutate_json(o, &seed);
            struct constraint *c = constraint_from_json(bad, &err);
            if (c) {
                accepted++;
                matches(c, found);
            } else {
                ck_error_names(err, "constraint: ");
            }
            constraint_destroy(c);
        }
        for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
            struct error err = {0};
            cleanup_free char *text =
                mutate_text(queries[i].query, "ab()&|-:,'\" \tnot0[]", &seed);
            cleanup_json json_object *o = constraint_parse(text, &err);
            if (!o) {
                ck_assert_int_ne(err.code, 0);
                continue;
            }
            parsed++;
            check_text(o, text);
        }
    }
    ck_assert_uint_gt(accepted, 100);
    ck_assert_uint_gt(parsed, 500);
}
END_TEST

static const struct {
    const char *in, *names;
} rejects[] = {
    {"[]", "must be an object {'OPERATOR':[VALUES]}, not []"},
    {"{'foo':[]}", "unknown operator 'foo' (known: and, or, not"},
    {"{'and':{}}", "and: must be an array of values, not {}"},
    {"{'and':['x']}", "not 'x'"},
    {"{'and':[{'or':[{'not':[7]}]}]}", "not 7"},
    {"{'and':[null]}", "not null"},
    {"{'not':[{},{}]}", "not takes one value, there are 2"},
    {"{'ranks':['0'],'hostlist':['a']}", "more than one operator"},
    {"{'properties':['a',3]}", "properties: 3 is not the name"},
    {"{'properties':['']}", "'' is not the name"},
    {"{'properties':['^']}", "'^' is not the name"},
    {"{'properties':['a|b']}", "'|' is not allowed in the name 'a|b'"},
    {"{'properties':['^^a']}", "'^' is not allowed"},
    {"{'properties':'a'}", "properties: must be an array of values, not 'a'"},
    {"{'hostlist':['a[0']}", "constraint: hostlist: "},
    {"{'hostlist':[1]}", "constraint: hostlist: 1 is not a string"},
    {"{'hostlist':[]}", "no host is named"},
    {"{'hostlist':['']}", "hostlist"},
    {"{'ranks':['x']}", "constraint: ranks: "},
    {"{'ranks':[0]}", "ranks: 0 is not a string"},
    {"{'ranks':[]}", "no rank is named"},
    {"{'ranks':['']}", "no rank is named"},
};

START_TEST(rejects_bad_constraints)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        cleanup_json json_object *o = json_quoted(rejects[i].in);
        cleanup_free char *names = json_quotes(rejects[i].names);
        ck_assert_msg(constraint_from_json(o, &err) == NULL, "accepted: %s",
                      rejects[i].in);
        for (char *c = err.text; *c; c++)
            if (*c == '\'')
                *c = '"';
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, names);
        ck_assert_ptr_null(constraint_from_json(o, NULL));
    }
    ck_assert_ptr_null(constraint_from_json(NULL, NULL));

    /* deeper than anybody means */
    json_object *deep = json_object_new_object();
    for (int i = 0; i < 5000; i++) {
        json_object *outer = json_object_new_object(), *array = json_object_new_array();
        json_object_array_add(array, deep);
        json_object_object_add(outer, "not", array);
        deep = outer;
    }
    struct error err = {0};
    ck_assert_ptr_null(constraint_from_json(deep, &err));
    ck_error_names(err, "nested more than 64 deep");
    json_object_put(deep);
}
END_TEST

static const struct {
    const char *in, *names;
} bad_queries[] = {
    {"", "a term is missing at character 1"},
    {"  ", "a term is missing at character 3"},
    {"a|", "a term is missing at character 3"},
    {"|a", "a term is expected at character 1"},
    {"a||&b", "a term is expected at character 4"},
    {"a and", "a term is missing at character 6"},
    {"not", "a term is missing at character 4"},
    {"-", "a term is missing"},
    {"--a", "a term is expected at character 2"},
    {"-not a", "a term is expected at character 2"},
    {"a:' ", "the quote is not closed at character 3"},
    {"'a", "the quote is not closed at character 1"},
    {"a 'b", "the quote is not closed at character 3"},
    {"(a", "a ')' is missing at character 3"},
    {"(a))", "there is no '(' for the ')' at character 4"},
    {"()", "a term is expected at character 2"},
    {"-(a|b)", "'-' cannot stand before '(', use 'not' at character 2"},
    {"4g,host:foo", "unknown operator \"4g,host\" (known: host, rank, property)"},
    {":a", "unknown operator \"\""},
    {"foo and a:", "nothing follows the colon of the term at character 9"},
    {"rank: 1", "nothing follows the colon"},
    {"rank:x", "ranks: "},
    {"host:a[", "hostlist: "},
    {"a b c!", "'!' is not allowed in the name"},
    {"a,,b", "\"\" is not the name"},
    {"''", "\"\" is not the name"},
    {"((((((((((((((((((((((((a))))))))))))))))))))))))", "the nesting is too deep"},
};

START_TEST(rejects_bad_queries)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad_queries); i++) {
        struct error err = {0};
        json_object *o = constraint_parse(bad_queries[i].in, &err);
        ck_assert_msg(o == NULL, "accepted: %s", bad_queries[i].in);
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, bad_queries[i].names);
        ck_error_names(err, bad_queries[i].in);
        ck_assert_ptr_null(constraint_parse(bad_queries[i].in, NULL));
    }
    struct error err = {0};
    ck_assert_ptr_null(constraint_parse("caf\xe9", &err));
    ck_error_names(err, "not valid UTF-8");
}
END_TEST

UNIT_MAIN("constraint", matches_as_the_rfc_says, parses_queries,
          nests_as_deep_as_json_may, survives_spoiled_input, rejects_bad_constraints,
          rejects_bad_queries)
