/* SPDX-License-Identifier: BSD-3-Clause */
/* orders: what the leader tells sub-instances to do: one stream for each, which its own leader
 * opens (job.orders), and opens again after a loss on either side.  An order for one that does
 * not listen is kept until it does.  What holds for longer, as a drained node, is said on each new
 * stream. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct listener {
    struct listener *next;
    struct request rq;
    jobid_t id;
};

struct order {
    struct order *next;
    jobid_t id;
    json_object *params;
    struct request rq; /* answered when the order is out; client NULL: none */
};

bool job_is_instance(const struct job *job)
{
    return jobspec_is_instance(job->sub->spec);
}

bool job_has_instance(const struct job *job)
{
    return job_is_instance(job) || jsonutil_get(job->memo, "uri");
}

static struct listener **find(struct leader *ld, jobid_t id)
{
    struct listener **p = &ld->listeners;
    while (*p && (*p)->id != id)
        p = &(*p)->next;
    return p;
}

static void put(struct leader *ld, const struct listener *l, json_object *params)
{
    (void)ld;
    json_object_object_add(params, "sub", json_object_new_int64(l->rq.id));
    notify(l->rq.client, "job.order", params);
}

static void order_free(struct order *o)
{
    json_object_put(o->params);
    free(o);
}

static void put_kept(struct leader *ld, const struct listener *l)
{
    for (struct order **p = &ld->orders, *o; (o = *p);) {
        if (o->id != l->id) {
            p = &o->next;
            continue;
        }
        *p = o->next;
        put(ld, l, take(o->params));
        if (o->rq.client)
            reply_result(ld, &o->rq, json_object_new_object());
        order_free(o);
    }
}

json_object *order_create(const struct job *job, const char *name)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "order", json_object_new_string(name));
    return o;
}

void orders_send(struct leader *ld, const struct job *job, json_object *params,
                 const struct request *rq)
{
    struct order **end = &ld->orders, *o = xcalloc(1, sizeof(*o));
    while (*end)
        end = &(*end)->next;
    o->id = job->sj.id;
    o->params = params;
    if (rq)
        o->rq = *rq;
    *end = o;
    const struct listener *l = *find(ld, job->sj.id);
    if (l)
        put_kept(ld, l);
}

/* --- drained nodes ---------------------------------------------------------------------------- */

static json_object *drain_order(const struct job *job, hwloc_const_bitmap_t nodes,
                                bool drained, const char *reason)
{
    json_object *o = order_create(job, drained ? "drain" : "undrain");
    jsonutil_add_idset(o, "nodes", nodes);
    if (drained)
        json_object_object_add(o, "reason", json_object_new_string(reason ? reason : ""));
    return o;
}

void orders_drain(struct leader *ld, hwloc_const_bitmap_t ranks, bool drained,
                  const char *reason)
{
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        if (job->state != JOB_RUN || job->sub->grant || !job_has_instance(job))
            continue;
        cleanup_bitmap hwloc_bitmap_t nodes = grant_nodes(ld, job);
        hwloc_bitmap_and(nodes, nodes, ranks);
        if (!hwloc_bitmap_iszero(nodes))
            orders_send(ld, job, drain_order(job, nodes, drained, reason), NULL);
    }
}

/* What a new stream is told first.  BEFORE: nodes that the last one said were drained. */
static void put_drained(struct leader *ld, const struct listener *l,
                        const struct job *job, hwloc_bitmap_t before)
{
    int rank;
    cleanup_bitmap hwloc_bitmap_t nodes = grant_nodes(ld, job);
    hwloc_bitmap_foreach_begin(rank, nodes)
    {
        const char *reason = ld->nodes[rank].drained;
        cleanup_bitmap hwloc_bitmap_t one = hwloc_bitmap_alloc();
        hwloc_bitmap_set(one, (unsigned)rank);
        hwloc_bitmap_clr(before, (unsigned)rank);
        if (reason)
            put(ld, l, drain_order(job, one, true, reason));
        else if (hwloc_bitmap_isset(before, (unsigned)rank))
            put(ld, l, drain_order(job, one, false, NULL));
    }
    hwloc_bitmap_foreach_end();
}

/* --- streams ---------------------------------------------------------------------------------- */

void orders_subscribe(struct leader *ld, const struct request *rq, const struct job *job,
                      hwloc_bitmap_t drained)
{
    struct listener **p = find(ld, job->sj.id), *l = *p;
    if (!l)
        *p = l = xcalloc(1, sizeof(*l));
    l->rq = *rq; /* another one, which lost the instance since, hears no more */
    l->id = job->sj.id;
    put_drained(ld, l, job, drained);
    put_kept(ld, l);
}

void orders_client_gone(struct leader *ld, const struct client *c)
{
    for (struct listener **p = &ld->listeners, *l; (l = *p);) {
        if (l->rq.client != c) {
            p = &l->next;
            continue;
        }
        *p = l->next;
        free(l);
    }
    for (struct order *o = ld->orders; o; o = o->next)
        if (o->rq.client == c)
            o->rq.client = NULL;
}

void orders_job_over(struct leader *ld, const struct job *job)
{
    struct listener **p = find(ld, job->sj.id), *l = *p;
    if (l) {
        *p = l->next;
        free(l);
    }
    for (struct order **q = &ld->orders, *o; (o = *q);) {
        if (o->id != job->sj.id) {
            q = &o->next;
            continue;
        }
        struct error err;
        *q = o->next;
        error_set(&err, ENODATA, "the job ended before it could be told");
        if (o->rq.client)
            reply_error(ld, &o->rq, &err);
        order_free(o);
    }
}

void orders_free_all(struct leader *ld)
{
    while (ld->listeners) {
        struct listener *l = ld->listeners;
        ld->listeners = l->next;
        free(l);
    }
    while (ld->orders) {
        struct order *o = ld->orders;
        ld->orders = o->next;
        order_free(o);
    }
}
