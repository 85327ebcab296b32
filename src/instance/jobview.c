/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/jobview.h"

#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/instance/mapping.h"
#include "src/instance/standing.h"
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

/* What is told of a job: KEYS, an object, has the keys that are asked for; NULL: all. */
struct view {
    json_object *o, *keys;
};

static bool wants(const struct view *v, const char *key)
{
    return !v->keys || json_object_object_get_ex(v->keys, key, NULL);
}

static void view_str(const struct view *v, const char *key, const char *s)
{
    if (s && wants(v, key))
        add_str(v->o, key, s);
}

static void view_int(const struct view *v, const char *key, int64_t i)
{
    if (wants(v, key))
        add_int(v->o, key, i);
}

/* Times and limits: absent while not known. */
static void view_time(const struct view *v, const char *key, double t)
{
    if (t > 0 && wants(v, key))
        json_object_object_add(v->o, key, json_object_new_double(t));
}

const char *jobview_username(unsigned userid)
{
    static unsigned cached = UINT_MAX;
    static char name[64];
    if (cached != userid) { /* one instance has one owner: one lookup */
        struct passwd *pw = getpwuid(userid);
        snprintf(name, sizeof(name), "%s", pw ? pw->pw_name : "");
        cached = userid;
    }
    return name[0] ? name : NULL;
}

static void add_exception(const struct view *v, const char *type, int severity,
                          const char *note)
{
    if (!type || !wants(v, "exception"))
        return;
    json_object *e = json_object_new_object();
    add_str(e, "type", type);
    add_int(e, "severity", severity);
    add_str(e, "note", note ? note : "");
    json_object_object_add(v->o, "exception", e);
}

static void add_shape(const struct view *v, const struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    unsigned slots = shape->nslots * MAX(shape->nnodes_min, 1u);
    if (!job->pl) {
        view_int(v, "ntasks",
                 shape->ntasks ? shape->ntasks : slots * shape->tasks_per_slot);
        if (shape->nnodes_min)
            view_int(v, "nnodes", shape->nnodes_min);
        view_int(v, "ncores", (int64_t)slots * shape->cores_per_slot);
        view_int(v, "ngpus", (int64_t)slots * shape->gpus_per_slot);
        uint64_t memory = slots * shape->mem_per_slot +
                          MAX(shape->nnodes_min, 1u) * shape->mem_per_node;
        if (memory)
            view_int(v, "memory", (int64_t)memory);
        return;
    }
    const struct rset *r = job_held(job);
    cleanup_free char *nodelist = rset_nodelist(r), *ranks = rset_ranks(r);
    /* of an instance its slots, as before its start and after its end, not its ranks */
    view_int(v, "ntasks",
             mapping_one_per_node(job->sub->spec)
                 ? jobspec_ntasks(job->sub->spec, (unsigned)job->pl->rset->nnodes)
                 : job->ntasks);
    view_int(v, "nnodes", (int64_t)r->nnodes);
    view_int(v, "ncores", (int64_t)rset_ncores(r));
    view_int(v, "ngpus", (int64_t)rset_ngpus(r));
    if (rset_memory(r))
        view_int(v, "memory", (int64_t)rset_memory(r));
    view_str(v, "nodelist", nodelist);
    view_str(v, "ranks", ranks);
}

/* TEXT: room for what is made up. */
static const char *why_pending(const struct job *job, double left,
                               const struct queues *queues, struct sched *sched,
                               char *text, size_t size)
{
    struct tm tm;
    const char *stopped;
    if (job->state != JOB_SCHED || job->reason)
        return job->reason;
    if (job->sj.duration > left)
        return "cannot end before the instance's time limit";
    if (job->urgency == 0)
        return "held (urgency 0)";
    stopped = queues_why_stopped(queues, queues_of(queues, job->sub->spec), text, size);
    if (stopped)
        return stopped;
    if (sched && queues_is_full(queues, queues_of(queues, job->sub->spec), text, size))
        return text;
    double start = sched ? sched_estimate(sched, &job->sj) : INFINITY;
    if (isinf(start))
        return "waiting for resources";
    time_t t = (time_t)start;
    if (start <= 0 || !localtime_r(&t, &tm))
        return "priority";
    strftime(text, size, "resources: earliest start %F %T", &tm);
    return text;
}

json_object *jobview_active(const struct job *job, double left,
                            const struct queues *queues, struct sched *sched,
                            json_object *keys)
{
    char why[256];
    const struct view view = {json_object_new_object(), keys}, *v = &view;
    const struct jobspec *spec = job->sub->spec;
    view_int(v, "id", (int64_t)job->sj.id);
    view_str(v, "name", jobspec_name(spec));
    view_str(v, "state", job_state_name(job->state, false));
    view_int(v, "urgency", job->urgency);
    if (wants(v, "priority"))
        view_int(v, "priority", standing_shown(queues, job, time_now()));
    view_int(v, "userid", geteuid());
    view_str(v, "username", jobview_username(geteuid()));
    view_str(v, "cwd", jobspec_cwd(spec));
    view_str(v, "queue", jobspec_queue(spec));
    view_str(v, "bank", jsonutil_string(jobspec_attr(spec, "system.bank")));
    add_shape(v, job);
    view_time(v, "duration", job->sj.duration);
    view_time(v, "t_submit", job->t_submit);
    view_time(v, "t_depend", job->t_depend);
    view_time(v, "t_run", job->t_run);
    view_time(v, "t_cleanup", job->t_cleanup);
    view_time(v, "expiration", job->expiration);
    if (wants(v, "reason"))
        view_str(v, "reason", why_pending(job, left, queues, sched, why, sizeof(why)));
    if (job_cc(job) >= 0) {
        view_int(v, "cc", job_cc(job));
        view_int(v, "array", (int64_t)job->sub->first);
    }
    if (job->sub->parent)
        view_int(v, "parent", (int64_t)job->sub->parent);
    if (job->sub->grant)
        view_int(v, "grant", (int64_t)job->sub->grant);
    if (job->memo) {
        if (wants(v, "memo"))
            json_object_object_add(view.o, "memo", json_object_get(job->memo));
        view_str(v, "uri", jsonutil_string(jsonutil_get(job->memo, "uri")));
    }
    if (job->exception)
        add_exception(v, job->exception->type, job->exception->severity,
                      job->exception->note);
    return view.o;
}

json_object *jobview_nodes(const struct pool *pool, const struct journal *journal)
{
    static const char *const states[] = {
        [POOL_UP] = "up", [POOL_DRAINED] = "drained", [POOL_DOWN] = "down"};
    json_object *nodes = json_object_new_array();
    for (size_t i = 0; i < pool_nnodes(pool); i++) {
        struct pool_node node = pool_nth(pool, i);
        json_object *o = json_object_new_object();
        json_object_object_add(o, "rank", json_object_new_int64(node.rank));
        json_object_object_add(o, "host", json_object_new_string(node.host));
        jsonutil_add_idset(o, "cores", node.cores);
        jsonutil_add_idset(o, "gpus", node.gpus);
        jsonutil_add_idset(o, "free_cores", node.free_cores);
        jsonutil_add_idset(o, "free_gpus", node.free_gpus);
        if (node.memory) {
            add_int(o, "memory", (int64_t)node.memory);
            add_int(o, "free_memory", (int64_t)node.free_memory);
        }
        json_object_object_add(o, "state", json_object_new_string(states[node.state]));
        json_object *properties = pool_properties(pool, node.rank);
        if (properties)
            json_object_object_add(o, "properties", properties);
        if (node.reason)
            json_object_object_add(o, "reason", json_object_new_string(node.reason));
        double since = 0;
        const char *drained = journal_drained(journal, node.rank, &since);
        if (drained)
            json_object_object_add(o, "drained", json_object_new_string(drained));
        if (drained && since > 0)
            json_object_object_add(o, "since", json_object_new_double(since));
        json_object_array_add(nodes, o);
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "nodes", nodes);
    return result;
}

/* A node counts as free when some core of it is, and as allocated when some is not. */
json_object *jobview_totals(const struct pool *pool)
{
    enum { ALL, UP, ALLOCATED, FREE, KINDS };
    static const char *const names[] = {"all", "up", "allocated", "free"};
    int64_t sums[KINDS][4] = {{0}};
    for (size_t i = 0; i < pool_nnodes(pool); i++) {
        struct pool_node node = pool_nth(pool, i);
        int cores = hwloc_bitmap_weight(node.cores),
            gpus = hwloc_bitmap_weight(node.gpus);
        int idle = hwloc_bitmap_weight(node.free_cores),
            idle_gpus = hwloc_bitmap_weight(node.free_gpus);
        int64_t memory = (int64_t)node.memory, idle_memory = (int64_t)node.free_memory;
        bool up = node.state == POOL_UP;
        const int64_t here[KINDS][4] = {
            [ALL] = {1, cores, gpus, memory},
            [UP] = {up, up ? cores : 0, up ? gpus : 0, up ? memory : 0},
            [ALLOCATED] = {idle < cores, cores - idle, gpus - idle_gpus,
                           memory - idle_memory},
            [FREE] = {up && idle > 0, up ? idle : 0, up ? idle_gpus : 0,
                      up ? idle_memory : 0},
        };
        for (int k = 0; k < KINDS; k++)
            for (int j = 0; j < 4; j++)
                sums[k][j] += here[k][j];
    }
    json_object *result = json_object_new_object();
    for (int k = 0; k < KINDS; k++) {
        json_object *o = json_object_new_object();
        add_int(o, "nnodes", sums[k][0]);
        add_int(o, "ncores", sums[k][1]);
        add_int(o, "ngpus", sums[k][2]);
        add_int(o, "memory", sums[k][3]);
        json_object_object_add(result, names[k], o);
    }
    return result;
}
