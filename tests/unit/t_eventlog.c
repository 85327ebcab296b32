/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/eventlog.h"
#include "src/common/util.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* RFC 18's example.  Its third line has a key without quotes, which no JSON parser takes: see
 * rejects. */
#define SUBMIT                                                                           \
    "{'timestamp':1552593348.073045,'name':'submit','context':{'urgency':16,"            \
    "'userid':5588,'flags':0}}\n"
#define URGENCY                                                                          \
    "{'timestamp':1552593547.411336,'name':'urgency','context':{'urgency':0,"            \
    "'userid':5588}}\n"
static const char example[] = SUBMIT URGENCY
    "{'timestamp':1552593348.088391,'name':'alloc','context':{'note':'rank0/"
    "core[0-1]'}}\n"
    "{'timestamp':1552593348.093541,'name':'free'}\n"
    "{'timestamp':1552593348.089787,'name':'start'}\n"
    "{'timestamp':1552593348.092830,'name':'release','context':{'ranks':'all','final':"
    "true}}\n"
    "{'timestamp':1552593348.090927,'name':'finish','context':{'status':0}}\n"
    "{'timestamp':1552593348.104432,'name':'clean'}\n";

START_TEST(decodes_the_example)
{
    static const char *const names[] = {"submit", "urgency", "alloc",  "free",
                                        "start",  "release", "finish", "clean"};
    struct error err = {0};
    cleanup_free char *text = json_quotes(example);
    cleanup_json json_object *log = eventlog_decode(text, strlen(text), &err);
    ck_assert_msg(log != NULL, "%s", err.text);
    ck_assert_uint_eq(json_object_array_length(log), ARRAY_SIZE(names));
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        double t;
        const char *name;
        json_object *context, *event = json_object_array_get_idx(log, i);
        ck_assert_int_eq(event_parse(event, &t, &name, &context, &err), 0);
        ck_assert_str_eq(name, names[i]);
        ck_assert(t > 1552593348 && t < 1552593548);
        ck_assert_int_eq(context != NULL,
                         strstr("submit urgency alloc release finish", name) != NULL);
        cleanup_free char *line = event_encode(event);
        ck_assert_int_eq(strncmp(text + used, line, strlen(line)), 0);
        used += strlen(line);
    }
    ck_assert_uint_eq(used, strlen(text));
}
END_TEST

START_TEST(creates_what_it_decodes)
{
    struct error err = {0};
    json_object *context = json_object_new_object();
    json_object_object_add(context, "note",
                           json_object_new_string("a/b\n\xc3\xa4 \"c\""));
    cleanup_json json_object *event = event_create(1552593348.0730451, "x", context);
    cleanup_free char *line = event_encode(event);
    ck_assert_str_eq(line, "{\"timestamp\":1552593348.073045,\"name\":\"x\",\"context\":{"
                           "\"note\":\"a/b\\n\xc3\xa4 \\\"c\\\"\"}}\n");
    cleanup_json json_object *again = event_decode(line, strlen(line), &err);
    ck_assert_msg(again != NULL, "%s", err.text);
    ck_assert(json_object_equal(event, again));
    cleanup_json json_object *bare = event_decode(line, strlen(line) - 1, &err);
    ck_assert(json_object_equal(event, bare));

    cleanup_json json_object *small = event_create(1, "clean", NULL);
    cleanup_free char *text = event_encode(small);
    ck_assert_str_eq(text, "{\"timestamp\":1.000000,\"name\":\"clean\"}\n");
    ck_assert_int_eq(event_parse(small, NULL, NULL, NULL, NULL), 0);

    cleanup_json json_object *empty = eventlog_decode("", 0, &err);
    ck_assert_uint_eq(json_object_array_length(empty), 0);
    cleanup_json json_object *one = eventlog_decode(line, strlen(line) - 1, &err);
    ck_assert_uint_eq(json_object_array_length(one), 1);
}
END_TEST

START_TEST(survives_spoiled_logs)
{
    uint32_t seed = 18;
    unsigned accepted = 0;
    cleanup_free char *text = json_quotes(example);
    for (int round = 0; round < 4000; round++) {
        struct error err = {0};
        cleanup_free char *spoiled = mutate_text(text, "{}[]\",:0129-n\n", &seed);
        cleanup_json json_object *log = eventlog_decode(spoiled, strlen(spoiled), &err);
        if (log)
            accepted++;
        else
            ck_error_names(err, "event log line ");
    }
    ck_assert_uint_gt(accepted, 50);
}
END_TEST

static const struct {
    const char *in, *names;
} rejects[] = {
    {SUBMIT URGENCY
     "{'timestamp':1552593348.088391,'name':'alloc',context:{'note':'r'}}\n",
     "line 3: event: JSON text"},
    {"{'name':'x'}", "timestamp must be a number greater than 0, not null"},
    {"{'timestamp':0,'name':'x'}", "not 0"},
    {"{'timestamp':-1.5,'name':'x'}", "not -1.5"},
    {"{'timestamp':'1','name':'x'}", "not '1'"},
    {"{'timestamp':NaN,'name':'x'}", "line 1"},
    {"{'timestamp':1e999,'name':'x'}", "timestamp"},
    {"{'timestamp':1}", "name must be a string, not null"},
    {"{'timestamp':1,'name':7}", "name must be a string, not 7"},
    {"{'timestamp':1,'name':''}", "name"},
    {"{'timestamp':1,'name':'x','context':[]}", "context of x must be an object, not []"},
    {"{'timestamp':1,'name':'x','context':null}",
     "context of x must be an object, not null"},
    {"[]", "event: must be an object, not []"},
    {"\n", "line 1: event: JSON text ends too early"},
    {SUBMIT "\n" URGENCY, "line 2: "},
    {SUBMIT "{'timestamp':15525", "line 2: event: JSON text ends too early"},
    {SUBMIT URGENCY "{}{}", "line 3: event: JSON text"},
};

START_TEST(rejects_bad_logs)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        cleanup_free char *text = json_quotes(rejects[i].in);
        cleanup_free char *names = json_quotes(rejects[i].names);
        json_object *log = eventlog_decode(text, strlen(text), &err);
        ck_assert_msg(log == NULL, "accepted: %s", text);
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, names);
        ck_assert_ptr_null(eventlog_decode(text, strlen(text), NULL));
    }
    struct error err = {0};
    ck_assert_ptr_null(event_decode("{}\n{}\n", 6, &err));
    ck_error_names(err, "newline within the line");
    ck_assert_int_eq(event_parse(NULL, NULL, NULL, NULL, &err), -1);
}
END_TEST

UNIT_MAIN("eventlog", decodes_the_example, creates_what_it_decodes, survives_spoiled_logs,
          rejects_bad_logs)
