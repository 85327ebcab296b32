/* SPDX-License-Identifier: BSD-3-Clause */
/* replica_jobs: the lines of the stream that tell of jobs, and of the texts that they refer to. */
#include "src/instance/replica_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/instance/element.h"
#include "src/instance/forms.h"
#include "src/instance/mapping.h"
#include "src/instance/record.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"

static struct job *find(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = element_find(rp->jobs, (jobid_t)replica_number(o, "id", 0));
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
    sub->first = (jobid_t)replica_number(o, "id", 0);
    sub->count = sub->left = 1;
    sub->flags = (unsigned)replica_number(o, "flags", 0);
    sub->parent = (uint64_t)replica_number(o, "parent", 0);
    sub->parent_rank = (unsigned)replica_number(o, "prank", 0);
    int64_t urgency = replica_number(o, "urgency", 16), index = -1;
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
    record_submission(rp->store, sub, replica_seconds(o, "t"), (int)urgency);
    struct job *job =
        sub->array ? element_rest_make(sub, (int)urgency, NULL, replica_seconds(o, "t"))
                   : job_create(sub, 0, index, (int)urgency, replica_seconds(o, "t"));
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

static int on_lease(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = replica_number(o, "rank", -1);
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    replica_lease(rp, (unsigned)rank, jsonutil_get(o, "ids"));
    record_lease(rp->store, (unsigned)rank, rp->execs[rank].ahead);
    return 0;
}

/* Some may be over since: they were canceled. */
static int on_unlease(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = replica_number(o, "rank", -1);
    json_object *ids = jsonutil_get(o, "ids");
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    for (size_t i = 0; i < replica_count(ids); i++) {
        struct job *job = replica_lease_job(rp, ids, i);
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
    job->t_run = pl->rset->starttime = replica_seconds(o, "t");
    job->expiration = pl->rset->expiration = replica_seconds(o, "x");
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
        jobtable_array_of(rp->jobs, (jobid_t)replica_number(o, "id", 0), &run->first);
    run->n = (uint64_t)replica_number(o, "n", 0);
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
        jobtable_array_of(rp->jobs, (jobid_t)replica_number(o, "of", 0), &position);
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
    int64_t node = replica_number(o, "node", -1);
    if (!job)
        return -1;
    if (!job->nodes || node < 0 || (size_t)node >= job->pl->rset->nnodes)
        return error_set(err, EINVAL, "it names node %lld of the job", (long long)node);
    job_node_done(job, (unsigned)node, (int)replica_number(o, "status", 0),
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
    job_except(job, type ? type : "", (int)replica_number(o, "severity", 0), note);
    return 0;
}

static int on_urgency(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    job->urgency = (int)replica_number(o, "urgency", 16);
    job->sj.priority = (uint64_t)replica_number(o, "priority", 16);
    store_job_urgency(rp->store, job->sj.id, job->urgency, (int64_t)job->sj.priority);
    return 0;
}

static int on_urgencies(struct replica *rp, json_object *o, struct error *err)
{
    struct array_run run;
    struct submission *sub = find_run(rp, o, &run, err);
    int64_t urgency = replica_number(o, "urgency", -1);
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
    struct element_end end = {replica_seconds(o, "t"), replica_seconds(o, "td"),
                              type ? type : "", note ? note : ""};
    if (!sub)
        return -1;
    struct array_run rest = array_find(sub->array, ARRAY_REST, run.first);
    if (rest.first != run.first || rest.n < run.n)
        return error_set(err, EINVAL, "it names an element that does not wait");
    sub->left -= array_end(sub->array, run);
    record_elements_end(rp->store, sub, run, &end);
    if (sub->left == 0)
        replica_forget_array(rp, sub);
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
    job->t_inactive = replica_seconds(o, "t");
    job->t_cleanup = replica_seconds(o, "tc");
    job->status = status;
    json_object_put(job->output);
    job->output = output;
    struct submission *sub = job->sub->array ? job->sub : NULL;
    job->sub->left--;
    if (sub)
        array_end_one(sub->array, element_position(job));
    record_end(rp->store, job);
    replica_forget(rp, job);
    if (sub && sub->left == 0)
        replica_forget_array(rp, sub);
}

static int on_end(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    if (!job)
        return -1;
    if (job->pl && !job->former)
        pool_free(rp->pool, job_held(job));
    end_job(rp, job, o, (int)replica_number(o, "status", -1),
            json_object_get(jsonutil_get(o, "output")));
    return 0;
}

/* One is over, and one of the lease runs where it did. */
static int on_next(struct replica *rp, json_object *o, struct error *err)
{
    struct job *job = find(rp, o, err);
    struct job *heir = element_find(rp->jobs, (jobid_t)replica_number(o, "to", 0));
    if (!job)
        return -1;
    if (!heir || heir->pl || job->former || !job_take_over(heir, job))
        return error_set(err, EINVAL,
                         "the second job cannot run where the first one did");
    json_object *output = jsonutil_get(o, "output");
    replica_unlease(rp, heir);
    heir->state = JOB_RUN;
    heir->t_run = heir->pl->rset->starttime = replica_seconds(o, "tr");
    heir->expiration = jsonutil_get(o, "x") ? replica_seconds(o, "x") : job->expiration;
    heir->pl->rset->expiration = heir->expiration;
    if (mapping_make(heir, err) < 0)
        return -1;
    job_await_nodes(heir);
    end_job(rp, job, o, (int)replica_number(o, "status", 0),
            json_object_get(output ? output : site_quiet(heir->site)));
    record_run_later(&rp->untold_runs, heir);
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
    job->sj.duration = job->sj.req.shape.duration = replica_seconds(o, "duration");
    if (!jsonutil_get(o, "x") || !job->pl)
        return 0;
    job->expiration = job->pl->rset->expiration = replica_seconds(o, "x");
    if (job->held)
        job->held->expiration = job->expiration;
    record_run(rp->store, job);
    return 0;
}

const struct replica_kind replica_job_kinds[] = {
    {"text", on_text},       {"untext", on_untext},       {"submit", on_submit},
    {"run", on_run},         {"next", on_next},           {"lease", on_lease},
    {"unlease", on_unlease}, {"start", on_start},         {"done", on_done},
    {"release", on_release}, {"event", on_event},         {"exception", on_exception},
    {"urgency", on_urgency}, {"urgencies", on_urgencies}, {"depend", on_depend},
    {"memo", on_memo},       {"update", on_update},       {"requeue", on_requeue},
    {"end", on_end},         {"ends", on_ends},           {NULL, NULL},
};
