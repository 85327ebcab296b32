/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_list: requests that ask about jobs: list, info, stats. Active jobs come from the table,
 * the others from the store. */
#include "src/instance/joblist.h"
#include "src/instance/jobview.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static int on_entry(void *arg, const struct store_entry *entry)
{
    struct joblist *l = arg;
    if (entry->run)
        joblist_add_stored(l, entry);
    return 0;
}

/* What the table has, and what the store has: of each one more than fits, to know whether there is
 * more.  An old job may be active, and newer ones over. */
static int collect(struct leader *ld, struct joblist *l, struct error *err)
{
    joblist_add_active(l, ld->jobs, ld->config.info, ld->queues, ld->sched);
    if (!joblist_wants_history(l))
        return 0;
    l->filter.states = JOB_INACTIVE;
    l->filter.max = l->max ? l->max + 1 : 0;
    return store_list(ld->store, &l->filter, on_entry, l, err) < 0 ? -1 : 0;
}

static int rpc_list(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    struct joblist l;
    int rc = joblist_init(&l, params, err);
    if (rc == 0)
        rc = collect(ld, &l, err);
    if (rc == 0)
        reply_result(ld, rq, joblist_result(&l));
    joblist_clear(&l);
    return rc;
}

/* The jobspec as it was submitted: the environment back in its place. */
static json_object *restore_environment(struct leader *ld, json_object *spec)
{
    json_object *system = jsonutil_get(jsonutil_get(spec, "attributes"), "system");
    const char *name = jsonutil_string(jsonutil_get(system, "environment"));
    if (!name)
        return spec;
    cleanup_free char *text = store_env_get(ld->store, name, NULL);
    if (text)
        json_object_object_add(system, "environment", json_tokener_parse(text));
    return spec;
}

/* One key of an active job, or NULL: ask the store. */
static json_object *active_info(struct leader *ld, struct job *job, const char *key)
{
    if (!job)
        return NULL;
    if (strcmp(key, "eventlog") == 0) {
        cleanup_free char *log = joblog_get(ld->store, job);
        return json_object_new_string(log);
    }
    if (strcmp(key, "R") == 0 && job->pl)
        return rset_to_json(job_held(job));
    if (strcmp(key, "taskmap") == 0 && job->map) {
        cleanup_free char *map = taskmap_encode(job->map);
        return json_object_new_string(map);
    }
    return NULL;
}

static int rpc_info(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    static const char *const known[] = {"jobspec",      "R", "eventlog", "taskmap",
                                        "jobspec-base", "cc"};
    jobid_t id;
    if (param_id(params, "id", &id, err) < 0)
        return -1;
    json_object *keys = jsonutil_get(params, "keys");
    size_t n =
        json_object_is_type(keys, json_type_array) ? json_object_array_length(keys) : 0;
    uint64_t position;
    struct job *job = jobtable_find(ld->jobs, id);
    struct error why;
    if (!job) /* what there is to tell of it is the rest's */
        job = elements_waiting(ld, id, &position);
    cleanup_free char *spec = store_job_info(ld->store, id, "jobspec", &why);
    if (!spec) {
        char text[JOBID_BUFSIZE];
        return error_set(err, ENOENT, "no such job: %s",
                         jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text)));
    }
    json_object *result = json_object_new_object();
    for (size_t i = 0; i < n; i++) {
        const char *key = jsonutil_string(json_object_array_get_idx(keys, i));
        size_t k = 0;
        while (k < ARRAY_SIZE(known) && (!key || strcmp(known[k], key) != 0))
            k++;
        if (k == ARRAY_SIZE(known)) {
            json_object_put(result);
            return error_set(
                err, EINVAL,
                "no such key: %s; there are jobspec, R, eventlog and taskmap",
                jsonutil_show(json_object_array_get_idx(keys, i)).text);
        }
        json_object *value = active_info(ld, job, key);
        if (!value && strcmp(key, "jobspec") == 0)
            value = restore_environment(ld, json_tokener_parse(spec));
        if (!value && strcmp(key, "jobspec-base") == 0) {
            cleanup_free char *base = store_job_info(ld->store, id, key, NULL);
            value = restore_environment(ld, json_tokener_parse(base ? base : spec));
        }
        if (!value) {
            cleanup_free char *text = store_job_info(ld->store, id, key, NULL);
            if (text)
                value = strcmp(key, "R") == 0 ? json_tokener_parse(text)
                                              : json_object_new_string(text);
        }
        if (value)
            json_object_object_add(result, key, value);
    }
    reply_result(ld, rq, result);
    return 0;
}

static void put_int(json_object *o, const char *key, int64_t v)
{
    json_object_object_add(o, key, json_object_new_int64(v));
}

static json_object *describe_stats(int64_t pending, int64_t running,
                                   const struct store_stats *st)
{
    json_object *o = json_object_new_object();
    put_int(o, "pending", pending);
    put_int(o, "running", running);
    put_int(o, "inactive", (int64_t)st->inactive);
    put_int(o, "completed", (int64_t)st->completed);
    put_int(o, "failed", (int64_t)st->failed);
    put_int(o, "canceled", (int64_t)st->canceled);
    put_int(o, "timeout", (int64_t)st->timeout);
    return o;
}

json_object *leader_stats(struct leader *ld)
{
    struct store_stats st;
    int64_t pending = (int64_t)jobtable_rest(ld->jobs), running = 0;
    store_stats(ld->store, &st);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        *(job->state & JOB_PENDING ? &pending : &running) += 1;
    return describe_stats(pending, running, &st);
}

static bool is_meant(const struct submission *sub, const char *name, const char *queue)
{
    const char *of = jobspec_queue(sub->spec);
    return (!name || strcmp(name, jobspec_name(sub->spec)) == 0) &&
           (!queue || (of && strcmp(queue, of) == 0));
}

/* Of jobs of this name and queue, NULL: of any. NULL with err set. */
static json_object *stats_of(struct leader *ld, const char *name, const char *queue,
                             struct error *err)
{
    struct store_stats st = {0};
    int64_t pending = 0, running = 0;
    if (store_count(ld->store, name, queue, &st, err) < 0)
        return NULL;
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (is_meant(job->sub, name, queue))
            *(job->state & JOB_PENDING ? &pending : &running) += 1;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        const struct submission *sub = jobtable_array(ld->jobs, i);
        if (is_meant(sub, name, queue))
            pending += (int64_t)array_number(sub->array, ARRAY_REST);
    }
    return describe_stats(pending, running, &st);
}

json_object *leader_summary(struct leader *ld)
{
    json_object *o = leader_stats(ld);
    json_object_object_add(o, "resources", jobview_totals(ld->pool));
    return o;
}

/* {"depend":N,...,"total":N}: how many jobs are in which state. */
static json_object *count_states(struct leader *ld, int64_t ended)
{
    static const struct {
        enum job_state state;
        const char *name;
    } states[] = {{JOB_DEPEND, "depend"},
                  {JOB_PRIORITY, "priority"},
                  {JOB_SCHED, "sched"},
                  {JOB_RUN, "run"},
                  {JOB_CLEANUP, "cleanup"}};
    int64_t total = ended;
    json_object *o = json_object_new_object();
    for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
        int64_t n = 0;
        for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next)
            n += job->state == states[k].state;
        for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
            const struct submission *sub = jobtable_array(ld->jobs, i);
            const struct job *rest = element_rest_any(sub);
            if (rest && rest->state == states[k].state)
                n += (int64_t)array_number(sub->array, ARRAY_REST);
        }
        put_int(o, states[k].name, n);
        total += n;
    }
    put_int(o, "inactive", ended);
    put_int(o, "total", total);
    return o;
}

static int rpc_stats(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    const char *name = jsonutil_string(jsonutil_get(params, "name")),
               *queue = jsonutil_string(jsonutil_get(params, "queue"));
    json_object *o = name || queue ? stats_of(ld, name, queue, err) : leader_stats(ld);
    if (!o)
        return -1;
    if (json_object_get_boolean(jsonutil_get(params, "states")))
        json_object_object_add(
            o, "job_states",
            count_states(ld, json_object_get_int64(jsonutil_get(o, "inactive"))));
    reply_result(ld, rq, o);
    return 0;
}

const struct rpc rpc_list_table[] = {
    {"job.list", rpc_list},
    {"job.info", rpc_info},
    {"job.stats", rpc_stats},
    {NULL, NULL},
};
