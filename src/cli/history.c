/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/history.h"
#include "src/job/state.h"

enum { PAGE = 5000 };

json_object *history_next(struct history *h)
{
    uint64_t want = PAGE, count = (uint64_t)h->query->count;
    if (count)
        want = MIN(want, count - h->given);
    if (h->over || want == 0)
        return NULL;
    struct jobquery q = *h->query;
    q.nids = 0;
    q.ids = NULL;
    q.count = (long)want;
    q.states = q.results ? 0 : JOB_INACTIVE;
    json_object *params = jobquery_params(&q);
    if (h->before)
        json_object_object_add(params, "before", json_object_new_uint64(h->before));
    cleanup_json json_object *result = cli_call(h->cli, "job.list", params);
    json_object *jobs = cli_list(h->cli, result, "jobs");
    size_t n = json_object_array_length(jobs);
    h->over = n == 0 || !json_object_get_boolean(cli_get(result, "more"));
    h->given += n;
    if (n == 0)
        return NULL;
    h->before =
        json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, n - 1), "id"));
    return json_object_get(jobs);
}
