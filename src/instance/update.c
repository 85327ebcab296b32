/* SPDX-License-Identifier: BSD-3-Clause */
/* update: attributes of jobs that are changed after they were submitted (RFC 21, jobspec-update and resource-update).
 *
 * A job that waits gets another jobspec, as if it had been submitted with that; it keeps its id and place.  Of one that
 * runs, and of an element of an array, which has its jobspec with the others, only the duration can change. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"
#include "src/instance/record.h"
#include "src/instance/standing.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/job/launch_options.h"

static const char duration_key[] = "attributes.system.duration",
                  queue_key[] = "attributes.system.queue",
                  constraints_key[] = "attributes.system.constraints";

/* --- what is asked for ------------------------------------------------------------------------ */

/* Of these the job, or who follows it, already knows more than the jobspec says. */
static int check_key(const char *key, struct error *err)
{
    static const char *const fixed[] = {
        "attributes.system.environment",
        "attributes.system.dependencies",
        "attributes.system.files",
        "attributes.system.grant",
        "attributes.system.join",
        "attributes.system.shell.options.instance",
        "attributes.system.shell.options.apps",
        "attributes.system.shell.options.per-resource",
    };
    if (strncmp(key, "attributes.system.", 18) != 0 &&
        strncmp(key, "attributes.user.", 16) != 0)
        return error_set(err, EINVAL,
                         "%s cannot be changed: only attributes.system.NAME and "
                         "attributes.user.NAME can",
                         key);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        size_t n = strlen(fixed[i]);
        if (strncmp(key, fixed[i], n) == 0 && (!key[n] || key[n] == '.'))
            return error_set(err, EINVAL, "%s cannot be changed after submission", key);
    }
    if (strstr(key, "..") || key[strlen(key) - 1] == '.')
        return error_set(err, EINVAL, "'%s': a name is empty", key);
    return 0;
}

static bool is_only_duration(json_object *updates)
{
    return json_object_object_length(updates) == 1 && jsonutil_get(updates, duration_key);
}

/* VALUE: seconds, or a text with a duration, with a sign: more or less than OLD. */
static int get_duration(json_object *value, double old, double *d, struct error *err)
{
    const char *text = jsonutil_string(value);
    struct error why;
    int sign = text && *text == '+' ? 1 : text && *text == '-' ? -1 : 0;
    if (text ? duration_decode(text + (sign != 0), d, &why) < 0
             : !jsonutil_number(value, d) || *d < 0)
        return error_set(err, EINVAL, "duration: %s",
                         text ? why.text : "must be a duration, 0 or more");
    if (sign && old <= 0)
        return error_set(
            err, EINVAL,
            "duration %s: the job has no time limit that this could be added "
            "to",
            text);
    if (sign)
        *d = old + sign * *d;
    if (sign && *d <= 0)
        return error_set(err, EINVAL, "duration %s: nothing is left of %g seconds", text,
                         old);
    *d = isinf(*d) ? 0 : *d;
    return 0;
}

/* --- a job that runs -------------------------------------------------------------------------- */

void update_tell_executors(struct leader *ld, const struct job *job)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("update"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "expiration", json_object_new_double(job->expiration));
    exec_send_job(ld, job, o);
}

static void set_expiration(struct leader *ld, struct job *job, double when)
{
    char context[64];
    job->expiration = job->pl->rset->expiration = when;
    if (job->held)
        job->held->expiration = when;
    manager_keep_log(ld, job);
    snprintf(context, sizeof(context), "{\"expiration\":%.6f}", when);
    job_event(ld, job, time_now(), "resource-update", context);
    if (job->slot) /* who comes after it has no time limit */
        lease_recall(ld, job->pl->rset->nodes[0].rank);
    update_tell_executors(ld, job);
    if (job_has_instance(job)) {
        json_object *order = order_create(job, "expiration");
        json_object_object_add(order, "expiration", json_object_new_double(when));
        orders_send(ld, job, order, NULL);
    }
    record_run(ld->store, job);
    change_update(ld, job, false);
    for (struct job *g = job->ngrants ? jobtable_first(ld->jobs) : NULL; g; g = g->next)
        if (g->sub->grant == job->sj.id && g->state == JOB_RUN && g->pl && g->nodes)
            set_expiration(ld, g, manager_expiration(ld, g));
}

static int update_running(struct leader *ld, struct job *job, double d, struct error *err)
{
    char ran[DURATION_BUFSIZE], text[DURATION_BUFSIZE];
    double now = time_now(), old = job->sj.duration;
    if (d > 0 && job->t_run + d <= now)
        return error_set(
            err, EINVAL, "duration %s: the job has run for %s; cancel it instead",
            duration_encode(d, text), duration_encode(floor(now - job->t_run), ran));
    if (!job->nodes || job->ending)
        return error_set(err, EINVAL, "the job is about to end");
    job->sj.duration = job->sj.req.shape.duration = d;
    sched_hand_over(ld->sched, &job->sj, job_held(job), job->t_run);
    sched_kick(ld->sched);
    if (old != d)
        set_expiration(ld, job, manager_expiration(ld, job));
    return 0;
}

void leader_expire_at(struct leader *ld, double when)
{
    ld->config.expiration = when;
    lease_recall_all(ld); /* executors have been told another end */
    sched_set_end(ld->sched, when);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        double end = job->state == JOB_RUN ? manager_expiration(ld, job) : 0;
        if (job->state == JOB_RUN && job->pl && job->nodes && !job->ending &&
            !job->sub->grant && end != job->expiration)
            set_expiration(ld, job, end);
    }
    leader_wake(ld);
}

/* --- another jobspec -------------------------------------------------------------------------- */

static int put(json_object *root, const char *path, json_object *value, struct error *err)
{
    cleanup_free char *copy = xstrdup(path);
    char *rest = copy, *key = strsep(&rest, ".");
    for (; rest; key = strsep(&rest, ".")) {
        json_object *next = jsonutil_get(root, key);
        if (!next)
            json_object_object_add(root, key, next = json_object_new_object());
        if (!json_object_is_type(next, json_type_object))
            return error_set(err, EINVAL, "%s: '%s' is no table of attributes", path,
                             key);
        root = next;
    }
    if (value)
        json_object_object_add(root, key, json_object_get(value));
    else
        json_object_object_del(root, key);
    return 0;
}

/* The jobspec of JOB with UPDATES, a new object, and CONTEXT, of the event. */
static json_object *make_jobspec(struct leader *ld, const struct job *job,
                                 json_object *updates, json_object *context,
                                 struct error *err)
{
    /* from the text: others may share what was made of it, but for the words of the command */
    cleanup_json json_object *old = text_json(job->sub->jobspec_text);
    json_object *o = NULL;
    json_object *queue = jsonutil_get(updates, queue_key);
    if (jsonutil_get(updates, constraints_key) && ld->queues->config->nqueues > 0)
        return error_null(err, EINVAL,
                          "%s cannot be changed: the nodes of the job's queue are in it",
                          constraints_key);
    if (queue && !jsonutil_string(queue))
        return error_null(err, EINVAL, "%s: must be the name of a queue", queue_key);
    if (queue && ld->queues->config->nqueues > 0)
        o = queues_move(ld->queues, old, jsonutil_string(queue), err);
    else
        json_object_deep_copy(old, &o, NULL);
    if (!o)
        return NULL;
    json_object_object_foreach(updates, key, value)
    {
        double d;
        cleanup_json json_object *seconds = NULL;
        if (strcmp(key, duration_key) == 0) {
            if (get_duration(value, job->sj.duration, &d, err) < 0) {
                json_object_put(o);
                return NULL;
            }
            value = seconds = json_object_new_double(d);
        }
        if (check_key(key, err) < 0 || put(o, key, value, err) < 0) {
            json_object_put(o);
            return NULL;
        }
        json_object_object_add(context, key, json_object_get(value));
    }
    if (queue && ld->queues->config->nqueues > 0) {
        json_object *system = jsonutil_get(jsonutil_get(o, "attributes"), "system");
        json_object_object_add(context, constraints_key,
                               json_object_get(jsonutil_get(system, "constraints")));
    }
    return o;
}

static int check_move(const struct leader *ld, const struct job *job,
                      const struct jobspec *spec, struct error *err)
{
    const struct queue_state *from = queues_of(ld->queues, job->sub->spec),
                             *to = queues_of(ld->queues, spec);
    return from == to ? 0 : queues_check_room(ld->queues, to, 1, err);
}

/* What a job with SPEC could not have been submitted for; *C: its constraint. */
static int check(struct leader *ld, const struct job *job, const struct jobspec *spec,
                 struct constraint **c, struct error *err)
{
    const struct job_shape *shape = jobspec_shape(spec);
    json_object *constraints = jobspec_constraints(spec);
    if (constraints && !(*c = constraint_from_json(constraints, err)))
        return -1;
    struct pool_request req = {.shape = *shape, .constraint = *c};
    const char *bank = jsonutil_string(jobspec_attr(spec, "system.bank"));
    if (ld->queues->config->nbanks > 0 && bank &&
        config_bank_find(ld->queues->config, bank) < 0)
        return error_set(err, EINVAL, "there is no bank '%s'; hbatch account lists them",
                         bank);
    if (job->state == JOB_DEPEND &&
        strcmp(jobspec_name(spec), jobspec_name(job->sub->spec)) != 0)
        return error_set(err, EINVAL,
                         "the name of a job with dependencies cannot be changed");
    if (queues_check_size(ld->queues, queues_of(ld->queues, spec), shape, err) < 0 ||
        check_move(ld, job, spec, err) < 0 || launch_options_check(spec, err) < 0 ||
        manager_check_duration(ld, shape, err) < 0)
        return -1;
    return pool_satisfiable(ld->pool, &req, err);
}

/* The submission is this job's alone. */
static void replace(struct leader *ld, struct job *job, json_object *o,
                    struct jobspec *spec, struct constraint *c)
{
    struct submission *sub = job->sub;
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    struct text *old = sub->jobspec_text;
    cleanup_free char *name = xstrdup(jobspec_name(sub->spec));
    bool queued = job->sj.queued;
    sched_remove(ld->sched, &job->sj);
    bool running = job->state == JOB_RUN;
    queues_count(ld, sub, -1);
    if (running) /* its bank or queue may be another one */
        queues_count_running(ld, job, -1);
    sub->jobspec_text = specs_get(ld->specs, TEXT_JOBSPEC, text, len);
    jobspec_destroy(sub->spec);
    constraint_destroy(sub->constraint);
    sub->spec = spec;
    sub->constraint = c;
    sub->leasable = LEASABLE_UNKNOWN;
    sub->bank = NULL;
    job->sj.req.shape = *jobspec_shape(spec);
    job->sj.req.constraint = c;
    job->sj.duration = job->sj.req.shape.duration;
    queues_count(ld, sub, 1);
    if (running)
        queues_count_running(ld, job, 1);
    record_submission(ld->store, sub, job->t_submit, job->urgency);
    store_job_urgency(ld->store, job->sj.id, job->urgency,
                      standing_shown(ld->queues, job, time_now()));
    change_update(ld, job, true);
    specs_put(ld->specs, old);
    if (strcmp(name, jobspec_name(sub->spec)) != 0)
        depend_renamed(ld, sub, name);
    if (queued)
        manager_enqueue(ld, job);
}

static void tell(struct leader *ld, struct job *job, json_object *context)
{
    job_event(ld, job, time_now(), "jobspec-update",
              json_object_to_json_string_ext(context, JSON_C_TO_STRING_PLAIN));
}

static int update_pending(struct leader *ld, struct job *job, json_object *updates,
                          struct error *err)
{
    cleanup_json json_object *context = json_object_new_object();
    cleanup_json json_object *o = make_jobspec(ld, job, updates, context, err);
    struct jobspec *spec = o ? jobspec_from_json(o, err) : NULL;
    struct constraint *c = NULL;
    if (!spec)
        return -1;
    if (check(ld, job, spec, &c, err) < 0) {
        constraint_destroy(c);
        jobspec_destroy(spec);
        return -1;
    }
    tell(ld, job, context);
    replace(ld, job, o, spec, c);
    return 0;
}

/* --- elements, and what runs ------------------------------------------------------------------ */

/* Of a job that runs, the jobspec has it as well, for its next run. */
static void note_duration(struct leader *ld, struct job *job, double d)
{
    struct error err;
    if (job->sub->count > 1)
        return;
    cleanup_json json_object *o = text_json(job->sub->jobspec_text),
                             *value = json_object_new_double(d);
    struct jobspec *spec =
        put(o, duration_key, value, &err) == 0 ? jobspec_from_json(o, &err) : NULL;
    json_object *constraints = spec ? jobspec_constraints(spec) : NULL;
    struct constraint *c = constraints ? constraint_from_json(constraints, &err) : NULL;
    if (spec && (!constraints || c))
        replace(ld, job, o, spec, c);
}

static int update_duration(struct leader *ld, struct job *job, json_object *value,
                           struct error *err)
{
    double d;
    struct job_shape shape = *job_shape_of(job);
    if (get_duration(value, job->sj.duration, &d, err) < 0)
        return -1;
    shape.duration = d;
    if (job->state == JOB_RUN) {
        if (update_running(ld, job, d, err) < 0)
            return -1;
    } else {
        if (queues_check_size(ld->queues, queues_of(ld->queues, job->sub->spec), &shape,
                              err) < 0 ||
            manager_check_duration(ld, &shape, err) < 0)
            return -1;
        bool queued = job->sj.queued;
        sched_remove(ld->sched, &job->sj);
        job->sj.duration = job->sj.req.shape.duration = d;
        if (queued)
            manager_enqueue(ld, job);
    }
    cleanup_json json_object *context = json_object_new_object();
    json_object_object_add(context, duration_key, json_object_new_double(d));
    manager_keep_log(ld, job);
    tell(ld, job, context);
    if (job->sub->count > 1)
        change_update(ld, job, false);
    else
        note_duration(ld, job, d);
    return 0;
}

int update_job(struct leader *ld, struct job *job, json_object *updates,
               struct error *err)
{
    bool running = job->state == JOB_RUN, element = job->sub->count > 1;
    if (!json_object_is_type(updates, json_type_object) ||
        json_object_object_length(updates) == 0)
        return error_set(err, EINVAL,
                         "request: updates must be an object of attributes, not %s",
                         jsonutil_show(updates).text);
    if (job->state & ~(JOB_PENDING | JOB_RUN))
        return error_set(err, EINVAL, "the job is about to end");
    if ((running || element) && !is_only_duration(updates))
        return error_set(err, EINVAL, "only the duration of %s can be changed",
                         running ? "a job that runs"
                         : job->sub->flags & JOB_BULK
                             ? "a job that was submitted together with others"
                             : "an element of an array");
    if (job->ahead >= 0) /* an executor may be starting it right now */
        lease_recall(ld, (unsigned)job->ahead);
    if (job->ahead >= 0)
        return error_set(err, EAGAIN, "the job is about to start; try again");
    int rc = running || element
                 ? update_duration(ld, job, jsonutil_get(updates, duration_key), err)
                 : update_pending(ld, job, updates, err);
    leader_wake(ld);
    return rc;
}
