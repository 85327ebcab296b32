/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_list: requests that ask about jobs: list, info, stats. Active jobs come from the table,
 * the others from the store. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static void add_str(json_object *o, const char *key, const char *s)
{
    if (s)
        json_object_object_add(o, key, json_object_new_string(s));
}

static void add_int(json_object *o, const char *key, int64_t v)
{
    json_object_object_add(o, key, json_object_new_int64(v));
}

/* Times and limits: absent while not known. */
static void add_time(json_object *o, const char *key, double t)
{
    if (t > 0)
        json_object_object_add(o, key, json_object_new_double(t));
}

static void add_user(json_object *o, unsigned userid)
{
    static unsigned cached = UINT_MAX;
    static char name[64];
    if (cached != userid) { /* one instance has one owner: one lookup */
        struct passwd *pw = getpwuid(userid);
        snprintf(name, sizeof(name), "%s", pw ? pw->pw_name : "");
        cached = userid;
    }
    add_int(o, "userid", userid);
    if (name[0])
        add_str(o, "username", name);
}

static void add_exception(json_object *o, const char *type, int severity,
                          const char *note)
{
    if (!type)
        return;
    json_object *e = json_object_new_object();
    add_str(e, "type", type);
    add_int(e, "severity", severity);
    add_str(e, "note", note ? note : "");
    json_object_object_add(o, "exception", e);
}

static void add_shape(json_object *o, const struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    unsigned slots = shape->nslots * MAX(shape->nnodes_min, 1u);
    if (!job->pl) {
        add_int(o, "ntasks",
                shape->ntasks ? shape->ntasks : slots * shape->tasks_per_slot);
        if (shape->nnodes_min)
            add_int(o, "nnodes", shape->nnodes_min);
        add_int(o, "ncores", (int64_t)slots * shape->cores_per_slot);
        add_int(o, "ngpus", (int64_t)slots * shape->gpus_per_slot);
        return;
    }
    const struct rset *r = job->pl->rset;
    cleanup_free char *nodelist = rset_nodelist(r), *ranks = rset_ranks(r);
    add_int(o, "ntasks", job->ntasks);
    add_int(o, "nnodes", (int64_t)r->nnodes);
    add_int(o, "ncores", (int64_t)rset_ncores(r));
    add_int(o, "ngpus", (int64_t)rset_ngpus(r));
    add_str(o, "nodelist", nodelist);
    add_str(o, "ranks", ranks);
}

static const char *why_pending(const struct job *job)
{
    if (job->state != JOB_SCHED)
        return NULL;
    return job->urgency == 0 ? "held (urgency 0)" : "waiting for resources";
}

static json_object *show_active(const struct job *job)
{
    json_object *o = json_object_new_object();
    const struct jobspec *spec = job->sub->spec;
    add_int(o, "id", (int64_t)job->sj.id);
    add_str(o, "name", jobspec_name(spec));
    add_str(o, "state", job_state_name(job->state, false));
    add_int(o, "urgency", job->urgency);
    add_int(o, "priority", (int64_t)job->sj.priority);
    add_user(o, geteuid());
    add_str(o, "cwd", jobspec_cwd(spec));
    add_str(o, "queue", jobspec_queue(spec));
    add_shape(o, job);
    add_time(o, "duration", job->sj.duration);
    add_time(o, "t_submit", job->t_submit);
    add_time(o, "t_depend", job->t_depend);
    add_time(o, "t_run", job->t_run);
    add_time(o, "t_cleanup", job->t_cleanup);
    add_time(o, "expiration", job->expiration);
    add_str(o, "reason", why_pending(job));
    if (job->cc >= 0)
        add_int(o, "cc", job->cc);
    if (job->sub->parent)
        add_int(o, "parent", (int64_t)job->sub->parent);
    if (job->exception)
        add_exception(o, job->exception->type, job->exception->severity,
                      job->exception->note);
    return o;
}

static json_object *show_stored(const struct store_entry *e)
{
    const struct store_run *run = e->run;
    json_object *o = json_object_new_object();
    enum job_result result = (enum job_result)run->result;
    add_int(o, "id", (int64_t)run->id);
    add_str(o, "name", e->job.name);
    add_str(o, "state", job_state_name(JOB_INACTIVE, false));
    add_int(o, "urgency", e->job.urgency);
    add_int(o, "priority", e->job.priority);
    add_user(o, e->job.userid);
    add_str(o, "cwd", e->job.cwd);
    add_str(o, "queue", e->job.queue);
    add_int(o, "ntasks", e->job.ntasks);
    add_int(o, "nnodes", run->nnodes ? run->nnodes : e->job.nnodes);
    add_int(o, "ncores", run->ncores ? run->ncores : e->job.ncores);
    add_int(o, "ngpus", run->nnodes ? run->ngpus : e->job.ngpus);
    add_str(o, "nodelist", run->nodelist);
    add_str(o, "ranks", run->ranks);
    add_time(o, "duration", e->job.duration);
    add_time(o, "t_submit", e->job.t_submit);
    add_time(o, "t_depend", run->t_depend);
    add_time(o, "t_run", run->t_run);
    add_time(o, "t_cleanup", run->t_cleanup);
    add_time(o, "t_inactive", run->t_inactive);
    add_time(o, "expiration", run->expiration);
    add_str(o, "result", job_result_name(result, false));
    if (run->status >= 0) {
        add_int(o, "status", run->status);
        add_int(o, "exit", job_exit_code(run->status));
    }
    if (run->cc >= 0)
        add_int(o, "cc", run->cc);
    add_exception(o, run->exception_type, run->exception_severity, run->exception_note);
    return o;
}

struct list {
    json_object *jobs;
    struct store_filter filter;
    int states;
    size_t max;
    bool more;
    jobid_t *ids;
};

static bool wanted(const struct list *l, const struct job *job)
{
    const struct store_filter *f = &l->filter;
    const char *queue = jobspec_queue(job->sub->spec);
    if (!(job->state & l->states))
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

static bool add_job(struct list *l, json_object *o)
{
    if (l->max && json_object_array_length(l->jobs) >= l->max) {
        json_object_put(o);
        l->more = true;
        return false;
    }
    json_object_array_add(l->jobs, o);
    return true;
}

static int on_entry(void *arg, const struct store_entry *entry)
{
    return !entry->run || add_job(arg, show_stored(entry)) ? 0 : 1;
}

static int by_id_descending(const void *a, const void *b)
{
    json_object *const *x = a, *const *y = b;
    int64_t i = json_object_get_int64(json_object_object_get(*x, "id"));
    int64_t j = json_object_get_int64(json_object_object_get(*y, "id"));
    return i < j ? 1 : i > j ? -1 : 0;
}

static int parse_ids(json_object *ids, struct list *l, struct error *err)
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

static int collect(struct leader *ld, struct list *l, struct error *err)
{
    if (!l->filter.results || (l->states & JOB_ACTIVE))
        for (struct job *job = jobtable_last(ld->jobs); job; job = job->prev)
            if (wanted(l, job) && !add_job(l, show_active(job)))
                return 0;
    if (!(l->states & JOB_INACTIVE))
        return 0;
    /* the store's own newest-first list, one more than fits to know whether there is more */
    l->filter.states = JOB_INACTIVE;
    l->filter.max = l->max ? l->max - json_object_array_length(l->jobs) + 1 : 0;
    return store_list(ld->store, &l->filter, on_entry, l, err) < 0 ? -1 : 0;
}

static int rpc_list(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    int64_t states, results, max;
    struct list l = {0};
    double since = 0;
    if (param_int(params, "states", 0, 127, 0, &states, err) < 0 ||
        param_int(params, "results", 0, 15, 0, &results, err) < 0 ||
        param_int(params, "max", 0, INT_MAX, 1000, &max, err) < 0)
        return -1;
    json_object *s = jsonutil_get(params, "since");
    if (s && !jsonutil_number(s, &since))
        return error_set(err, EINVAL, "request: since must be a time, not %s",
                         jsonutil_show(s).text);
    l.states = states ? (int)states : JOB_ACTIVE | JOB_INACTIVE;
    if (results) /* only what is over has a result */
        l.states = JOB_INACTIVE;
    l.filter.results = (int)results;
    l.filter.since = since;
    l.filter.name = jsonutil_string(jsonutil_get(params, "name"));
    l.filter.queue = jsonutil_string(jsonutil_get(params, "queue"));
    l.max = (size_t)max;
    l.jobs = json_object_new_array();
    int rc = parse_ids(jsonutil_get(params, "ids"), &l, err);
    if (rc == 0)
        rc = collect(ld, &l, err);
    free(l.ids);
    if (rc < 0) {
        json_object_put(l.jobs);
        return -1;
    }
    json_object_array_sort(l.jobs, by_id_descending);
    json_object *result = json_object_new_object();
    json_object_object_add(result, "jobs", l.jobs);
    json_object_object_add(result, "more", json_object_new_boolean(l.more));
    reply_result(ld, rq, result);
    return 0;
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
static json_object *active_info(const struct job *job, const char *key)
{
    if (!job)
        return NULL;
    if (strcmp(key, "eventlog") == 0)
        return json_object_new_string(job->log.s);
    if (strcmp(key, "R") == 0 && job->pl)
        return rset_to_json(job->pl->rset);
    if (strcmp(key, "taskmap") == 0 && job->map) {
        cleanup_free char *map = taskmap_encode(job->map);
        return json_object_new_string(map);
    }
    return NULL;
}

static int rpc_info(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    static const char *const known[] = {"jobspec", "R", "eventlog", "taskmap"};
    jobid_t id;
    if (param_id(params, "id", &id, err) < 0)
        return -1;
    json_object *keys = jsonutil_get(params, "keys");
    size_t n =
        json_object_is_type(keys, json_type_array) ? json_object_array_length(keys) : 0;
    const struct job *job = jobtable_find(ld->jobs, id);
    struct error why;
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
        json_object *value = active_info(job, key);
        if (!value && strcmp(key, "jobspec") == 0)
            value = restore_environment(ld, json_tokener_parse(spec));
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

static int rpc_stats(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    struct store_stats st;
    int64_t pending = 0, running = 0;
    (void)params, (void)err;
    store_stats(ld->store, &st);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        *(job->state & JOB_PENDING ? &pending : &running) += 1;
    json_object *o = json_object_new_object();
    add_int(o, "pending", pending);
    add_int(o, "running", running);
    add_int(o, "inactive", (int64_t)st.inactive);
    add_int(o, "completed", (int64_t)st.completed);
    add_int(o, "failed", (int64_t)st.failed);
    add_int(o, "canceled", (int64_t)st.canceled);
    add_int(o, "timeout", (int64_t)st.timeout);
    reply_result(ld, rq, o);
    return 0;
}

const struct rpc rpc_list_table[] = {
    {"job.list", rpc_list},
    {"job.info", rpc_info},
    {"job.stats", rpc_stats},
    {NULL, NULL},
};
