/* SPDX-License-Identifier: BSD-3-Clause */
/* spawn: jobs that tasks ask for: MPI_Comm_spawn by way of PMIx_Spawn, PMI-1 and PMI-2.  Such a
 * job is queued like any other and has resources of its own; the asking task waits for its
 * start.  What can never run while the asking job holds its resources is refused at once,
 * since waiting would be a deadlock. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum { MAX_SPAWN = 1000000 };

static void answer(struct leader *ld, int from, int64_t token, int status, jobid_t id,
                   const char *text)
{
    json_object *pmi = json_object_new_object();
    json_object_object_add(pmi, "pmi", json_object_new_string("spawned"));
    json_object_object_add(pmi, "token", json_object_new_int64(token));
    json_object_object_add(pmi, "status", json_object_new_int(status));
    if (id)
        json_object_object_add(pmi, "id", json_object_new_int64((int64_t)id));
    if (text)
        json_object_object_add(pmi, "error", json_object_new_string(text));
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("pmi"));
    json_object_object_add(o, "msg", pmi);
    exec_send(ld, (unsigned)from, o);
}

void spawn_answer(struct leader *ld, struct job *job, int status, const char *text)
{
    if (job->sub->spawn_from >= 0)
        answer(ld, job->sub->spawn_from, job->sub->spawn_token, status, job->sj.id, text);
    job->sub->spawn_from = -1;
}

/* The environment of the asking job with what the request adds. */
static json_object *merge_env(json_object *base, json_object *more)
{
    json_object *env = NULL;
    if (base)
        json_object_deep_copy(base, &env, NULL);
    else
        env = json_object_new_object();
    if (json_object_is_type(more, json_type_object)) {
        json_object_object_foreach(more, key, value)
        {
            json_object_object_add(env, key, json_object_get(value));
        }
    }
    return env;
}

static json_object *parent_environment(const struct leader *ld, const struct job *parent)
{
    (void)ld;
    struct text *t = parent ? parent->sub->env_text : NULL;
    return t ? json_tokener_parse(t->data) : NULL;
}

/* Shell option "apps": one entry for each command of a spawn. */
static json_object *make_apps(json_object *apps, json_object *base, int64_t *total,
                              json_object **preput, struct error *err)
{
    json_object *list = json_object_new_array();
    size_t n =
        json_object_is_type(apps, json_type_array) ? json_object_array_length(apps) : 0;
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        json_object *app = json_object_array_get_idx(apps, i), *o;
        json_object *argv = jsonutil_get(app, "argv");
        int64_t maxprocs;
        if (!json_object_is_type(argv, json_type_array) ||
            !jsonutil_int(jsonutil_get(app, "maxprocs"), 1, MAX_SPAWN, &maxprocs)) {
            json_object_put(list);
            return error_null(err, EINVAL, "spawn: a program needs argv and maxprocs");
        }
        o = json_object_new_object();
        json_object_object_add(o, "command", json_object_get(argv));
        json_object_object_add(o, "ntasks", json_object_new_int64(maxprocs));
        json_object_object_add(o, "environment",
                               merge_env(base, jsonutil_get(app, "env")));
        if (jsonutil_get(app, "cwd"))
            json_object_object_add(o, "cwd", json_object_get(jsonutil_get(app, "cwd")));
        json_object_array_add(list, o);
        *total += maxprocs;
        if (jsonutil_get(app, "preput"))
            *preput = jsonutil_get(app, "preput");
    }
    if (n == 0) {
        json_object_put(list);
        return error_null(err, EINVAL, "spawn: no program was given");
    }
    return list;
}

static json_object *object_of(const char *key, json_object *value)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, key, value);
    return o;
}

/* A V1 jobspec: TOTAL slots of a core each; the request's programs as apps. */
static json_object *make_jobspec(const struct leader *ld, const struct job *parent,
                                 json_object *apps, int64_t total, json_object *base)
{
    json_object *core = json_object_new_object();
    json_object_object_add(core, "type", json_object_new_string("core"));
    json_object_object_add(core, "count", json_object_new_int(1));
    json_object *with = json_object_new_array();
    json_object_array_add(with, core);
    json_object *slot = json_object_new_object();
    json_object_object_add(slot, "type", json_object_new_string("slot"));
    json_object_object_add(slot, "count", json_object_new_int64(total));
    json_object_object_add(slot, "label", json_object_new_string("task"));
    json_object_object_add(slot, "with", with);
    json_object *resources = json_object_new_array();
    json_object_array_add(resources, slot);

    json_object *task = json_object_new_object();
    json_object *first = json_object_array_get_idx(apps, 0);
    json_object_object_add(task, "command",
                           json_object_get(jsonutil_get(first, "command")));
    json_object_object_add(task, "slot", json_object_new_string("task"));
    json_object_object_add(task, "count", object_of("per_slot", json_object_new_int(1)));
    json_object *tasks = json_object_new_array();
    json_object_array_add(tasks, task);

    json_object *options = object_of("apps", apps);
    json_object *system = object_of("duration", json_object_new_int(0));
    json_object_object_add(system, "shell", object_of("options", options));
    if (base)
        json_object_object_add(system, "environment", json_object_get(base));
    const char *cwd = parent ? jobspec_cwd(parent->sub->spec) : NULL;
    if (cwd)
        json_object_object_add(system, "cwd", json_object_new_string(cwd));
    (void)ld;

    json_object *o = json_object_new_object();
    json_object_object_add(o, "version", json_object_new_int(1));
    json_object_object_add(o, "resources", resources);
    json_object_object_add(o, "tasks", tasks);
    json_object_object_add(o, "attributes", object_of("system", system));
    return o;
}

/* The asker gave up waiting: what has not started is not wanted any more. */
void spawn_forget(struct leader *ld, unsigned from, json_object *msg)
{
    int64_t token;
    if (!jsonutil_int(jsonutil_get(msg, "token"), INT64_MIN, INT64_MAX, &token))
        return;
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->sub->spawn_from == (int)from && job->sub->spawn_token == token) {
            manager_exception(ld, job, "cancel", 0,
                              "the task that asked for it no longer waits");
            return;
        }
}

/* As a client's key: the executor asks again when the leader is another one.  Its tokens are its
 * own: those of the next one on the node begin anew. */
static void make_key(const struct leader *ld, unsigned from, int64_t token,
                     char key[KEY_SIZE])
{
    const struct leader_node *node = &ld->nodes[from];
    int n = snprintf(key, KEY_SIZE, "s%u-%llx-%llx-%llx", from,
                     (unsigned long long)node->exec_pid,
                     (unsigned long long)(node->exec_since * 1000) & 0xffffffff,
                     (unsigned long long)token);
    if (n >= KEY_SIZE)
        *key = '\0';
}

/* The former leader had accepted it: true if it had. */
static bool known_before(struct leader *ld, unsigned from, int64_t token, const char *key)
{
    jobid_t id;
    uint64_t count;
    if (!*key || !keys_find(ld->keys, key, &id, &count))
        return false;
    struct job *job = jobtable_find(ld->jobs, id);
    if (!job) {
        answer(ld, (int)from, token, ECHILD, 0, "the job that was asked for has ended");
        return true;
    }
    job->sub->spawn_from = (int)from;
    job->sub->spawn_token = token;
    if (job->started)
        spawn_answer(ld, job, 0, NULL);
    return true;
}

void spawn_request(struct leader *ld, unsigned from, json_object *msg)
{
    struct error err;
    char key[KEY_SIZE];
    int64_t token = 0, parent_id = 0, parent_rank = 0, total;
    json_object *preput = NULL;
    jsonutil_int(jsonutil_get(msg, "token"), INT64_MIN, INT64_MAX, &token);
    make_key(ld, from, token, key);
    if (known_before(ld, from, token, key))
        return;
    jsonutil_int(jsonutil_get(msg, "parent"), 0, INT64_MAX, &parent_id);
    jsonutil_int(jsonutil_get(msg, "parent_rank"), 0, UINT_MAX, &parent_rank);
    const struct job *parent = jobtable_find(ld->jobs, (jobid_t)parent_id);
    cleanup_json json_object *base = parent_environment(ld, parent);
    json_object *apps = make_apps(jsonutil_get(msg, "apps"), base, &total, &preput, &err);
    if (!apps) {
        answer(ld, (int)from, token, err.code, 0, err.text);
        return;
    }
    cleanup_json json_object *o = make_jobspec(ld, parent, apps, total, base);
    struct submit_options opts = {
        .urgency = parent ? parent->urgency : 16,
        .parent = (uint64_t)parent_id,
        .parent_rank = (unsigned)parent_rank,
        .preput = preput,
        .key = *key ? key : NULL,
        .spawn_from = (int)from,
        .spawn_token = token,
    };
    if (!manager_submit(ld, o, &opts, &err))
        answer(ld, (int)from, token, err.code, 0, err.text);
}
