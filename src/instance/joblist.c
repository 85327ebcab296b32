/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/joblist.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/jobview.h"
#include "src/instance/params.h"
#include "src/job/jsonutil.h"

static bool wanted(const struct joblist *l, const struct job *job)
{
    const struct store_filter *f = &l->filter;
    const char *queue = jobspec_queue(job->sub->spec);
    if (!(job->state & l->states) || (f->before && job->sj.id >= f->before))
        return false;
    if (f->name && strcmp(f->name, jobspec_name(job->sub->spec)) != 0)
        return false;
    if (f->queue && (!queue || strcmp(f->queue, queue) != 0))
        return false;
    if (f->nids == 0)
        return true;
    for (size_t i = 0; i < f->nids; i++)
        if (f->ids[i] == job->sj.id ||
            (f->ids[i] == job->sub->first && job->sub->count > 1))
            return true;
    return false;
}

void joblist_add(struct joblist *l, json_object *o)
{
    json_object_array_add(l->jobs, o);
}

static int by_id_descending(const void *a, const void *b)
{
    json_object *const *x = a, *const *y = b;
    int64_t i = json_object_get_int64(json_object_object_get(*x, "id"));
    int64_t j = json_object_get_int64(json_object_object_get(*y, "id"));
    return i < j ? 1 : i > j ? -1 : 0;
}

static int parse_ids(json_object *ids, struct joblist *l, struct error *err)
{
    if (!ids)
        return 0;
    if (!json_object_is_type(ids, json_type_array))
        return error_set(err, EINVAL, "request: ids must be an array of job ids");
    size_t n = json_object_array_length(ids);
    l->ids = xcalloc(n, sizeof(*l->ids));
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!jsonutil_int(json_object_array_get_idx(ids, i), 1, INT64_MAX, &v))
            return error_set(err, EINVAL, "request: %s is not a job id",
                             jsonutil_show(json_object_array_get_idx(ids, i)).text);
        l->ids[i] = (jobid_t)v;
    }
    l->filter.ids = l->ids;
    l->filter.nids = n;
    return 0;
}

int joblist_init(struct joblist *l, json_object *params, struct error *err)
{
    int64_t states, results, max, before;
    double since = 0;
    memset(l, 0, sizeof(*l));
    if (param_int(params, "states", 0, 127, 0, &states, err) < 0 ||
        param_int(params, "results", 0, 15, 0, &results, err) < 0 ||
        param_int(params, "before", 0, INT64_MAX, 0, &before, err) < 0 ||
        param_int(params, "max", 0, INT_MAX, 1000, &max, err) < 0)
        return -1;
    json_object *s = jsonutil_get(params, "since");
    if (s && !jsonutil_number(s, &since))
        return error_set(err, EINVAL, "request: since must be a time, not %s",
                         jsonutil_show(s).text);
    l->states = states ? (int)states : JOB_ACTIVE | JOB_INACTIVE;
    if (results) /* only what is over has a result */
        l->states = JOB_INACTIVE;
    l->filter.results = (int)results;
    l->filter.since = since;
    l->filter.before = (jobid_t)before;
    l->filter.name = jsonutil_string(jsonutil_get(params, "name"));
    l->filter.queue = jsonutil_string(jsonutil_get(params, "queue"));
    l->max = (size_t)max;
    l->jobs = json_object_new_array();
    return parse_ids(jsonutil_get(params, "ids"), l, err);
}

void joblist_clear(struct joblist *l)
{
    json_object_put(l->jobs);
    free(l->ids);
    memset(l, 0, sizeof(*l));
}

bool joblist_wants_history(const struct joblist *l)
{
    return (l->states & JOB_INACTIVE) != 0;
}

void joblist_add_active(struct joblist *l, const struct jobtable *table,
                        json_object *info, struct sched *sched)
{
    double end = 0;
    size_t n = 0;
    if (!(l->states & JOB_ACTIVE))
        return;
    jsonutil_number(jsonutil_get(info, "expiration"), &end);
    double left = end > 0 ? end - time_now() : INFINITY;
    for (struct job *job = jobtable_last(table); job; job = job->prev) {
        if (!wanted(l, job))
            continue;
        joblist_add(l, jobview_active(job, left, sched));
        if (++n > l->max && l->max)
            return;
    }
}

json_object *joblist_result(struct joblist *l)
{
    json_object *result = json_object_new_object();
    json_object_array_sort(l->jobs, by_id_descending);
    size_t n = json_object_array_length(l->jobs);
    bool more = l->max && n > l->max;
    if (more)
        json_object_array_del_idx(l->jobs, l->max, n - l->max);
    json_object_object_add(result, "jobs", take(l->jobs));
    json_object_object_add(result, "more", json_object_new_boolean(more));
    return result;
}
