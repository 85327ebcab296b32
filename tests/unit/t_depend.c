/* SPDX-License-Identifier: BSD-3-Clause */
/* Many dependencies: what they cost is in proportion to their number. */
#include "tests/unit/leaderkit.h"

#include <time.h>
#include "tests/unit/unit.h"

/* Submit a job that waits as SCHEME says for ID, if that is not 0; its id. */
static int64_t submit(struct kit *k, const char *scheme, int64_t id)
{
    cleanup_free char *deps =
        xasprintf("\"dependencies\":[{\"scheme\":\"%s\",\"value\":\"%lld\"}],", scheme,
                  (long long)id);
    kit_ask(
        k,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{"
        "\"urgency\":%d,\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"slot\","
        "\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":1}]}],"
        "\"tasks\":[{\"command\":[\"true\"],\"slot\":\"t\",\"count\":{\"per_slot\":1}}],"
        "\"attributes\":{\"system\":{%s\"duration\":0}}}}}",
        0, id ? deps : "");
    kit_run(k, false);
    json_object *result = jsonutil_get(kit_reply(k, 1), "result");
    ck_assert_msg(result != NULL, "%s", json_object_to_json_string(kit_reply(k, 1)));
    int64_t new = json_object_get_int64(jsonutil_get(result, "id"));
    kit_forget(k);
    return new;
}

static void run_until(struct kit *k, int64_t id, const char *state)
{
    for (int i = 0; i < 1000 && strcmp(kit_state(k, id), state) != 0; i++)
        kit_run(k, false);
    ck_assert_str_eq(kit_state(k, id), state);
}

struct waiting {
    const char *scheme, *state; /* of those that wait, in the end */
    bool deep; /* each waits for the one before it, or all for the first one */
};

/* N jobs wait for one, which is then canceled.  The processor time that took in the end, in s. */
static double end_many(unsigned n, const struct waiting *t)
{
    struct kit k;
    kit_open(&k);
    int64_t first = submit(&k, "", 0), last = first;
    for (unsigned i = 1; i < n; i++)
        last = submit(&k, t->scheme, t->deep ? last : first);
    ck_assert_str_eq(kit_state(&k, last), "DEPEND");
    clock_t before = clock();
    kit_ask(&k,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.cancel\",\"params\":{\"ids\":"
            "[%lld]}}",
            (long long)first);
    uv_run(&k.loop,
           UV_RUN_NOWAIT); /* one turn is not enough for that many: others have theirs */
    ck_assert_str_eq(kit_state(&k, last), n > 2000 ? "DEPEND" : t->state);
    run_until(&k, last, t->state);
    double took = (double)(clock() - before) / CLOCKS_PER_SEC;
    kit_close(&k);
    return took;
}

START_TEST(chains_and_fans_are_linear)
{
    static const struct waiting cases[] = {{"afterok", "INACTIVE", true},
                                           {"afterok", "INACTIVE", false},
                                           {"afterany", "SCHED", false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double some = end_many(1000, &cases[i]), many = end_many(8000, &cases[i]);
        ck_assert_msg(many < 24 * some + 0.2, "%zu: %g s for 1000, %g s for 8000", i,
                      some, many);
    }
}
END_TEST

/* A job waits for two, of which one is over and forgotten when another rank leads on: it waits for the other one. */
START_TEST(forgotten_jobs_are_met)
{
    struct kit k;
    kit_open(&k);
    int64_t first = submit(&k, "", 0), second = submit(&k, "", 0);
    kit_ask(
        &k,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{"
        "\"urgency\":0,\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"slot\","
        "\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":1}]}],"
        "\"tasks\":[{\"command\":[\"true\"],\"slot\":\"t\",\"count\":{\"per_slot\":1}}],"
        "\"attributes\":{\"system\":{\"duration\":0,\"dependencies\":["
        "{\"scheme\":\"afterany\",\"value\":\"%lld\"},"
        "{\"scheme\":\"afterany\",\"value\":\"%lld\"}]}}}}}",
        (long long)first, (long long)second);
    kit_run(&k, false);
    int64_t id = json_object_get_int64(
        jsonutil_get(jsonutil_get(kit_reply(&k, 1), "result"), "id"));
    kit_forget(&k);
    static const char *const methods[] = {"job.cancel", "job.purge"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        kit_ask(&k,
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{\"ids\":"
                "[%lld]}}",
                methods[i], (long long)first);
        kit_run(&k, false);
        ck_assert_msg(jsonutil_get(kit_reply(&k, 1), "result") != NULL, "%s",
                      json_object_to_json_string(kit_reply(&k, 1)));
        kit_forget(&k);
    }
    ck_assert_str_eq(kit_state(&k, id), "DEPEND");
    kit_succeed(&k);
    kit_greet(&k);
    ck_assert_str_eq(kit_state(&k, id), "DEPEND");
    kit_ask(&k,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.cancel\",\"params\":{\"ids\":"
            "[%lld]}}",
            (long long)second);
    run_until(&k, id, "SCHED");
    kit_close(&k);
}
END_TEST

UNIT_MAIN("depend", chains_and_fans_are_linear, forgotten_jobs_are_met)
