/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that are instances, as batch and alloc make them. */
#include "tests/unit/unit.h"
#include "src/common/util.h"
#include "src/job/jobspec.h"
#include "src/lib/build.h"

#define SCRIPT "#!/bin/sh\necho \"$@\"\n"

static struct hbatch_jobspec *create(const char *const *words)
{
    int n = 0;
    while (words[n])
        n++;
    struct hbatch_jobspec *b = hbatch_jobspec_create(n, words);
    ck_assert(build_set(b, "env", "-*", NULL) == 0);
    ck_assert(build_set(b, "cwd", "/tmp", NULL) == 0);
    return b;
}

/* The JSON at PATH ("a.b.0.c") of O as text; "-": nothing. */
static const char *at(json_object *o, const char *path)
{
    while (o && *path) {
        cleanup_free char *key = xstrndup(path, strcspn(path, "/"));
        path += strlen(key) + (path[strlen(key)] == '/');
        if (json_object_is_type(o, json_type_array))
            o = json_object_array_get_idx(o, (size_t)atoi(key));
        else
            o = json_object_object_get(o, key);
    }
    return o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE)
             : "-";
}

#define COMMAND "tasks/0/command"
#define NAME "attributes/system/job/name"
#define FILES "attributes/system/files"

START_TEST(encodes)
{
    static const struct {
        const char *words[4], *options[3], *script;
        struct {
            const char *name, *value;
        } set[4];
        struct {
            const char *path, *json;
        } want[5];
    } table[] = {
        {{"./dir/job.sh", "a", "b c"},
         {NULL},
         SCRIPT,
         {{NULL, NULL}},
         {{COMMAND, "[\"hbatch-instance\",\"{{tmpdir}}/script\",\"a\",\"b c\"]"},
          {FILES,
           "{\"script\":{\"mode\":33216,\"data\":\"#!/bin/sh\\necho \\\"$@\\\"\\n\","
           "\"encoding\":\"utf-8\"}}"},
          {NAME, "\"job.sh\""},
          {"attributes/system/shell/options/per-resource", "{\"type\":\"node\"}"},
          {"attributes/system/shell/options/instance", "true"}}},
        {{"batch"},
         {"--policy=fcfs", "-v"},
         SCRIPT,
         {{"job-name", "mine"}},
         {{COMMAND,
           "[\"hbatch-instance\",\"--policy=fcfs\",\"-v\",\"{{tmpdir}}/script\"]"},
          {NAME, "\"mine\""}}},
        {{"/bin/true", "x"},
         {NULL},
         NULL,
         {{NULL, NULL}},
         {{COMMAND, "[\"hbatch-instance\",\"/bin/true\",\"x\"]"},
          {FILES, "-"},
          {NAME, "\"true\""},
          {"attributes/system/shell/options/instance", "true"}}},
        {{NULL},
         {NULL},
         NULL,
         {{NULL, NULL}},
         {{COMMAND, "[\"hbatch-instance\",\"--no-program\"]"},
          {NAME, "-"},
          {FILES, "-"}}},
        {{"s"},
         {NULL},
         SCRIPT,
         {{"nslots", "4"}, {"cores-per-slot", "2"}, {"gpus-per-slot", "1"}},
         {{"resources", "[{\"type\":\"slot\",\"count\":4,\"with\":[{\"type\":\"core\","
                        "\"count\":2},{\"type\":\"gpu\",\"count\":1}],\"label\":"
                        "\"task\"}]"},
          {"tasks/0/slot", "\"task\""}}},
        {{"s"},
         {NULL},
         SCRIPT,
         {{"nodes", "2"}, {"nslots", "8"}},
         {{"resources", "[{\"type\":\"node\",\"count\":2,\"with\":[{\"type\":\"slot\","
                        "\"count\":4,\"with\":[{\"type\":\"core\",\"count\":1}],"
                        "\"label\":\"task\"}]}]"}}},
        {{"s"},
         {NULL},
         SCRIPT,
         {{"nodes", "2"}, {"setopt", "instance=0"}, {"setattr", "user.a=1"}},
         {{"resources/0/exclusive", "true"},
          {"attributes/system/shell/options/instance", "0"},
          {"attributes/user/a", "1"}}},
        {{"s"},
         {NULL},
         SCRIPT,
         {{"setattr", "files.more.data={\"a\":1}"}, {"output", "hbatch-{{id}}.out"}},
         {{"attributes/system/files/script/mode", "33216"},
          {"attributes/system/files/more/data/a", "1"},
          {"attributes/system/shell/options/output/stdout/path",
           "\"hbatch-{{id}}.out\""}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err = {0};
        struct hbatch_jobspec *b = create(table[i].words);
        int noptions = 0;
        while (table[i].options[noptions])
            noptions++;
        ck_assert_msg(
            build_set_instance(b, noptions, table[i].options, table[i].script, &err) == 0,
            "%zu: %s", i, err.text);
        for (size_t k = 0; k < 4 && table[i].set[k].name; k++)
            ck_assert_msg(
                build_set(b, table[i].set[k].name, table[i].set[k].value, &err) == 0,
                "%zu: %s", i, err.text);
        cleanup_json json_object *spec = build_encode(b, &err);
        ck_assert_msg(spec != NULL, "%zu: %s", i, err.text);
        for (size_t k = 0; k < 5 && table[i].want[k].path; k++)
            ck_assert_msg(
                strcmp(at(spec, table[i].want[k].path), table[i].want[k].json) == 0,
                "%zu: %s is %s", i, table[i].want[k].path,
                at(spec, table[i].want[k].path));
        struct jobspec *js = jobspec_decode(at(spec, ""), strlen(at(spec, "")), &err);
        ck_assert_msg(js != NULL, "%zu: %s", i, err.text);
        jobspec_destroy(js);
        hbatch_jobspec_destroy(b);
    }
}
END_TEST

/* What was set before is replaced. */
START_TEST(twice)
{
    static const char *const words[] = {"true", NULL}, *const options[] = {"-v"};
    struct hbatch_jobspec *b = create(words);
    ck_assert(build_set_instance(b, 1, options, SCRIPT, NULL) == 0);
    ck_assert(build_set_instance(b, 0, NULL, NULL, NULL) == 0);
    cleanup_json json_object *spec = build_encode(b, NULL);
    ck_assert_str_eq(at(spec, COMMAND), "[\"hbatch-instance\",\"true\"]");
    ck_assert_str_eq(at(spec, FILES), "-");
    hbatch_jobspec_destroy(b);
}
END_TEST

START_TEST(scripts)
{
    static const struct {
        const char *text;
        size_t len; /* 0: strlen */
        const char *names;
    } table[] = {
        {"#!/bin/sh\n", 0, NULL},
        {"#!/bin/sh", 0, NULL},
        {"#! /usr/bin/env python3 -u\nprint('\xc3\xa9')\r\n", 0, NULL},
        {"", 0, "empty"},
        {"echo\n", 0, "#!"},
        {"#", 0, "#!"},
        {"  #!/bin/sh\n", 0, "blanks or empty lines before it"},
        {"\n\t#!/bin/sh\n", 0, "blanks or empty lines before it"},
        {"\xef\xbb\xbf#!/bin/sh\n", 0, "byte order mark"},
        {"#!", 0, "interpreter"},
        {"#!  \t\n/bin/sh", 0, "interpreter"},
        {"#!/bin/sh\r\necho\r\n", 0, "carriage return"},
        {"#!/bin/sh\n\xff\n", 0, "UTF-8"},
        {"#!/bin/sh\n\0x\n", 13, "byte 11"},
        {"\177ELF\2\1\1\0\0\0", 10, "binary"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err = {0};
        size_t len = table[i].len ? table[i].len : strlen(table[i].text);
        int rc = build_check_script(table[i].text, len, &err);
        ck_assert_msg(rc == (table[i].names ? -1 : 0), "%zu: %s", i, err.text);
        if (table[i].names)
            ck_error_names(err, table[i].names);
    }
    struct error err;
    cleanup_free char *large = xmalloc(BUILD_SCRIPT_MAX + 2);
    memset(large, '#', BUILD_SCRIPT_MAX + 1);
    memcpy(large, "#!/bin/sh\n", 10);
    ck_assert_int_eq(build_check_script(large, BUILD_SCRIPT_MAX, NULL), 0);
    ck_assert_int_eq(build_check_script(large, BUILD_SCRIPT_MAX + 1, &err), -1);
    ck_error_names(err, "1024 KiB");
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *words[3], *option, *script, *set, *value, *names;
    } table[] = {
        {{"s"}, "run", SCRIPT, NULL, NULL, "'run'"},
        {{"s"}, "--", SCRIPT, NULL, NULL, "'--'"},
        {{"s"}, "-", SCRIPT, NULL, NULL, "'-'"},
        {{"s"}, "", SCRIPT, NULL, NULL, "''"},
        {{"s"}, "--x=\xff", SCRIPT, NULL, NULL, "UTF-8"},
        {{"s", "\xff"}, NULL, SCRIPT, NULL, NULL, "argument 1"},
        {{"s"}, NULL, "echo", NULL, NULL, "#!"},
        {{"s"}, NULL, SCRIPT, "nodes", "2-1", "2-1"},
        {{"s"}, NULL, SCRIPT, "nslots", "0", "nslots=0"},
        {{"s"}, NULL, SCRIPT, "cores-per-slot", "x", "cores-per-slot=x"},
        {{"s"}, NULL, SCRIPT, "setattr", "files.script.data.x=1", "data"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err = {0};
        struct hbatch_jobspec *b = create(table[i].words);
        json_object *spec = NULL;
        if (build_set_instance(b, table[i].option != NULL, &table[i].option,
                               table[i].script, &err) == 0 &&
            (!table[i].set || build_set(b, table[i].set, table[i].value, &err) == 0))
            spec = build_encode(b, &err);
        ck_assert_msg(!spec, "%zu: accepted", i);
        ck_error_names(err, table[i].names);
        hbatch_jobspec_destroy(b);
    }

    static const char *const words[] = {"s", NULL};
    struct error err = {0};
    struct hbatch_jobspec *b = create(words);
    ck_assert(build_set_instance(b, 0, NULL, NULL, NULL) == 0);
    ck_assert(build_set(b, "nodes", "2", NULL) == 0);
    ck_assert(build_set(b, "nslots", "1", NULL) == 0);
    ck_assert(build_encode(b, &err) == NULL);
    ck_error_names(err, "slots (1)");
    ck_assert(build_set(b, "nslots", "2", NULL) == 0);
    ck_assert(build_add_program(b, 1, words, 1, NULL, NULL, NULL) == 0);
    ck_assert(build_encode(b, &err) == NULL);
    ck_error_names(err, "one program");
    hbatch_jobspec_destroy(b);
}
END_TEST

UNIT_MAIN("jobspec_instance", encodes, twice, scripts, rejects)
