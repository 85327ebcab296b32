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
        id ? 16 : 0, id ? deps : "");
    kit_run(k, false);
    json_object *result = jsonutil_get(kit_reply(k, 1), "result");
    ck_assert_msg(result != NULL, "%s", json_object_to_json_string(kit_reply(k, 1)));
    int64_t new = json_object_get_int64(jsonutil_get(result, "id"));
    kit_forget(k);
    return new;
}

/* N jobs, each waits for the one before it (DEEP), or all for the first one, which then is canceled.  The
 * processor time that took in the end, in s. */
static double end_many(unsigned n, bool deep)
{
    struct kit k;
    kit_open(&k);
    int64_t first = submit(&k, "", 0), last = first;
    for (unsigned i = 1; i < n; i++)
        last = submit(&k, "afterok", deep ? last : first);
    ck_assert_str_eq(kit_state(&k, last), "DEPEND");
    clock_t before = clock();
    kit_ask(&k,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.cancel\",\"params\":{\"ids\":"
            "[%lld]}}",
            (long long)first);
    kit_run(&k, false);
    double took = (double)(clock() - before) / CLOCKS_PER_SEC;
    ck_assert_str_eq(kit_state(&k, last), "INACTIVE");
    kit_close(&k);
    return took;
}

START_TEST(chains_and_fans_are_linear)
{
    for (int deep = 0; deep < 2; deep++) {
        double some = end_many(1000, deep), many = end_many(8000, deep);
        ck_assert_msg(many < 24 * some + 0.2, "%d: %g s for 1000, %g s for 8000", deep,
                      some, many);
    }
}
END_TEST

UNIT_MAIN("depend", chains_and_fans_are_linear)
