/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/archives.h"
#include "src/instance/replica.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/element.h"
#include "src/instance/forms.h"
#include "src/instance/joblist.h"
#include "src/instance/jobview.h"
#include "src/instance/keys.h"
#include "src/instance/mapping.h"
#include "src/instance/node.h"
#include "src/instance/params.h"
#include "src/instance/record.h"
#include "src/instance/replica_impl.h"
#include "src/instance/site.h"
#include "src/instance/specs.h"
#include "src/job/jsonutil.h"

#define FLUSH_S 0.1

static void on_drop(const struct text *t, void *arg)
{
    (void)t, (void)arg; /* the leader tells executors, not this copy */
}

static struct ahead_jobs *ahead_create(void)
{
    struct ahead_jobs *ahead = xcalloc(1, sizeof(*ahead));
    TAILQ_INIT(ahead);
    return ahead;
}

struct replica *replica_create(json_object **nodes, unsigned size, json_object *info,
                               struct store *store)
{
    struct replica *rp = xcalloc(1, sizeof(*rp));
    rp->exit_code = -1;
    rp->all = node_resources(nodes, size);
    rp->pool = pool_create(rp->all);
    rp->jobs = jobtable_create();
    rp->specs = specs_create(on_drop, rp);
    rp->forms = forms_create();
    rp->keys = keys_create();
    rp->queues = queues_create(info);
    rp->queues->accounts->ncores = rset_ncores(rp->all);
    rp->info = info;
    rp->store = store;
    rp->execs = xcalloc(size, sizeof(*rp->execs));
    for (unsigned i = 0; i < size; i++)
        rp->execs[i].ahead = ahead_create();
    rp->drained = xcalloc(size, sizeof(*rp->drained));
    rp->size = size;
    return rp;
}

void replica_grow(struct replica *rp, json_object **nodes, unsigned size)
{
    struct error err;
    rset_destroy(rp->all);
    rp->all = node_resources(nodes, size);
    rp->execs = xrealloc(rp->execs, size * sizeof(*rp->execs));
    rp->drained = xrealloc(rp->drained, size * sizeof(*rp->drained));
    for (unsigned i = rp->size; i < size; i++) {
        rp->execs[i] = (struct replica_exec){.ahead = ahead_create()};
        rp->drained[i] = NULL;
        if (pool_add_node(rp->pool, rset_find(rp->all, i), &err) < 0)
            log_error("%s", err.text);
    }
    rp->size = size;
    specs_unstream(rp->specs, true);
}

void replica_shrink(struct replica *rp, unsigned rank)
{
    struct error err;
    if (pool_remove_node(rp->pool, rank, &err) < 0)
        log_error("%s", err.text);
}

void replica_set_archives(struct replica *rp, struct archives *archives)
{
    rp->archives = archives;
}

struct store **replica_store_of(struct replica *rp)
{
    return &rp->store;
}

static void forget_array(struct replica *rp, struct submission *sub)
{
    specs_put(rp->specs, sub->jobspec_text);
    specs_put(rp->specs, sub->env_text);
    jobtable_remove_array(rp->jobs, sub);
}

/* Drop a job, with the texts of its submission if it is no element. */
static void forget(struct replica *rp, struct job *job)
{
    replica_unlease(rp, job);
    jobtable_remove(rp->jobs, job);
    if (!job->sub->array) {
        specs_put(rp->specs, job->sub->jobspec_text);
        specs_put(rp->specs, job->sub->env_text);
    }
    job_free(job);
}

void replica_destroy(struct replica *rp)
{
    if (!rp)
        return;
    while (rp->jobs && jobtable_first(rp->jobs))
        forget(rp, jobtable_first(rp->jobs));
    while (rp->jobs && jobtable_narrays(rp->jobs) > 0)
        forget_array(rp, jobtable_array(rp->jobs, 0));
    jobtable_destroy(rp->jobs);
    specs_destroy(rp->specs);
    forms_destroy(rp->forms);
    keys_destroy(rp->keys);
    queues_destroy(rp->queues);
    pool_destroy(rp->pool);
    rset_destroy(rp->all);
    store_close(rp->store);
    for (unsigned i = 0; i < rp->size; i++) {
        free(rp->drained[i]);
        free(rp->execs[i].ahead);
    }
    free(rp->execs);
    free(rp->drained);
    free(rp->shutdown);
    joblog_clear(&rp->joblog);
    free(rp);
}

/* --- the lines of the stream -------------------------------------------------------------- */

static int64_t number(json_object *o, const char *key, int64_t missing)
{
    int64_t v;
    return jsonutil_int(jsonutil_get(o, key), INT64_MIN, INT64_MAX, &v) ? v : missing;
}

static double seconds(json_object *o, const char *key)
{
    double v;
    return jsonutil_number(jsonutil_get(o, key), &v) ? v : 0;
}

static struct job *find(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = element_find(rp->jobs, (jobid_t)number(o, "id", 0));
    if (!job)
        error_set(err, ENOENT, "it names a job that is not there");
    return job;
}

/* Texts come before what refers to them; they are kept under the leader's names. */
static int on_text(struct replica *rp, json_object *o, struct error *err)
{
    const char *kind = jsonutil_string(jsonutil_get(o, "k"));
    json_object *data = jsonutil_get(o, "data");
    if (!kind || !data)
        return error_set(err, EINVAL, "a text has no kind or no data");
    size_t len;
    const char *text = json_object_to_json_string_length(
        data, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    struct text *t = specs_get(
        rp->specs, strcmp(kind, "env") == 0 ? TEXT_ENV : TEXT_JOBSPEC, text, len);
    if (t->streamed)
        specs_put(rp->specs, t);
    t->streamed =
        true; /* this reference lasts until the leader's own text goes: on_untext */
    return 0;
}

static int on_untext(struct replica *rp, json_object *o, struct error *err)
{
    const char *name = jsonutil_string(jsonutil_get(o, "h"));
    struct text *t = name ? specs_find(rp->specs, name) : NULL;
    if (!t)
        return error_set(err, ENOENT, "it names a text that is not there");
    if (t->streamed)
        specs_put(rp->specs, t);
    t->streamed = false;
    return 0;
}

static struct text *use_text(struct replica *rp, json_object *o, const char *key)
{
    const char *name = jsonutil_string(jsonutil_get(o, key));
    struct text *t = name ? specs_find(rp->specs, name) : NULL;
    return t ? specs_hold(rp->specs, t) : NULL;
}

/* REASON: why the job waits, NULL: it does not. */
static void set_reason(struct job *job, const char *reason)
{
    free(job->reason);
    job->reason = reason ? xstrdup(reason) : NULL;
    job->state = reason ? JOB_DEPEND : JOB_SCHED;
}

/* [EXECUTOR, TOKEN]: who waits for its start. */
static void take_spawn(struct submission *sub, json_object *o)
{
    int64_t from, token;
    if (json_object_is_type(o, json_type_array) &&
        jsonutil_int(json_object_array_get_idx(o, 0), 0, INT_MAX, &from) &&
        jsonutil_int(json_object_array_get_idx(o, 1), INT64_MIN, INT64_MAX, &token)) {
        sub->spawn_from = (int)from;
        sub->spawn_token = token;
    }
}

static int on_submit(struct replica *rp, json_object *o, struct error *err)
{
    struct text *spec = use_text(rp, o, "spec");
    if (!spec)
        return error_set(err, ENOENT, "its jobspec did not come before it");
    struct submission *sub = xcalloc(1, sizeof(*sub));
    const char *cc = jsonutil_string(jsonutil_get(o, "cc"));
    const char *key = jsonutil_string(jsonutil_get(o, "key"));
    const char *reason = jsonutil_string(jsonutil_get(o, "reason"));
    sub->refs = 1;
    sub->jobspec_text = spec;
    sub->env_text = use_text(rp, o, "env");
    sub->spec = submission_form(rp->forms, spec, err);
    json_object *constraints = sub->spec ? jobspec_constraints(sub->spec) : NULL;
    if (constraints)
        sub->constraint = constraint_from_json(constraints, err);
    sub->first = (jobid_t)number(o, "id", 0);
    sub->count = sub->left = 1;
    sub->flags = (unsigned)number(o, "flags", 0);
    sub->parent = (uint64_t)number(o, "parent", 0);
    sub->parent_rank = (unsigned)number(o, "prank", 0);
    int64_t urgency = number(o, "urgency", 16), index = -1;
    bool ok = urgency >= 0 && urgency < ARRAY_GROUPS && sub->spec &&
              (!constraints || sub->constraint) &&
              (!cc || element_array(sub, cc, (int)urgency, &index, err) == 0);
    sub->grant = sub->spec && sub->count == 1 ? job_grant_of(sub->spec) : 0;
    sub->preput = json_object_get(jsonutil_get(o, "preput"));
    sub->spawn_from = -1;
    take_spawn(sub, jsonutil_get(o, "spawn"));
    sub->cc = cc ? xstrdup(cc) : NULL;
    sub->key = key ? xstrdup(key) : NULL;
    if (!ok) {
        submission_drop(sub);
        return -1;
    }
    record_submission(rp->store, sub, seconds(o, "t"), (int)urgency);
    struct job *job = sub->array
                          ? element_rest_make(sub, (int)urgency, NULL, seconds(o, "t"))
                          : job_create(sub, 0, index, (int)urgency, seconds(o, "t"));
    if (reason)
        set_reason(job, reason);
    if (sub->array)
        jobtable_add_array(rp->jobs, sub);
    else
        jobtable_add(rp->jobs, job);
    if (key)
        keys_add(rp->keys, key, sub->first, sub->count);
    submission_drop(sub);
    return 0;
}

/* [RANK, CORES, GPUS, SLOTS] and, if it has some, MEMORY */
static int add_node(struct replica *rp, struct placement *pl, json_object *o, size_t i,
                    struct error *err)
{
    int64_t rank, slots, memory = 0;
    const char *cores = jsonutil_string(json_object_array_get_idx(o, 1));
    const char *gpus = jsonutil_string(json_object_array_get_idx(o, 2));
    if (!json_object_is_type(o, json_type_array) || !cores || !gpus ||
        !jsonutil_int(json_object_array_get_idx(o, 0), 0, UINT_MAX, &rank) ||
        !jsonutil_int(json_object_array_get_idx(o, 3), 0, UINT_MAX, &slots))
        return error_set(err, EINVAL, "a node of it is not [rank, cores, gpus, slots]");
    const struct rset_node *node = rset_find(rp->all, (unsigned)rank);
    cleanup_bitmap hwloc_bitmap_t c = idset_decode(cores, err);
    cleanup_bitmap hwloc_bitmap_t g = idset_decode(gpus, err);
    if (!node || !c || !g)
        return error_set(err, EINVAL, "it names rank %lld", (long long)rank);
    jsonutil_int(json_object_array_get_idx(o, 4), 0, (int64_t)BYTES_MAX, &memory);
    rset_add(pl->rset, node->rank, node->host, c, g)->memory = (uint64_t)memory;
    pl->nslots[i] = (unsigned)slots;
    return 0;
}

void replica_unlease(struct replica *rp, struct job *job)
{
    if (job->ahead < 0)
        return;
    TAILQ_REMOVE(rp->execs[job->ahead].ahead, job, ahead_entry);
    job->ahead = -1;
    rp->nahead--;
}

static struct job *lease_job(struct replica *rp, json_object *ids, size_t i)
{
    int64_t id;
    return jsonutil_int(json_object_array_get_idx(ids, i), 1, INT64_MAX, &id)
               ? element_find(rp->jobs, (jobid_t)id)
               : NULL;
}

static size_t count_ids(json_object *ids)
{
    return json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
}

void replica_lease(struct replica *rp, unsigned rank, json_object *ids)
{
    for (size_t i = 0; i < count_ids(ids); i++) {
        struct job *job = lease_job(rp, ids, i);
        /* one that began, and was queued again, may be in the store's list still */
        if (!job || job->state != JOB_SCHED || job->ahead >= 0 || job->run > 0)
            continue;
        job->ahead = (int)rank;
        rp->nahead++;
        TAILQ_INSERT_TAIL(rp->execs[rank].ahead, job, ahead_entry);
    }
}

static int on_lease(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = number(o, "rank", -1);
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    replica_lease(rp, (unsigned)rank, jsonutil_get(o, "ids"));
    record_lease(rp->store, (unsigned)rank, rp->execs[rank].ahead);
    return 0;
}

/* Some may be over since: they were canceled. */
static int on_unlease(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = number(o, "rank", -1);
    json_object *ids = jsonutil_get(o, "ids");
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    for (size_t i = 0; i < count_ids(ids); i++) {
        struct job *job = lease_job(rp, ids, i);
        if (job)
            replica_unlease(rp, job);
    }
    record_lease(rp->store, (unsigned)rank, rp->execs[rank].ahead);
    return 0;
}

static int on_run(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    json_object *nodes = jsonutil_get(o, "R");
    if (!job || !json_object_is_type(nodes, json_type_array) || job->pl)
        return job ? error_set(err, EINVAL, "a placement without R, or a second one")
                   : -1;
    size_t n = json_object_array_length(nodes);
    struct placement *pl = placement_create(n);
    for (size_t i = 0; i < n; i++)
        if (add_node(rp, pl, json_object_array_get_idx(nodes, i), i, err) < 0) {
            placement_destroy(pl);
            return -1;
        }
    if (json_object_is_type(jsonutil_get(o, "scheduling"), json_type_object))
        pl->rset->scheduling = json_object_get(jsonutil_get(o, "scheduling"));
    if (pool_take(rp->pool, pl->rset, err) < 0) {
        placement_destroy(pl);
        return -1;
    }
    replica_unlease(rp, job);
    job->pl = pl;
    job->state = JOB_RUN;
    job->t_run = pl->rset->starttime = seconds(o, "t");
    job->expiration = pl->rset->expiration = seconds(o, "x");
    if (mapping_make(job, err) < 0) /* the leader ends it with that */
        return 0;
    job_await_nodes(job);
    record_run(rp->store, job);
    return 0;
}

/* The elements "id" and "n" of an array tell of. NULL with err set: there is none. */
static struct submission *find_run(struct replica *rp, json_object *o,
                                   struct array_run *run, struct error *err)
{
    struct submission *sub =
        jobtable_array_of(rp->jobs, (jobid_t)number(o, "id", 0), &run->first);
    run->n = (uint64_t)number(o, "n", 0);
    if (!sub)
        return error_null(err, ENOENT, "it names an array that is not there");
    if (run->n < 1 || run->n > sub->count - run->first)
        return error_null(err, EINVAL, "it names elements that are not there");
    return sub;
}

static int on_depend(struct replica *rp, json_object *o, struct error *err)
{
    uint64_t position;
    struct submission *sub =
        jobtable_array_of(rp->jobs, (jobid_t)number(o, "of", 0), &position);
    for (int g = 0; sub && g < ARRAY_GROUPS; g++)
        if (sub->rests[g])
            set_reason(sub->rests[g], jsonutil_string(jsonutil_get(o, "reason")));
    if (sub)
        return 0;
    struct job *job = find(rp, o, err);
    if (!job || job->state > JOB_SCHED)
        return job ? error_set(err, EINVAL, "the job has resources already") : -1;
    set_reason(job, jsonutil_string(jsonutil_get(o, "reason")));
    return 0;
}

static int on_start(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    job->started = true;
    job->nodes_starting = 0;
    for (size_t i = 0; job->nodes && i < job->pl->rset->nnodes; i++)
        job->nodes[i].started = true;
    return 0;
}

static int on_event(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    size_t start, len;
    if (!job)
        return -1;
    start = job->log.len;
    const char *text = json_object_to_json_string_length(
        jsonutil_get(o, "e"), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
        &len);
    strbuf_addn(&job->log, text, len);
    strbuf_addc(&job->log, '\n');
    job->logged = job->sub->count > 1;
    job->told = true;
    joblog_add(&rp->joblog, job, rp->store, job->log.s + start);
    return 0;
}

static int on_done(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    int64_t node = number(o, "node", -1);
    if (!job)
        return -1;
    if (!job->nodes || node < 0 || (size_t)node >= job->pl->rset->nnodes)
        return error_set(err, EINVAL, "it names node %lld of the job", (long long)node);
    job_node_done(job, (unsigned)node, (int)number(o, "status", 0),
                  jsonutil_get(o, "report"));
    record_run(rp->store, job);
    return 0;
}

static int on_release(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    const char *text = jsonutil_string(jsonutil_get(o, "ranks"));
    if (!job)
        return -1;
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text ? text : "", err);
    struct rset *r = ranks ? job_release(job, ranks) : NULL;
    if (!r)
        return error_set(err, EINVAL, "the job has nothing to release on ranks %s",
                         jsonutil_show(jsonutil_get(o, "ranks")).text);
    pool_free(rp->pool, r);
    rset_destroy(r);
    record_run(rp->store, job);
    return 0;
}

static int on_exception(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    const char *type = jsonutil_string(jsonutil_get(o, "type"));
    const char *note = jsonutil_string(jsonutil_get(o, "note"));
    if (!job)
        return -1;
    job_except(job, type ? type : "", (int)number(o, "severity", 0), note);
    return 0;
}

static int on_urgency(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    job->urgency = (int)number(o, "urgency", 16);
    job->sj.priority = (uint64_t)number(o, "priority", 16);
    store_job_urgency(rp->store, job->sj.id, job->urgency, (int64_t)job->sj.priority);
    return 0;
}

static int on_urgencies(struct replica *rp, json_object *o, struct error *err)
{
    struct array_run run;
    struct submission *sub = find_run(rp, o, &run, err);
    int64_t urgency = number(o, "urgency", -1);
    if (!sub)
        return -1;
    if (urgency < 0 || urgency >= ARRAY_GROUPS)
        return error_set(err, EINVAL, "there is no urgency %lld", (long long)urgency);
    const struct job *like = element_rest_any(sub);
    const struct job *rest = element_rest_make(sub, (int)urgency, like, like->t_submit);
    array_move(sub->array, run, (int)urgency);
    store_elements_urgency(rp->store, jobid_nth(sub->first, run.first), run.n,
                           (int)urgency, (int64_t)rest->sj.priority);
    return 0;
}

static int on_ends(struct replica *rp, json_object *o, struct error *err)
{
    struct array_run run;
    struct submission *sub = find_run(rp, o, &run, err);
    const char *type = jsonutil_string(jsonutil_get(o, "type"));
    const char *note = jsonutil_string(jsonutil_get(o, "note"));
    struct element_end end = {seconds(o, "t"), seconds(o, "td"), type ? type : "",
                              note ? note : ""};
    if (!sub)
        return -1;
    struct array_run rest = array_find(sub->array, ARRAY_REST, run.first);
    if (rest.first != run.first || rest.n < run.n)
        return error_set(err, EINVAL, "it names an element that does not wait");
    sub->left -= array_end(sub->array, run);
    record_elements_end(rp->store, sub, run, &end);
    if (sub->left == 0)
        forget_array(rp, sub);
    return 0;
}

static int on_memo(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    json_object *memo = jsonutil_get(o, "memo");
    if (!job)
        return -1;
    if (json_object_is_type(memo, json_type_object))
        job_note(job, memo);
    return 0;
}

/* A full disk here is no reason to leave the instance: hbatch archive extract asks the leader then. */
static int on_archive(struct replica *rp, json_object *o, struct error *err)
{
    (void)err;
    struct error why;
    if (rp->archives && archives_apply(rp->archives, o, &why) < 0)
        log_warning("archive: %s", why.text);
    return 0;
}

static int on_purge(struct replica *rp, json_object *o, struct error *err)
{
    json_object *ranges = jsonutil_get(o, "ranges");
    size_t n = count_ids(ranges);
    for (size_t i = 0; i < n; i++) {
        json_object *range = json_object_array_get_idx(ranges, i);
        struct store_purge_range r = {0};
        if (param_range(range, 1, &r.first, &r.last, err) < 0)
            return error_set(err, EINVAL, "a range of it is not [first, last]");
        r.alike = json_object_array_length(range) > 2;
        store_purge(rp->store, &r);
    }
    if (json_object_get_boolean(jsonutil_get(o, "sweep")))
        store_sweep(rp->store);
    return 0;
}

static int on_requeue(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    if (job->pl && !job->former)
        pool_free(rp->pool, job_held(job));
    job_reset(job);
    job_check(job, rp->pool);
    store_job_requeue(rp->store, job->sj.id);
    return 0;
}

/* OUTPUT is taken over. */
static void end_job(struct replica *rp, struct job *job, json_object *o, int status,
                    json_object *output)
{
    job->state = JOB_INACTIVE;
    job->t_inactive = seconds(o, "t");
    job->t_cleanup = seconds(o, "tc");
    job->status = status;
    json_object_put(job->output);
    job->output = output;
    struct submission *sub = job->sub->array ? job->sub : NULL;
    job->sub->left--;
    if (sub)
        array_end_one(sub->array, element_position(job));
    record_end(rp->store, job);
    forget(rp, job);
    if (sub && sub->left == 0)
        forget_array(rp, sub);
}

static int on_end(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    if (job->pl && !job->former)
        pool_free(rp->pool, job_held(job));
    end_job(rp, job, o, (int)number(o, "status", -1),
            json_object_get(jsonutil_get(o, "output")));
    return 0;
}

/* One is over, and one of the lease runs where it did. */
static int on_next(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    struct job *heir = element_find(rp->jobs, (jobid_t)number(o, "to", 0));
    if (!job)
        return -1;
    if (!heir || heir->pl || job->former || !job_take_over(heir, job))
        return error_set(err, EINVAL,
                         "the second job cannot run where the first one did");
    json_object *output = jsonutil_get(o, "output");
    replica_unlease(rp, heir);
    heir->state = JOB_RUN;
    heir->t_run = heir->pl->rset->starttime = seconds(o, "tr");
    heir->expiration = jsonutil_get(o, "x") ? seconds(o, "x") : job->expiration;
    heir->pl->rset->expiration = heir->expiration;
    if (mapping_make(heir, err) < 0)
        return -1;
    job_await_nodes(heir);
    end_job(rp, job, o, (int)number(o, "status", 0),
            json_object_get(output ? output : site_quiet(heir->site)));
    record_run_later(&rp->untold_runs, heir);
    return 0;
}

static int on_node(struct replica *rp, json_object *o, struct error *err)
{
    int64_t state = number(o, "state", -1), rank = number(o, "rank", -1);
    if (state < POOL_UP || state > POOL_DOWN)
        return error_set(err, EINVAL, "no such node state");
    if (pool_set_state(rp->pool, (unsigned)rank, (enum pool_node_state)state,
                       jsonutil_string(jsonutil_get(o, "reason"))) < 0)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    const char *drained = jsonutil_string(jsonutil_get(o, "drained"));
    free(rp->drained[rank]);
    rp->drained[rank] = drained ? xstrdup(drained) : NULL;
    record_node(rp->store, (unsigned)rank, json_object_to_json_string(o));
    return 0;
}

static int on_gone(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = number(o, "rank", -1), size = 0;
    if (pool_remove_node(rp->pool, (unsigned)rank, err) < 0)
        return -1;
    if (jsonutil_int(jsonutil_get(rp->info, "size"), 2, INT32_MAX, &size))
        json_object_object_add(rp->info, "size", json_object_new_int64(size - 1));
    return 0;
}

static int on_exec(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = number(o, "rank", -1);
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    rp->execs[rank].pid = number(o, "pid", 0);
    rp->execs[rank].since = seconds(o, "since");
    record_exec(rp->store, (unsigned)rank, json_object_to_json_string(o));
    return 0;
}

static int replace_jobspec(struct replica *rp, struct job *job, json_object *o,
                           struct error *err)
{
    struct submission *sub = job->sub;
    struct text *text = use_text(rp, o, "spec");
    if (!text || sub->count > 1) {
        specs_put(rp->specs, text);
        return error_set(err, ENOENT, "its jobspec did not come before it");
    }
    cleanup_free char *data = text_get(text);
    struct jobspec *spec = jobspec_decode(data, text->len, err);
    json_object *constraints = spec ? jobspec_constraints(spec) : NULL;
    struct constraint *c = constraints ? constraint_from_json(constraints, err) : NULL;
    if (!spec || (constraints && !c)) {
        jobspec_destroy(spec);
        specs_put(rp->specs, text);
        return -1;
    }
    specs_put(rp->specs, sub->jobspec_text);
    jobspec_destroy(sub->spec);
    constraint_destroy(sub->constraint);
    sub->jobspec_text = text;
    sub->spec = spec;
    job->sj.req.constraint = sub->constraint = c;
    job->sj.req.shape = *jobspec_shape(spec);
    sub->bank = NULL;
    record_submission(rp->store, sub, job->t_submit, job->urgency);
    store_job_urgency(rp->store, job->sj.id, job->urgency, (int64_t)job->sj.priority);
    return 0;
}

static int on_update(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job || (jsonutil_get(o, "spec") && replace_jobspec(rp, job, o, err) < 0))
        return -1;
    job->sj.duration = job->sj.req.shape.duration = seconds(o, "duration");
    if (!jsonutil_get(o, "x") || !job->pl)
        return 0;
    job->expiration = job->pl->rset->expiration = seconds(o, "x");
    if (job->held)
        job->held->expiration = job->expiration;
    record_run(rp->store, job);
    return 0;
}

static int on_config(struct replica *rp, json_object *o, struct error *err)
{
    json_object *data = jsonutil_get(o, "data");
    store_attr_set(rp->store, "config",
                   json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
    return queues_from_json(rp->queues, data, false, false, err);
}

static int on_account(struct replica *rp, json_object *o, struct error *err)
{
    json_object *data = jsonutil_get(o, "data");
    (void)err;
    store_attr_set(rp->store, "account",
                   json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
    accounts_from_json(rp->queues->accounts, data);
    return 0;
}

static int on_shutdown(struct replica *rp, json_object *o, struct error *err)
{
    const char *reason = jsonutil_string(jsonutil_get(o, "reason"));
    (void)err;
    free(rp->shutdown);
    rp->shutdown = xstrdup(reason ? reason : "instance shutdown");
    rp->exit_code = (int)number(o, "status", -1);
    store_attr_set(rp->store, "shutdown", json_object_to_json_string(o));
    return 0;
}

static const struct {
    const char *kind;
    int (*apply)(struct replica *rp, json_object *o, struct error *err);
} kinds[] = {
    {"text", on_text},           {"submit", on_submit},     {"run", on_run},
    {"lease", on_lease},         {"unlease", on_unlease},   {"start", on_start},
    {"exception", on_exception}, {"urgency", on_urgency},   {"urgencies", on_urgencies},
    {"requeue", on_requeue},     {"end", on_end},           {"ends", on_ends},
    {"node", on_node},           {"depend", on_depend},     {"untext", on_untext},
    {"event", on_event},         {"done", on_done},         {"release", on_release},
    {"exec", on_exec},           {"memo", on_memo},         {"archive", on_archive},
    {"purge", on_purge},         {"shutdown", on_shutdown}, {"config", on_config},
    {"update", on_update},       {"next", on_next},         {"account", on_account},
    {"gone", on_gone},
};

int replica_apply(struct replica *rp, const char *line, size_t len, struct error *err)
{
    struct error why;
    int piece = rp->archives ? archives_apply_put(rp->archives, line, len, &why) : 0;
    if (piece < 0)
        log_warning("archive: %s", why.text);
    if (piece != 0)
        return 0;
    cleanup_json json_object *o = jsonutil_decode(line, len, err);
    const char *kind = jsonutil_string(jsonutil_get(o, "c"));
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        if (kinds[i].apply(rp, o, err) == 0)
            return 0;
        return error_prefix(err, "change '%.100s'", line);
    }
    return error_set(err, EINVAL, "change '%.100s': unknown", line);
}

void replica_epoch(struct replica *rp, unsigned generation, uint64_t epoch)
{
    record_state(rp->store, generation, epoch);
    /* each epoch by itself would cost more; what is lost with this process, others have */
    if (time_mono() - rp->flushed > FLUSH_S)
        replica_flush(rp);
}

void replica_flush(struct replica *rp)
{
    struct error err;
    rp->flushed = time_mono();
    record_runs(rp->store, &rp->untold_runs);
    if (store_flush(rp->store, &err) < 0)
        log_error("%s", err.text);
    else if (rp->jobs)
        joblog_flushed(&rp->joblog, rp->jobs);
}

/* --- questions ---------------------------------------------------------------------------- */

static json_object *answer_list(struct replica *rp, json_object *params,
                                struct error *err)
{
    struct joblist l;
    json_object *result = NULL;
    if (rp->nahead > 0) /* it asks the executors first (news.h) */
        return NULL;
    if (joblist_init(&l, params, err) == 0 && !joblist_wants_history(&l)) {
        joblist_add_active(&l, rp->jobs, rp->info, rp->queues, NULL);
        result = joblist_result(&l);
    }
    joblist_clear(&l);
    return result; /* mistakes, too, are the leader's to answer */
}

static json_object *answer_nodes(struct replica *rp, json_object *params,
                                 struct error *err)
{
    (void)params, (void)err;
    return jobview_nodes(rp->pool);
}

static const struct {
    const char *method;
    json_object *(*answer)(struct replica *rp, json_object *params, struct error *err);
} answers[] = {{"job.list", answer_list}, {"resource.list", answer_nodes}};

bool replica_may_answer(const char *line, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (memmem(line, MIN(len, 100u), answers[i].method, strlen(answers[i].method)))
            return true;
    return false;
}

json_object *replica_answer(struct replica *rp, const char *line, size_t len)
{
    struct error err;
    int64_t id;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *method = jsonutil_string(jsonutil_get(o, "method"));
    if (!method || !jsonutil_int(jsonutil_get(o, "id"), 0, INT64_MAX, &id))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (strcmp(answers[i].method, method) != 0)
            continue;
        json_object *result = answers[i].answer(rp, jsonutil_get(o, "params"), &err);
        if (!result)
            return NULL;
        json_object *reply = json_object_new_object();
        json_object_object_add(reply, "jsonrpc", json_object_new_string("2.0"));
        json_object_object_add(reply, "id", json_object_new_int64(id));
        json_object_object_add(reply, "result", result);
        return reply;
    }
    return NULL;
}
