/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/jobspec.h"
#include "src/common/util.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <limits.h>

#define SLOT(n, more)                                                                    \
    "{'type':'slot','count':" n                                                          \
    ",'label':'default','with':[{'type':'core','count':2}" more "]}"
#define NODE(n, slot) "{'type':'node','count':" n ",'with':[" slot "]}"
#define SPEC(resource, command, count, system)                                           \
    "{'version':1,'resources':[" resource "],'tasks':[{'command':" command               \
    ",'slot':'default','count':{" count "}}],'attributes':{'system':{" system "}}}"
#define SYSTEM "'duration':3600.,'cwd':'/home/flux','environment':{'HOME':'/home/flux'}"
#define CORE1 "'with':[{'type':'core','count':1}]"
#define PER "'per_slot':1"

/* RFC 25's example and use cases, converted from YAML; then RFC 14's where V1 has them, and
 * what hbatch adds. */
static const struct {
    const char *json;
    struct job_shape shape;
    unsigned ntasks; /* with nnodes_min nodes */
    const char *name;
} good[] = {
    /* example 1 (also of RFC 14): 4 nodes, 1 slot of 2 cores each */
    {SPEC(NODE("4", SLOT("1", "")), "['app']", PER, SYSTEM),
     {4, 4, 1, 2, 0, 1, 0, false, false, 3600, 0, 0, NULL, 0},
     4,
     "app"},
    /* use case 1.1 */
    {SPEC(NODE("4", "{'type':'slot','count':1,'label':'default'," CORE1 "}"),
          "['flux','start']", PER, SYSTEM),
     {4, 4, 1, 1, 0, 1, 0, false, false, 3600, 0, 0, NULL, 0},
     4,
     "flux"},
    /* use case 2.1: 5 tasks on 4 nodes */
    {SPEC(NODE("4", "{'type':'slot','count':1,'label':'default'," CORE1 "}"),
          "['hostname']", "'total':5", SYSTEM),
     {4, 4, 1, 1, 0, 1, 5, false, false, 3600, 0, 0, NULL, 0},
     5,
     "hostname"},
    /* use case 2.2 */
    {SPEC(SLOT("10", ""), "['myapp']", PER, SYSTEM),
     {0, 0, 10, 2, 0, 1, 0, false, false, 3600, 0, 0, NULL, 0},
     10,
     "myapp"},
    /* use case 2.3 */
    {SPEC(SLOT("10", ",{'type':'gpu','count':1}"), "['myapp']", PER, SYSTEM),
     {0, 0, 10, 2, 1, 1, 0, false, false, 3600, 0, 0, NULL, 0},
     10,
     "myapp"},
    /* use case 2.4 */
    {SPEC(NODE("4", "{'type':'slot','count':4,'label':'default','with':["
                    "{'type':'core','count':1},{'type':'gpu','count':1}]}"),
          "['myapp']", PER, SYSTEM),
     {4, 4, 4, 1, 1, 1, 0, false, false, 3600, 0, 0, NULL, 0},
     16,
     "myapp"},
    /* several tasks a slot (RFC 14 use case 2.1's count), gpu first */
    {SPEC("{'type':'slot','count':3,'label':'default','with':["
          "{'type':'gpu','count':2},{'type':'core','count':7}]}",
          "['/usr/bin/app','-x']", "'per_slot':5", ""),
     {0, 0, 3, 7, 2, 5, 0, false, false, 0, 0, 0, NULL, 0},
     15,
     "app"},
    /* memory: for each slot, for each node, with nodes and without */
    {SPEC(SLOT("2", ",{'type':'memory','count':4,'unit':'GiB'}"), "['a']", PER, ""),
     {0, 0, 2, 2, 0, 1, 0, false, false, 0, UINT64_C(4) << 30, 0, NULL, 0},
     2,
     "a"},
    {SPEC(NODE("2", SLOT("1", "") ",{'type':'memory','count':100,'unit':'MB'}"), "['a']",
          PER, ""),
     {2, 2, 1, 2, 0, 1, 0, false, false, 0, 0, 100 << 20, NULL, 0},
     2,
     "a"},
    {SPEC(SLOT("2", ",{'type':'memory','count':1,'unit':'B'}") ",{'type':'memory','count'"
                                                               ":3,'unit':'k'}",
          "['a']", PER, ""),
     {0, 0, 2, 2, 0, 1, 0, false, false, 0, 1, 3072, NULL, 0},
     2,
     "a"},
    /* ranges of nodes */
    {SPEC(NODE("'3-30'", SLOT("1", "")), "['a']", PER, ""),
     {3, 30, 1, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     3,
     "a"},
    {SPEC(NODE("'2+'", SLOT("1", "")), "['a']", PER, ""),
     {2, UINT_MAX, 1, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     2,
     "a"},
    {SPEC(NODE("{'min':3,'max':30,'operator':'+','operand':1}", SLOT("1", "")), "['a']",
          PER, ""),
     {3, 30, 1, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     3,
     "a"},
    {SPEC(NODE("{'min':2}", SLOT("1", "")), "['a']", "'total':6", ""),
     {2, 6, 1, 2, 0, 1, 6, false, false, 0, 0, 0, NULL, 0},
     6,
     "a"},
    /* whole nodes, asked for at the node or the slot */
    {SPEC("{'type':'node','count':2,'exclusive':true,'unit':'n','with':[" SLOT("1",
                                                                               "") "]}",
          "['a']", PER, ""),
     {2, 2, 1, 2, 0, 1, 0, true, false, 0, 0, 0, NULL, 0},
     2,
     "a"},
    {SPEC("{'type':'slot','count':2,'exclusive':true,'label':'default'," CORE1 "}",
          "['a']", PER, ""),
     {0, 0, 2, 1, 0, 1, 0, true, false, 0, 0, 0, NULL, 0},
     2,
     "a"},
    /* a name, and values that only need to be carried */
    {SPEC(SLOT("1", ""), "['./a']", PER,
          "'duration':0,'job':{'name':'my job'},'queue':'debug','bank':'b','x':[1],"
          "'environment':'3f9a','files':{},'preemptible-after':1.5,'cwd':'{{tmpdir}}/x'"),
     {0, 0, 1, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     1,
     "my job"},
    /* two programs */
    {SPEC(SLOT("4", ""), "['a']", PER,
          "'shell':{'options':{'apps':[{'command':['a'],'ntasks':3},{'command':['b','c'],"
          "'ntasks':1,'environment':{'X':null},'cwd':'/'}]}}"),
     {0, 0, 4, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     4,
     "a"},
    /* RFC 26's examples and RFC 14's use cases 2.8, 2.9 */
    {SPEC(
         SLOT("1", ""), "['a']", PER,
         "'environment':{'FOO':null,'BAR':'2'},'constraints':{'properties':['amd-mi50']},"
         "'dependencies':[{'type':'inout','scope':'user','scheme':'string','value':'foo'}"
         ","
         "{'type':'in','scope':'global','scheme':'fluid','value':'hungry-hippo-white-"
         "elephant'},{'type':'out','scope':'user','scheme':'string','value':'bar'},"
         "{'scheme':'afterok','value':'f2oLkTLb'},"
         "{'scheme':'begin-time','value':'1552594348.5'},{'scheme':'other','value':'1'},{"
         "'scheme':'singleton','value':''}"
         "]"),
     {0, 0, 1, 2, 0, 1, 0, false, false, 0, 0, 0, NULL, 0},
     1,
     "a"},
};

static struct jobspec *decode(const char *quoted, struct error *err)
{
    cleanup_free char *text = json_quotes(quoted);
    return jobspec_decode(text, strlen(text), err);
}

START_TEST(decodes_what_the_rfcs_show)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct error err = {0};
        struct jobspec *js = decode(good[i].json, &err);
        ck_assert_msg(js != NULL, "%s: %s", good[i].json, err.text);
        const struct job_shape *got = jobspec_shape(js), *want = &good[i].shape;
        ck_assert_uint_eq(got->nnodes_min, want->nnodes_min);
        ck_assert_uint_eq(got->nnodes_max, want->nnodes_max);
        ck_assert_uint_eq(got->nslots, want->nslots);
        ck_assert_uint_eq(got->cores_per_slot, want->cores_per_slot);
        ck_assert_uint_eq(got->gpus_per_slot, want->gpus_per_slot);
        ck_assert_uint_eq(got->mem_per_slot, want->mem_per_slot);
        ck_assert_uint_eq(got->mem_per_node, want->mem_per_node);
        ck_assert_uint_eq(got->tasks_per_slot, want->tasks_per_slot);
        ck_assert_uint_eq(got->ntasks, want->ntasks);
        ck_assert_int_eq(got->exclusive, want->exclusive);
        ck_assert(got->duration >= want->duration && got->duration <= want->duration);
        ck_assert_uint_eq(jobspec_ntasks(js, got->nnodes_min), good[i].ntasks);
        ck_assert_str_eq(jobspec_name(js), good[i].name);
        jobspec_destroy(js);
    }
}
END_TEST

#define PART(n, label, with)                                                             \
    "{'type':'slot','count':" n ",'label':'" label "','with':[" with "]}"
#define C(n) "{'type':'core','count':" n "}"
#define G(n) "{'type':'gpu','count':" n "}"
#define TASK_OF(label, command, count, more)                                             \
    "{'command':[" command "],'slot':'" label "','count':{" count "}" more "}"
#define SEVERAL(resources, tasks, system)                                                \
    "{'version':1,'resources':[" resources "],'tasks':[" tasks                           \
    "],'attributes':{'system':{" system "}}}"

START_TEST(takes_several_programs)
{
    struct error err = {0};
    struct jobspec *js =
        decode(SEVERAL(PART("8", "w", C("2") "," G("1")) "," PART(
                           "1", "m", C("4") ",{'type':'memory','count':1,'unit':'KiB'}"),
                       TASK_OF("m", "'/bin/m','x'", "'per_slot':1", "") "," TASK_OF(
                           "w", "'w'", "'per_slot':2",
                           ",'attributes':{'cwd':'/w','environment':{'A':'1'},'x':3}"),
                       ""),
               &err);
    ck_assert_msg(js != NULL, "%s", err.text);
    const struct job_shape *s = jobspec_shape(js);
    ck_assert_uint_eq(s->nparts, 2); /* in the order of the tasks */
    ck_assert(s->parts[0].nslots == 1 && s->parts[0].cores == 4 &&
              s->parts[0].gpus == 0 && s->parts[0].memory == 1024 &&
              s->parts[0].tasks_per_slot == 1);
    ck_assert(s->parts[1].nslots == 8 && s->parts[1].cores == 2 &&
              s->parts[1].gpus == 1 && s->parts[1].memory == 0 &&
              s->parts[1].tasks_per_slot == 2);
    ck_assert(s->parts[0].hardest == 1 && s->parts[1].hardest == 0);
    ck_assert(s->nslots == 1 && s->cores_per_slot == 20 && s->gpus_per_slot == 8 &&
              s->mem_per_slot == 1024 && s->ntasks == 17);
    ck_assert_str_eq(jobspec_name(js), "m");
    ck_assert_uint_eq(jobspec_ntasks(js, 0), 17);
    json_object *programs = jobspec_programs(js);
    ck_assert_str_eq(
        json_object_to_json_string_ext(programs, JSON_C_TO_STRING_PLAIN |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE),
        "[{\"command\":[\"/bin/"
        "m\",\"x\"],\"ntasks\":1},{\"command\":[\"w\"],\"ntasks\":16,"
        "\"environment\":{\"A\":\"1\"},\"cwd\":\"/w\"}]");
    jobspec_destroy(js);

    js =
        decode(SEVERAL(NODE("3", PART("2", "a", C("1")) "," PART(
                                     "1", "b",
                                     C("2")) ",{'type':'memory','count':5,'unit':'B'}"),
                       TASK_OF("a", "'a'", PER, "") "," TASK_OF("b", "'b'", PER, ""), ""),
               &err);
    ck_assert_msg(js != NULL, "%s", err.text);
    s = jobspec_shape(js);
    ck_assert(s->nnodes_min == 3 && s->nnodes_max == 3 && s->nslots == 1 &&
              s->cores_per_slot == 4 && s->mem_per_node == 5 && s->ntasks == 9 &&
              s->nparts == 2);
    ck_assert_uint_eq(jobspec_ntasks(js, 3), 9);
    jobspec_destroy(js);
}
END_TEST

/* Of each of many programs one task, and one too many. */
START_TEST(takes_many_programs)
{
    for (int n = JOBSPEC_PROGRAMS_MAX; n <= JOBSPEC_PROGRAMS_MAX + 1; n++) {
        struct error err = {0};
        json_object *slots = json_object_new_array(), *tasks = json_object_new_array();
        for (int i = 0; i < n; i++) {
            cleanup_free char *slot =
                xasprintf(PART("1", "s%d", "{'type':'core','count':%d,'label':'c%d'}"), i,
                          i + 1, i);
            cleanup_free char *task = xasprintf(TASK_OF("s%d", "'p%d'", PER, ""), i, i);
            json_object_array_add(slots, json_quoted(slot));
            json_object_array_add(tasks, json_quoted(task));
        }
        cleanup_json json_object *o =
            json_quoted("{'version':1,'attributes':{'system':{}}}");
        json_object_object_add(o, "resources", slots);
        json_object_object_add(o, "tasks", tasks);
        struct jobspec *js = jobspec_from_json(o, &err);
        ck_assert_msg((js != NULL) == (n == JOBSPEC_PROGRAMS_MAX), "%s", err.text);
        if (js) {
            ck_assert_uint_eq(jobspec_shape(js)->cores_per_slot,
                              (unsigned)(n * (n + 1) / 2));
            ck_assert_uint_eq(jobspec_shape(js)->parts[0].hardest, (unsigned)n - 1);
            jobspec_destroy(js);
        } else {
            ck_assert_msg(strstr(err.text, "1025 slots are more than the 1024"), "%s",
                          err.text);
        }
    }
}
END_TEST

START_TEST(gives_its_parts)
{
    struct error err = {0};
    cleanup_json json_object *o = json_quoted(
        SPEC(SLOT("1", ""), "['/bin/a','b']", PER,
             SYSTEM ",'queue':'q','constraints':{'ranks':['0']},"
                    "'dependencies':[{'scheme':'after','value':'f1'}],"
                    "'shell':{'options':{'output':{'stdout':{'path':'x'}}}}"));
    struct jobspec *js = jobspec_from_json(o, &err);
    ck_assert_msg(js != NULL, "%s", err.text);
    ck_assert_ptr_eq(jobspec_json(js), o);
    ck_assert_str_eq(jobspec_cwd(js), "/home/flux");
    ck_assert_str_eq(jobspec_queue(js), "q");
    ck_assert_uint_eq(json_object_array_length(jobspec_command(js)), 2);
    ck_assert_int_eq(json_object_object_length(jobspec_environment(js)), 1);
    ck_assert_ptr_null(jobspec_environment_hash(js));
    ck_assert_ptr_nonnull(jobspec_constraints(js));
    ck_assert_uint_eq(json_object_array_length(jobspec_dependencies(js)), 1);
    ck_assert_str_eq(json_object_get_string(
                         jobspec_attr(js, "system.shell.options.output.stdout.path")),
                     "x");
    ck_assert_ptr_null(jobspec_attr(js, "system.shell.options.input"));
    ck_assert_ptr_null(jobspec_attr(js, "system.cwd.x"));
    ck_assert_ptr_null(jobspec_attr(js, ""));
    ck_assert_ptr_null(jobspec_attr(js, ".."));
    ck_assert_ptr_nonnull(jobspec_option(js, "output"));
    ck_assert_ptr_null(jobspec_option(js, "input"));
    ck_assert_ptr_eq(jobspec_ref(js), js);
    jobspec_destroy(js);
    ck_assert_str_eq(jobspec_name(js), "a");
    jobspec_destroy(js);
    jobspec_destroy(NULL);

    js = decode(SPEC(SLOT("1", ""), "['a']", PER, "'environment':'3f9a'"), &err);
    ck_assert_str_eq(jobspec_environment_hash(js), "3f9a");
    ck_assert_ptr_null(jobspec_environment(js));
    ck_assert_ptr_null(jobspec_cwd(js));
    ck_assert_ptr_null(jobspec_queue(js));
    ck_assert_ptr_null(jobspec_constraints(js));
    ck_assert_ptr_null(jobspec_dependencies(js));
    ck_assert_ptr_null(jobspec_option(js, "output"));
    jobspec_destroy(js);
}
END_TEST

START_TEST(survives_spoiled_jobspecs)
{
    uint32_t seed = 25;
    size_t accepted = 0, rejected = 0;
    for (int round = 0; round < 150; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
            struct error err = {0};
            cleanup_json json_object *o = json_quoted(good[i].json);
            cleanup_json json_object *bad = mutate_json(o, &seed);
            struct jobspec *js = jobspec_from_json(bad, &err);
            ck_assert_int_eq(js == NULL, err.code != 0);
            if (js) {
                accepted++;
                ck_assert_uint_ge(jobspec_shape(js)->cores_per_slot, 1);
                ck_assert_ptr_nonnull(jobspec_name(js));
            } else {
                rejected++;
                ck_error_names(err, "jobspec: ");
            }
            jobspec_destroy(js);

            cleanup_free char *text = json_quotes(good[i].json);
            cleanup_free char *spoiled = mutate_text(text, "{}[]\",:0129-ntx", &seed);
            js = jobspec_decode(spoiled, strlen(spoiled), &err);
            ck_assert(js || strstr(err.text, "jobspec: "));
            jobspec_destroy(js);
        }
    }
    ck_assert_uint_gt(accepted, 50);
    ck_assert_uint_gt(rejected, 500);
}
END_TEST

#define S1 SLOT("1", "")
#define WITH(system) SPEC(S1, "['a']", PER, system)
#define TASK(task) "{'version':1,'resources':[" S1 "],'tasks':[" task "],'attributes':{}}"
#define RES(res) SPEC(res, "['a']", PER, "")
#define APPS(apps) WITH("'shell':{'options':{'apps':" apps "}}")

static const struct {
    const char *json;
    const char *names; /* with ' for " */
} rejects[] = {
    /* the text */
    {"", "ends too early"},
    {"{'version':1", "ends too early"},
    {"{'version':1}}", "byte 14"},
    {"[]", "an object, not []"},
    {"{version:1}", "byte 2"},
    {"{'version':'\xff'}", "utf-8"},
    /* the top */
    {"{}", "version: is missing"},
    {"{'version':2}", "version: must be 1, not 2"},
    {"{'version':'1'}", "not '1'"},
    {"{'version':1,'resource':[]}",
     "resource: unknown key (known here: version, resources"},
    {"{'version':1,'tasks':[],'attributes':{}}", "resources: is missing"},
    {"{'version':1,'resources':[" S1 "],'attributes':{}}", "tasks: is missing"},
    {"{'version':1,'resources':[" S1
     "],'tasks':[{'command':['a'],'slot':'default','count':{"
     "'per_slot':1}}]}",
     "attributes: is missing"},
/* several programs */
#define A PART("1", "a", C("1"))
#define B PART("2", "b", C("2"))
#define TA TASK_OF("a", "'a'", PER, "")
#define TB TASK_OF("b", "'b'", PER, "")
    {SEVERAL(A "," B, TA, ""),
     "tasks: there must be one for each slot: 1, and resources has 2 slots"},
    {SEVERAL(A, TA "," TB, ""),
     "tasks: several programs need a slot each, and resources has one"},
    {SEVERAL(A "," B, TA "," TA, ""),
     "tasks[1].slot: must be the label of a slot that no other task has, not 'a'"},
    {SEVERAL(A "," B, TA "," TASK_OF("c", "'b'", PER, ""), ""),
     "tasks[1].slot: must be the label of a slot"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "", PER, ""), ""),
     "tasks[1].command: must be an array of one or more"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", "'total':2", ""), ""),
     "tasks[1].count: must be per_slot"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", "'per_slot':0", ""), ""),
     "tasks[1].count.per_slot: must be a positive"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", "'per_slot':2000000000", ""), ""),
     "tasks[1].count: 2000000000 tasks"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", PER, ",'attributes':3"), ""),
     "tasks[1].attributes: must be an object"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", PER, ",'attributes':{'cwd':'x'}"), ""),
     "tasks[1].attributes.cwd: must be an absolute"},
    {SEVERAL(A "," B,
             TA "," TASK_OF("b", "'b'", PER, ",'attributes':{'environment':{'X':1}}"),
             ""),
     "tasks[1].attributes.environment.X"},
    {SEVERAL(A "," B, TA "," TASK_OF("b", "'b'", PER, ",'x':1"), ""),
     "tasks[1].x: unknown key"},
    {SEVERAL(A "," B, TA ",7", ""), "tasks[1]: must be an object, not 7"},
    {SEVERAL(NODE("'2-3'", A "," B), TA "," TB, ""),
     "resources[0].count: must be a number, not a range"},
    {SEVERAL(A "," B ",{'type':'memory','count':1}", TA "," TB, ""), "resources[2].unit"},
    {SEVERAL(A "," B,
             TA "," TASK_OF("b", "'b'", PER, ",'attributes':{'env-expand':{'X':null}}"),
             ""),
     "tasks[1].attributes.env-expand.X"},
    {SEVERAL(
         A ",{'type':'slot','exclusive':true,'count':1,'label':'b','with':[" C("1") "]}",
         TA "," TB, ""),
     "'exclusive' goes with several slots only"},
    {SEVERAL(PART("2000000000", "a", C("1")) "," PART("2000000000", "b", C("1")),
             TA "," TB, ""),
     "more than 2147483647 cores"},
    {SEVERAL(A "," PART("2000000000", "b",
                        C("1") ",{'type':'memory','count':1,'unit':'EiB'}"),
             TA "," TB, ""),
     "2000000000 slots with 1E of memory"},
    {SEVERAL(A "," B, TA "," TB,
             "'shell':{'options':{'apps':[{'command':['a'],'ntasks':3}]}}"),
     "apps: the programs are in tasks already"},
    {SEVERAL(A "," B, TA "," TB, "'shell':{'options':{'instance':true}}"),
     "options.instance: a job of several programs"},
    {SEVERAL(A "," B, TA "," TB, "'shell':{'options':{'per-resource':{'type':'node'}}}"),
     "options.per-resource: a job of several"},
    {SEVERAL(A "," B, TA "," TB,
             "'shell':{'options':{'taskmap':{'scheme':'manual','value':'[[0,1,3,1]]'}}}"),
     "it can be block or cyclic, not manual"},
    {SEVERAL(A "," B, TA "," TB, "'contiguous':true"),
     "only where their slots are in a node"},
    {SEVERAL(A "," B, TA "," TB, "'bulk':[['x']]"),
     "attributes.system.bulk: a job of several programs"},
#undef A
#undef B
    /* resources */
    {"{'version':1,'resources':{'type':'node'}}", "resources: must be an array"},
    {RES(""), "resources: must be an array of one node, or of slots, with memory"},
    {RES(S1 "," S1), "resources[1].label: must be a label that no other resource has"},
    {RES("3"), "resources[0]: must be an object, not 3"},
    {RES("{'count':1}"), "resources[0].type: is missing"},
    {RES("{'type':'core','count':1}"),
     "resources[0].type: must be 'node' or 'slot', not 'core'"},
    {RES("{'type':3,'count':1}"), "resources[0].type"},
    {RES(SLOT("0", "")), "resources[0].count: must be a positive integer, not 0"},
    {RES(SLOT("-3", "")), "resources[0].count: must be a positive integer, not -3"},
    {RES(SLOT("1.5", "")), "not 1.5"},
    {RES(SLOT("'x'", "")), "not 'x'"},
    {RES(SLOT("99999999999", "")), "at most 2147483647, not 99999999999"},
    {RES(SLOT("99999999999999999999999", "")), "at most 2147483647"},
    {RES(SLOT("2000000000", "")), "more than 2147483647 in all"},
    {RES(NODE("'x'", S1)), "resources[0].count"},
    {RES(NODE("'4-2'", S1)), "resources[0].count"},
    {RES(NODE("'4,9,16,25'", S1)),
     "without steps or gaps ('2-4', '2+'), not '4,9,16,25'"},
    {RES(NODE("{'min':2,'max':8,'operator':'*','operand':2}", S1)),
     "without steps or gaps"},
    {RES(NODE("{'max':8}", S1)), "resources[0].count"},
    {RES(NODE("null", S1)), "resources[0].count: is missing"},
    {RES("{'type':'node','count':1}"), "resources[0].with: is missing"},
    {RES(NODE("1", "")), "resources[0].with: must be an array of one or more slots"},
    {RES(NODE("1", S1 "," S1)),
     "resources[0].with[1].label: must be a label that no other"},
    {RES(NODE("1", "{'type':'core','count':1}")),
     "resources[0].with[0].type: must be 'slot'"},
    {RES(NODE("1", "7")), "resources[0].with[0]: must be an object, not 7"},
    {RES(NODE("1", SLOT("'x'", ""))),
     "resources[0].with[0].count: must be a positive integer, not 'x'"},
    {RES("{'type':'slot','count':1," CORE1 "}"), "resources[0].label: is missing"},
    {RES("{'type':'slot','count':1,'label':3," CORE1 "}"), "resources[0].label"},
    {RES("{'type':'slot','count':1,'label':'default','with':[]}"), "resources[0].with"},
    {RES("{'type':'slot','count':1,'label':'default','with':[{'type':'gpu','count':1}]}"),
     "a slot must have a core"},
    {RES("{'type':'slot','count':1,'label':'default','with':[{'type':'node','count':1}]"
         "}"),
     "resources[0].with[0].type: must be 'core', 'gpu' or 'memory' within a slot, not "
     "'node'"},
    {RES(SLOT("1", ",{'type':'memory','count':1}")),
     "resources[0].with[1].unit: is missing"},
    {RES(SLOT("1", ",{'type':'memory','count':1,'unit':'GHz'}")),
     "resources[0].with[1].unit: must be a unit of memory"},
    {RES(SLOT("1", ",{'type':'memory','count':-1,'unit':'GiB'}")),
     "resources[0].with[1].count: must be a positive integer, not -1"},
    {RES(SLOT("1", ",{'type':'memory','count':2000000000,'unit':'GiB'}")),
     "2000000000 GiB are more than there can be"},
    {RES(SLOT("1000000000", ",{'type':'memory','count':1,'unit':'EiB'}")),
     "1000000000 slots with 1E of memory each are more"},
    {RES(SLOT("1", ",{'type':'memory','count':1,'unit':'B'},{'type':'memory','count':1,"
                   "'unit':'B'}")),
     "resources[0].with[2].type: must be a type that the slot does not have yet"},
    {RES(SLOT("1", "") ",{'type':'gpu','count':1}"),
     "resources[1].type: must be 'slot', not 'gpu'"},
    {RES(NODE("1", SLOT("1", "")) ",{'type':'memory','count':1,'unit':'B'}"),
     "resources: must be an array of one node, or of slots"},
    {RES(SLOT("1", ",{'type':'core','count':1}")), "resources[0].with[1].type"},
    {RES(SLOT("1", ",{'type':'gpu','count':0}")), "resources[0].with[1].count"},
    {RES(SLOT("1", ",{'type':'gpu','count':1,'with':[]}")),
     "resources[0].with[1].with: unknown"},
    {RES(SLOT("1", ",{'type':'gpu','count':1,'label':'default'}")),
     "no other resource has"},
    {RES(SLOT("1", ",{'type':'gpu','count':1,'unit':1}")), "with[1].unit"},
    {RES("{'type':'node','count':1,'exclusive':1,'with':[" S1 "]}"),
     "resources[0].exclusive: must be true or false, not 1"},
    {RES("{'type':'node','count':1,'id':'x','with':[" S1 "]}"),
     "resources[0].id: unknown key"},
    /* tasks */
    {TASK(""), "tasks: must be an array of one task, or one for each slot, not []"},
    {TASK("{},{}"), "tasks: several programs need a slot each"},
    {TASK("'x'"), "tasks[0]: must be an object"},
    {TASK("{'slot':'default','count':{'per_slot':1}}"), "tasks[0].command: is missing"},
    {TASK("{'command':'a','slot':'default'}"), "tasks[0].command"},
    {TASK("{'command':[],'slot':'default'}"), "tasks[0].command"},
    {TASK("{'command':['a',3]}"), "tasks[0].command[1]: must be a string"},
    {TASK("{'command':['']}"), "tasks[0].command[0]"},
    {TASK("{'command':['a\\u0000b']}"), "NUL"},
    {TASK("{'command':['a'],'count':{'per_slot':1}}"), "tasks[0].slot: is missing"},
    {TASK("{'command':['a'],'slot':'other'}"), "label 'default', not 'other'"},
    {TASK("{'command':['a'],'slot':'default'}"), "tasks[0].count"},
    {TASK("{'command':['a'],'slot':'default','distribution':'x'}"),
     "distribution: unknown key"},
    {SPEC(S1, "['a']", "", ""),
     "tasks[0].count: must be one of per_slot and total, not {}"},
    {SPEC(S1, "['a']", "'per_slot':1,'total':1", ""), "one of per_slot and total"},
    {SPEC(S1, "['a']", "'per_resource':{'type':'core','count':1}", ""),
     "per_resource: unknown"},
    {SPEC(S1, "['a']", "'per_slot':0", ""), "tasks[0].count.per_slot"},
    {SPEC(S1, "['a']", "'total':-3", ""),
     "jobspec: tasks[0].count.total: must be a positive integer, not -3"},
    {SPEC(NODE("4", S1), "['a']", "'total':3", ""), "3 tasks are too few for 4 nodes"},
    {SPEC(SLOT("100000", ""), "['a']", "'per_slot':100000", ""),
     "100000 tasks on each of"},
    /* attributes */
    {"{'version':1,'resources':[" S1
     "],'tasks':[{'command':['a'],'slot':'default','count':{"
     "'per_slot':1}}],'attributes':null}",
     "attributes"},
    {WITH("'duration':'1h'"), "attributes.system.duration: must be a number of seconds"},
    {WITH("'duration':-1"), "not -1"},
    {WITH("'duration':1e999"), "duration"},
    {WITH("'cwd':'home'"), "attributes.system.cwd: must be an absolute path, not 'home'"},
    {WITH("'cwd':null"), "attributes.system.cwd"},
    {WITH("'environment':['A=b']"), "attributes.system.environment: must be an object"},
    {WITH("'environment':''"), "environment"},
    {WITH("'environment':{'A':1}"), "attributes.system.environment.A: must be a string"},
    {WITH("'environment':{'A=B':'1'}"), "'A=B' cannot be the name of a variable"},
    {WITH("'environment':{'':'1'}"), "cannot be the name"},
    {WITH("'queue':3"), "attributes.system.queue: must be a string"},
    {WITH("'job':{'name':7}"), "attributes.system.job.name"},
    {WITH("'shell':[]"), "attributes.system.shell: must be an object, not []"},
    {WITH("'shell':{'options':3}"), "attributes.system.shell.options"},
    {WITH("'constraints':'x'"),
     "attributes.system.constraints: constraint: must be an object"},
    {WITH("'constraints':{'foo':[]}"), "unknown operator 'foo'"},
    {WITH("'dependencies':{}"), "attributes.system.dependencies: must be an array"},
    {WITH("'dependencies':[3]"), "attributes.system.dependencies[0]: must be an object"},
    {WITH("'dependencies':[{'value':'f1'}]"), "dependencies[0].scheme: is missing"},
    {WITH("'dependencies':[{'scheme':'after','value':12}]"), "dependencies[0].value"},
    {WITH("'dependencies':[{'scheme':'begin-time','value':'soon'}]"), "not 'soon'"},
    {WITH("'dependencies':[{'scheme':'string','value':'a','scope':'user'}]"), "[0].type"},
    {WITH("'dependencies':[{'scheme':'string','value':'a','type':'in','scope':'us'}]"),
     "[0].scope: must be 'user' or 'global', not 'us'"},
    {APPS("[]"), "options.apps: must be an array"},
    {APPS("[{'command':['a']}]"), "apps[0].ntasks: is missing"},
    {APPS("[{'command':['a'],'ntasks':1,'x':1}]"), "apps[0].x: unknown key"},
    {APPS("[{'command':'a','ntasks':1}]"), "apps[0].command"},
    {APPS("[{'command':['a'],'ntasks':1,'cwd':''}]"), "apps[0].cwd"},
    {APPS("[{'command':['a'],'ntasks':1,'environment':'h'}]"), "apps[0].environment"},
    {APPS("[{'command':['a'],'ntasks':2}]"), "have 2 tasks together, the job has 1"},
    {SPEC(NODE("'1-2'", S1), "['a']", PER,
          "'shell':{'options':{'apps':[{'command':['a'],'ntasks':1}]}}"),
     "depends on the number of nodes"},
};

START_TEST(rejects_bad_jobspecs)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct jobspec *js = decode(rejects[i].json, &err);
        ck_assert_msg(js == NULL, "accepted: %s", rejects[i].json);
        cleanup_free char *names = json_quotes(rejects[i].names);
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, names);
        ck_error_names(err, "jobspec: ");
        ck_assert_ptr_null(decode(rejects[i].json, NULL));
    }
}
END_TEST

UNIT_MAIN("jobspec", takes_several_programs, takes_many_programs,
          decodes_what_the_rfcs_show, gives_its_parts, survives_spoiled_jobspecs,
          rejects_bad_jobspecs)
