/* SPDX-License-Identifier: BSD-3-Clause */
/* manager: a job's life, RFC 21: submitted, queued, given resources, started, over. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum { MAX_ARRAY = 1000000 };

void job_event(struct leader *ld, struct job *job, double when, const char *name,
               const char *context)
{
    size_t start = job->log.len;
    job->t_event = when = MAX(when, job->t_event); /* they may come from several clocks */
    strbuf_addf(&job->log, "{\"timestamp\":%.6f,\"name\":\"%s\"", when, name);
    if (context)
        strbuf_addf(&job->log, ",\"context\":%s", context);
    strbuf_add(&job->log, "}\n");
    if (job->streams)
        stream_event(ld, job, job->log.s + start, job->log.len - start - 1);
    /* the log of an element is made up from its times when it is asked for */
    if (job->sub->count == 1 || job->logged)
        store_event(ld->store, job->sj.id, job->log.s + start);
}

/* The environment is taken out of the jobspec and replaced by the name of its text. */
static struct text *extract_environment(struct leader *ld, json_object *o)
{
    json_object *system = jsonutil_get(jsonutil_get(o, "attributes"), "system");
    json_object *env = jsonutil_get(system, "environment");
    if (!env || !json_object_is_type(env, json_type_object))
        return NULL;
    size_t len;
    const char *text = json_object_to_json_string_length(
        env, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    struct text *t = specs_get(ld->specs, TEXT_ENV, text, len);
    json_object_object_add(system, "environment", json_object_new_string(t->name));
    return t;
}

static struct submission *make_submission(struct leader *ld, json_object *o,
                                          struct error *err)
{
    /* validated with its environment in place, so that a mistake in it is found */
    struct jobspec *whole = jobspec_from_json(o, err);
    if (!whole)
        return NULL;
    jobspec_destroy(whole);
    struct submission *sub = xcalloc(1, sizeof(*sub));
    sub->refs = 1;
    sub->env_text = extract_environment(ld, o);
    sub->spec = jobspec_from_json(o, err);
    json_object *constraints = sub->spec ? jobspec_constraints(sub->spec) : NULL;
    if (constraints)
        sub->constraint = constraint_from_json(constraints, err);
    if (!sub->spec || (constraints && !sub->constraint)) {
        specs_put(ld->specs, sub->env_text);
        submission_drop(sub);
        return NULL;
    }
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    sub->jobspec_text = specs_get(ld->specs, TEXT_JOBSPEC, text, len);
    return sub;
}

/* A job that is longer than the instance lives; one that is longer than it lives now waits. */
static int check_duration(const struct leader *ld, const struct job_shape *shape,
                          struct error *err)
{
    double life = ld->config.expiration - ld->config.starttime;
    char want[DURATION_BUFSIZE], have[DURATION_BUFSIZE];
    if (ld->config.expiration <= 0 || shape->duration <= life)
        return 0;
    return error_set(
        err, EINVAL,
        "a job of %s can never run: this instance lives for %s in all; ask for "
        "a shorter --time-limit",
        duration_encode(shape->duration, want), duration_encode(floor(life), have));
}

/* The most tasks that a job of this shape can come to have here. */
static uint64_t most_tasks(const struct leader *ld, const struct job_shape *shape)
{
    uint64_t nodes = MIN((uint64_t)shape->nnodes_max, pool_nnodes(ld->pool));
    return shape->ntasks ? shape->ntasks
                         : MAX(nodes, 1u) * shape->nslots * shape->tasks_per_slot;
}

static int check_submission(struct leader *ld, struct submission *sub,
                            const struct submit_options *opts, struct error *err)
{
    const struct job_shape *shape = jobspec_shape(sub->spec);
    struct pool_request req = {.shape = *shape, .constraint = sub->constraint};
    if (ld->shutdown)
        return error_set(err, ESHUTDOWN, "the instance is shutting down (%s)",
                         ld->shutdown);
    if (most_tasks(ld, shape) > TASKMAP_NTASKS_MAX)
        return error_set(err, EINVAL, "%ju tasks were asked for; a job has at most %u",
                         (uintmax_t)most_tasks(ld, shape), TASKMAP_NTASKS_MAX);
    if (check_duration(ld, shape, err) < 0 || depend_lookup(ld, sub, err) < 0)
        return -1;
    if (opts->parent) {
        struct job *parent = jobtable_find(ld->jobs, opts->parent);
        if (parent && parent->pl)
            return pool_satisfiable_beside(ld->pool, &req, parent->pl->rset, err);
    }
    return pool_satisfiable(ld->pool, &req, err);
}

static void store_submission(struct leader *ld, const struct submission *sub, double now,
                             int urgency)
{
    const struct job_shape *shape = jobspec_shape(sub->spec);
    unsigned nodes = shape->nnodes_min;
    unsigned slots = shape->nslots * MAX(nodes, 1u);
    struct store_job sj = {
        .id = sub->first,
        .count = sub->count,
        .cc = sub->cc,
        .userid = geteuid(),
        .t_submit = now,
        .urgency = urgency,
        .priority = (int64_t)job_priority(urgency),
        .flags = sub->flags,
        .ntasks = (int)(shape->ntasks ? shape->ntasks : slots * shape->tasks_per_slot),
        .nnodes = (int)nodes,
        .ncores = (int)(slots * shape->cores_per_slot),
        .ngpus = (int)(slots * shape->gpus_per_slot),
        .duration = shape->duration,
        .name = jobspec_name(sub->spec),
        .cwd = jobspec_cwd(sub->spec),
        .queue = jobspec_queue(sub->spec),
        .jobspec = sub->jobspec_text->data,
    };
    if (sub->env_text)
        store_env(ld->store, sub->env_text->name, sub->env_text->data);
    store_job_submit(ld->store, &sj);
}

static void queue_for_resources(struct leader *ld, struct job *job, double now)
{
    char context[64];
    job_event(ld, job, now, "depend", NULL);
    snprintf(context, sizeof(context), "{\"priority\":%llu}",
             (unsigned long long)job->sj.priority);
    job_event(ld, job, now, "priority", context);
    sched_add(ld->sched, &job->sj);
}

static void queue_job(struct leader *ld, struct submission *sub, uint64_t i, int64_t cc,
                      double now, const struct submit_options *opts)
{
    char context[128];
    struct job *job = job_create(sub, i, cc, opts->urgency, now);
    jobtable_add(ld->jobs, job);
    snprintf(context, sizeof(context),
             "{\"userid\":%u,\"urgency\":%d,\"flags\":%u,\"version\":1}", geteuid(),
             job->urgency, sub->flags);
    job_event(ld, job, now, "submit", context);
    if (!depend_wait(ld, job))
        queue_for_resources(ld, job, now);
}

void manager_release(struct leader *ld, struct job *job)
{
    job->state = JOB_SCHED;
    free(take(job->reason));
    queue_for_resources(ld, job, time_now());
    change_depends(ld, job);
    leader_wake(ld);
}

struct submission *manager_submit(struct leader *ld, json_object *o,
                                  const struct submit_options *opts, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t cc = NULL;
    uint64_t count = 1;
    if (opts->cc) {
        cc = idset_decode(opts->cc, err);
        if (!cc)
            return NULL;
        int weight = hwloc_bitmap_weight(cc);
        if (weight < 1 || weight > MAX_ARRAY)
            return error_null(err, EINVAL,
                              "cc '%s': has %d elements; 1 to %d are possible", opts->cc,
                              weight, MAX_ARRAY);
        count = (uint64_t)weight;
    }
    struct submission *sub = make_submission(ld, o, err);
    if (!sub)
        return NULL;
    if (check_submission(ld, sub, opts, err) < 0) {
        specs_put(ld->specs, sub->jobspec_text);
        specs_put(ld->specs, sub->env_text);
        submission_drop(sub);
        return NULL;
    }
    double now = time_now();
    sub->first = jobid_gen_next(&ld->gen, (uint64_t)(now * 1000), count);
    sub->count = sub->left = count;
    sub->cc = opts->cc ? xstrdup(opts->cc) : NULL;
    sub->key = opts->key ? xstrdup(opts->key) : NULL;
    if (opts->key)
        keys_add(ld->keys, opts->key, sub->first, count);
    sub->flags = opts->flags;
    sub->parent = opts->parent;
    sub->parent_rank = opts->parent_rank;
    sub->preput = json_object_get(opts->preput);
    sub->spawn_from = opts->spawn_from;
    sub->spawn_token = opts->spawn_token;
    store_submission(ld, sub, now, opts->urgency);
    if (cc) {
        uint64_t i = 0;
        for (int id = hwloc_bitmap_first(cc); id >= 0; id = hwloc_bitmap_next(cc, id))
            queue_job(ld, sub, i++, id, now, opts);
    } else
        queue_job(ld, sub, 0, -1, now, opts);
    change_submitted(ld, sub, now, opts->urgency);
    submission_drop(sub); /* its jobs hold it */
    leader_wake(ld);
    return sub;
}

int job_node_index(const struct job *job, unsigned rank)
{
    if (!job->pl)
        return -1;
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        if (job->pl->rset->nodes[i].rank == rank)
            return (int)i;
    return -1;
}

/* Tasks of each node: as many as its slots take, or a total spread evenly over the nodes. */
static unsigned spread_tasks(const struct job *job, unsigned *ntasks)
{
    const struct job_shape *shape = job_shape_of(job);
    unsigned n = (unsigned)job->pl->rset->nnodes, total = 0;
    for (unsigned i = 0; i < n; i++) {
        ntasks[i] = shape->ntasks ? shape->ntasks / n + (i < shape->ntasks % n)
                                  : job->pl->nslots[i] * shape->tasks_per_slot;
        total += ntasks[i];
    }
    return total;
}

/* Option taskmap: {"scheme":"block"|"cyclic"|"manual","value":S}. */
static struct taskmap *map_tasks(const struct job *job, const unsigned *ntasks,
                                 unsigned n, struct error *err)
{
    json_object *o = jobspec_option(job->sub->spec, "taskmap");
    const char *scheme = jsonutil_string(jsonutil_get(o, "scheme"));
    const char *value = jsonutil_string(jsonutil_get(o, "value"));
    if (!scheme || strcmp(scheme, "block") == 0)
        return taskmap_block(ntasks, n);
    if (strcmp(scheme, "cyclic") == 0) {
        unsigned stride = value ? (unsigned)strtoul(value, NULL, 10) : 1;
        return taskmap_cyclic(ntasks, n, stride ? stride : 1);
    }
    if (strcmp(scheme, "manual") != 0)
        return error_null(
            err, EINVAL, "task map scheme '%s': must be block, cyclic or manual", scheme);
    struct taskmap *map = taskmap_decode(value ? value : "", err);
    if (map && (taskmap_ntasks(map) != job->ntasks || taskmap_nnodes(map) != n)) {
        error_set(err, EINVAL,
                  "task map '%s': is for %u tasks on %u nodes, the job has %u on %u",
                  value, taskmap_ntasks(map), taskmap_nnodes(map), job->ntasks, n);
        taskmap_destroy(map);
        return NULL;
    }
    return map;
}

static double job_expiration(const struct leader *ld, const struct job *job)
{
    double limit = job->sj.duration > 0 ? job->t_run + job->sj.duration : 0;
    double end = ld->config.expiration;
    return limit > 0 && end > 0 ? MIN(limit, end) : MAX(limit, end);
}

void manager_start(struct sched_job *sj, struct placement *pl, void *arg)
{
    struct leader *ld = arg;
    struct job *job = job_of(sj);
    struct error err;
    unsigned n = (unsigned)pl->rset->nnodes;
    cleanup_free unsigned *ntasks = xcalloc(n, sizeof(*ntasks));
    job->pl = pl;
    job->t_run = time_now();
    job->expiration = job_expiration(ld, job);
    pl->rset->starttime = job->t_run;
    pl->rset->expiration = job->expiration;
    job->state = JOB_RUN;
    job->ntasks = spread_tasks(job, ntasks);
    job_event(ld, job, job->t_run, "alloc", NULL);
    change_placed(ld, job);
    job->map = map_tasks(job, ntasks, n, &err);
    if (!job->map) { /* the scheduler is in the middle of its pass: ended after it */
        job->unmapped = xstrdup(err.text);
        leader_wake(ld);
        ld->have_unmapped = true;
        return;
    }
    job->node_done = xcalloc(n, sizeof(*job->node_done));
    job->nodes_starting = job->nodes_running = n;
    launch_job(ld, job);
    stream_launched(ld, job);
}

void manager_end_unmapped(struct leader *ld)
{
    if (!ld->have_unmapped)
        return;
    ld->have_unmapped = false;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        cleanup_free char *why = take(job->unmapped);
        if (why)
            manager_exception(ld, job, "exec", 0, why);
    }
}

enum job_result job_result_of(const struct job *job)
{
    if (job->state != JOB_INACTIVE)
        return JOB_NO_RESULT;
    const struct job_exception *e = job->exception;
    if (e && e->severity == 0) {
        if (strcmp(e->type, "cancel") == 0)
            return JOB_CANCELED;
        return strcmp(e->type, "timeout") == 0 ? JOB_TIMEOUT : JOB_FAILED;
    }
    return job->status == 0 ? JOB_COMPLETED : JOB_FAILED;
}

static void store_end(struct leader *ld, const struct job *job)
{
    const struct rset *r = job->pl ? job->pl->rset : NULL;
    cleanup_free char *nodelist = r ? rset_nodelist(r) : NULL;
    cleanup_free char *ranks = r ? rset_ranks(r) : NULL;
    cleanup_free char *map = job->map ? taskmap_encode(job->map) : NULL;
    cleanup_json json_object *R = NULL;
    if (r) {
        R = rset_to_json(r);
        json_object *execution = jsonutil_get(R, "execution");
        json_object_object_del(execution, "starttime");
        json_object_object_del(execution, "expiration");
    }
    struct store_run run = {
        .id = job->sj.id,
        .job = job->sub->first,
        .cc = job->cc,
        .t_depend = job->t_depend,
        .t_run = job->t_run,
        .t_cleanup = job->t_cleanup,
        .t_inactive = job->t_inactive,
        .expiration = job->expiration,
        .status = job->status,
        .result = (int)job_result_of(job),
        .nnodes = r ? (int)r->nnodes : 0,
        .ncores = r ? (int)rset_ncores(r) : 0,
        .ngpus = r ? (int)rset_ngpus(r) : 0,
        .exception_type = job->exception ? job->exception->type : NULL,
        .exception_severity = job->exception ? job->exception->severity : 0,
        .exception_note = job->exception ? job->exception->note : NULL,
        .R = R ? json_object_to_json_string_ext(R, JSON_C_TO_STRING_PLAIN) : NULL,
        .nodelist = nodelist,
        .ranks = ranks,
        .taskmap = map,
        .output = job->output ? json_object_to_json_string_ext(job->output,
                                                               JSON_C_TO_STRING_PLAIN)
                              : NULL,
    };
    store_job_end(ld->store, &run, job->sub->left == 0);
}

static void job_over(struct leader *ld, struct job *job)
{
    double now = time_now();
    depend_forget(ld, job);
    if (job->pl) {
        job_event(ld, job, now, "release", "{\"ranks\":\"all\",\"final\":true}");
        sched_end(ld->sched, job->pl->rset);
        job_event(ld, job, now, "free", NULL);
    }
    job->t_inactive = now;
    job->state = JOB_INACTIVE;
    job_event(ld, job, now, "clean", NULL);
    job->sub->left--;
    store_end(ld, job);
    change_ended(ld, job);
    depend_over(ld, job);
    stream_job_over(ld, job);
    if (job->sub->spawn_from >= 0 && !job->started)
        spawn_answer(ld, job, ECANCELED,
                     job->exception ? job->exception->note
                                    : "the job ended before its start");
    jobtable_remove(ld->jobs, job);
    if (job->sub->left == 0) {
        specs_put(ld->specs, job->sub->jobspec_text);
        specs_put(ld->specs, job->sub->env_text);
    }
    job_free(job);
    leader_wake(ld);
}

/* Back to the queue, as if it had never started: what remains of the try is in its log. */
static void requeue(struct leader *ld, struct job *job)
{
    job_event(ld, job, time_now(), "requeue", NULL);
    if (job->sub->count > 1 && !job->logged) { /* its times no longer tell its story */
        store_event(ld->store, job->sj.id, job->log.s);
        job->logged = true;
    }
    sched_end(ld->sched, job->pl->rset);
    job_reset(job);
    change_requeued(ld, job);
    sched_add(ld->sched, &job->sj);
    leader_wake(ld);
}

/* All nodes have ended their tasks, or none has begun. */
static void job_cleanup(struct leader *ld, struct job *job, double when)
{
    char context[64];
    if (job->requeue && !ld->shutdown &&
        !(job->exception && job->exception->severity == 0)) {
        requeue(ld, job);
        return;
    }
    job->state = JOB_CLEANUP;
    job->t_cleanup = when;
    if (job->status >= 0) {
        snprintf(context, sizeof(context), "{\"status\":%d}", job->status);
        job_event(ld, job, when, "finish", context);
    }
    job_over(ld, job);
}

void manager_node_started(struct leader *ld, struct job *job, double when)
{
    if (job->nodes_starting == 0 || --job->nodes_starting > 0)
        return;
    job->started = true;
    job_event(ld, job, when, "start", NULL);
    change_started(ld, job);
    depend_started(ld, job);
    if (job->sub->spawn_from >= 0)
        spawn_answer(ld, job, 0, NULL);
}

void manager_node_finished(struct leader *ld, struct job *job, unsigned index, int status,
                           json_object *report, double when)
{
    if (job->node_done[index])
        return;
    job->node_done[index] = true;
    /* what failed by itself counts for more than what was ended because of it */
    bool failed = status != 0 && !json_object_get_boolean(jsonutil_get(report, "ended"));
    if (failed == job->failed)
        job->status = MAX(job->status, status);
    else if (failed)
        job->status = status;
    job->failed |= failed;
    if (report) {
        json_object *entry = json_object_new_array_ext(2);
        unsigned rank = job->pl->rset->nodes[index].rank;
        json_object_array_add(entry, json_object_new_int64(rank));
        json_object_array_add(entry, json_object_get(report));
        if (!job->output)
            job->output = json_object_new_array_ext(1);
        json_object_array_add(job->output, entry);
    }
    if (--job->nodes_running == 0)
        job_cleanup(ld, job, when);
}

void manager_exception(struct leader *ld, struct job *job, const char *type, int severity,
                       const char *note)
{
    job_except(job, type, severity, note);
    change_excepted(ld, job);
    cleanup_json json_object *context = json_object_new_object();
    json_object_object_add(context, "type", json_object_new_string(type));
    json_object_object_add(context, "severity", json_object_new_int(severity));
    json_object_object_add(context, "userid", json_object_new_int64(geteuid()));
    json_object_object_add(context, "note", json_object_new_string(note ? note : ""));
    job_event(ld, job, time_now(), "exception",
              json_object_to_json_string_ext(context, JSON_C_TO_STRING_PLAIN));
    if (severity > 0)
        return;
    if (job->state < JOB_RUN) {
        sched_remove(ld->sched, &job->sj);
        job_cleanup(ld, job, time_now());
    } else if (job->nodes_running ==
               0) /* it was given resources and could not be mapped */
        job_cleanup(ld, job, time_now());
    else if (!job->ending) {
        job->ending = true;
        launch_end(ld, job, ld->end_grace, NULL);
    }
}

void manager_node_lost(struct leader *ld, struct job *job, const char *why)
{
    json_object *option = jobspec_option(job->sub->spec, "requeue");
    bool again = option ? json_object_get_boolean(option) : job->sub->count > 1;
    if (!again || ld->shutdown) {
        manager_exception(ld, job, "node-failure", 0, why);
        return;
    }
    job->requeue = true;
    manager_exception(ld, job, "node-failure", 1, why);
    if (!job->ending) {
        job->ending = true;
        launch_end(ld, job, ld->end_grace, NULL);
    }
}

void manager_urgency(struct leader *ld, struct job *job, int urgency)
{
    char context[64];
    job->urgency = urgency;
    snprintf(context, sizeof(context), "{\"userid\":%u,\"urgency\":%d}", geteuid(),
             urgency);
    double now = time_now();
    job_event(ld, job, now, "urgency", context);
    uint64_t priority = job_priority(urgency);
    if (job->state < JOB_RUN) {
        snprintf(context, sizeof(context), "{\"priority\":%llu}",
                 (unsigned long long)priority);
        if (job->state != JOB_DEPEND) /* else when it is released */
            job_event(ld, job, now, "priority", context);
        sched_reprioritize(ld->sched, &job->sj, priority);
    }
    change_urgency(ld, job);
    if (job->sub->count == 1)
        store_job_urgency(ld->store, job->sj.id, urgency, (int64_t)priority);
    leader_wake(ld);
}
