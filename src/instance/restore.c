/* SPDX-License-Identifier: BSD-3-Clause */
/* restore: a replica's tables from its store: of an instance whose ranks are started again. */
#include "src/instance/element.h"
#include "src/instance/forms.h"
#include "src/instance/replica_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/mapping.h"
#include "src/instance/record.h"
#include "src/job/bulk.h"
#include "src/job/jsonutil.h"
#include "src/job/rset_parts.h"

struct restore {
    struct replica *rp;
    struct error *err;
    bool failed; /* and store_pending does not say so */
};

static struct text *text_of(struct replica *rp, enum text_kind kind, const char *text)
{
    return text ? specs_get(rp->specs, kind, text, strlen(text)) : NULL;
}

/* The environment that the jobspec names, as the store does. */
static struct text *environment(struct replica *rp, json_object *jobspec)
{
    const char *name =
        jsonutil_string(jsonutil_at(jobspec, "attributes.system.environment"));
    struct text *known = name ? specs_find(rp->specs, name) : NULL;
    if (known && known->kind == TEXT_ENV)
        return specs_hold(rp->specs, known);
    cleanup_free char *text = name ? store_env_get(rp->store, name, NULL) : NULL;
    return text_of(rp, TEXT_ENV, text);
}

static struct submission *
restore_submission(struct replica *rp, const struct store_job *sj, struct error *err)
{
    struct submission *sub = xcalloc(1, sizeof(*sub));
    sub->refs = 1;
    cleanup_json json_object *o = jsonutil_decode(sj->jobspec, strlen(sj->jobspec), err);
    struct text *env = environment(rp, o);
    if (o) {
        bulk_apply(o, -1);
        sub->spec = forms_take(rp->forms, o, err);
    }
    json_object *constraints = sub->spec ? jobspec_constraints(sub->spec) : NULL;
    if (constraints)
        sub->constraint = constraint_from_json(constraints, err);
    if (!sub->spec || (constraints && !sub->constraint)) {
        specs_put(rp->specs, env);
        submission_drop(sub);
        return NULL;
    }
    sub->jobspec_text = text_of(rp, TEXT_JOBSPEC, sj->jobspec);
    sub->env_text = env;
    sub->first = sj->id;
    sub->count = sj->count; /* for now */
    sub->flags = sj->flags;
    sub->cc = sj->cc ? xstrdup(sj->cc) : NULL;
    sub->key = sj->key ? xstrdup(sj->key) : NULL;
    sub->parent = sj->parent;
    sub->parent_rank = sj->parent_rank;
    sub->grant = sub->count == 1 ? job_grant_of(sub->spec) : 0;
    sub->spawn_from = -1;
    if (sj->key)
        keys_add(rp->keys, sj->key, sub->first, sub->count);
    return sub;
}

/* Slots of each node: as it was said, or from the cores that it has; of whole nodes from the tasks. */
static void count_slots(struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    const struct rset *r = job->pl->rset;
    cleanup_free unsigned *nslots = xcalloc(r->nnodes, sizeof(*nslots));
    for (unsigned part = 0; part < shape->nparts; part++) {
        rset_parts_slots(r, part, nslots);
        for (unsigned i = 0; i < r->nnodes; i++)
            job->pl->nslots[i] += nslots[i];
    }
    for (unsigned i = 0; i < r->nnodes && shape->nparts == 0; i++) {
        unsigned cores = (unsigned)hwloc_bitmap_weight(r->nodes[i].cores);
        unsigned tasks = (unsigned)hwloc_bitmap_weight(taskmap_tasks(job->map, i));
        job->pl->nslots[i] = shape->nnodes_min  ? shape->nslots
                             : shape->exclusive ? tasks / MAX(shape->tasks_per_slot, 1u)
                                                : cores / shape->cores_per_slot;
    }
}

/* Nodes that were done already told so. */
static void mark_done(struct job *job, const char *output)
{
    cleanup_json json_object *o = output ? json_tokener_parse(output) : NULL;
    size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *entry = json_object_array_get_idx(o, i);
        int64_t rank, status = 0;
        if (!json_object_is_type(entry, json_type_array) ||
            !jsonutil_int(json_object_array_get_idx(entry, 0), 0, UINT_MAX, &rank))
            continue;
        json_object *report = json_object_array_get_idx(entry, 1);
        int index = job_node_index(job, (unsigned)rank);
        jsonutil_int(jsonutil_get(report, "status"), 0, INT32_MAX, &status);
        if (index >= 0 && !job->nodes[index].done && job->nodes_running > 1)
            job_node_done(job, (unsigned)index, (int)status, report);
    }
}

/* What the log says was released, since the job got what it has. */
static void restore_released(struct job *job)
{
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    for (char *line = job->log.s, *end; line && (end = strchr(line, '\n'));
         line = end + 1) {
        cleanup_free char *text = xstrndup(line, (size_t)(end - line));
        bool alloc = strstr(text, "\"name\":\"alloc\""),
             release = strstr(text, "\"name\":\"release\"");
        if (alloc)
            hwloc_bitmap_zero(all);
        if (!release)
            continue;
        cleanup_json json_object *o = json_tokener_parse(text);
        const char *ranks =
            jsonutil_string(jsonutil_get(jsonutil_get(o, "context"), "ranks"));
        cleanup_bitmap hwloc_bitmap_t some = ranks ? idset_decode(ranks, NULL) : NULL;
        if (some)
            hwloc_bitmap_or(all, all, some);
    }
    for (unsigned i = 0; i < job->pl->rset->nnodes; i++)
        if (hwloc_bitmap_isset(all, job->pl->rset->nodes[i].rank) &&
            !job->nodes[i].done && job->nodes_running > 1)
            job_node_done(job, i, 0, NULL);
    rset_destroy(job_release(job, all));
}

static int restore_placement(struct replica *rp, struct job *job,
                             const struct store_run *run, struct error *err)
{
    cleanup_json json_object *o = json_tokener_parse(run->R);
    struct rset *r = rset_from_json(o, err);
    if (!r)
        return -1;
    struct placement *pl = placement_create(r->nnodes);
    rset_destroy(pl->rset);
    pl->rset = r;
    job->pl = pl;
    job->state = JOB_RUN;
    job->t_run = r->starttime = run->t_run;
    job->expiration = r->expiration = run->expiration;
    job->t_depend = run->t_depend > 0 ? run->t_depend : job->t_depend;
    job->former = rp->anew;
    if (run->taskmap)
        job->map = taskmap_decode(run->taskmap, err);
    if (rp->anew)
        return 0;
    if (job->map) {
        job->ntasks = taskmap_ntasks(job->map);
        count_slots(job);
        job_await_nodes(job);
        mark_done(job, run->output);
        restore_released(job);
    }
    return pool_take(rp->pool, job_held(job), err);
}

/* Whether the job waits for others is found out anew, by its log: the events of dependencies that
 * were added and not removed. */
static bool still_waits(const struct job *job)
{
    return job->log.len > 0 && strstr(job->log.s, "\"name\":\"dependency-add\"") &&
           !strstr(job->log.s, "\"name\":\"depend\"");
}

static int restore_run(struct replica *rp, struct job *job, const struct store_run *run,
                       struct error *err)
{
    if (run->eventlog) {
        strbuf_add(&job->log, run->eventlog);
        job->logged = job->sub->count > 1;
    }
    if (run->exception_type)
        job_except(job, run->exception_type, run->exception_severity,
                   run->exception_note);
    return run->R ? restore_placement(rp, job, run, err) : 0;
}

/* How often it was queued again, from the log. */
static unsigned count_requeues(const struct job *job)
{
    unsigned n = 0;
    static const char mark[] = "\"name\":\"requeue\"";
    for (const char *p = job->log.s; p && (p = strstr(p, mark)); p++)
        n++;
    return n;
}

/* The last state of what was noted, from the log. */
static void restore_memo(struct job *job)
{
    static const char mark[] = "\"name\":\"memo\"";
    for (char *line = job->log.s, *end; line && (end = strchr(line, '\n'));
         line = end + 1) {
        if (!memmem(line, (size_t)(end - line), mark, sizeof(mark) - 1))
            continue;
        cleanup_free char *text = xstrndup(line, (size_t)(end - line));
        cleanup_json json_object *o = json_tokener_parse(text);
        json_object *memo = jsonutil_get(o, "context");
        if (json_object_is_type(memo, json_type_object))
            job_note(job, memo);
    }
}

/* The duration that an element was given after it was submitted: its jobspec is that of all. */
static void restore_duration(struct job *job)
{
    static const char mark[] = "\"name\":\"jobspec-update\"";
    const char *at = job->sub->count > 1 ? job->log.s : NULL;
    for (const char *line; at && (line = strstr(at, mark)); at = line + 1) {
        static const char key[] = "\"attributes.system.duration\":";
        const char *end = line + strcspn(line, "\n"), *value = strstr(line, key);
        if (value && value < end)
            job->sj.duration = job->sj.req.shape.duration =
                strtod(value + sizeof(key) - 1, NULL);
    }
}

static int restore_job(struct replica *rp, struct job *job, const struct store_job *sj,
                       const struct store_run *run, struct error *err)
{
    if (sj->eventlog)
        strbuf_add(&job->log, sj->eventlog);
    if (run && restore_run(rp, job, run, err) < 0)
        return -1;
    job->odd = job->log.len > 0;
    restore_memo(job);
    restore_duration(job);
    job->run = count_requeues(job);
    if (strstr(job->log.s ? job->log.s : "", "\"name\":\"start\""))
        job->started = job->state == JOB_RUN;
    if (job->state == JOB_SCHED && still_waits(job))
        job->state = JOB_DEPEND; /* adopt.c finds out for what, or that it does not */
    if (rp->anew)
        job_check(job, rp->pool);
    if (job->log.len > 0)
        job_log_stored(job);
    return 0;
}

/* In the order in which they were given: an element has the last one. */
static void restore_urgencies(struct submission *sub, const struct store_job *sj)
{
    const struct job *like = element_rest_any(sub);
    for (size_t i = 0; i < sj->nurgencies; i++) {
        const struct store_urgency *u = &sj->urgencies[i];
        int64_t position = jobid_position(sub->first, sub->count, u->first);
        if (position < 0 || u->urgency < 0 || u->urgency >= ARRAY_GROUPS)
            continue;
        element_rest_make(sub, u->urgency, like, like->t_submit);
        array_move(sub->array, (struct array_run){(uint64_t)position, u->n}, u->urgency);
    }
}

/* Elements with a history, or resources, have jobs; the others wait. */
static int restore_elements(struct restore *rs, struct submission *sub,
                            const struct store_job *sj, hwloc_const_bitmap_t ended,
                            const struct store_run *runs, size_t nruns)
{
    struct job *rest = element_rest_make(sub, sj->urgency, NULL, sj->t_submit);
    json_object *dependencies = jobspec_dependencies(sub->spec);
    if (dependencies && json_object_array_length(dependencies) > 0)
        rest->state = JOB_DEPEND;
    restore_urgencies(sub, sj);
    int index = hwloc_bitmap_first(ended);
    for (; index >= 0; index = hwloc_bitmap_next(ended, index)) {
        int64_t position = array_position(sub->array, (uint64_t)index);
        if (position >= 0)
            sub->left -= array_end_one(sub->array, (uint64_t)position);
    }
    jobtable_add_array(rs->rp->jobs, sub);
    for (size_t i = 0; i < nruns; i++) {
        struct job *job = element_find(rs->rp->jobs, runs[i].id);
        if (job && job->sub == sub && restore_job(rs->rp, job, sj, &runs[i], rs->err) < 0)
            return -1;
    }
    return 0;
}

static int restore_submitted(struct restore *rs, const struct store_job *sj,
                             hwloc_const_bitmap_t ended, const struct store_run *runs,
                             size_t nruns)
{
    int64_t index = -1;
    int rc = 0;
    struct submission *sub = restore_submission(rs->rp, sj, rs->err);
    if (!sub)
        return -1;
    sub->count = sub->left = 1;
    if (sj->cc && element_array(sub, sj->cc, sj->urgency, &index, rs->err) < 0) {
        rc = -1;
    } else if (sub->array) {
        rc = restore_elements(rs, sub, sj, ended, runs, nruns);
    } else {
        struct job *job = job_create(sub, 0, index, sj->urgency, sj->t_submit);
        job->sj.priority = (uint64_t)sj->priority;
        jobtable_add(rs->rp->jobs, job);
        rc = restore_job(rs->rp, job, sj, nruns > 0 ? &runs[0] : NULL, rs->err);
    }
    submission_drop(sub);
    return rc;
}

static int restore_one(void *arg, const struct store_job *sj, hwloc_const_bitmap_t ended,
                       const struct store_run *runs, size_t nruns)
{
    struct restore *rs = arg;
    rs->failed = restore_submitted(rs, sj, ended, runs, nruns) != 0;
    return rs->failed;
}

static void apply_again(struct replica *rp, const char *line)
{
    struct error err;
    if (line && *line && replica_apply(rp, line, strlen(line), &err) < 0)
        log_error("%s", err.text);
}

/* Drained nodes stay so; whether the others are up is seen when their executors answer. */
static void restore_nodes(struct replica *rp)
{
    for (size_t i = 0; i < pool_nnodes(rp->pool); i++) {
        unsigned rank = pool_nth(rp->pool, i).rank;
        cleanup_free char *state = record_node_last(rp->store, rank);
        cleanup_free char *exec = record_exec_last(rp->store, rank);
        cleanup_json json_object *lease = record_lease_last(rp->store, rank);
        apply_again(rp, state);
        apply_again(rp, exec);
        replica_lease(rp, rank, lease);
    }
}

/* A configuration that this life was started with goes before the one that was. */
static void restore_config(struct replica *rp)
{
    struct error err;
    cleanup_free char *accounts = store_attr_get(rp->store, "account", NULL);
    cleanup_json json_object *usage = accounts ? json_tokener_parse(accounts) : NULL;
    accounts_from_json(rp->queues->accounts, usage);
    cleanup_free char *text = store_attr_get(rp->store, "config", NULL);
    cleanup_json json_object *o = text ? json_tokener_parse(text) : NULL;
    bool configured = rp->anew && jsonutil_get(rp->info, "config");
    if (o && queues_from_json(rp->queues, o, rp->anew, configured, &err) < 0)
        log_error("configuration: %s", err.text);
    if (rp->anew && o) {
        cleanup_json json_object *now = queues_to_json(rp->queues);
        store_attr_set(rp->store, "config",
                       json_object_to_json_string_ext(now, JSON_C_TO_STRING_PLAIN));
    }
}

/* Those that were set while it ran. */
static void restore_attrs(struct replica *rp)
{
    cleanup_free char *text = store_attr_get(rp->store, "attrs", NULL);
    json_object *attrs = text ? json_tokener_parse(text) : NULL;
    if (json_object_is_type(attrs, json_type_object))
        json_object_object_add(rp->info, "attrs", attrs);
    else
        json_object_put(attrs);
}

int replica_restore(struct replica *rp, bool anew, struct error *err)
{
    struct restore rs = {.rp = rp, .err = err};
    rp->anew = anew;
    restore_config(rp);
    if (store_pending(rp->store, restore_one, &rs, err) < 0 || rs.failed)
        return error_prefix(err, "the instance cannot go on from its store");
    if (anew)
        return 0;
    restore_nodes(rp);
    restore_attrs(rp);
    cleanup_free char *shutdown = store_attr_get(rp->store, "shutdown", NULL);
    apply_again(rp, shutdown);
    return 0;
}

static int busy_one(void *arg, const struct store_job *sj, hwloc_const_bitmap_t ended,
                    const struct store_run *runs, size_t nruns)
{
    hwloc_bitmap_t ranks = arg;
    struct error err;
    (void)sj, (void)ended;
    for (size_t i = 0; i < nruns; i++) {
        cleanup_json json_object *o = runs[i].R ? json_tokener_parse(runs[i].R) : NULL;
        struct rset *r = o ? rset_from_json(o, &err) : NULL;
        for (size_t k = 0; r && k < r->nnodes; k++)
            hwloc_bitmap_set(ranks, r->nodes[k].rank);
        rset_destroy(r);
    }
    return 0;
}

int replica_busy(struct store *store, hwloc_bitmap_t ranks, struct error *err)
{
    return store_pending(store, busy_one, ranks, err);
}
