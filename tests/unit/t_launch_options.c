/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include <signal.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/launch_options.h"

/* A job with the launch options OPTIONS, an object as JSON. */
static struct jobspec *job_with(const char *options)
{
    struct error err;
    cleanup_free char *text = xasprintf(
        "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"t\","
        "\"with\":[{\"type\":\"core\",\"count\":1}]}],"
        "\"tasks\":[{\"command\":[\"app\"],\"slot\":\"t\",\"count\":{\"per_slot\":1}}],"
        "\"attributes\":{\"system\":{\"duration\":0,\"shell\":{\"options\":%s}}}}",
        options);
    struct jobspec *js = jobspec_decode(text, strlen(text), &err);
    ck_assert_msg(js != NULL, "%s: %s", text, err.text);
    return js;
}

static void decode(const char *options, struct launch_options *o)
{
    struct error err;
    struct jobspec *js = job_with(options);
    ck_assert_msg(launch_options_decode(js, o, &err) == 0, "%s: %s", options, err.text);
    ck_assert_int_eq(launch_options_check(js, &err), 0);
    jobspec_destroy(js);
}

START_TEST(values)
{
    struct launch_options o;
    decode("{}", &o);
    ck_assert_int_eq(o.pmi, LAUNCH_PMI_AUTO);
    ck_assert_int_eq(o.cpus, AFFINITY_ON);
    ck_assert(!o.exit_timeout_set && o.exit_timeout > 0 && o.warn_signal == 0);
    launch_options_fini(&o);

    decode("{\"cpu-affinity\":\"per-task\",\"gpu-affinity\":\"map:0;1-2\","
           "\"pmi\":\"pmi1,pmix\",\"exit-timeout\":\"none\",\"kill-timeout\":2.5,"
           "\"signal\":\"SIGUSR2@90s\",\"rlimit\":{\"core\":0}}",
           &o);
    ck_assert_int_eq(o.cpus, AFFINITY_PER_TASK);
    ck_assert_int_eq(o.gpus, AFFINITY_MAP);
    ck_assert_str_eq(o.gpu_map, "0;1-2");
    ck_assert_int_eq(o.pmi, LAUNCH_PMIX | LAUNCH_PMI_WIRE);
    ck_assert(o.exit_timeout_set && o.exit_timeout < 0);
    ck_assert(o.kill_timeout == 2.5 && o.warn_left == 90);
    ck_assert_int_eq(o.warn_signal, SIGUSR2);
    ck_assert_uint_eq(o.rlimits.n, 1);
    launch_options_fini(&o);

    decode(
        "{\"output\":{\"stdout\":{\"path\":\"out.{{id}}\",\"label\":1},\"mode\":"
        "\"append\"},"
        "\"input\":{\"stdin\":{\"path\":\"in\",\"ranks\":\"0-3\"}},\"cpu-affinity\":0}",
        &o);
    ck_assert_str_eq(o.out[0].path, "out.{{id}}");
    ck_assert_str_eq(o.out[1].path, "out.{{id}}"); /* as stdout, if not said otherwise */
    ck_assert(o.out[0].to_file && o.out[1].label && o.out[1].append);
    ck_assert_int_eq(o.out[0].scope, TEMPLATE_JOB);
    ck_assert_int_eq(o.input, INPUT_FILE);
    ck_assert_int_eq(hwloc_bitmap_weight(o.input_ranks), 4);
    ck_assert_int_eq(o.cpus, AFFINITY_OFF);
    launch_options_fini(&o);
}
END_TEST

START_TEST(maps)
{
    static const struct {
        const char *map;
        unsigned index;
        const char *ids; /* NULL: none */
    } table[] = {
        {"0;1", 0, "0"},         {"0;1", 1, "1"},    {"0;1", 2, "0"},
        {"0-3,7;9", 0, "0-3,7"}, {"0xf0", 0, "4-7"}, {"0x1,0x00000002", 0, "1,32"},
        {"0;x", 1, NULL},        {"", 0, NULL},      {"0;;1", 1, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_bitmap hwloc_bitmap_t set =
            launch_options_map(table[i].map, table[i].index);
        cleanup_free char *got = set ? idset_encode(set, 0) : NULL;
        ck_assert_msg(!got == !table[i].ids && (!got || !strcmp(got, table[i].ids)),
                      "entry %u of '%s': got %s", table[i].index, table[i].map,
                      got ? got : "none");
    }
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *options, *part;
    } table[] = {
        {"{\"cpu-affinity\":\"foo\"}", "option cpu-affinity: \"foo\""},
        {"{\"gpu-affinity\":\"map:0;x-\"}", "option gpu-affinity: 'x-' in \"map:0;x-\""},
        {"{\"cpu-affinity\":\"map:\"}", "option cpu-affinity: ''"},
        {"{\"cpu-affinity\":[1]}", "option cpu-affinity"},
        {"{\"pmi\":\"pmi3\"}", "option pmi: \"pmi3\""},
        {"{\"pmi\":7}", "option pmi: 7"},
        {"{\"exit-timeout\":\"soon\"}", "option exit-timeout: "},
        {"{\"kill-timeout\":-1}", "option kill-timeout: -1"},
        {"{\"kill-timeout\":[]}", "option kill-timeout: "},
        {"{\"signal\":\"SIGFOO\"}", "\"SIGFOO\" names no signal"},
        {"{\"signal\":\"TERM@x\"}", "option signal"},
        {"{\"signal\":{\"signum\":99}}", "option signal: 99"},
        {"{\"rlimit\":{\"cores\":1}}", "option rlimit.cores: there is no such limit"},
        {"{\"rlimit\":{\"core\":\"big\"}}", "option rlimit.core: \"big\""},
        {"{\"rlimit\":3}", "option rlimit: 3"},
        {"{\"output\":{\"stdout\":{\"type\":\"tape\"}}}", "option output.stdout.type: "},
        {"{\"output\":{\"stderr\":{\"type\":\"file\"}}}", "option output.stderr: "},
        {"{\"output\":{\"mode\":\"x\",\"stdout\":{}}}", "option output.mode: \"x\""},
        {"{\"input\":{\"stdin\":{\"type\":\"file\"}}}", "option input.stdin: "},
        {"{\"input\":{\"stdin\":{\"ranks\":\"3-1\"}}}", "option input.stdin.ranks"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err;
        struct jobspec *js = job_with(table[i].options);
        ck_assert_msg(launch_options_check(js, &err) < 0, "%s is accepted",
                      table[i].options);
        ck_error_names(err, table[i].part);
        jobspec_destroy(js);
    }
}
END_TEST

UNIT_MAIN("launch_options", values, maps, rejects)
