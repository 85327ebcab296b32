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

/* Times and limits: absent while not known. */
static void add_time(json_object *o, const char *key, double t)
{
    if (t > 0)
        json_object_object_add(o, key, json_object_new_double(t));
}

static void add_user(json_object *o, unsigned userid)
{
    static unsigned cached = UINT_MAX;
    static char name[64];
    if (cached != userid) { /* one instance has one owner: one lookup */
        struct passwd *pw = getpwuid(userid);
        snprintf(name, sizeof(name), "%s", pw ? pw->pw_name : "");
        cached = userid;
    }
    add_int(o, "userid", userid);
    if (name[0])
        add_str(o, "username", name);
}

static void add_exception(json_object *o, const char *type, int severity,
                          const char *note)
{
    if (!type)
        return;
    json_object *e = json_object_new_object();
    add_str(e, "type", type);
    add_int(e, "severity", severity);
    add_str(e, "note", note ? note : "");
    json_object_object_add(o, "exception", e);
}

static void add_shape(json_object *o, const struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    unsigned slots = shape->nslots * MAX(shape->nnodes_min, 1u);
    if (!job->pl) {
        add_int(o, "ntasks",
                shape->ntasks ? shape->ntasks : slots * shape->tasks_per_slot);
        if (shape->nnodes_min)
            add_int(o, "nnodes", shape->nnodes_min);
        add_int(o, "ncores", (int64_t)slots * shape->cores_per_slot);
        add_int(o, "ngpus", (int64_t)slots * shape->gpus_per_slot);
        uint64_t memory = slots * shape->mem_per_slot +
                          MAX(shape->nnodes_min, 1u) * shape->mem_per_node;
        if (memory)
            add_int(o, "memory", (int64_t)memory);
        return;
    }
    const struct rset *r = job_held(job);
    cleanup_free char *nodelist = rset_nodelist(r), *ranks = rset_ranks(r);
    /* of an instance its slots, as before its start and after its end, not its ranks */
    add_int(o, "ntasks",
            mapping_one_per_node(job->sub->spec)
                ? jobspec_ntasks(job->sub->spec, (unsigned)job->pl->rset->nnodes)
                : job->ntasks);
    add_int(o, "nnodes", (int64_t)r->nnodes);
    add_int(o, "ncores", (int64_t)rset_ncores(r));
    add_int(o, "ngpus", (int64_t)rset_ngpus(r));
    if (rset_memory(r))
        add_int(o, "memory", (int64_t)rset_memory(r));
    add_str(o, "nodelist", nodelist);
    add_str(o, "ranks", ranks);
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
                            const struct queues *queues, struct sched *sched)
{
    char why[256];
    json_object *o = json_object_new_object();
    const struct jobspec *spec = job->sub->spec;
    add_int(o, "id", (int64_t)job->sj.id);
    add_str(o, "name", jobspec_name(spec));
    add_str(o, "state", job_state_name(job->state, false));
    add_int(o, "urgency", job->urgency);
    add_int(o, "priority", standing_shown(queues, job, time_now()));
    add_user(o, geteuid());
    add_str(o, "cwd", jobspec_cwd(spec));
    add_str(o, "queue", jobspec_queue(spec));
    add_str(o, "bank", jsonutil_string(jobspec_attr(spec, "system.bank")));
    add_shape(o, job);
    add_time(o, "duration", job->sj.duration);
    add_time(o, "t_submit", job->t_submit);
    add_time(o, "t_depend", job->t_depend);
    add_time(o, "t_run", job->t_run);
    add_time(o, "t_cleanup", job->t_cleanup);
    add_time(o, "expiration", job->expiration);
    add_str(o, "reason", why_pending(job, left, queues, sched, why, sizeof(why)));
    if (job_cc(job) >= 0) {
        add_int(o, "cc", job_cc(job));
        add_int(o, "array", (int64_t)job->sub->first);
    }
    if (job->sub->parent)
        add_int(o, "parent", (int64_t)job->sub->parent);
    if (job->sub->grant)
        add_int(o, "grant", (int64_t)job->sub->grant);
    if (job->memo) {
        json_object_object_add(o, "memo", json_object_get(job->memo));
        add_str(o, "uri", jsonutil_string(jsonutil_get(job->memo, "uri")));
    }
    if (job->exception)
        add_exception(o, job->exception->type, job->exception->severity,
                      job->exception->note);
    return o;
}

json_object *jobview_stored(const struct store_entry *e)
{
    const struct store_run *run = e->run;
    json_object *o = json_object_new_object();
    enum job_result result = (enum job_result)run->result;
    add_int(o, "id", (int64_t)run->id);
    add_str(o, "name", e->job.name);
    add_str(o, "state", job_state_name(JOB_INACTIVE, false));
    add_int(o, "urgency", e->job.urgency);
    add_int(o, "priority", e->job.priority);
    add_user(o, e->job.userid);
    add_str(o, "cwd", e->job.cwd);
    add_str(o, "queue", e->job.queue);
    add_int(o, "ntasks", e->job.ntasks);
    if (run->nnodes || e->job.nnodes)
        add_int(o, "nnodes", run->nnodes ? run->nnodes : e->job.nnodes);
    add_int(o, "ncores", run->nnodes ? run->ncores : e->job.ncores);
    add_int(o, "ngpus", run->nnodes ? run->ngpus : e->job.ngpus);
    add_str(o, "nodelist", run->nodelist);
    add_str(o, "ranks", run->ranks);
    add_time(o, "duration", e->job.duration);
    add_time(o, "t_submit", e->job.t_submit);
    add_time(o, "t_depend", run->t_depend);
    add_time(o, "t_run", run->t_run);
    add_time(o, "t_cleanup", run->t_cleanup);
    add_time(o, "t_inactive", run->t_inactive);
    add_time(o, "expiration", run->expiration);
    add_str(o, "result", job_result_name(result, false));
    if (run->status >= 0) {
        add_int(o, "status", run->status);
        add_int(o, "exit", job_exit_code(run->status));
    }
    if (run->cc >= 0 && !(e->job.flags & JOB_BULK)) {
        add_int(o, "cc", run->cc);
        add_int(o, "array", (int64_t)e->job.id);
    }
    add_exception(o, run->exception_type, run->exception_severity, run->exception_note);
    return o;
}

json_object *jobview_nodes(const struct pool *pool)
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
