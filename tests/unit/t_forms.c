/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/forms.h"

#include <stdio.h>
#include "src/common/util.h"
#include "src/job/jobspec.h"
#include "src/job/jsonutil.h"
#include "tests/unit/unit.h"

/* WORDS: of the command; SYSTEM: members of attributes.system, as JSON. */
static json_object *make(const char *words, const char *system)
{
    struct error err;
    cleanup_free char *text = xasprintf(
        "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":2,\"label\":\"t\","
        "\"with\":[{\"type\":\"core\",\"count\":1}]}],\"tasks\":[{\"command\":[%s],"
        "\"slot\":\"t\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{%s}}}",
        words, system);
    json_object *o = jsonutil_decode(text, strlen(text), &err);
    ck_assert_msg(o != NULL, "%s", err.text);
    return o;
}

static struct jobspec *take_spec(struct forms *f, const char *words, const char *system)
{
    struct error err;
    cleanup_json json_object *o = make(words, system);
    struct jobspec *js = forms_take(f, o, &err);
    ck_assert_msg(js != NULL, "%s", err.text);
    return js;
}

/* Two jobs, and what they have in common: all of it, what was decoded, or nothing. */
START_TEST(what_is_common)
{
    enum { ALL, FORM, NONE };
    static const struct {
        const char *words, *system, *words2, *system2;
        int common;
    } cases[] = {
        {"\"true\",\"1\"", "", "\"true\",\"2\",\"3\"", "", ALL},
        {"\"true\"", "", "\"false\"", "", FORM},
        {"\"true\"", "\"job\":{\"name\":\"a\"}", "\"true\"", "\"job\":{\"name\":\"b\"}",
         FORM},
        {"\"true\"", "\"job\":{\"name\":\"a\"}", "\"false\"", "\"job\":{\"name\":\"a\"}",
         ALL},
        {"\"true\"", "\"cwd\":\"/a\"", "\"true\"", "\"cwd\":\"/b\"", FORM},
        {"\"true\"", "\"cwd\":\"/a\"", "\"true\"", "", FORM},
        {"\"true\"", "\"duration\":1", "\"true\"", "\"duration\":2", FORM},
        {"\"true\"", "\"environment\":{\"A\":\"1\"}", "\"true\"", "\"environment\":{}",
         ALL},
        {"\"true\"", "\"shell\":{\"options\":{\"output\":{\"stdout\":{\"path\":\"a\"}}}}",
         "\"true\"", "\"shell\":{\"options\":{\"output\":{\"stdout\":{\"path\":\"b\"}}}}",
         ALL},
        {"\"true\"", "\"dependencies\":[{\"scheme\":\"afterok\",\"value\":\"1\"}]",
         "\"true\"",
         "\"dependencies\":[{\"scheme\":\"afterany\",\"value\":\"2\"},{\"scheme\":"
         "\"singleton\","
         "\"value\":\"\"}]",
         ALL},
        {"\"true\"", "\"dependencies\":[{\"scheme\":\"afterok\",\"value\":\"1\"}]",
         "\"true\"", "", NONE},
        {"\"true\"", "\"shell\":{\"options\":{\"pmi\":\"off\"}}", "\"true\"", "", NONE},
        {"\"true\"", "\"queue\":\"a\"", "\"true\"", "\"queue\":\"b\"", NONE},
        {"\"true\"", "", "\"hbatch-instance\"", "", NONE},
        {"\"/usr/bin/hbatch\",\"start\"", "", "\"/usr/bin/hbatch\",\"jobs\"", "", NONE},
        {"\"hbatch-instance\",\"a\",\"b\"", "", "\"hbatch-instance\",\"a\",\"c\"", "",
         ALL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct forms *f = forms_create();
        struct jobspec *a = take_spec(f, cases[i].words, cases[i].system),
                       *b = take_spec(f, cases[i].words2, cases[i].system2);
        int common = a == b ? ALL : jobspec_json(a) == jobspec_json(b) ? FORM : NONE;
        ck_assert_msg(common == cases[i].common, "case %zu: %d", i, common);
        forms_destroy(f);
        jobspec_destroy(a);
        jobspec_destroy(b);
    }
}
END_TEST

/* Whatever it has in common with others, it says what it would say alone. */
START_TEST(each_is_itself)
{
    static const struct {
        const char *words, *system;
    } jobs[] = {
        {"\"/bin/true\"", ""},
        {"\"/bin/false\",\"x\"", "\"duration\":12.5"},
        {"\"a\"", "\"job\":{\"name\":\"b\"},\"cwd\":\"/tmp\""},
        {"\"a\"",
         "\"job\":{\"name\":\"c\"},\"cwd\":\"/\",\"duration\":3,\"queue\":\"q\""},
        {"\"hbatch-instance\"", "\"duration\":3"},
        {"\"hbatch\",\"start\",\"x\"", ""},
        {"\"hbatch\",\"run\",\"x\"", ""},
        {"\"x\"", "\"shell\":{\"options\":{\"instance\":true}}"},
        {"\"x\"", "\"dependencies\":[{\"scheme\":\"afterok\",\"value\":\"1\"}],"
                  "\"placement\":\"best\""},
        {"\"x\"", "\"bank\":\"a\",\"constraints\":{\"hostlist\":[\"a1\"]}"},
    };
    enum { ROUNDS = 500 };
    struct forms *f = forms_create();
    struct jobspec *specs[ROUNDS];
    struct error err;
    for (size_t i = 0; i < ROUNDS; i++)
        specs[i] = take_spec(f, jobs[i % ARRAY_SIZE(jobs)].words,
                             jobs[i % ARRAY_SIZE(jobs)].system);
    forms_destroy(f);
    for (size_t i = 0; i < ROUNDS; i++) {
        cleanup_json json_object *o =
            make(jobs[i % ARRAY_SIZE(jobs)].words, jobs[i % ARRAY_SIZE(jobs)].system);
        struct jobspec *js = specs[i], *alone = jobspec_from_json(o, &err);
        ck_assert_str_eq(jobspec_name(js), jobspec_name(alone));
        ck_assert_str_eq(jobspec_cwd(js) ?: "", jobspec_cwd(alone) ?: "");
        ck_assert_str_eq(jobspec_queue(js) ?: "", jobspec_queue(alone) ?: "");
        ck_assert_str_eq(jobspec_placement(js) ?: "", jobspec_placement(alone) ?: "");
        ck_assert(jobspec_shape(js)->duration == jobspec_shape(alone)->duration);
        ck_assert_uint_eq(jobspec_shape(js)->nslots, jobspec_shape(alone)->nslots);
        ck_assert_int_eq(jobspec_is_instance(js), jobspec_is_instance(alone));
        ck_assert_int_eq(!jobspec_dependencies(js), !jobspec_dependencies(alone));
        ck_assert(json_object_equal(jobspec_constraints(js), jobspec_constraints(alone)));
        ck_assert(json_object_equal(jobspec_attr(js, "system.bank"),
                                    jobspec_attr(alone, "system.bank")));
        jobspec_destroy(alone);
        jobspec_destroy(js);
    }
}
END_TEST

/* More forms than are remembered. */
START_TEST(many_forms)
{
    struct forms *f = forms_create();
    struct jobspec *specs[200];
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        cleanup_free char *queue = xasprintf("\"queue\":\"q%zu\"", i);
        specs[i] = take_spec(f, "\"x\"", queue);
    }
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        cleanup_free char *queue = xasprintf("q%zu", i);
        ck_assert_str_eq(jobspec_queue(specs[i]), queue);
        jobspec_destroy(specs[i]);
    }
    forms_destroy(f);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "version"},
        {"[]", "object"},
        {"{\"version\":1,\"tasks\":[1],\"resources\":[]}", "resources"},
        {"{\"version\":1,\"tasks\":[{\"command\":[\"a\"]}],\"resources\":[{\"type\":"
         "\"x\"}]}",
         "\"x\""},
        {"{\"version\":1,\"tasks\":[{\"command\":[\"a\"],\"slot\":\"u\",\"count\":{\"per_"
         "slot\":1}}],"
         "\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"t\",\"with\":[{"
         "\"type\":\"core\","
         "\"count\":1}]}],\"attributes\":{}}",
         "\"u\""},
    };
    struct forms *f = forms_create();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        cleanup_json json_object *o = json_tokener_parse(cases[i].text);
        ck_assert_ptr_null(forms_take(f, o, &err));
        ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s: %s", cases[i].text,
                      err.text);
    }
    forms_destroy(f);
}
END_TEST

UNIT_MAIN("forms", what_is_common, each_is_itself, many_forms, rejects)
