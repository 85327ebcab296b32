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
#include "config.h"
#include "src/common/jobid.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/spawn_info.h"
#include "src/job/jsonutil.h"

enum { MAX_SPAWN = 1000000 };

#define INSTANCE "hbatch-instance"

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

/* A request, while it is looked at. */
struct spawn_app { /* one of its programs */
    json_object *argv, *env, *cwd;
    struct spawn_program keys;
    unsigned maxprocs, count; /* COUNT: tasks that it is to have */
};

struct spawn {
    struct spawn_info info;
    struct spawn_app *apps;
    size_t napps;
    bool instance; /* its tasks are the ranks of a sub-instance */
    const struct job *parent;
    json_object *base; /* the parent's environment, or NULL */
    json_object *preput;
    unsigned from; /* the rank that the asking task is on */
};

static void spawn_fini(struct spawn *s)
{
    spawn_info_fini(&s->info);
    for (size_t i = 0; i < s->napps; i++) {
        json_object_put(s->apps[i].env);
        spawn_program_fini(&s->apps[i].keys);
    }
    free(s->apps);
    json_object_put(s->base);
}

/* --- what was asked for ------------------------------------------------------------------------ */

static json_object *parent_environment(const struct job *parent)
{
    return parent ? text_json(parent->sub->env_text) : NULL;
}

/* The environment of the asking job with what the request adds. */
static json_object *merge_env(json_object *base, json_object *more)
{
    json_object *env = json_object_new_object();
    json_object *const both[] = {base, more};
    for (size_t i = 0; i < ARRAY_SIZE(both); i++)
        if (json_object_is_type(both[i], json_type_object)) {
            json_object_object_foreach(both[i], key, value)
            {
                json_object_object_add(env, key, json_object_get(value));
            }
        }
    return env;
}

static bool names_instance(json_object *argv)
{
    const char *word = jsonutil_string(json_object_array_get_idx(argv, 0));
    return word && jobspec_names_instance(word);
}

static int read_app(struct spawn *s, json_object *o, struct error *err)
{
    struct spawn_app *app = &s->apps[s->napps];
    int64_t maxprocs;
    app->argv = jsonutil_get(o, "argv");
    app->cwd = jsonutil_get(o, "cwd");
    if (!json_object_is_type(app->argv, json_type_array) ||
        !jsonutil_int(jsonutil_get(o, "maxprocs"), 1, MAX_SPAWN, &maxprocs))
        return error_set(err, EINVAL, "a program needs argv and maxprocs");
    app->maxprocs = app->count = (unsigned)maxprocs;
    app->env = merge_env(jsonutil_get(o, "env"), NULL);
    s->napps++;
    if (jsonutil_get(o, "preput"))
        s->preput = jsonutil_get(o, "preput");
    return spawn_info_add(&s->info, &app->keys, jsonutil_get(o, "info"), app->env,
                          app->maxprocs, err);
}

/* A rank of another MPI would wait for its parent for ever. */
static int check_mpi(const struct spawn_app *app, struct error *err)
{
    if (jsonutil_get(app->env, "OMPI_PARENT_PORT") && strcmp(MPI_FLAVOUR, "openmpi") != 0)
        return error_set(err, ENOTSUP,
                         "" INSTANCE " is built for " MPI_FLAVOUR
                         ", and cannot be spawned by a program of Open MPI");
    return 0;
}

static int read_request(struct spawn *s, json_object *msg, struct error *err)
{
    json_object *apps = jsonutil_get(msg, "apps"), *info = jsonutil_get(msg, "info");
    size_t n =
        json_object_is_type(apps, json_type_array) ? json_object_array_length(apps) : 0;
    if (n == 0)
        return error_set(err, EINVAL, "no program was given");
    s->info = (struct spawn_info){.cores = 1, .urgency = -1};
    s->apps = xcalloc(n, sizeof(*s->apps));
    for (size_t i = 0; i < n; i++)
        if (read_app(s, json_object_array_get_idx(apps, i), err) < 0)
            return -1;
    /* PMI-1 and PMI-2 have one set of keys, and mostly one program */
    if (spawn_info_add(&s->info, &s->apps[0].keys, info, NULL, s->apps[0].maxprocs, err) <
        0)
        return -1;
    for (size_t i = 0; i < n; i++)
        s->instance |= names_instance(s->apps[i].argv);
    if (s->instance && n > 1)
        return error_set(err, EINVAL,
                         "" INSTANCE " is spawned alone, without other programs");
    return s->instance ? check_mpi(&s->apps[0], err) : 0;
}

/* --- the job ----------------------------------------------------------------------------------- */

static json_object *object_of(const char *key, json_object *value)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, key, value);
    return o;
}

static json_object *array_of(json_object *o)
{
    json_object *array = json_object_new_array_ext(1);
    json_object_array_add(array, o);
    return array;
}

static json_object *vertex(const char *type, unsigned count, json_object *with)
{
    json_object *o = object_of("type", json_object_new_string(type));
    json_object_object_add(o, "count", json_object_new_int64(count));
    if (with)
        json_object_object_add(o, "with", with);
    return o;
}

static unsigned total_of(const struct spawn *s)
{
    unsigned total = 0;
    for (size_t i = 0; i < s->napps; i++)
        total += s->apps[i].count;
    return total;
}

/* The number of nodes, 0: as many as it takes. An instance has a rank on each. */
static unsigned nodes_of(const struct spawn *s)
{
    unsigned total = total_of(s);
    if (s->instance)
        return total;
    if (s->info.nodes || !s->info.per_node)
        return s->info.nodes;
    return (total + s->info.per_node - 1) / s->info.per_node;
}

/* As hbatch submit makes them of -N, -n, -c and -g; *COUNT: of the tasks. */
static json_object *make_resources(const struct spawn *s, json_object **count)
{
    unsigned total = total_of(s), nodes = nodes_of(s);
    unsigned slots = nodes ? (total + nodes - 1) / nodes : total;
    json_object *with = array_of(vertex("core", s->info.cores, NULL));
    if (s->info.gpus)
        json_object_array_add(with, vertex("gpu", s->info.gpus, NULL));
    json_object *o = vertex("slot", slots, with);
    json_object_object_add(o, "label", json_object_new_string("task"));
    *count = nodes && total % nodes ? object_of("total", json_object_new_int64(total))
                                    : object_of("per_slot", json_object_new_int(1));
    if (nodes) {
        o = vertex("node", nodes, array_of(o));
        if (s->info.exclusive)
            json_object_object_add(o, "exclusive", json_object_new_boolean(true));
    }
    return array_of(o);
}

static json_object *make_constraint(const struct spawn *s)
{
    json_object *hosts = NULL;
    if (s->info.hosts)
        hosts = object_of("hostlist", json_object_get(s->info.hosts));
    if (!s->info.requires)
        return hosts;
    if (!hosts)
        return json_object_get(s->info.requires);
    json_object *both = array_of(hosts);
    json_object_array_add(both, json_object_get(s->info.requires));
    return object_of("and", both);
}

/* Option "apps": one entry for each program. */
static json_object *make_apps(const struct spawn *s)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < s->napps; i++) {
        const struct spawn_app *app = &s->apps[i];
        json_object *o = json_object_new_object(), *argv = json_object_get(app->argv);
        if (s->instance) { /* the executor knows where it is */
            json_object_put(argv);
            argv = NULL;
            json_object_deep_copy(app->argv, &argv, NULL);
            json_object_array_put_idx(argv, 0, json_object_new_string(INSTANCE));
        }
        json_object_object_add(o, "command", argv);
        json_object_object_add(o, "ntasks", json_object_new_int64(app->count));
        json_object_object_add(o, "environment", merge_env(s->base, app->env));
        if (app->cwd)
            json_object_object_add(o, "cwd", json_object_get(app->cwd));
        if (app->keys.path)
            json_object_object_add(o, "path", json_object_get(app->keys.path));
        json_object_array_add(list, o);
    }
    return list;
}

static void add_file(json_object *options, const char *stream, json_object *path)
{
    json_object *output;
    if (!path)
        return;
    if (!json_object_object_get_ex(options, "output", &output)) {
        output = json_object_new_object();
        json_object_object_add(options, "output", output);
    }
    json_object *o = object_of("type", json_object_new_string("file"));
    json_object_object_add(o, "path", json_object_get(path));
    json_object_object_add(output, stream, o);
}

static json_object *make_system(const struct spawn *s)
{
    json_object *options = object_of("apps", make_apps(s)),
                *constraint = make_constraint(s);
    json_object *system =
        object_of("duration", json_object_new_double(s->info.time_limit));
    if (s->instance) {
        json_object_object_add(options, "instance", json_object_new_boolean(true));
        json_object_object_add(options, "per-resource",
                               object_of("type", json_object_new_string("node")));
    }
    add_file(options, "stdout", s->info.output);
    add_file(options, "stderr", s->info.error);
    json_object_object_add(system, "shell", object_of("options", options));
    if (s->base)
        json_object_object_add(system, "environment", json_object_get(s->base));
    const char *cwd = s->parent ? jobspec_cwd(s->parent->sub->spec) : NULL;
    if (cwd)
        json_object_object_add(system, "cwd", json_object_new_string(cwd));
    if (constraint)
        json_object_object_add(system, "constraints", constraint);
    if (s->info.name)
        json_object_object_add(system, "job",
                               object_of("name", json_object_get(s->info.name)));
    return system;
}

/* A V1 jobspec. */
static json_object *make_jobspec(const struct spawn *s)
{
    json_object *count, *resources = make_resources(s, &count);
    json_object *task = object_of("slot", json_object_new_string("task")),
                *system = make_system(s);
    json_object *apps =
        jsonutil_get(jsonutil_get(jsonutil_get(system, "shell"), "options"), "apps");
    json_object_object_add(
        task, "command",
        json_object_get(jsonutil_get(json_object_array_get_idx(apps, 0), "command")));
    json_object_object_add(task, "count", count);
    json_object *o = object_of("version", json_object_new_int(1));
    json_object_object_add(o, "resources", resources);
    json_object_object_add(o, "tasks", array_of(task));
    json_object_object_add(o, "attributes", object_of("system", system));
    return o;
}

/* "localhost" is where the asking task runs. */
static void name_localhost(const struct leader *ld, struct spawn *s)
{
    size_t n = s->info.hosts ? json_object_array_length(s->info.hosts) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name =
            json_object_get_string(json_object_array_get_idx(s->info.hosts, i));
        for (size_t k = 0; strcmp(name, "localhost") == 0 && k < pool_nnodes(ld->pool);
             k++) {
            struct pool_node node = pool_nth(ld->pool, k);
            if (node.rank != s->from)
                continue;
            json_object_array_put_idx(s->info.hosts, i,
                                      json_object_new_string(node.host));
            break;
        }
    }
}

/* --- a soft number of tasks --------------------------------------------------------------------- */

/* Whether the job could start now, or (EVER) at some time beside its parent. */
static bool fits(struct leader *ld, const struct spawn *s, bool ever)
{
    cleanup_json json_object *o = make_jobspec(s);
    struct error err;
    struct jobspec *spec = jobspec_from_json(o, &err);
    json_object *constraints = spec ? jobspec_constraints(spec) : NULL;
    struct constraint *c = constraints ? constraint_from_json(constraints, &err) : NULL;
    bool good = false;
    if (spec) {
        struct pool_request req = {.shape = *jobspec_shape(spec), .constraint = c};
        if (!ever) {
            struct placement *pl = pool_alloc(ld->pool, &req);
            good = pl != NULL;
            if (pl)
                pool_free(ld->pool, pl->rset);
            placement_destroy(pl);
        } else if (s->parent && s->parent->pl)
            good =
                pool_satisfiable_beside(ld->pool, &req, s->parent->pl->rset, &err) == 0;
        else
            good = pool_satisfiable(ld->pool, &req, &err) == 0;
    }
    constraint_destroy(c);
    jobspec_destroy(spec);
    return good;
}

/* The Ith number in SET. */
static unsigned nth(hwloc_const_bitmap_t set, int i)
{
    int n = hwloc_bitmap_first(set);
    while (i-- > 0)
        n = hwloc_bitmap_next(set, n);
    return (unsigned)n;
}

/* Give APP the greatest of its numbers that fits with those of the others; else the least. */
static bool reduce(struct leader *ld, struct spawn *s, struct spawn_app *app, bool ever)
{
    int low = -1, high = hwloc_bitmap_weight(app->keys.soft);
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        app->count = nth(app->keys.soft, middle);
        if (fits(ld, s, ever))
            low = middle;
        else
            high = middle;
    }
    app->count = nth(app->keys.soft, MAX(low, 0));
    return low >= 0;
}

static bool choose(struct leader *ld, struct spawn *s, bool ever)
{
    for (size_t i = 0; i < s->napps; i++)
        if (s->apps[i].keys.soft)
            s->apps[i].count = (unsigned)hwloc_bitmap_last(s->apps[i].keys.soft);
    if (fits(ld, s, ever))
        return true;
    for (size_t i = s->napps; i-- > 0;)
        if (s->apps[i].keys.soft && reduce(ld, s, &s->apps[i], ever))
            return true;
    return false;
}

/* As many tasks as can start at once, else as many as can ever be. */
static void choose_counts(struct leader *ld, struct spawn *s)
{
    bool any = false;
    for (size_t i = 0; i < s->napps; i++)
        any |= s->apps[i].keys.soft != NULL;
    if (any && !choose(ld, s, false))
        choose(ld, s, true);
}

/* --- requests ------------------------------------------------------------------------------------ */

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

/* The sizes that cannot be together. */
static int check_sizes(const struct spawn *s, struct error *err)
{
    unsigned total = total_of(s);
    if (s->instance && s->info.nodes && s->info.nodes != total)
        return error_set(err, EINVAL,
                         "hbatch_nodes=%u: " INSTANCE " has one rank on each node, "
                         "and %u were asked for",
                         s->info.nodes, total);
    if (s->info.nodes > total)
        return error_set(err, EINVAL,
                         "hbatch_nodes=%u: that is more than there are tasks (%u)",
                         s->info.nodes, total);
    if (s->info.exclusive && !nodes_of(s))
        return error_set(err, EINVAL,
                         "hbatch_exclusive can only be set together with hbatch_nodes");
    return 0;
}

static int submit(struct leader *ld, struct spawn *s, const struct submit_options *opts,
                  struct error *err)
{
    name_localhost(ld, s);
    choose_counts(ld, s);
    if (check_sizes(s, err) < 0)
        return -1;
    cleanup_json json_object *o = make_jobspec(s);
    const struct submission *sub = manager_submit(ld, o, opts, err);
    if (!sub)
        return -1;
    if (s->instance)
        spawn_note_instance(ld, sub->first);
    return 0;
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
    int64_t token = 0, parent_id = 0, parent_rank = 0;
    jsonutil_int(jsonutil_get(msg, "token"), INT64_MIN, INT64_MAX, &token);
    make_key(ld, from, token, key);
    if (known_before(ld, from, token, key))
        return;
    jsonutil_int(jsonutil_get(msg, "parent"), 0, INT64_MAX, &parent_id);
    jsonutil_int(jsonutil_get(msg, "parent_rank"), 0, UINT_MAX, &parent_rank);
    const struct job *parent = jobtable_find(ld->jobs, (jobid_t)parent_id);
    struct spawn s = {.parent = parent, .base = parent_environment(parent), .from = from};
    int rc = read_request(&s, msg, &err);
    struct submit_options opts = {
        .urgency = s.info.urgency >= 0 ? s.info.urgency
                   : parent            ? parent->urgency
                                       : 16,
        .parent = (uint64_t)parent_id,
        .parent_rank = (unsigned)parent_rank,
        .preput = s.preput,
        .key = *key ? key : NULL,
        .spawn_from = (int)from,
        .spawn_token = token,
    };
    if (rc == 0)
        rc = submit(ld, &s, &opts, &err);
    if (rc < 0)
        answer(ld, (int)from, token, err.code, 0, err.text);
    spawn_fini(&s);
}

/* --- sub-instances, and who spawned them ----------------------------------------------------------- */

void spawn_note_instance(struct leader *ld, jobid_t id)
{
    ld->spawned = xrealloc(ld->spawned, (ld->nspawned + 1) * sizeof(*ld->spawned));
    ld->spawned[ld->nspawned++] = id;
}

/* It goes on alone, or ends by itself: src/instance/spawner.h. */
static bool is_let_go(const struct job *job)
{
    return json_object_get_boolean(jsonutil_get(job->memo, "detached"));
}

void spawn_over(struct leader *ld, const struct job *job)
{
    char text[JOBID_BUFSIZE];
    jobid_encode(job->sj.id, JOBID_F58_PLAIN, text, sizeof(text));
    for (size_t i = 0; i < ld->nspawned;) {
        struct job *child = jobtable_find(ld->jobs, ld->spawned[i]);
        if (!child || child == job) {
            ld->spawned[i] = ld->spawned[--ld->nspawned];
            continue;
        }
        i++;
        if (child->sub->parent != job->sj.id || child->ending || is_let_go(child))
            continue;
        cleanup_free char *why =
            xasprintf("the job that spawned it, %s, has ended", text);
        manager_exception(ld, child, "cancel", 0, why);
        i = 0; /* one that had not started is over by now */
    }
}
