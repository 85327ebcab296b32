/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/config.h"
#include "src/common/util.h"
#include "src/job/conf.h"
#include "tests/unit/unit.h"

static struct config *decode(const char *text)
{
    struct error err;
    struct config *c = config_decode(text, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    return c;
}

START_TEST(nothing)
{
    struct config *c = decode("");
    ck_assert_uint_eq(c->nqueues, 0);
    ck_assert_ptr_null(c->setup.policy);
    ck_assert(!c->multifactor && !c->preemption && c->nbanks == 0);
    ck_assert(c->limits.duration == 0 && c->limits.max[CONFIG_NCORES] == -1);
    ck_assert_int_eq(config_queue_find(c, "batch"), -1);
    ck_assert_int_eq(config_queue_find(c, NULL), -1);
    config_destroy(c);
    config_destroy(NULL);
}
END_TEST

/* The example of flux-config-policy(5) and flux-config-queues(5), as RFC 33 has it. */
START_TEST(of_the_manual)
{
    struct config *c = decode("[policy.jobspec.defaults.system]\n"
                              "duration = \"1h\"\n"
                              "queue = \"batch\"\n"
                              "[policy.limits]\n"
                              "duration = \"4h\"\n"
                              "job-size.max.nnodes = 8\n"
                              "job-size.max.ngpus = 4\n"
                              "[queues.debug.policy.limits]\n"
                              "duration = \"30m\"\n"
                              "job-size.max.ngpus = -1  # unlimited\n"
                              "[queues.batch]\n"
                              "requires = [ \"batch\" ]\n"
                              "[queues.expedite]\n"
                              "parent = \"batch\"\n"
                              "policy.limits.duration = \"1h\"\n");
    ck_assert_uint_eq(c->nqueues, 3);
    const struct config_queue *debug = &c->queues[config_queue_find(c, "debug")],
                              *batch = &c->queues[config_queue_find(c, "batch")],
                              *expedite = &c->queues[config_queue_find(c, "expedite")];
    ck_assert(debug->limits.duration == 1800 && batch->limits.duration == 14400 &&
              expedite->limits.duration == 3600);
    ck_assert_int_eq(debug->limits.max[CONFIG_NNODES], 8);
    ck_assert_int_eq(debug->limits.max[CONFIG_NGPUS], -1);
    ck_assert_int_eq(batch->limits.max[CONFIG_NGPUS], 4);
    ck_assert_int_eq(expedite->limits.max[CONFIG_NGPUS], 4);
    ck_assert(batch->defaults.duration == 3600);
    ck_assert_str_eq(c->defaults.queue, "batch");
    ck_assert_int_eq(expedite->parent, config_queue_find(c, "batch"));
    ck_assert_int_eq(batch->parent, -1);
    ck_assert_ptr_null(debug->constraint);
    ck_assert(json_object_equal(batch->constraint, expedite->constraint));
    ck_assert_str_eq(json_object_to_json_string_ext(batch->constraint, 0),
                     "{\"properties\":[\"batch\"]}");
    config_destroy(c);
}
END_TEST

START_TEST(others)
{
    struct config *c =
        decode("policy.scheduler = { policy = \"easy\", queue-depth = 7 }\n"
               "queues.a.hosts = \"n[1-3]\"\n"
               "queues.b.hosts = \"all\"\n"
               "banks.physics.shares = 3\n"
               "banks.maths = 1.5\n"
               "[priority]\n"
               "urgency = 10\nage = 2\nage-max = \"1d\"\nsmall-first = true\n"
               "half-life = 3600\n"
               "[preemption]\ngrace = \"5s\"\n"
               "[attributes]\nanything = \"goes\"\n");
    ck_assert_str_eq(c->setup.policy->name, "easy");
    ck_assert_uint_eq(c->setup.depth, 7);
    ck_assert_str_eq(json_object_to_json_string_ext(c->queues[0].constraint, 0),
                     "{\"hostlist\":[\"n[1-3]\"]}");
    ck_assert_ptr_null(c->queues[1].constraint);
    ck_assert(c->multifactor && c->weights.urgency == 10 && c->weights.age == 2 &&
              c->weights.age_max == 86400 && c->weights.small_first &&
              c->half_life == 3600);
    ck_assert_int_eq((int)c->nbanks, 2);
    ck_assert(c->banks[config_bank_find(c, "maths")].shares == 1.5);
    ck_assert(c->preemption && c->grace == 5);
    config_destroy(c);
    c = decode("policy = \"conservative\"\nqueue-depth = 3\npreemption = false\n");
    ck_assert_str_eq(c->setup.policy->name, "conservative");
    ck_assert_uint_eq(c->setup.depth, 3);
    ck_assert(!c->preemption && !c->multifactor);
    config_destroy(c);
}
END_TEST

START_TEST(merged)
{
    json_object *base = conf_decode("a.b = 1\na.c = [1]\nd = 2", NULL, NULL);
    cleanup_json json_object *more =
        conf_decode("a.b = 5\na.e = 3\na.c = [2]", NULL, NULL);
    config_merge(base, more);
    ck_assert_str_eq(json_object_to_json_string_ext(base, JSON_C_TO_STRING_PLAIN),
                     "{\"a\":{\"b\":5,\"c\":[2],\"e\":3},\"d\":2}");
    json_object_put(base);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"a = 1\nb", "line 2"},
        {"\nqueue.debug.requires = []", "line 2: queue: there is no such setting"},
        {"[queues.a]\nx = 1", "line 2: queues.a.x"},
        {"[queues.a]\nrequires = \"x\"", "line 2: queues.a.requires"},
        {"[queues.a]\nrequires = [1]", "line 2: queues.a.requires"},
        {"[queues.a]\nhosts = \"n[\"", "line 2: queues.a.hosts"},
        {"[queues.a]\nhosts = \"n\"\nrequires=[\"x\"]", "line 2: queues.a.hosts"},
        {"queues.\"a b\".hosts = \"n\"", "line 1: queues.a b"},
        {"queues = 3", "line 1: queues: must be a table"},
        {"[queues.a]\nparent = \"b\"", "line 2: queues.a.parent: there is no queue 'b'"},
        {"[queues.a]\nparent = \"b\"\n[queues.b]\nparent = \"a\"", "has a parent itself"},
        {"[queues.a]\nparent = \"b\"\nhosts = \"n\"\n[queues.b]",
         "line 2: queues.a.parent"},
        {"[queues.a.policy]\nscheduler = \"easy\"", "line 2: queues.a.policy.scheduler"},
        {"[policy.limits]\nduration = \"soon\"", "line 2: policy.limits.duration"},
        {"[policy.limits]\nduration = -1", "line 2: policy.limits.duration"},
        {"[policy.limits]\njob-size.max.nnodes = \"4\"",
         "line 2: policy.limits.job-size.max.nnodes"},
        {"[policy.limits]\njob-size.max.nnodes = -2",
         "line 2: policy.limits.job-size.max.nnodes"},
        {"[policy.limits]\njob-size.most.nnodes = 2",
         "line 2: policy.limits.job-size.most"},
        {"[policy.limits]\nmax-jobs = 1.5", "line 2: policy.limits.max-jobs"},
        {"[policy.access]\nallow-user = \"me\"", "line 2: policy.access.allow-user"},
        {"policy.scheduler.policy = \"best\"", "line 1: policy.scheduler"},
        {"policy = \"best\"", "'best'"},
        {"policy.scheduler.queue-depth = -1", "depth=-1"},
        {"policy.jobspec.defaults.system.queue = \"x\"",
         "line 1: policy.jobspec.defaults.system.queue: there is no queue 'x'"},
        {"policy.jobspec.defaults.queue = \"x\"", "policy.jobspec.defaults.queue"},
        {"\npolicy.jobspec.defaults.system.mem-per-core = \"2X\"",
         "line 2: policy.jobspec.defaults.system.mem-per-core: '2X' is"},
        {"policy.jobspec.defaults.system.mem-per-core = -1", "mem-per-core: '-1' is"},
        {"policy.jobspec.defaults.system.mem-per-core = true",
         "must be an amount of memory as \"2G\", not true"},
        {"[priority]\nage = -1", "line 2: priority.age"},
        {"[priority]\nage-max = 0", "line 2: priority.age-max"},
        {"[priority]\nsmall-first = 1", "line 2: priority.small-first"},
        {"[priority]\nspeed = 1", "line 2: priority.speed"},
        {"[banks.a]\nshares = 0", "line 2: banks.a.shares"},
        {"[banks.a]\nshare = 1", "line 2: banks.a.share"},
        {"banks.a = \"many\"", "line 1: banks.a"},
        {"banks.a = 1\npolicy.jobspec.defaults.system.bank = \"b\"",
         "line 2: policy.jobspec.defaults.system.bank"},
        {"preemption = 1", "line 1: preemption"},
        {"job-manager = 1", "line 1: job-manager"},
        {"[job-manager]\ninactive-age = \"1d\"", "line 2: job-manager.inactive-age"},
        {"[job-manager]\ninactive-age-limit = \"1y\"",
         "line 2: job-manager.inactive-age-limit"},
        {"[job-manager]\ninactive-num-limit = \"x\"",
         "line 2: job-manager.inactive-num-limit"},
        {"[preemption]\nafter = 1", "line 2: preemption.after"},
        {"{\"queues\":\n{\"a\":\n{\"parent\":1}}}", "line 3: queues.a.parent"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct config *c = config_decode(table[i].text, &err);
        ck_assert_msg(c == NULL, "%s", table[i].text);
        ck_error_names(err, table[i].why);
    }
}
END_TEST

UNIT_MAIN("config", nothing, of_the_manual, others, merged, rejects)
