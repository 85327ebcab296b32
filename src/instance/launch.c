/* SPDX-License-Identifier: BSD-3-Clause */
/* launch: what the leader tells executors: texts once, starts in batches, signals and ends. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"

#include <stdio.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"
#include "src/job/rset_parts.h"

static void send_json(struct leader *ld, unsigned rank, json_object *o)
{
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    gate_exec(ld, rank, text, len);
}

static void flush_starts(struct leader *ld, unsigned rank)
{
    json_object *starts = take(ld->nodes[rank].starts);
    if (!starts)
        return;
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("start"));
    /* If that executor is lost, of which we have yet to hear, the next one must not obey. */
    if (ld->nodes[rank].exec_pid)
        json_object_object_add(o, "pid", json_object_new_int64(ld->nodes[rank].exec_pid));
    json_object_object_add(o, "jobs", starts);
    send_json(ld, rank, o);
}

bool launch_pending(const struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        if (ld->nodes[i].starts)
            return true;
    return false;
}

void launch_flush(struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        flush_starts(ld, i);
}

void exec_send(struct leader *ld, unsigned rank, json_object *msg)
{
    flush_starts(ld, rank); /* what concerns a job comes after its start */
    send_json(ld, rank, msg);
    json_object_put(msg);
}

void exec_send_job(struct leader *ld, const struct job *job, json_object *msg)
{
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        exec_send(ld, job->pl->rset->nodes[i].rank, json_object_get(msg));
    json_object_put(msg);
}

/* The text's own line goes out as it is: it is kept serialized. */
static void teach(struct leader *ld, unsigned rank, struct text *t)
{
    if (!t || text_known(t, rank))
        return;
    text_set_known(t, rank);
    bool env = t->kind == TEXT_ENV;
    cleanup_strbuf struct strbuf line = {0};
    strbuf_addf(&line, "{\"m\":\"%s\",\"h\":\"%s\",\"%s\":", env ? "env" : "spec",
                t->name, env ? "env" : "jobspec");
    text_add(t, &line);
    strbuf_addc(&line, '}');
    gate_exec(ld, rank, line.s, line.len);
}

void launch_teach(struct leader *ld, unsigned rank, const struct submission *sub)
{
    teach(ld, rank, sub->env_text);
    teach(ld, rank, sub->jobspec_text);
}

void specs_dropped(const struct text *t, void *arg)
{
    struct leader *ld = arg;
    change_text_dropped(ld, t);
    if (!t->known)
        return;
    int rank;
    hwloc_bitmap_foreach_begin(rank, t->known)
    {
        json_object *o = json_object_new_object();
        json_object_object_add(o, "m", json_object_new_string("unspec"));
        json_object_object_add(o, "h", json_object_new_string(t->name));
        exec_send(ld, (unsigned)rank, o);
    }
    hwloc_bitmap_foreach_end();
}

/* What is the same for all nodes of a job. */
static json_object *describe(struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    const struct rset *r = job->pl->rset;
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "h", json_object_new_string(job->sub->jobspec_text->name));
    if (job->run > 0)
        json_object_object_add(o, "run", json_object_new_int64(job->run));
    if (job->cc >= 0) {
        char cc[16];
        snprintf(cc, sizeof(cc), "%d", (int)job->cc);
        json_object_object_add(o, "cc", json_object_new_string(cc));
    }
    json_object_object_add(o, "ntasks", json_object_new_int64(job->ntasks));
    json_object *hosts = json_object_new_array_ext((int)r->nnodes);
    json_object *ranks = json_object_new_array_ext((int)r->nnodes);
    for (size_t i = 0; i < r->nnodes; i++) {
        json_object_array_add(hosts, json_object_new_string(r->nodes[i].host));
        json_object_array_add(ranks, json_object_new_int64(r->nodes[i].rank));
    }
    json_object_object_add(o, "hosts", hosts);
    json_object_object_add(o, "ranks", ranks);
    /* texts are kept for those who share them, not for each job that runs */
    cleanup_free char *map = job->site ? NULL : taskmap_encode(job->map);
    json_object_object_add(
        o, "taskmap", json_object_new_string(map ? map : site_texts(job->site)->taskmap));
    json_object_object_add(o, "cps", json_object_new_int64(shape->cores_per_slot));
    json_object_object_add(o, "gps", json_object_new_int64(shape->gpus_per_slot));
    json_object_object_add(o, "expiration", json_object_new_double(job->expiration));
    if (job->sub->parent) {
        json_object *parent = json_object_new_object();
        json_object_object_add(parent, "id",
                               json_object_new_int64((int64_t)job->sub->parent));
        json_object_object_add(parent, "rank",
                               json_object_new_int64(job->sub->parent_rank));
        json_object_object_add(o, "parent", parent);
    }
    if (job->sub->preput)
        json_object_object_add(o, "preput", json_object_get(job->sub->preput));
    return o;
}

/* O: what describe gave, taken over. */
static void launch_on(struct leader *ld, const struct job *job, size_t i, json_object *o)
{
    const struct rset_node *at = &job->pl->rset->nodes[i];
    struct leader_node *node = &ld->nodes[at->rank];
    launch_teach(ld, at->rank, job->sub);
    json_object_object_add(o, "node", json_object_new_int64((int64_t)i));
    jsonutil_add_idset(o, "cores", at->cores);
    jsonutil_add_idset(o, "gpus", at->gpus);
    if (at->memory)
        json_object_object_add(o, "mem", json_object_new_int64((int64_t)at->memory));
    if (at->memory &&
        (job_shape_of(job)->mem_per_slot || job_shape_of(job)->mem_per_node))
        json_object_object_add(o, "limit", json_object_new_boolean(true));
    json_object_object_add(o, "slots", json_object_new_int64(job->pl->nslots[i]));
    json_object *parts = rset_parts_on(job->pl->rset, at->rank);
    if (parts)
        json_object_object_add(o, "parts", parts);
    if (!node->starts)
        node->starts = json_object_new_array();
    json_object_array_add(node->starts, o);
    leader_wake(ld);
}

void launch_job(struct leader *ld, struct job *job)
{
    cleanup_json json_object *common = describe(job);
    int64_t class = lease_slot(ld, job);
    if (class)
        json_object_object_add(common, "class", json_object_new_int64(class));
    size_t n = job->pl->rset->nnodes;
    for (size_t i = 0; i < n; i++) {
        json_object *o = NULL;
        if (i + 1 < n) /* the last node may have the original */
            json_object_deep_copy(common, &o, NULL);
        else
            o = json_object_get(common);
        launch_on(ld, job, i, o);
    }
}

void launch_withdraw(struct leader *ld, const struct job *job)
{
    for (size_t i = 0; job->pl && i < job->pl->rset->nnodes; i++) {
        json_object *starts = ld->nodes[job->pl->rset->nodes[i].rank].starts;
        for (size_t k = starts ? json_object_array_length(starts) : 0; k-- > 0;) {
            json_object *o = json_object_array_get_idx(starts, k);
            if (json_object_get_int64(jsonutil_get(o, "id")) == (int64_t)job->sj.id)
                json_object_array_del_idx(starts, k, 1);
        }
    }
}

void launch_again(struct leader *ld, struct job *job, unsigned index)
{
    json_object *o = describe(job);
    json_object_object_add(o, "again", json_object_new_boolean(true));
    launch_on(ld, job, index, o);
}

void launch_end(struct leader *ld, struct job *job, double grace, const char *note)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("end"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "grace", json_object_new_double(grace));
    if (note)
        json_object_object_add(o, "note", json_object_new_string(note));
    exec_send_job(ld, job, o);
}

static json_object *make_signal(const struct job *job, int signum)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("kill"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "signal", json_object_new_int(signum));
    return o;
}

void launch_signal(struct leader *ld, struct job *job, int signum)
{
    exec_send_job(ld, job, make_signal(job, signum));
}

void launch_signal_ahead(struct leader *ld, const struct job *job, int signum)
{
    exec_send(ld, (unsigned)job->ahead, make_signal(job, signum));
}

void launch_acknowledge(struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++) {
        struct leader_node *node = &ld->nodes[i];
        if (node->acked >= node->seen)
            continue;
        node->acked = node->seen;
        json_object *o = json_object_new_object();
        json_object_object_add(o, "m", json_object_new_string("acked"));
        json_object_object_add(o, "seq", json_object_new_int64(node->acked));
        exec_send(ld, i, o);
    }
}
