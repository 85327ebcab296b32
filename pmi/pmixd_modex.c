/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages: {"pmi":"modex","op":"get","from":R,"token":T,"nspace":S,"rank":N (-1: the job's own
 * data)} to an executor that has the task, {"pmi":"modex","op":"got","token":T,"status":PMIXSTATUS,
 * "data":BASE64} back once the task has committed its data. */
#include "pmi/pmixd_impl.h"
#include "src/common/base64.h"
#include "src/common/util.h"

#include <string.h>

/* A request: of this node to another, or of another that this node serves. */
struct modex {
    struct modex *next, **pprev;
    struct pmixd *d;
    bool serving;
    uint64_t token; /* asker's */
    unsigned from;  /* serving: the asker */
    char *nspace;
    int rank;       /* -1: the job's own data */
    bool answered;  /* serving: kept only for the library's late answer */
    struct call *c; /* asking: the library's call */
    uv_timer_t *timer;
};

static void close_timer(uv_handle_t *handle)
{
    free(handle);
}

static void modex_free(struct modex *m)
{
    *m->pprev = m->next;
    if (m->next)
        m->next->pprev = m->pprev;
    if (m->timer)
        uv_close((uv_handle_t *)m->timer, close_timer);
    free(m->nspace);
    free(m);
}

void pmixd_modex_destroy(struct pmixd *d)
{
    while (d->modexes)
        modex_free(d->modexes);
}

static struct modex *modex_new(struct pmixd *d, const char *nspace, int rank)
{
    struct modex *m = xcalloc(1, sizeof(*m));
    m->d = d;
    m->nspace = xstrdup(nspace);
    m->rank = rank;
    m->next = d->modexes;
    m->pprev = &d->modexes;
    if (m->next)
        m->next->pprev = &m->next;
    d->modexes = m;
    return m;
}

/* --- serving others */

static void send_got(struct pmixd *d, unsigned to, uint64_t token, pmix_status_t status,
                     const char *data, size_t len)
{
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("modex"));
    json_object_object_add(msg, "op", json_object_new_string("got"));
    json_object_object_add(msg, "token", json_object_new_uint64(token));
    json_object_object_add(msg, "status", json_object_new_int(status));
    if (status == PMIX_SUCCESS) {
        cleanup_free char *text = base64_encode(data, len);
        json_object_object_add(msg, "data", json_object_new_string(text));
    }
    pmixd_send(d, to, msg);
}

static void on_served(struct pmixd *d, struct call *c)
{
    struct modex *m = c->ours;
    pmixd_trace(d, "modex of %s.%d: %d, %zu bytes", m->nspace, m->rank, c->status,
                c->ndata);
    if (!m->answered)
        send_got(d, m->from, m->token, c->status, c->data, c->ndata);
    modex_free(m);
    call_free(c);
}

static void up_served(pmix_status_t status, char *data, size_t len, void *cbdata)
{
    struct call *c = call_new(on_served);
    c->ours = cbdata;
    c->status = status;
    call_data(c, data, status == PMIX_SUCCESS ? len : 0);
    call_push(c);
}

/* The library's queue has passed the request for a task that has ended: what it has not
 * answered by now it never will. */
static void on_passed(struct pmixd *d, struct call *c)
{
    pmixd_modex_gone(d, c->proc.nspace, (int)c->proc.rank);
    call_free(c);
}

static void up_passed(pmix_status_t status, void *cbdata)
{
    (void)status;
    call_push(cbdata);
}

static void serve(struct pmixd *d, unsigned from, uint64_t token, const char *nspace,
                  int rank)
{
    struct pmixd_job *job = pmixd_job_find(d, nspace);
    struct local_task *task =
        job && rank >= 0 ? pmixd_task_find(job, (unsigned)rank) : NULL;
    pmix_proc_t proc;
    if (!job || !job->local || (rank >= 0 && !task)) {
        send_got(d, from, token, PMIX_ERR_NOT_FOUND, NULL, 0);
        return;
    }
    struct modex *m = modex_new(d, nspace, rank);
    m->serving = true;
    m->from = from;
    m->token = token;
    PMIX_LOAD_PROCID(&proc, nspace, rank < 0 ? PMIX_RANK_WILDCARD : (pmix_rank_t)rank);
    pmix_status_t rc = PMIx_server_dmodex_request(&proc, up_served, m);
    if (rc != PMIX_SUCCESS) {
        modex_free(m);
        send_got(d, from, token, rc, NULL, 0);
    } else if (task && task->state == TASK_ENDED) {
        pmix_proc_t nobody;
        struct call *c = call_new(on_passed);
        c->proc = proc;
        PMIX_LOAD_PROCID(&nobody, "hbatch-nobody", 0);
        PMIx_server_deregister_client(&nobody, up_passed, c);
    }
}

/* A task ended, or (-1) all of a job: those who still wait for its data wait in vain. */
void pmixd_modex_gone(struct pmixd *d, const char *nspace, int rank)
{
    for (struct modex *m = d->modexes; m; m = m->next) {
        if (!m->serving || m->answered || strcmp(m->nspace, nspace) != 0 ||
            (rank >= 0 && m->rank != rank))
            continue;
        m->answered = true;
        send_got(d, m->from, m->token, PMIX_ERR_NOT_FOUND, NULL, 0);
    }
}

/* --- asking others */

/* DATA is taken over. */
static void answer(struct modex *m, pmix_status_t status, char *data, size_t len)
{
    struct call *c = m->c;
    modex_free(m);
    c->cb.modex(status, data, len, c->cbdata, free, data);
    call_free(c);
}

static void on_timeout(uv_timer_t *timer)
{
    answer(timer->data, PMIX_ERR_TIMEOUT, NULL, 0);
}

static struct modex *asking_find(struct pmixd *d, uint64_t token)
{
    struct modex *m = d->modexes;
    while (m && (m->serving || m->token != token))
        m = m->next;
    return m;
}

static void on_known(struct pmixd *d, bool all, void *arg)
{
    struct call *c = arg;
    bool whole = c->proc.rank == PMIX_RANK_WILDCARD;
    struct pmixd_job *job = all ? pmixd_job_find(d, c->proc.nspace) : NULL;
    if (!job || (!whole && c->proc.rank >= job->size)) {
        c->cb.modex(PMIX_ERR_NOT_FOUND, NULL, 0, c->cbdata, NULL, NULL);
        if (!job) /* the library took the name down, and would let others wait for it */
            PMIx_server_deregister_nspace(c->proc.nspace, pmixd_ignore, NULL);
        call_free(c);
        return;
    }
    unsigned node = whole ? 0 : job->task_node[c->proc.rank];
    struct modex *m = modex_new(d, c->proc.nspace, whole ? -1 : (int)c->proc.rank);
    m->c = c;
    m->token = ++d->tokens;
    double timeout = info_number(c->info, c->ninfo, PMIX_TIMEOUT, 0);
    if (timeout > 0) {
        m->timer = xcalloc(1, sizeof(*m->timer));
        uv_timer_init(d->config->loop, m->timer);
        m->timer->data = m;
        uv_timer_start(m->timer, on_timeout, (uint64_t)(timeout * 1000), 0);
    }
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("modex"));
    json_object_object_add(msg, "op", json_object_new_string("get"));
    json_object_object_add(msg, "from", json_object_new_int64(d->config->rank));
    json_object_object_add(msg, "token", json_object_new_uint64(m->token));
    json_object_object_add(msg, "nspace", json_object_new_string(m->nspace));
    json_object_object_add(msg, "rank", json_object_new_int64(m->rank));
    pmixd_send(d, job->node_ranks[node], msg);
}

static void on_modex(struct pmixd *d, struct call *c)
{
    pmixd_trace(d, "modex: %s.%u is asked for", c->proc.nspace, c->proc.rank);
    pmixd_know(d, &c->proc, 1, on_known, c);
}

pmix_status_t up_modex(const pmix_proc_t *proc, const pmix_info_t info[], size_t ninfo,
                       pmix_modex_cbfunc_t cb, void *cbdata)
{
    struct call *c = call_new(on_modex);
    c->proc = *proc;
    call_info(c, info, ninfo);
    c->cb.modex = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}

void pmixd_modex_deliver(struct pmixd *d, json_object *msg)
{
    const char *op = json_object_get_string(json_object_object_get(msg, "op"));
    uint64_t token = json_object_get_uint64(json_object_object_get(msg, "token"));
    if (op && strcmp(op, "get") == 0) {
        const char *nspace =
            json_object_get_string(json_object_object_get(msg, "nspace"));
        int64_t from = json_object_get_int64(json_object_object_get(msg, "from"));
        int64_t rank = json_object_get_int64(json_object_object_get(msg, "rank"));
        if (nspace && from >= 0 && from < (int64_t)d->config->size && rank >= -1 &&
            rank <= INT32_MAX)
            serve(d, (unsigned)from, token, nspace, (int)rank);
        return;
    }
    struct modex *m = asking_find(d, token);
    if (!m)
        return; /* it timed out */
    json_object *text = json_object_object_get(msg, "data");
    pmix_status_t status = json_object_get_int(json_object_object_get(msg, "status"));
    size_t len = 0;
    char *data = NULL;
    if (status == PMIX_SUCCESS) {
        if (json_object_is_type(text, json_type_string))
            data = base64_decode(json_object_get_string(text),
                                 (size_t)json_object_get_string_len(text), &len, NULL);
        if (!data)
            status = PMIX_ERR_UNPACK_FAILURE;
    }
    answer(m, status, data, len);
}
