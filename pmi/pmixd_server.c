/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmixd_impl.h"
#include "src/common/log.h"
#include "src/common/util.h"

#include <errno.h>
#include <pmix.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The library's calls carry no context: they are for the one server of the process. */
static struct pmixd *the_server;

struct call *call_new(call_f handle)
{
    struct call *c = xcalloc(1, sizeof(*c));
    c->handle = handle;
    return c;
}

void call_free(struct call *c)
{
    if (c->pprev) {
        *c->pprev = c->next;
        if (c->next)
            c->next->pprev = c->pprev;
    }
    free(c->procs);
    if (c->info)
        PMIX_INFO_FREE(c->info, c->ninfo);
    if (c->dirs)
        PMIX_INFO_FREE(c->dirs, c->ndirs);
    for (size_t i = 0; c->keys && c->keys[i]; i++)
        free(c->keys[i]);
    free(c->keys);
    free(c->text);
    free(c->data);
    json_object_put(c->json);
    free(c);
}

void call_push(struct call *c)
{
    struct pmixd *d = the_server;
    if (!d) { /* the library's last words while it ends */
        call_free(c);
        return;
    }
    uv_mutex_lock(&d->lock);
    *d->tail = c;
    d->tail = &c->next;
    uv_mutex_unlock(&d->lock);
    uv_async_send(&d->wake);
}

void call_procs(struct call *c, const pmix_proc_t *procs, size_t n)
{
    c->procs = xcalloc(n ? n : 1, sizeof(*procs));
    c->nprocs = n;
    if (n > 0)
        memcpy(c->procs, procs, n * sizeof(*procs));
}

static pmix_info_t *copy_infos(const pmix_info_t *info, size_t n)
{
    pmix_info_t *copy = xcalloc(n ? n : 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        PMIx_Info_xfer(&copy[i], &info[i]);
    return copy;
}

void call_info(struct call *c, const pmix_info_t *info, size_t n)
{
    c->info = copy_infos(info, n);
    c->ninfo = n;
}

void call_dirs(struct call *c, const pmix_info_t *info, size_t n)
{
    c->dirs = copy_infos(info, n);
    c->ndirs = n;
}

void call_keys(struct call *c, char **keys)
{
    size_t n = 0;
    if (!keys)
        return;
    while (keys[n])
        n++;
    c->keys = xcalloc(n + 1, sizeof(*keys));
    for (size_t i = 0; i < n; i++)
        c->keys[i] = xstrdup(keys[i]);
}

void call_data(struct call *c, const char *data, size_t n)
{
    c->data = xmalloc(n ? n : 1);
    c->ndata = n;
    if (n > 0)
        memcpy(c->data, data, n);
}

void call_done(struct call *c, pmix_status_t status)
{
    if (c->cb.done)
        c->cb.done(status, c->cbdata);
    call_free(c);
}

void pmixd_ignore(pmix_status_t status, void *cbdata)
{
    (void)status;
    (void)cbdata;
}

void pmixd_send(struct pmixd *d, unsigned rank, json_object *msg)
{
    d->config->ops->send(d->config->arg, (int)rank, msg);
}

void pmixd_trace(struct pmixd *d, const char *fmt, ...)
{
    if (!d->config->verbose)
        return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "pmix %u: %s\n", d->config->rank, text);
}

static void run_calls(struct pmixd *d)
{
    uv_mutex_lock(&d->lock);
    struct call *c = d->head;
    d->head = NULL;
    d->tail = &d->head;
    uv_mutex_unlock(&d->lock);
    while (c) {
        struct call *next = c->next;
        c->next = d->calls;
        c->pprev = &d->calls;
        if (c->next)
            c->next->pprev = &c->next;
        d->calls = c;
        c->handle(d, c);
        c = next;
    }
    if (d->new_clients)
        pmixd_ack_clients(d);
    d->new_clients = false;
}

static void on_wake(uv_async_t *wake)
{
    run_calls(wake->data);
}

/* --- clients come and go */

static void on_connected(struct pmixd *d, struct call *c)
{
    struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
    struct local_task *task = job ? pmixd_task_find(job, c->proc.rank) : NULL;
    pmixd_trace(d, "%s.%u connected", c->proc.nspace, c->proc.rank);
    if (task && task->state == TASK_NEW)
        task->state = TASK_CONNECTED;
    d->new_clients = true;
    call_done(c, PMIX_SUCCESS);
}

static void on_finalized(struct pmixd *d, struct call *c)
{
    struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
    struct local_task *task = job ? pmixd_task_find(job, c->proc.rank) : NULL;
    pmixd_trace(d, "%s.%u finalized", c->proc.nspace, c->proc.rank);
    if (task && task->state == TASK_CONNECTED)
        task->state = TASK_FINALIZED;
    pmixd_leave(d, c, task ? task->pid : 0);
}

static pmix_status_t up_client(call_f handle, const pmix_proc_t *proc,
                               pmix_op_cbfunc_t cb, void *cbdata)
{
    struct call *c = call_new(handle);
    c->proc = *proc;
    c->cb.done = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}

static pmix_status_t up_connected(const pmix_proc_t *proc, void *object,
                                  pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                                  void *cbdata)
{
    (void)object;
    (void)info;
    (void)ninfo;
    return up_client(on_connected, proc, cb, cbdata);
}

static pmix_status_t up_finalized(const pmix_proc_t *proc, void *object,
                                  pmix_op_cbfunc_t cb, void *cbdata)
{
    (void)object;
    return up_client(on_finalized, proc, cb, cbdata);
}

static void up_tool(pmix_info_t *info, size_t ninfo, pmix_tool_connection_cbfunc_t cb,
                    void *cbdata)
{
    (void)info;
    (void)ninfo;
    cb(PMIX_ERR_NOT_SUPPORTED, NULL, cbdata);
}

/* What is absent is answered by the library with "not supported": allocation (the scheduler
 * gives whole jobs), forwarding of I/O (the executor does it), credentials, fabrics. */
static pmix_server_module_t module = {
    .client_connected2 = up_connected,
    .client_finalized = up_finalized,
    .abort = up_abort,
    .fence_nb = up_fence,
    .direct_modex = up_modex,
    .publish = up_publish,
    .lookup = up_lookup,
    .unpublish = up_unpublish,
    .spawn = up_spawn,
    .connect = up_connect,
    .disconnect = up_disconnect,
    .register_events = up_register_events,
    .deregister_events = up_deregister_events,
    .notify_event = up_notify,
    .query = up_query,
    .tool_connected = up_tool,
    .log = up_log,
    .job_control = up_control,
    .group = up_group,
};

struct pmixd *pmixd_create(const struct pmi_config *config, struct exchange *x,
                           struct nameserv *ns, struct spawner *spawner)
{
    struct pmixd *d = xcalloc(1, sizeof(*d));
    d->config = config;
    d->x = x;
    d->ns = ns;
    d->spawner = spawner;
    d->tail = &d->head;
    uv_mutex_init(&d->lock);
    uv_timer_init(config->loop, &d->tell);
    d->tell.data = d;
    uv_async_init(config->loop, &d->wake, on_wake);
    uv_unref((uv_handle_t *)&d->wake);
    d->wake.data = d;
    return d;
}

int pmixd_start(struct pmixd *d, struct error *err)
{
    if (d->started)
        return 0;
    if (the_server)
        return error_set(err, EBUSY, "this process has a PMIx server already");
    /* job data in messages rather than in shared memory files: registering a namespace takes
     * 0.2 ms instead of 3, a two-rank hello 30 ms instead of 55 */
    setenv("PMIX_MCA_gds", "hash", 0);
    the_server = d;
    struct infos l = {0};
    const char *nspace = "hbatch-exec";
    pmix_rank_t rank = d->config->rank;
    bool no = false;
    double before = time_mono();
    infos_add(&l, PMIX_SERVER_NSPACE, nspace, PMIX_STRING);
    infos_add(&l, PMIX_SERVER_RANK, &rank, PMIX_PROC_RANK);
    infos_add(&l, PMIX_SERVER_TMPDIR, d->config->rundir, PMIX_STRING);
    infos_add(&l, PMIX_SYSTEM_TMPDIR, d->config->rundir, PMIX_STRING);
    infos_add(&l, PMIX_HOSTNAME, d->config->hostname, PMIX_STRING);
    infos_add(&l, PMIX_SERVER_TOOL_SUPPORT, &no, PMIX_BOOL);
    pmixd_topo_start(d, &l);
    pmix_status_t rc = PMIx_server_init(&module, l.v, l.n);
    infos_free(&l);
    if (rc != PMIX_SUCCESS) {
        the_server = NULL;
        pmixd_topo_destroy(d);
        return error_set(err, EIO, "the PMIx server cannot start in '%s': %s",
                         d->config->rundir, PMIx_Error_string(rc));
    }
    PMIX_LOAD_PROCID(&d->self, nspace, rank);
    d->started = true;
    pmixd_trace(d, "server started in %.1f ms", 1e3 * (time_mono() - before));
    return 0;
}

static void on_close(uv_handle_t *handle)
{
    struct pmixd *d = handle->data;
    if (--d->closing > 0)
        return;
    uv_mutex_destroy(&d->lock);
    free(d);
}

void pmixd_destroy(struct pmixd *d)
{
    if (!d)
        return;
    pmixd_fence_destroy(d);
    pmixd_map_destroy(d);
    pmixd_ack_destroy(d);
    pmixd_leave_destroy(d);
    while (d->jobs)
        pmixd_job_free(d->jobs);
    if (d->started)
        PMIx_server_finalize();
    pmixd_topo_destroy(d);
    the_server = NULL;
    while (d->calls) /* not answered, the library is gone */
        call_free(d->calls);
    while (d->head) {
        struct call *c = d->head;
        d->head = c->next;
        call_free(c);
    }
    pmixd_modex_destroy(d);
    d->closing = 2;
    uv_close((uv_handle_t *)&d->tell, on_close);
    uv_close((uv_handle_t *)&d->wake, on_close);
}

bool pmixd_deliver(struct pmixd *d, json_object *msg)
{
    static const struct {
        const char *kind;
        void (*deliver)(struct pmixd *d, json_object *msg);
    } kinds[] = {
        {"modex", pmixd_modex_deliver},   {"map", pmixd_map_deliver},
        {"gone", pmixd_gone_deliver},     {"event", pmixd_event_deliver},
        {"signal", pmixd_signal_deliver},
    };
    const char *kind = json_object_get_string(json_object_object_get(msg, "pmi"));
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) == 0) {
            kinds[i].deliver(d, msg);
            return true;
        }
    }
    return false;
}
