/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages:
 *   {"pmi":"event","code":N,"nspace":S,"rank":N,"range":N,"info":{...}}: an event of a task of
 *     another node, for the tasks of this one
 *   {"pmi":"gone","nspace":S,"ranks":[N,...],"ended":bool}: tasks died without finalizing,
 *     or the whole job has left.  A node tells the job's first node, which tells all nodes
 *     of the job and those that asked for its map, in batches: a job of thousands of tasks
 *     that is killed costs a message per task and node, not per pair of nodes. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <pmix.h>
#include <string.h>

enum { TELL_MS = 5 };

/* --- events */

/* Nothing to do: all events of tasks and jobs are passed on whether registered or not, and
 * there are no others. */
pmix_status_t up_register_events(pmix_status_t *codes, size_t ncodes,
                                 const pmix_info_t info[], size_t ninfo,
                                 pmix_op_cbfunc_t cb, void *cbdata)
{
    (void)codes;
    (void)ncodes;
    (void)info;
    (void)ninfo;
    (void)cb;
    (void)cbdata;
    return PMIX_OPERATION_SUCCEEDED;
}

pmix_status_t up_deregister_events(pmix_status_t *codes, size_t ncodes,
                                   pmix_op_cbfunc_t cb, void *cbdata)
{
    (void)codes;
    (void)ncodes;
    (void)cb;
    (void)cbdata;
    return PMIX_OPERATION_SUCCEEDED;
}

static json_object *event_message(struct call *c)
{
    json_object *info = infos_to_json(c->info, c->ninfo);
    if (!info)
        return NULL;
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("event"));
    json_object_object_add(msg, "code", json_object_new_int(c->status));
    json_object_object_add(msg, "nspace", json_object_new_string(c->proc.nspace));
    json_object_object_add(msg, "rank", json_object_new_int64(c->proc.rank));
    json_object_object_add(msg, "range", json_object_new_int(c->op));
    json_object_object_add(msg, "info", info);
    return msg;
}

/* The executors that an event is for. */
static unsigned event_nodes(struct pmixd *d, struct call *c, unsigned **ranks)
{
    pmix_proc_t all;
    const pmix_info_t *custom = info_find(c->info, c->ninfo, PMIX_EVENT_CUSTOM_RANGE);
    if (c->op == PMIX_RANGE_CUSTOM && custom && custom->value.type == PMIX_DATA_ARRAY &&
        custom->value.data.darray && custom->value.data.darray->type == PMIX_PROC) {
        const pmix_data_array_t *a = custom->value.data.darray;
        unsigned n = pmixd_nodes(d, a->array, a->size, ranks);
        if (n > 0)
            return n;
        free(*ranks); /* some are not known here: all nodes shall look */
    } else if (c->op == PMIX_RANGE_NAMESPACE) {
        PMIX_LOAD_PROCID(&all, c->proc.nspace, PMIX_RANK_WILDCARD);
        return pmixd_nodes(d, &all, 1, ranks);
    }
    *ranks = xcalloc(d->config->size, sizeof(**ranks));
    for (unsigned r = 0; r < d->config->size; r++)
        (*ranks)[r] = r;
    return d->config->size;
}

static void on_notify(struct pmixd *d, struct call *c)
{
    cleanup_free unsigned *ranks = NULL;
    cleanup_json json_object *msg = event_message(c);
    unsigned n = msg ? event_nodes(d, c, &ranks) : 0;
    pmixd_trace(d, "%s.%u: event %d", c->proc.nspace, c->proc.rank, c->status);
    for (unsigned i = 0; i < n; i++)
        if (ranks[i] != d->config->rank) /* the library has told the tasks here */
            pmixd_send(d, ranks[i], json_object_get(msg));
    call_free(c);
}

/* Answered at once: PMIx 4.2 takes "success, the callback follows" for the end of the call, and
 * then trips over the callback. */
pmix_status_t up_notify(pmix_status_t code, const pmix_proc_t *source,
                        pmix_data_range_t range, pmix_info_t info[], size_t ninfo,
                        pmix_op_cbfunc_t cb, void *cbdata)
{
    (void)cb;
    (void)cbdata;
    if (range == PMIX_RANGE_LOCAL || range == PMIX_RANGE_PROC_LOCAL)
        return PMIX_OPERATION_SUCCEEDED;
    struct call *c = call_new(on_notify);
    c->status = code;
    c->op = range;
    c->proc = *source;
    call_info(c, info, ninfo);
    call_push(c);
    return PMIX_OPERATION_SUCCEEDED;
}

struct told { /* infos that the library reads until it has told its clients */
    pmix_info_t *v;
    size_t n;
};

static void up_told(pmix_status_t status, void *cbdata)
{
    struct told *told = cbdata;
    (void)status;
    if (told->v)
        PMIX_INFO_FREE(told->v, told->n);
    free(told);
}

/* Tell the local tasks; INFO is taken over. */
static void tell(pmix_status_t code, const pmix_proc_t *source, pmix_data_range_t range,
                 pmix_info_t *info, size_t n)
{
    struct told *told = xcalloc(1, sizeof(*told));
    told->v = info;
    told->n = n;
    if (PMIx_Notify_event(code, source, range, info, n, up_told, told) != PMIX_SUCCESS)
        up_told(PMIX_SUCCESS, told);
}

void pmixd_event_deliver(struct pmixd *d, json_object *msg)
{
    pmix_info_t *info;
    size_t n;
    pmix_proc_t source;
    const char *nspace = json_object_get_string(json_object_object_get(msg, "nspace"));
    if (!d->started || !nspace ||
        infos_from_json(json_object_object_get(msg, "info"), &info, &n) < 0)
        return;
    PMIX_LOAD_PROCID(
        &source, nspace,
        (pmix_rank_t)json_object_get_int64(json_object_object_get(msg, "rank")));
    tell(json_object_get_int(json_object_object_get(msg, "code")), &source,
         (pmix_data_range_t)json_object_get_int(json_object_object_get(msg, "range")),
         info, n);
}

/* --- dead tasks */

static json_object *gone_message(const char *nspace, hwloc_const_bitmap_t ranks,
                                 bool ended)
{
    json_object *msg = json_object_new_object(), *a = json_object_new_array();
    for (int r = hwloc_bitmap_first(ranks); r >= 0; r = hwloc_bitmap_next(ranks, r))
        json_object_array_add(a, json_object_new_int(r));
    json_object_object_add(msg, "pmi", json_object_new_string("gone"));
    json_object_object_add(msg, "nspace", json_object_new_string(nspace));
    json_object_object_add(msg, "ranks", a);
    json_object_object_add(msg, "ended", json_object_new_boolean(ended));
    return msg;
}

/* Local tasks may have asked for such events; those who did not are left in peace. */
static void tell_aborted(struct pmixd_job *job, unsigned rank)
{
    struct infos l = {0};
    pmix_proc_t proc;
    bool yes = true;
    PMIX_LOAD_PROCID(&proc, job->nspace, rank);
    infos_add(&l, PMIX_EVENT_NON_DEFAULT, &yes, PMIX_BOOL);
    infos_add(&l, PMIX_EVENT_AFFECTED_PROC, &proc, PMIX_PROC);
    tell(PMIX_ERR_PROC_ABORTED, &proc, PMIX_RANGE_LOCAL, l.v, l.n);
}

static void mark_gone(struct pmixd_job *job, unsigned rank)
{
    if (rank >= job->size || hwloc_bitmap_isset(job->gone, rank))
        return;
    hwloc_bitmap_set(job->gone, rank);
    tell_aborted(job, rank);
    pmixd_fence_gone(job->d, job, false);
}

/* At the job's first node: tell soon. */
static void tell_later(struct pmixd_job *job, unsigned rank)
{
    hwloc_bitmap_set(job->tell, rank);
    if (!uv_is_active((uv_handle_t *)&job->d->tell))
        uv_timer_start(&job->d->tell, pmixd_gone_timer, TELL_MS, 0);
}

void pmixd_gone(struct pmixd_job *job, unsigned rank)
{
    pmixd_trace(job->d, "%s.%u died", job->nspace, rank);
    mark_gone(job, rank);
    if (job->node == 0) {
        if (job->nnodes > 1 || !hwloc_bitmap_iszero(job->askers))
            tell_later(job, rank);
        return;
    }
    hwloc_bitmap_t one = hwloc_bitmap_alloc();
    hwloc_bitmap_only(one, rank);
    pmixd_send(job->d, job->node_ranks[0], gone_message(job->nspace, one, false));
    hwloc_bitmap_free(one);
}

void pmixd_gone_flush(struct pmixd_job *job, bool ended)
{
    struct pmixd *d = job->d;
    if (!job->local || (job->node != 0 && hwloc_bitmap_iszero(job->askers)))
        return;
    hwloc_bitmap_t to = hwloc_bitmap_dup(job->askers);
    if (!hwloc_bitmap_iszero(job->tell))
        for (unsigned n = 1; n < job->nnodes; n++)
            hwloc_bitmap_set(to, job->node_ranks[n]);
    if (!hwloc_bitmap_iszero(job->tell) || ended) {
        cleanup_json json_object *msg = gone_message(job->nspace, job->tell, ended);
        for (int r = hwloc_bitmap_first(to); r >= 0; r = hwloc_bitmap_next(to, r))
            if ((unsigned)r != d->config->rank)
                pmixd_send(d, (unsigned)r, json_object_get(msg));
    }
    hwloc_bitmap_zero(job->tell);
    hwloc_bitmap_free(to);
}

void pmixd_gone_timer(uv_timer_t *timer)
{
    struct pmixd *d = timer->data;
    for (struct pmixd_job *job = d->jobs; job; job = job->next)
        pmixd_gone_flush(job, false);
}

void pmixd_gone_deliver(struct pmixd *d, json_object *msg)
{
    const char *nspace = json_object_get_string(json_object_object_get(msg, "nspace"));
    struct pmixd_job *job = nspace ? pmixd_job_find(d, nspace) : NULL;
    json_object *ranks = json_object_object_get(msg, "ranks");
    if (!job)
        return;
    for (size_t i = 0; json_object_is_type(ranks, json_type_array) &&
                       i < json_object_array_length(ranks);
         i++) {
        int64_t r = json_object_get_int64(json_object_array_get_idx(ranks, i));
        if (r < 0 || r >= (int64_t)job->size)
            continue;
        bool news = !hwloc_bitmap_isset(job->gone, (unsigned)r);
        mark_gone(job, (unsigned)r);
        if (news && job->local && job->node == 0)
            tell_later(job, (unsigned)r);
    }
    if (json_object_get_boolean(json_object_object_get(msg, "ended")) && !job->local) {
        job->ending = true;
        pmixd_fence_gone(d, job, true);
        pmixd_job_free(job);
    }
}
