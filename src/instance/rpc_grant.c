/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_grant: requests that make a running sub-instance larger or smaller: job.orders, job.grow,
 * job.shrink, job.return.
 *
 * Growing takes two steps, as an instance opens its door only when somebody is to come: it is
 * ordered to prepare, and notes where it waits ("join"), or why it cannot ("join_error").  The
 * request waits for that, and then becomes a job whose tasks go there. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct grower { /* a request that waits for the instance's door */
    struct grower *next;
    struct request rq;
    jobid_t id;
    json_object *params;
};

static const char *name_of(jobid_t id, char *buf)
{
    return jobid_encode(id, JOBID_F58_PLAIN, buf, JOBID_BUFSIZE);
}

/* The job that PARAMS names, if it is an instance that runs. */
static struct job *find_instance(struct leader *ld, json_object *params,
                                 struct error *err)
{
    char id[JOBID_BUFSIZE], base[JOBID_BUFSIZE];
    struct job *job = active_job(ld, params, err);
    if (!job)
        return NULL;
    name_of(job->sj.id, id);
    if (!job_is_instance(job))
        return error_null(err, EINVAL,
                          "job %s is not an instance: only those of hbatch batch and "
                          "hbatch alloc can change their size",
                          id);
    if (job->sub->grant)
        return error_null(err, EINVAL,
                          "job %s is a grant to job %s: name that one, or cancel this",
                          id, name_of(job->sub->grant, base));
    if (job->state != JOB_RUN || !job->started || job->ending)
        return error_null(err, EINVAL, "job %s is not running: its size can change %s",
                          id, job->ending ? "no more" : "when it runs");
    return job;
}

/* --- job.orders, job.return ------------------------------------------------------------------- */

/* PARAMS' idset KEY, a new one, or NULL with err set. */
static hwloc_bitmap_t param_idset(json_object *params, const char *key, struct error *err)
{
    json_object *o = jsonutil_get(params, key);
    const char *text = jsonutil_string(o);
    hwloc_bitmap_t set = text ? idset_decode(text, err) : NULL;
    if (set && hwloc_bitmap_last(set) >= 0)
        return set;
    hwloc_bitmap_free(set);
    return error_null(err, EINVAL, "request: %s must be a set of ranks, not %s", key,
                      jsonutil_show(o).text);
}

static int rpc_orders(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    const struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    const char *text = jsonutil_string(jsonutil_get(params, "drained"));
    cleanup_bitmap hwloc_bitmap_t drained = text ? idset_decode(text, err) : NULL;
    if (text && !drained)
        return error_prefix(err, "drained");
    if (!drained)
        drained = hwloc_bitmap_alloc();
    reply_result(ld, rq, json_object_new_object());
    orders_subscribe(ld, rq, job, drained);
    return 0;
}

static int rpc_return(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    struct job *job = active_job(ld, params, err);
    cleanup_bitmap hwloc_bitmap_t ranks = job ? param_idset(params, "nodes", err) : NULL;
    if (!ranks)
        return -1;
    cleanup_bitmap hwloc_bitmap_t before = job_returned(job);
    cleanup_bitmap hwloc_bitmap_t own = hwloc_bitmap_alloc();
    for (size_t i = 0; job->pl && i < job->pl->rset->nnodes; i++)
        hwloc_bitmap_set(own, job->pl->rset->nodes[i].rank);
    hwloc_bitmap_and(ranks, ranks, own); /* a grant's end when their tasks do */
    hwloc_bitmap_or(ranks, ranks, before);
    if (!hwloc_bitmap_isequal(ranks, before)) {
        cleanup_json json_object *memo = json_object_new_object();
        jsonutil_add_idset(memo, "returned", ranks);
        manager_memo(ld, job, memo, true);
        manager_give_back(ld, job);
    }
    reply_when_safe(ld, rq, json_object_new_object());
    return 0;
}

/* --- a grant's jobspec ------------------------------------------------------------------------ */

static json_object *object_of(const char *key, json_object *value)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, key, value);
    return o;
}

static json_object *array_of(json_object *value)
{
    json_object *list = json_object_new_array();
    json_object_array_add(list, value);
    return list;
}

/* NNODES nodes as JOB has them; NSLOTS on each, 0: as many as it has. */
static json_object *make_resources(const struct job *job, int64_t nnodes, int64_t nslots)
{
    json_object *resources = NULL;
    json_object_deep_copy(jsonutil_get(jobspec_json(job->sub->spec), "resources"),
                          &resources, NULL);
    json_object *top = json_object_array_get_idx(resources, 0);
    const char *type = jsonutil_string(jsonutil_get(top, "type"));
    if (type && strcmp(type, "slot") == 0) {
        unsigned most = 1;
        for (size_t i = 0; i < job->pl->rset->nnodes; i++)
            most = MAX(most, job->pl->nslots[i]);
        json_object_object_add(top, "count", json_object_new_int64(most));
        json_object *node = object_of("type", json_object_new_string("node"));
        json_object_object_add(node, "with", resources);
        resources = array_of(node);
    }
    json_object *node = json_object_array_get_idx(resources, 0);
    json_object *slot = json_object_array_get_idx(jsonutil_get(node, "with"), 0);
    json_object_object_add(node, "count", json_object_new_int64(nnodes));
    if (nslots > 0 && slot)
        json_object_object_add(slot, "count", json_object_new_int64(nslots));
    return resources;
}

/* Everybody can see a command: the address, which has a secret, is told by the executor. */
static json_object *make_tasks(const struct job *job)
{
    json_object *first =
        json_object_array_get_idx(jsonutil_get(jobspec_json(job->sub->spec), "tasks"), 0);
    json_object *program = json_object_array_get_idx(jsonutil_get(first, "command"), 0);
    json_object *command = array_of(json_object_get(program));
    json_object_array_add(command, json_object_new_string("--join=parent"));
    json_object *task = object_of("command", command);
    json_object_object_add(task, "slot", json_object_get(jsonutil_get(first, "slot")));
    json_object_object_add(task, "count", object_of("per_slot", json_object_new_int(1)));
    return array_of(task);
}

/* Where it waits for its new ranks, or NULL: nowhere yet. */
static const char *door_of(const struct job *job)
{
    const char *address = jsonutil_string(jsonutil_get(job->memo, "join"));
    return address && *address ? address : NULL;
}

static json_object *make_system(const struct job *job, json_object *constraints)
{
    const struct jobspec *spec = job->sub->spec;
    json_object *system = object_of("duration", json_object_new_int(0));
    cleanup_free char *name = xasprintf("%s+", jobspec_name(spec));
    json_object *options = object_of("instance", json_object_new_boolean(true));
    json_object_object_add(options, "per-resource",
                           object_of("type", json_object_new_string("node")));
    if (jobspec_option(spec, "rlimit"))
        json_object_object_add(options, "rlimit",
                               json_object_get(jobspec_option(spec, "rlimit")));
    json_object_object_add(system, "shell", object_of("options", options));
    json_object_object_add(system, "job",
                           object_of("name", json_object_new_string(name)));
    json_object_object_add(system, "grant", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(system, "join", json_object_new_string(door_of(job)));
    if (jobspec_cwd(spec))
        json_object_object_add(system, "cwd", json_object_new_string(jobspec_cwd(spec)));
    if (jobspec_queue(spec))
        json_object_object_add(system, "queue",
                               json_object_new_string(jobspec_queue(spec)));
    if (job->sub->env_text)
        json_object_object_add(system, "environment", text_json(job->sub->env_text));
    if (!constraints)
        constraints = jobspec_constraints(spec);
    if (constraints)
        json_object_object_add(system, "constraints", json_object_get(constraints));
    return system;
}

/* --- job.grow --------------------------------------------------------------------------------- */

struct wish { /* for more nodes */
    int64_t nnodes, nslots;
    const char *key;
};

static int read_wish(json_object *params, struct wish *w, struct error *err)
{
    json_object *key = jsonutil_get(params, "key");
    *w = (struct wish){.key = jsonutil_string(key)};
    if (param_int(params, "nnodes", 1, INT_MAX, 0, &w->nnodes, err) < 0 ||
        param_int(params, "nslots", 1, INT_MAX, 0, &w->nslots, err) < 0)
        return -1;
    if (w->nnodes == 0)
        return error_set(err, EINVAL, "request: the parameter 'nnodes' is missing");
    if (key && !w->key)
        return error_set(err, EINVAL, "request: key must be a string, not %s",
                         jsonutil_show(key).text);
    if (key && key_check(w->key, err) < 0)
        return error_prefix(err, "request");
    return 0;
}

/* More than there is can never be had: it has one rank on each node. */
static int check_room(const struct leader *ld, const struct job *job, int64_t nnodes,
                      struct error *err)
{
    char id[JOBID_BUFSIZE];
    cleanup_bitmap hwloc_bitmap_t nodes = grant_nodes(ld, job);
    int64_t all = (int64_t)pool_nnodes(ld->pool), has = hwloc_bitmap_weight(nodes);
    int64_t pending = grant_pending_nodes(ld, job);
    if (nnodes <= all - has - pending)
        return 0;
    if (has >= all)
        return error_set(
            err, ENOSPC,
            "this instance has %lld node%s, and job %s is on all of them: it "
            "cannot grow by %lld",
            (long long)all, all == 1 ? "" : "s", name_of(job->sj.id, id),
            (long long)nnodes);
    cleanup_free char *waits =
        pending ? xasprintf(" and waits for %lld more", (long long)pending) : xstrdup("");
    return error_set(err, ENOSPC,
                     "this instance has %lld node%s, job %s has %lld of them%s: it can "
                     "grow by %lld, not by %lld",
                     (long long)all, all == 1 ? "" : "s", name_of(job->sj.id, id),
                     (long long)has, waits, (long long)(all - has - pending),
                     (long long)nnodes);
}

static int submit_grant(struct leader *ld, const struct request *rq,
                        const struct job *job, json_object *params, struct error *err)
{
    struct wish w;
    if (read_wish(params, &w, err) < 0 || check_room(ld, job, w.nnodes, err) < 0)
        return -1;
    cleanup_json json_object *o = object_of("version", json_object_new_int(1));
    json_object_object_add(o, "resources", make_resources(job, w.nnodes, w.nslots));
    json_object_object_add(o, "tasks", make_tasks(job));
    json_object_object_add(
        o, "attributes",
        object_of("system", make_system(job, jsonutil_get(params, "constraints"))));
    struct submit_options opts = {
        .urgency = job->urgency, .key = w.key, .spawn_from = -1};
    const struct submission *sub = manager_submit(ld, o, &opts, err);
    if (!sub)
        return -1;
    reply_when_stored(ld, rq,
                      object_of("id", json_object_new_int64((int64_t)sub->first)));
    return 0;
}

/* An instance of one node was started without MPI: its executor has to know of it now. */
static void order_prepare(struct leader *ld, struct job *job)
{
    if (job->ntasks > 1) {
        orders_send(ld, job, order_create(job, "prepare"), NULL);
        return;
    }
    json_object *o = object_of("m", json_object_new_string("nspace"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    exec_send(ld, job->pl->rset->nodes[0].rank, o);
}

static void grower_free(struct grower *g)
{
    json_object_put(g->params);
    free(g);
}

static int rpc_grow(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    struct wish w;
    jobid_t id;
    uint64_t count;
    if (read_wish(params, &w, err) < 0)
        return -1;
    if (w.key && was_submitted(ld, rq, w.key, &id, &count)) {
        reply_result(ld, rq, object_of("id", json_object_new_int64((int64_t)id)));
        return 0;
    }
    struct job *job = find_instance(ld, params, err);
    if (!job || check_room(ld, job, w.nnodes, err) < 0)
        return -1;
    if (door_of(job))
        return submit_grant(ld, rq, job, params, err);
    struct grower **end = &ld->growers, *g = xcalloc(1, sizeof(*g));
    bool first = true;
    for (; *end; end = &(*end)->next)
        first &= (*end)->id != job->sj.id;
    *g = (struct grower){.rq = *rq, .id = job->sj.id, .params = json_object_get(params)};
    *end = g;
    if (first)
        order_prepare(ld, job);
    return 0;
}

/* Those that wait for job ID go on; ERR: they do not. */
static void answer_growers(struct leader *ld, jobid_t id, const struct error *failed)
{
    const struct job *job = jobtable_find(ld->jobs, id);
    for (struct grower **p = &ld->growers, *g; (g = *p);) {
        struct error err;
        if (g->id != id) {
            p = &g->next;
            continue;
        }
        *p = g->next;
        if (failed)
            reply_error(ld, &g->rq, failed);
        else if (submit_grant(ld, &g->rq, job, g->params, &err) < 0)
            reply_error(ld, &g->rq, &err);
        grower_free(g);
    }
}

void grow_noted(struct leader *ld, struct job *job)
{
    const char *why = jsonutil_string(jsonutil_get(job->memo, "join_error"));
    char id[JOBID_BUFSIZE];
    struct error err;
    if (!ld->growers)
        return;
    if (door_of(job)) {
        answer_growers(ld, job->sj.id, NULL);
    } else if (why) {
        error_set(&err, ENOTSUP, "job %s cannot grow: %s", name_of(job->sj.id, id), why);
        answer_growers(ld, job->sj.id, &err);
    }
}

void grow_prepared(struct leader *ld, unsigned rank, json_object *msg)
{
    int64_t id;
    char name[JOBID_BUFSIZE];
    (void)rank;
    if (!jsonutil_int(jsonutil_get(msg, "id"), 1, INT64_MAX, &id))
        return;
    const struct job *job = jobtable_find(ld->jobs, (jobid_t)id);
    const char *why = jsonutil_string(jsonutil_get(msg, "error"));
    if (job && !why) {
        json_object *o = order_create(job, "prepare");
        json_object_object_add(o, "pmix", json_object_get(jsonutil_get(msg, "env")));
        orders_send(ld, job, o, NULL);
    } else if (job) {
        struct error err;
        error_set(&err, ENOTSUP, "job %s cannot grow: %s", name_of(job->sj.id, name),
                  why);
        answer_growers(ld, job->sj.id, &err);
    }
}

void grow_job_over(struct leader *ld, const struct job *job)
{
    char id[JOBID_BUFSIZE];
    struct error err;
    if (!ld->growers)
        return;
    error_set(&err, ENODATA, "job %s is over", name_of(job->sj.id, id));
    answer_growers(ld, job->sj.id, &err);
}

void grow_client_gone(struct leader *ld, const struct client *c)
{
    for (struct grower **p = &ld->growers, *g; (g = *p);) {
        if (c && g->rq.client != c) {
            p = &g->next;
            continue;
        }
        *p = g->next;
        grower_free(g);
    }
}

/* --- job.shrink ------------------------------------------------------------------------------- */

static int check_nodes(const struct job *job, hwloc_const_bitmap_t have,
                       hwloc_const_bitmap_t wanted, struct error *err)
{
    char id[JOBID_BUFSIZE];
    name_of(job->sj.id, id);
    cleanup_free char *has = idset_encode(have, 0);
    if (!hwloc_bitmap_isincluded(wanted, have)) {
        cleanup_bitmap hwloc_bitmap_t other = hwloc_bitmap_alloc();
        hwloc_bitmap_andnot(other, wanted, have);
        cleanup_free char *text = idset_encode(other, 0);
        return error_set(err, EINVAL, "job %s does not have rank %s: it has %s", id, text,
                         has);
    }
    if (hwloc_bitmap_isequal(wanted, have))
        return error_set(err, EINVAL,
                         "ranks %s are all that job %s has: the node of its leader "
                         "stays until it ends",
                         has, id);
    return 0;
}

static int rpc_shrink(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    int64_t nnodes;
    char id[JOBID_BUFSIZE];
    struct job *job = find_instance(ld, params, err);
    if (!job || param_int(params, "nnodes", 1, INT_MAX, 0, &nnodes, err) < 0)
        return -1;
    cleanup_bitmap hwloc_bitmap_t have = grant_nodes(ld, job);
    cleanup_bitmap hwloc_bitmap_t wanted = NULL;
    int64_t n = hwloc_bitmap_weight(have);
    if (nnodes == 0 && !(wanted = param_idset(params, "nodes", err)))
        return -1;
    if (wanted && check_nodes(job, have, wanted, err) < 0)
        return -1;
    if (nnodes >= n)
        return error_set(err, EINVAL,
                         "job %s has %lld node%s: it can give back %lld, not %lld, as "
                         "the node of its leader stays until it ends",
                         name_of(job->sj.id, id), (long long)n, n == 1 ? "" : "s",
                         (long long)n - 1, (long long)nnodes);
    json_object *o = order_create(job, "shrink");
    if (wanted)
        jsonutil_add_idset(o, "nodes", wanted);
    else
        json_object_object_add(o, "nnodes", json_object_new_int64(nnodes));
    if (jsonutil_get(job->memo, "shrink_error")) { /* of an earlier one */
        cleanup_json json_object *memo = object_of("shrink_error", NULL);
        manager_memo(ld, job, memo, true);
    }
    orders_send(ld, job, o, rq);
    return 0;
}

/* clang-format off */
const struct rpc rpc_grant_table[] = {
    {"job.orders", rpc_orders},
    {"job.grow", rpc_grow},
    {"job.shrink", rpc_shrink},
    {"job.return", rpc_return},
    {NULL, NULL},
};
/* clang-format on */
