/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/history.h"
#include "src/job/state.h"
#include "src/lib/client.h"

enum { PAGE = 2000 };

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

static void on_page(json_object *result, const struct error *err, void *arg)
{
    struct history *h = arg;
    h->asked = false;
    h->page = json_object_get(result);
    if (err)
        h->failed = *err;
}

/* The next page is on its way while this one is worked on. */
static void ask(struct history *h)
{
    struct error err;
    uint64_t want = PAGE, count = (uint64_t)h->query->count;
    if (count)
        want = MIN(want, count - h->given);
    h->over |= want == 0;
    if (h->over)
        return;
    struct jobquery q = *h->query;
    q.nids = 0;
    q.ids = NULL;
    q.count = (long)want;
    q.states = q.results ? 0 : JOB_INACTIVE;
    json_object *params = jobquery_params(&q);
    if (h->before)
        json_object_object_add(params, "before", json_object_new_uint64(h->before));
    struct hbatch *client = cli_connect(h->cli);
    h->asked = true;
    client_send(client, "job.list", params, on_page, NULL, h);
    if (client_flush(client, &err) < 0)
        cli_die(h->cli, "%s", err.text);
}

json_object *history_next(struct history *h)
{
    struct error err;
    if (!h->asked && !h->page)
        ask(h);
    while (h->asked)
        if (client_process(cli_connect(h->cli), -1, &err) < 0)
            cli_die(h->cli, "%s", err.text);
    if (h->failed.code)
        cli_die(h->cli, "%s", h->failed.text);
    cleanup_json json_object *result = take(h->page);
    json_object *jobs = result ? cli_list(h->cli, result, "jobs") : NULL;
    size_t n = jobs ? json_object_array_length(jobs) : 0;
    h->over = n == 0 || !json_object_get_boolean(cli_get(result, "more"));
    h->given += n;
    if (n > 0) {
        h->before =
            json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, n - 1), "id"));
        ask(h);
        show(h);
    } else if (h->gauge) {
        gauge_hide(h->gauge);
    }
    return n > 0 ? json_object_get(jobs) : NULL;
}
