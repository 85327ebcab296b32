/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_job: requests that change or watch jobs. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* What RQ was to end or to signal is over: so it may be because RQ was heard before.  True: that is
 * the answer. */
static bool done_before(const struct request *rq, const struct error *err)
{
    return rq->again && err->code == ENODATA;
}

struct job *active_job(struct leader *ld, json_object *params, struct error *err)
{
    jobid_t id;
    char text[JOBID_BUFSIZE];
    if (param_id(params, "id", &id, err) < 0)
        return NULL;
    struct job *job = elements_job(ld, id);
    if (job)
        return job;
    jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text));
    cleanup_free char *spec = store_job_info(ld->store, id, "jobspec", NULL);
    if (spec)
        return error_null(err, ENODATA, "job %s is over", text);
    return error_null(err, ENOENT, "no such job: %s", text);
}

static int parse_flags(json_object *list, unsigned *flags, struct error *err)
{
    static const struct {
        const char *name;
        unsigned flag;
    } names[] = {{"waitable", JOB_WAITABLE}, {"debug", JOB_DEBUG}, {"tied", JOB_TIED}};
    *flags = 0;
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = jsonutil_string(json_object_array_get_idx(list, i));
        size_t k = 0;
        while (k < ARRAY_SIZE(names) && (!name || strcmp(names[k].name, name) != 0))
            k++;
        if (k == ARRAY_SIZE(names))
            return error_set(err, EINVAL,
                             "unknown flag %s: must be waitable, debug or tied",
                             jsonutil_show(json_object_array_get_idx(list, i)).text);
        *flags |= names[k].flag;
    }
    return 0;
}

/* The answer to job.submit, once it is in the store; FOLLOW: the stream that comes with it; ENV: the name of
 * the environment, or NULL. */
static void reply_submitted(struct leader *ld, const struct request *rq, jobid_t first,
                            uint64_t count, const char *follow, const char *env,
                            bool fresh)
{
    json_object *result = json_object_new_object();
    json_object_object_add(result, "id", json_object_new_int64((int64_t)first));
    json_object_object_add(result, "count", json_object_new_int64((int64_t)count));
    if (strcmp(follow, "none") != 0)
        json_object_object_add(result, "follow", json_object_new_string(follow));
    if (env)
        json_object_object_add(result, "env", json_object_new_string(env));
    if (fresh)
        reply_accept_when_stored(ld, rq, result);
    else
        reply_when_stored(ld, rq, result);
}

static int on_count(void *arg, const struct store_entry *entry)
{
    *(uint64_t *)arg = entry->job.count;
    return 1;
}

bool was_submitted(struct leader *ld, const struct request *rq, const char *key,
                   jobid_t *first, uint64_t *count)
{
    struct error err;
    if (keys_find(ld->keys, key, first, count))
        return true;
    if (!rq->again || !(*first = store_find_key(ld->store, key, &err)))
        return false;
    struct store_filter filter = {.ids = first, .nids = 1, .max = 1};
    *count = 1;
    store_list(ld->store, &filter, on_count, count, &err);
    return true;
}

/* The name of job ID's environment, new, or NULL. */
static char *environment_name(struct leader *ld, jobid_t id)
{
    cleanup_free char *text = store_job_info(ld->store, id, "jobspec", NULL);
    cleanup_json json_object *o = text ? json_tokener_parse(text) : NULL;
    json_object *system = jsonutil_get(jsonutil_get(o, "attributes"), "system");
    const char *name = jsonutil_string(jsonutil_get(system, "environment"));
    return name ? xstrdup(name) : NULL;
}

static int rpc_submit(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    int64_t urgency;
    struct submit_options opts = {.spawn_from = -1};
    json_object *spec = jsonutil_get(params, "jobspec");
    json_object *cc = jsonutil_get(params, "cc"), *key = jsonutil_get(params, "key");
    jobid_t first;
    uint64_t count;
    const char *follow = jsonutil_string(jsonutil_get(params, "follow"));
    if (!spec)
        return error_set(err, EINVAL, "request: the parameter 'jobspec' is missing");
    if (param_int(params, "urgency", 0, 31, 16, &urgency, err) < 0 ||
        parse_flags(jsonutil_get(params, "flags"), &opts.flags, err) < 0)
        return -1;
    if (cc && !(opts.cc = jsonutil_string(cc)))
        return error_set(err, EINVAL, "request: cc must be an index set, not %s",
                         jsonutil_show(cc).text);
    if (key && !(opts.key = jsonutil_string(key)))
        return error_set(err, EINVAL, "request: key must be a string, not %s",
                         jsonutil_show(key).text);
    if (key && key_check(opts.key, err) < 0)
        return error_prefix(err, "request");
    if (!follow)
        follow = "none";
    if (strcmp(follow, "none") != 0 && strcmp(follow, "status") != 0 &&
        strcmp(follow, "attach") != 0)
        return error_set(err, EINVAL,
                         "request: follow must be none, status or attach, not %s",
                         follow);
    if ((opts.flags & JOB_TIED) && (strcmp(follow, "attach") != 0 || cc))
        return error_set(err, EINVAL,
                         "request: flag tied needs follow attach, and is for one job");
    opts.urgency = (int)urgency;
    cleanup_free char *env = NULL;
    bool fresh = !key || !was_submitted(ld, rq, opts.key, &first, &count);
    if (fresh && !leader_store_works(ld))
        return error_set(err, ld->store_error.code,
                         "nothing is accepted at the moment: %s", ld->store_error.text);
    if (fresh) {
        struct submission *sub = manager_submit(ld, spec, &opts, err);
        if (!sub)
            return -1;
        first = sub->first;
        count = sub->count;
        env = sub->env_text ? xstrdup(sub->env_text->name) : NULL;
    } else {
        env = environment_name(ld, first);
    }
    reply_submitted(ld, rq, first, count, follow, env, fresh);
    return 0;
}

static int rpc_attach(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    jobid_t id;
    int64_t count;
    if (param_id(params, "id", &id, err) < 0 ||
        param_int(params, "count", 1, JOB_ARRAY_MAX, 1, &count, err) < 0)
        return -1;
    json_object *output = jsonutil_get(params, "output"),
                *follow = jsonutil_get(params, "follow");
    bool now = follow && !json_object_get_boolean(follow);
    bool with_output = !output || json_object_get_boolean(output);
    uint64_t position;
    const struct job *job = jobtable_find(ld->jobs, id);
    if (!job)
        job = elements_waiting(ld, id, &position);
    if (!job && !stream_is_over(ld, id, err)) /* before the reply: there is only one */
        return -1;
    if (count > 1) {
        reply_result(ld, rq, json_object_new_object());
        stream_attach_block(ld, rq, id, (uint64_t)count, with_output);
        return 0;
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "id", json_object_new_int64((int64_t)id));
    if (job)
        json_object_object_add(result, "ntasks", json_object_new_int64(job->ntasks));
    enum job_state state = job ? job->state : JOB_INACTIVE;
    json_object_object_add(result, "state",
                           json_object_new_string(job_state_name(state, false)));
    if ((now || state == JOB_INACTIVE) && with_output)
        json_object_object_add(result, "output", outputs_describe(ld, id));
    reply_result(ld, rq, result);
    if (now)
        return stream_look(ld, rq, id, with_output, err);
    if (stream_attach(ld, rq, id, with_output, err) < 0)
        return -1;
    if (json_object_get_boolean(jsonutil_get(params, "hold")))
        stream_hold(ld, rq, id);
    return 0;
}

static int rpc_follow(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    jobid_t first;
    int64_t count;
    if (param_id(params, "first", &first, err) < 0 ||
        param_int(params, "count", 1, JOB_ARRAY_MAX, 1, &count, err) < 0)
        return -1;
    bool waits = json_object_get_boolean(jsonutil_get(params, "wait"));
    if ((waits ? stream_wait_many : stream_follow)(ld, rq, first, (uint64_t)count, err) <
        0)
        return -1;
    reply_result(ld, rq,
                 json_object_new_object()); /* what there is to tell comes after it */
    return 0;
}

static int rpc_ack(struct leader *ld, const struct request *rq, json_object *params,
                   struct error *err)
{
    int64_t sub, bytes;
    if (param_int(params, "sub", 0, INT64_MAX, -1, &sub, err) < 0 ||
        param_int(params, "bytes", 0, INT64_MAX, 0, &bytes, err) < 0)
        return -1;
    stream_ack(ld, rq->client, sub, (uint64_t)bytes);
    return 0;
}

static int rpc_wait(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    jobid_t id;
    if (!jsonutil_get(params, "id")) {
        waitable_wait(ld, rq);
        return 0;
    }
    if (param_id(params, "id", &id, err) < 0)
        return -1;
    waitable_told(ld, id);
    return stream_wait(ld, rq, id, err);
}

/* To all nodes of the job: each executor picks its tasks. */
static int rpc_stdin(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    static const char *const keys[] = {"id",    "data", "encoding", "eof",
                                       "ranks", "from", "at"};
    struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    if (!job->pl || !job->map)
        return error_set(err, EAGAIN,
                         "the job has not started: its tasks cannot read yet");
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("stdin"));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        json_object *value = jsonutil_get(params, keys[i]);
        if (value)
            json_object_object_add(o, keys[i], json_object_get(value));
    }
    exec_send_job(ld, job, o);
    stream_input(job, rq->client);
    return 0;
}

static int cancel_one(struct leader *ld, json_object *id, const char *note,
                      struct error *err)
{
    uint64_t position;
    cleanup_json json_object *params = json_object_new_object();
    json_object_object_add(params, "id", json_object_get(id));
    struct job *rest =
        elements_waiting(ld, (jobid_t)json_object_get_int64(id), &position);
    if (rest) {
        elements_end(ld, rest->sub, (struct array_run){position, 1}, "cancel", note);
        return 0;
    }
    struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    manager_exception(ld, job, "cancel", 0, note);
    return 0;
}

static bool is_between(const struct job *job, const struct job_range *range)
{
    return (job->state & range->states) && job->sj.id >= range->first &&
           job->sj.id <= range->last;
}

/* The ids from the first to the last one, if they are neighbours: no other generator's can be between them; else 0. */
static uint64_t count_neighbours(const struct job_range *range)
{
    int64_t last = jobid_position(range->first, UINT32_MAX, range->last);
    bool same = jobid_timestamp_ms(range->first) == jobid_timestamp_ms(range->last);
    return same && last >= 0 ? (uint64_t)last + 1 : 0;
}

/* DRY: they are only counted. */
static int64_t cancel_between(struct leader *ld, const struct job_range *range,
                              const char *note, bool dry)
{
    int64_t n = (int64_t)elements_end_between(ld, range, dry ? NULL : "cancel", note);
    uint64_t few = count_neighbours(range);
    for (uint64_t i = 0; i < few; i++) {
        struct job *job = jobtable_find(ld->jobs, jobid_nth(range->first, i));
        if (!job || !is_between(job, range))
            continue;
        if (!dry)
            manager_exception(ld, job, "cancel", 0, note);
        n++;
    }
    if (few > 0)
        return n;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        if (!is_between(job, range))
            continue;
        if (!dry)
            manager_exception(ld, job, "cancel", 0, note);
        n++;
    }
    return n;
}

/* [[FIRST,LAST],...]: active jobs. */
static int parse_ranges(json_object *list, struct job_range **ranges, size_t *n,
                        struct error *err)
{
    size_t size = list ? json_object_array_length(list) : 0;
    *ranges = xcalloc(size + 1, sizeof(**ranges));
    for (*n = 0; *n < size; ++*n) {
        jobid_t first, last;
        if (param_range(json_object_array_get_idx(list, *n), 0, &first, &last, err) < 0)
            return -1;
        (*ranges)[*n] = (struct job_range){first, last, JOB_ACTIVE};
    }
    return 0;
}

static int rpc_cancel(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    json_object *ids = jsonutil_get(params, "ids"),
                *states = jsonutil_get(params, "states"),
                *between = jsonutil_get(params, "ranges");
    const char *note = jsonutil_string(jsonutil_get(params, "note"));
    int64_t canceled = 0;
    int mask = 0;
    bool dry = json_object_get_boolean(jsonutil_get(params, "dry"));
    if (!ids && !states && !between)
        return error_set(err, EINVAL, "request: job.cancel needs ids, ranges or states");
    if ((ids && !json_object_is_type(ids, json_type_array)) ||
        (between && !json_object_is_type(between, json_type_array)) ||
        (states && !json_object_is_type(states, json_type_array)))
        return error_set(err, EINVAL, "request: ids, ranges and states must be lists");
    cleanup_free struct job_range *ranges = NULL;
    size_t nranges;
    if (parse_ranges(between, &ranges, &nranges, err) < 0)
        return -1;
    size_t n = states ? json_object_array_length(states) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *name = json_object_array_get_idx(states, i);
        int one = jsonutil_string(name) ? job_state_decode(jsonutil_string(name)) : 0;
        if (!one)
            return error_set(err, EINVAL, "no such job state: %s",
                             jsonutil_show(name).text);
        mask |= one;
    }
    json_object *errors = json_object_new_array();
    const struct job_range all = {0, UINT64_MAX, mask};
    if (mask)
        canceled += cancel_between(ld, &all, note, dry);
    for (size_t i = 0; i < nranges; i++)
        canceled += cancel_between(ld, &ranges[i], note, dry);
    n = ids ? json_object_array_length(ids) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *id = json_object_array_get_idx(ids, i);
        struct error e;
        if (dry || cancel_one(ld, id, note, &e) == 0 || done_before(rq, &e)) {
            canceled++;
            continue;
        }
        json_object *o = json_object_new_object();
        json_object_object_add(o, "id", json_object_get(id));
        json_object_object_add(o, "code", json_object_new_int(e.code));
        json_object_object_add(o, "message", json_object_new_string(e.text));
        json_object_array_add(errors, o);
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "canceled", json_object_new_int64(canceled));
    json_object_object_add(result, "errors", errors);
    reply_when_safe(ld, rq, result);
    return 0;
}

static int rpc_kill(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    int64_t signum;
    struct job *job = active_job(ld, params, err);
    if (!job && done_before(rq, err)) {
        reply_result(ld, rq, json_object_new_object());
        return 0;
    }
    if (!job || param_int(params, "signal", 1, SIGRTMAX, SIGTERM, &signum, err) < 0)
        return -1;
    if (job->state != JOB_RUN || !job->map)
        return error_set(err, EINVAL, "the job is not running: cancel it instead");
    launch_signal(ld, job, (int)signum);
    reply_when_safe(ld, rq, json_object_new_object());
    return 0;
}

static int rpc_raise(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    int64_t severity;
    struct job *job = active_job(ld, params, err);
    if (!job && done_before(rq, err)) {
        reply_result(ld, rq, json_object_new_object());
        return 0;
    }
    if (!job || param_int(params, "severity", 0, 7, 0, &severity, err) < 0)
        return -1;
    json_object *given = jsonutil_get(params, "type");
    const char *type = given ? jsonutil_string(given) : "cancel";
    if (!type || !*type || strlen(type) >= sizeof(job->exception->type) ||
        type[strcspn(type, " \t\r\n")])
        return error_set(err, EINVAL,
                         "request: type must be a word of at most %zu bytes, not %s",
                         sizeof(job->exception->type) - 1, jsonutil_show(given).text);
    manager_exception(ld, job, type, (int)severity,
                      jsonutil_string(jsonutil_get(params, "note")));
    reply_when_safe(ld, rq, json_object_new_object());
    return 0;
}

static void forget_door(json_object *memo)
{
    static const char *const keys[] = {"join", "join_error"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!jsonutil_get(memo, keys[i]))
            json_object_object_add(memo, keys[i], NULL);
}

static int rpc_memo(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    static const char *const keys[] = {"memo", "volatile"};
    struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    json_object *memo = jsonutil_get(params, "memo"),
                *fleeting = jsonutil_get(params, "volatile");
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        json_object *o = jsonutil_get(params, keys[i]);
        if (o ? !json_object_is_type(o, json_type_object) : !memo && !fleeting)
            return error_set(err, EINVAL, "request: %s must be an object, not %s",
                             keys[i], jsonutil_show(o).text);
    }
    /* Another leader of the instance: what the last one said of joining it is void. */
    json_object *uri = jsonutil_get(memo, "uri"),
                *before = jsonutil_get(job->memo, "uri");
    if (uri && before && !json_object_equal(uri, before))
        forget_door(memo);
    if (memo)
        manager_memo(ld, job, memo, true);
    if (fleeting)
        manager_memo(ld, job, fleeting, false);
    reply_result(ld, rq, json_object_new_object());
    return 0;
}

static void reply_urgency(struct leader *ld, const struct request *rq, int old)
{
    json_object *result = json_object_new_object();
    json_object_object_add(result, "old", json_object_new_int(old));
    reply_when_safe(ld, rq, result);
}

/* Of all jobs that wait, in some ranges. */
static int urgency_between(struct leader *ld, const struct request *rq,
                           json_object *params, int urgency, struct error *err)
{
    json_object *list = jsonutil_get(params, "ranges");
    cleanup_free struct job_range *ranges = NULL;
    size_t nranges;
    int64_t n = 0;
    if (!json_object_is_type(list, json_type_array))
        return error_set(err, EINVAL, "request: ranges must be a list");
    if (parse_ranges(list, &ranges, &nranges, err) < 0)
        return -1;
    for (size_t i = 0; i < nranges; i++) {
        ranges[i].states = JOB_PENDING;
        n += (int64_t)elements_urgency_between(ld, &ranges[i], urgency);
        for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
            if (is_between(job, &ranges[i]) && job->urgency != urgency) {
                manager_urgency(ld, job, urgency);
                n++;
            }
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "changed", json_object_new_int64(n));
    reply_when_safe(ld, rq, result);
    return 0;
}

static int rpc_urgency(struct leader *ld, const struct request *rq, json_object *params,
                       struct error *err)
{
    int64_t urgency;
    jobid_t id;
    uint64_t position;
    if (param_int(params, "urgency", 0, 31, 16, &urgency, err) < 0)
        return -1;
    if (jsonutil_get(params, "ranges"))
        return urgency_between(ld, rq, params, (int)urgency, err);
    if (param_id(params, "id", &id, err) < 0)
        return -1;
    struct job *rest = elements_waiting(ld, id, &position);
    if (rest) {
        int before = rest->urgency;
        elements_urgency(ld, rest->sub, (struct array_run){position, 1}, (int)urgency);
        reply_urgency(ld, rq, before);
        return 0;
    }
    struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    if (job->state >= JOB_RUN)
        return error_set(err, EINVAL,
                         "the job has started: its urgency no longer matters");
    int old = job->urgency;
    manager_urgency(ld, job, (int)urgency);
    reply_urgency(ld, rq, old);
    return 0;
}

static int rpc_update(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    struct job *job = active_job(ld, params, err);
    if (!job || update_job(ld, job, jsonutil_get(params, "updates"), err) < 0)
        return -1;
    reply_when_stored(ld, rq, json_object_new_object());
    return 0;
}

/* clang-format off */
const struct rpc rpc_job_table[] = {
    {"job.submit", rpc_submit},
    {"job.attach", rpc_attach},
    {"job.follow", rpc_follow},
    {"job.ack", rpc_ack},
    {"job.wait", rpc_wait},
    {"job.stdin", rpc_stdin},
    {"job.cancel", rpc_cancel},
    {"job.kill", rpc_kill},
    {"job.raise", rpc_raise},
    {"job.urgency", rpc_urgency},
    {"job.update", rpc_update},
    {"job.memo", rpc_memo},
    {NULL, NULL},
};
/* clang-format on */
