/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives.  The library calls once all local participants have called; all nodes that
 * have participants exchange a contribution each, and then answer the library.
 * A contribution is: u64 length, u32 status, data. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <errno.h>
#include <pmix.h>
#include <stdio.h>
#include <string.h>

enum coll_kind { FENCE, CONNECT, DISCONNECT, GROUP_MAKE, GROUP_END };

struct coll { /* one that was not answered yet */
    struct coll *next, **pprev;
    struct pmixd *d;
    struct call *c;
    char *key;
};

struct head {
    uint64_t len;
    uint32_t status;
} __attribute__((packed));

static void coll_free(struct coll *coll)
{
    *coll->pprev = coll->next;
    if (coll->next)
        coll->next->pprev = coll->pprev;
    free(coll->key);
    free(coll);
}

void pmixd_fence_destroy(struct pmixd *d)
{
    while (d->colls)
        coll_free(d->colls); /* the calls are freed with all others */
}

static void free_blob(void *blob)
{
    free(blob);
}

/* --- group results */

/* The group's context id is what its first node proposed. */
static void group_answer(struct coll *coll, pmix_status_t status, char *data, size_t len)
{
    struct call *c = coll->c;
    struct infos *l = xcalloc(1, sizeof(*l));
    cleanup_free char *blob = data;
    if (status == PMIX_SUCCESS && c->op == GROUP_MAKE && len >= sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, data, sizeof(id));
        size_t size = (size_t)id;
        if (info_true(c->info, c->ninfo, PMIX_GROUP_ASSIGN_CONTEXT_ID))
            infos_add(l, PMIX_GROUP_CONTEXT_ID, &size, PMIX_SIZE);
        pmix_byte_object_t bo = {data + sizeof(id), len - sizeof(id)};
        if (bo.size > 0)
            infos_add(l, PMIX_GROUP_ENDPT_DATA, &bo, PMIX_BYTE_OBJECT);
    }
    /* the library reads the infos later, on its own thread, and then releases them */
    c->cb.info(status, l->v, l->n, c->cbdata, pmixd_infos_release, l);
    call_free(c);
}

/* --- the end of a collective */

/* Give the answer: DATA (taken over, or NULL) is what all nodes contributed. */
static void coll_answer(struct coll *coll, pmix_status_t status, char *data, size_t len)
{
    struct call *c = coll->c;
    pmixd_trace(coll->d, "%s: %s, %zu bytes", coll->key, PMIx_Error_string(status), len);
    switch ((enum coll_kind)c->op) {
    case FENCE:
        c->cb.modex(status, data, len, c->cbdata, free_blob, data);
        call_free(c);
        break;
    case CONNECT:
    case DISCONNECT:
        free(data);
        call_done(c, status);
        break;
    case GROUP_MAKE:
    case GROUP_END:
        group_answer(coll, status, data, len);
        break;
    }
    coll_free(coll);
}

/* Take the contributions apart: the data without the heads, and the first status that is not
 * success.  In a group, only the first contribution's proposal for the id is kept. */
static pmix_status_t join(const char *all, size_t len, bool group, char **data, size_t *n)
{
    pmix_status_t status = PMIX_SUCCESS;
    char *out = xmalloc(len ? len : 1);
    *n = 0;
    for (size_t at = 0, part = 0; at < len; part++) {
        struct head head;
        if (len - at < sizeof(head)) {
            status = PMIX_ERR_UNPACK_FAILURE;
            break;
        }
        memcpy(&head, all + at, sizeof(head));
        at += sizeof(head);
        if (head.len > len - at || (group && head.len < sizeof(uint64_t))) {
            status = PMIX_ERR_UNPACK_FAILURE;
            break;
        }
        if (status == PMIX_SUCCESS)
            status = (pmix_status_t)head.status;
        size_t skip = group && part > 0 ? sizeof(uint64_t) : 0;
        memcpy(out + *n, all + at + skip, head.len - skip);
        *n += head.len - skip;
        at += head.len;
    }
    *data = out;
    return status;
}

static struct coll *coll_find(struct pmixd *d, const struct coll *wanted)
{
    struct coll *coll = d->colls;
    while (coll && coll != wanted)
        coll = coll->next;
    return coll;
}

struct pending { /* what the exchange holds: the collective may have failed before */
    struct pmixd *d;
    struct coll *coll;
};

static void on_exchanged(int status, const char *data, size_t len, void *arg)
{
    struct pending *p = arg;
    struct coll *coll = coll_find(p->d, p->coll);
    free(p);
    if (!coll)
        return;
    if (status) {
        coll_answer(coll, status_from_errno(status), NULL, 0);
        return;
    }
    char *joined;
    size_t n;
    bool group = coll->c->op == GROUP_MAKE;
    pmix_status_t rc = join(data, len, group, &joined, &n);
    if (rc != PMIX_SUCCESS) {
        free(take(joined));
        n = 0;
    }
    coll_answer(coll, rc, joined, n);
}

/* --- the start */

static uint64_t hash_more(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211U;
    return h;
}

static int compare_procs(const void *a, const void *b)
{
    const pmix_proc_t *x = a, *y = b;
    int c = strcmp(x->nspace, y->nspace);
    return c ? c : x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The same on all nodes: the first namespace, then kind and participants. */
static char *coll_key(const struct call *c)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < c->nprocs; i++) {
        h = hash_more(h, c->procs[i].nspace, strlen(c->procs[i].nspace) + 1);
        h = hash_more(h, &c->procs[i].rank, sizeof(c->procs[i].rank));
    }
    if (c->text)
        h = hash_more(h, c->text, strlen(c->text) + 1);
    return xasprintf("pmix/%s/%c%016llx;", c->procs[0].nspace, "fcdge"[c->op],
                     (unsigned long long)h);
}

/* Is a task among PROCS dead? */
static bool any_gone(struct pmixd *d, const pmix_proc_t *procs, size_t nprocs)
{
    for (size_t i = 0; i < nprocs; i++) {
        struct pmixd_job *job = pmixd_job_find(d, procs[i].nspace);
        if (!job || job->ending)
            return true;
        if (procs[i].rank == PMIX_RANK_WILDCARD
                ? !hwloc_bitmap_iszero(job->gone)
                : hwloc_bitmap_isset(job->gone, procs[i].rank))
            return true;
    }
    return false;
}

static void on_known(struct pmixd *d, bool all, void *arg)
{
    struct coll *coll = coll_find(d, arg);
    if (!coll)
        return;
    struct call *c = coll->c;
    cleanup_free unsigned *ranks = NULL;
    unsigned n = all ? pmixd_nodes(d, c->procs, c->nprocs, &ranks) : 0;
    bool self = false;
    for (unsigned i = 0; i < n; i++)
        self = self || ranks[i] == d->config->rank;
    if (!self) {
        coll_answer(coll, PMIX_ERR_NOT_FOUND, NULL, 0);
        return;
    }
    if (any_gone(d, c->procs, c->nprocs)) {
        coll_answer(coll, PMIX_ERR_PROC_ABORTED, NULL, 0);
        return;
    }
    const pmix_info_t *local = info_find(c->info, c->ninfo, PMIX_LOCAL_COLLECTIVE_STATUS);
    pmix_status_t status = local && local->value.type == PMIX_STATUS
                               ? local->value.data.status
                               : PMIX_SUCCESS;
    struct head head = {c->ndata, (uint32_t)status};
    cleanup_free char *blob = xmalloc(sizeof(head) + c->ndata + 1);
    memcpy(blob, &head, sizeof(head));
    if (c->ndata > 0)
        memcpy(blob + sizeof(head), c->data, c->ndata);
    struct pending *p = xcalloc(1, sizeof(*p));
    p->d = d;
    p->coll = coll;
    double timeout = info_number(c->info, c->ninfo, PMIX_TIMEOUT, 0);
    exchange_start(d->x, coll->key, ranks, n, blob, sizeof(head) + c->ndata,
                   timeout > 0 ? timeout : 0, on_exchanged, p);
}

static void on_coll(struct pmixd *d, struct call *c)
{
    qsort(c->procs, c->nprocs, sizeof(*c->procs), compare_procs);
    if (c->op == GROUP_MAKE) { /* propose an id, before the members' data */
        uint64_t id = (uint64_t)(d->config->rank + 1) << 32 | ++d->groups;
        const pmix_info_t *endpoints =
            info_find(c->info, c->ninfo, PMIX_GROUP_ENDPT_DATA);
        bool has = endpoints && endpoints->value.type == PMIX_BYTE_OBJECT;
        size_t n = has ? endpoints->value.data.bo.size : 0;
        c->data = xmalloc(sizeof(id) + n);
        c->ndata = sizeof(id) + n;
        memcpy(c->data, &id, sizeof(id));
        if (n > 0)
            memcpy(c->data + sizeof(id), endpoints->value.data.bo.bytes, n);
    }
    struct coll *coll = xcalloc(1, sizeof(*coll));
    coll->d = d;
    coll->c = c;
    coll->key = coll_key(c);
    coll->next = d->colls;
    coll->pprev = &d->colls;
    if (coll->next)
        coll->next->pprev = &coll->next;
    d->colls = coll;
    pmixd_know(d, c->procs, c->nprocs, on_known, coll);
}

/* Tasks of JOB died: collectives that wait for them fail. */
void pmixd_fence_gone(struct pmixd *d, struct pmixd_job *job, bool all)
{
    for (struct coll *coll = d->colls, *next; coll; coll = next) {
        next = coll->next;
        struct call *c = coll->c;
        bool hit = false;
        for (size_t i = 0; !hit && i < c->nprocs; i++)
            hit = strcmp(c->procs[i].nspace, job->nspace) == 0 &&
                  (all || any_gone(d, &c->procs[i], 1));
        if (hit) {
            exchange_abort(d->x, coll->key, ECONNABORTED); /* may answer it, or later */
            if (coll_find(d, coll))
                coll_answer(coll, PMIX_ERR_PROC_ABORTED, NULL, 0);
            next = d->colls; /* the list may have changed */
        }
    }
}

/* --- calls of the library */

static struct call *coll_call(enum coll_kind kind, const pmix_proc_t procs[],
                              size_t nprocs, const pmix_info_t info[], size_t ninfo,
                              void *cbdata)
{
    struct call *c = call_new(on_coll);
    c->op = (int)kind;
    call_procs(c, procs, nprocs);
    call_info(c, info, ninfo);
    c->cbdata = cbdata;
    return c;
}

pmix_status_t up_fence(const pmix_proc_t procs[], size_t nprocs, const pmix_info_t info[],
                       size_t ninfo, char *data, size_t ndata, pmix_modex_cbfunc_t cb,
                       void *cbdata)
{
    if (nprocs == 0)
        return PMIX_ERR_BAD_PARAM;
    struct call *c = coll_call(FENCE, procs, nprocs, info, ninfo, cbdata);
    c->cb.modex = cb;
    call_data(c, data, ndata);
    free(data); /* made for us by the library */
    call_push(c);
    return PMIX_SUCCESS;
}

static pmix_status_t up_op(enum coll_kind kind, const pmix_proc_t procs[], size_t nprocs,
                           const pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                           void *cbdata)
{
    if (nprocs == 0)
        return PMIX_ERR_BAD_PARAM;
    struct call *c = coll_call(kind, procs, nprocs, info, ninfo, cbdata);
    c->cb.done = cb;
    call_push(c);
    return PMIX_SUCCESS;
}

pmix_status_t up_connect(const pmix_proc_t procs[], size_t nprocs,
                         const pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                         void *cbdata)
{
    return up_op(CONNECT, procs, nprocs, info, ninfo, cb, cbdata);
}

pmix_status_t up_disconnect(const pmix_proc_t procs[], size_t nprocs,
                            const pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                            void *cbdata)
{
    return up_op(DISCONNECT, procs, nprocs, info, ninfo, cb, cbdata);
}

pmix_status_t up_group(pmix_group_operation_t op, char grp[], const pmix_proc_t procs[],
                       size_t nprocs, const pmix_info_t directives[], size_t ndirs,
                       pmix_info_cbfunc_t cb, void *cbdata)
{
    if (nprocs == 0)
        return PMIX_ERR_BAD_PARAM;
    struct call *c = coll_call(op == PMIX_GROUP_CONSTRUCT ? GROUP_MAKE : GROUP_END, procs,
                               nprocs, directives, ndirs, cbdata);
    c->cb.info = cb;
    c->text = xstrdup(grp);
    call_push(c);
    return PMIX_SUCCESS;
}
