/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/jobquery.h"

#include <string.h>
#include "src/common/duration.h"
#include "src/job/state.h"
#include "src/lib/build.h"

#define ALL_STATES 127

void jobquery_filter(struct jobquery *q, const struct cli *cli, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        int states = job_state_decode(w), results = job_result_decode(w);
        if (!states && !results)
            cli_die(
                cli,
                "--filter: '%s' is neither a state (pending, running, inactive, depend, "
                "priority, sched, run, cleanup) nor a result (completed, failed, "
                "canceled, "
                "timeout)",
                w);
        q->states |= states;
        q->results |= states ? 0 : results;
    }
}

double jobquery_since(const struct cli *cli, const char *text)
{
    struct error err;
    double t, now = time_now();
    if (*text == '-') {
        if (duration_decode(text + 1, &t, &err) < 0)
            cli_die(cli, "--since: %s", err.text);
        return now - t;
    }
    if (build_begin_time(text, now, &t, &err) < 0)
        cli_die(cli,
                "--since=%s: must be -DURATION (as in -1h), HH:MM or YYYY-MM-DD HH:MM",
                text);
    if (t > now && strlen(text) <= 8 && strchr(text, ':'))
        t -= 86400; /* a time of day that is not yet is yesterday's */
    if (t > now)
        cli_die(cli, "--since=%s is in the future", text);
    return t;
}

void jobquery_add_id(struct jobquery *q, struct cli *cli, const char *word)
{
    q->ids = xrealloc(q->ids, (q->nids + 1) * sizeof(*q->ids));
    q->ids[q->nids++] = cli_jobid(cli, word);
}

void jobquery_fini(struct jobquery *q)
{
    free(take(q->ids));
    q->nids = 0;
}

/* States and results together: active ones in those states, inactive ones with those results. */
static bool both(const struct jobquery *q)
{
    return q->results && q->states && !q->nids;
}

static int states_asked(const struct jobquery *q)
{
    if (q->nids)
        return ALL_STATES;
    if (both(q))
        return q->states | JOB_INACTIVE;
    if (q->results)
        return 0;
    if (q->states)
        return q->states;
    return q->all || q->since > 0 ? ALL_STATES : JOB_ACTIVE;
}

json_object *jobquery_params(const struct jobquery *q)
{
    json_object *o = json_object_new_object();
    int states = states_asked(q);
    if (q->nids) {
        json_object *ids = json_object_new_array();
        for (size_t i = 0; i < q->nids; i++)
            json_object_array_add(ids, json_object_new_uint64(q->ids[i]));
        json_object_object_add(o, "ids", ids);
    }
    if (states)
        json_object_object_add(o, "states", json_object_new_int(states));
    if (q->results && !q->nids && !states)
        json_object_object_add(o, "results", json_object_new_int(q->results));
    if (q->name)
        json_object_object_add(o, "name", json_object_new_string(q->name));
    if (q->queue)
        json_object_object_add(o, "queue", json_object_new_string(q->queue));
    if (q->since > 0)
        json_object_object_add(o, "since", json_object_new_double(q->since));
    json_object_object_add(o, "max", json_object_new_int64(q->count));
    return o;
}

bool jobquery_selects(const struct jobquery *q, json_object *job)
{
    if (!both(q))
        return true;
    int state = job_state_decode(cli_get_string(job, "state", ""));
    int result = job_result_decode(cli_get_string(job, "result", ""));
    return (state & q->states) || (result & q->results);
}

bool jobquery_missing(const struct jobquery *q, const struct cli *cli, json_object *list)
{
    char buf[CLI_ID_SIZE];
    bool any = false;
    for (size_t i = 0; i < q->nids; i++) {
        uint64_t id = q->ids[i];
        size_t n = json_object_array_length(list), k = 0;
        while (k < n && json_object_get_uint64(
                            cli_get(json_object_array_get_idx(list, k), "id")) != id)
            k++;
        if (k < n)
            continue;
        cli_error(cli, "there is no job %s", cli_id(cli, id, buf));
        any = true;
    }
    return any;
}
