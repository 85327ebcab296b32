/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/joblist.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/element.h"
#include "src/instance/fold.h"
#include "src/instance/jobview.h"
#include "src/instance/params.h"
#include "src/instance/storedview.h"
#include "src/job/jsonutil.h"

/* But for its id. */
static bool fits(const struct joblist *l, const struct submission *sub)
{
    const struct store_filter *f = &l->filter;
    const char *queue = jobspec_queue(sub->spec);
    if (f->name && strcmp(f->name, jobspec_name(sub->spec)) != 0)
        return false;
    return !f->queue || (queue && strcmp(f->queue, queue) == 0);
}

static bool wanted(const struct joblist *l, const struct job *job)
{
    const struct store_filter *f = &l->filter;
    if (!(job->state & l->states) || (f->before && job->sj.id >= f->before) ||
        !fits(l, job->sub))
        return false;
    if (f->nids == 0)
        return true;
    for (size_t i = 0; i < f->nids; i++)
        if (f->ids[i] == job->sj.id)
            return true;
    return false;
}

void joblist_add(struct joblist *l, json_object *o)
{
    json_object_array_add(l->jobs, o);
}

void joblist_add_stored(struct joblist *l, const struct store_entry *entry)
{
    if (!l->stored_keys)
        l->stored_keys = storedview_keys(l->keys);
    joblist_add(l, storedview_object(entry, l->stored_keys));
}

/* Of an active job, or of one of the store (storedview.h). */
static int64_t id_of(json_object *o)
{
    return json_object_get_int64(
        json_object_is_type(o, json_type_object) ? json_object_object_get(o, "id") : o);
}

static int by_id_descending(const void *a, const void *b)
{
    json_object *const *x = a, *const *y = b;
    int64_t i = id_of(*x), j = id_of(*y);
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

/* The id and the state are told in any case. */
static int parse_keys(json_object *keys, struct joblist *l, struct error *err)
{
    if (!keys)
        return 0;
    if (!json_object_is_type(keys, json_type_array))
        return error_set(err, EINVAL, "request: keys must be an array of names");
    l->keys = json_object_new_object();
    json_object_object_add(l->keys, "id", NULL);
    json_object_object_add(l->keys, "state", NULL);
    for (size_t i = 0; i < json_object_array_length(keys); i++) {
        const char *key = jsonutil_string(json_object_array_get_idx(keys, i));
        if (!key)
            return error_set(err, EINVAL, "request: %s is not the name of a key",
                             jsonutil_show(json_object_array_get_idx(keys, i)).text);
        json_object_object_add(l->keys, key, NULL);
    }
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
    l->max = max && max < JOBLIST_MAX ? (size_t)max : JOBLIST_MAX;
    l->fold = json_object_get_boolean(jsonutil_get(params, "fold"));
    l->jobs = json_object_new_array();
    if (parse_keys(jsonutil_get(params, "keys"), l, err) < 0)
        return -1;
    return parse_ids(jsonutil_get(params, "ids"), l, err);
}

void joblist_clear(struct joblist *l)
{
    json_object_put(l->jobs);
    free(l->ids);
    json_object_put(l->keys);
    memset(l, 0, sizeof(*l));
}

bool joblist_wants_history(const struct joblist *l)
{
    return (l->states & JOB_INACTIVE) != 0;
}

/* What joblist_add_active goes through. */
struct walk {
    struct joblist *l;
    const struct jobtable *table;
    struct sched *sched;
    const struct queues *queues;
    double left; /* of the instance's time */
    size_t n;
};

static bool is_full(const struct walk *w)
{
    return w->l->max && w->n > w->l->max;
}

static void show(struct walk *w, const struct job *job)
{
    joblist_add(w->l, jobview_active(job, w->left, w->queues, w->sched, w->l->keys));
    w->n++;
}

static void show_element(struct walk *w, const struct submission *sub, uint64_t position)
{
    const struct job *rest = element_rest_at(sub, position);
    const struct job *job =
        rest ? NULL : jobtable_find(w->table, jobid_nth(sub->first, position));
    if (job && (job->state & w->l->states))
        show(w, job);
    if (!rest || !(rest->state & w->l->states))
        return;
    const struct job view = element_view(rest, position);
    show(w, &view);
}

static void show_fold(struct walk *w, const struct submission *sub,
                      const struct fold *fold)
{
    enum { CCS_MAX = 1000 }; /* characters */
    const struct job view = fold_view(fold);
    json_object *keys = w->l->keys,
                *o = jobview_active(&view, w->left, w->queues, w->sched, keys);
    json_object_object_del(o, "cc");
    json_object_object_add(o, "array", json_object_new_uint64(sub->first));
    json_object_object_add(o, "count", json_object_new_uint64(fold->count));
    cleanup_free char *ccs = fold_ccs(fold, sub, CCS_MAX);
    json_object_object_add(o, "ccs", json_object_new_string(ccs));
    joblist_add(w->l, o);
    w->n++;
}

/* What runs one by one, what waits in folds, from the element below position BELOW to the first one. */
static void show_folded(struct walk *w, const struct submission *sub, uint64_t below)
{
    struct folds folds;
    int next = 0;
    folds_find(&folds, w->table, sub, w->l->states);
    while (next < folds.n && folds.at[next].first >= below)
        next++;
    for (int64_t at = (int64_t)below; at >= 0 && !is_full(w);) {
        at = array_find_below(sub->array, ARRAY_TAKEN, (uint64_t)at);
        for (; next < folds.n && (int64_t)folds.at[next].first > at && !is_full(w);
             next++)
            show_fold(w, sub, &folds.at[next]);
        const struct job *job =
            at < 0 ? NULL : jobtable_find(w->table, jobid_nth(sub->first, (uint64_t)at));
        if (next < folds.n && (int64_t)folds.at[next].first == at && !is_full(w))
            show_fold(w, sub, &folds.at[next++]);
        else if (job && !fold_takes(job) && (job->state & w->l->states) && !is_full(w))
            show(w, job);
    }
    folds_clear(&folds);
}

static int ids_descending(const void *a, const void *b)
{
    jobid_t x = *(const jobid_t *)a, y = *(const jobid_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Those of an array that were asked for one by one, below position BELOW. */
static void show_named(struct walk *w, const struct submission *sub, uint64_t below)
{
    const struct store_filter *f = &w->l->filter;
    for (size_t i = 0; i < f->nids && !is_full(w); i++) {
        int64_t at = jobid_position(sub->first, sub->count, f->ids[i]);
        if (at >= 0 && (uint64_t)at < below && (i == 0 || f->ids[i] != f->ids[i - 1]) &&
            array_state(sub->array, (uint64_t)at) != ARRAY_OVER)
            show_element(w, sub, (uint64_t)at);
    }
}

static void show_array(struct walk *w, const struct submission *sub)
{
    const struct store_filter *f = &w->l->filter;
    uint64_t below = sub->count;
    bool all = f->nids == 0;
    if (!fits(w->l, sub) || (f->before && f->before <= sub->first))
        return;
    if (f->before)
        below = element_between(sub, sub->first, f->before - 1).n;
    if (!(sub->flags & JOB_BULK))
        for (size_t i = 0; i < f->nids && !all; i++)
            all = f->ids[i] == sub->first; /* which stands for all of them */
    if (!all) {
        show_named(w, sub, below);
        return;
    }
    if (w->l->fold && !(sub->flags & JOB_BULK)) {
        show_folded(w, sub, below);
        return;
    }
    int states = element_rest_any(sub)->state & w->l->states ? ARRAY_LEFT : ARRAY_TAKEN;
    for (int64_t at = (int64_t)below; !is_full(w);) {
        at = array_find_below(sub->array, states, (uint64_t)at);
        if (at < 0)
            return;
        show_element(w, sub, (uint64_t)at);
    }
}

void joblist_add_active(struct joblist *l, const struct jobtable *table,
                        json_object *info, const struct queues *queues,
                        struct sched *sched)
{
    double end = 0;
    struct walk w = {.l = l, .table = table, .queues = queues, .sched = sched};
    if (!(l->states & JOB_ACTIVE))
        return;
    jsonutil_number(jsonutil_get(info, "expiration"), &end);
    w.left = end > 0 ? end - time_now() : INFINITY;
    if (l->ids)
        qsort(l->ids, l->filter.nids, sizeof(*l->ids), ids_descending);
    size_t i = jobtable_narrays(table);
    struct job *job = jobtable_newest(table);
    while ((job || i > 0) && !is_full(&w)) {
        const struct submission *sub = i > 0 ? jobtable_array(table, i - 1) : NULL;
        if (sub && (!job || sub->first > job->sj.id)) {
            show_array(&w, sub);
            i--;
            continue;
        }
        if (wanted(l, job))
            show(&w, job);
        job = job->older;
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
