/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/history.h"
#include "src/job/state.h"

enum { PAGE = 5000 };

static void show(struct history *h)
{
    const struct jobquery *q = h->query;
    bool all = !q->name && !q->queues && !q->results && q->since <= 0;
    if (!h->gauge || !h->gauge->on)
        return;
    if (h->total <= 0 && q->count > 0)
        h->total = (double)q->count;
    else if (h->total <= 0 && all && !h->over) {
        cleanup_json json_object *stats = cli_call(h->cli, "job.stats", NULL);
        h->total = cli_get_number(stats, "inactive", 0);
    }
    gauge_show(h->gauge, (double)h->given, h->total);
}

json_object *history_next(struct history *h)
{
    uint64_t want = PAGE, count = (uint64_t)h->query->count;
    if (count)
        want = MIN(want, count - h->given);
    if (h->over || want == 0) {
        if (h->gauge)
            gauge_hide(h->gauge);
        return NULL;
    }
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
    show(h);
    if (n == 0) {
        if (h->gauge)
            gauge_hide(h->gauge);
        return NULL;
    }
    h->before =
        json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, n - 1), "id"));
    return json_object_get(jobs);
}
