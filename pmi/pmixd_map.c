/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages: {"pmi":"map","op":"ask","from":R,"nspace":S} to all executors, answered by each with
 * {"pmi":"map","op":"have","nspace":S,"map":{...}|null}; the job's first node has it. */
#include "pmi/pmixd_impl.h"
#include "src/common/log.h"
#include "src/common/util.h"

#include <string.h>

enum { ASK_MS = 10000 }; /* an executor that is gone does not answer */

/* Someone wants a namespace to be known. */
struct want {
    struct want *next;
    struct pmixd *d;
    uv_timer_t timer;
    char *nspace;
    hwloc_bitmap_t waiting; /* executors that did not answer yet */
    struct waiter {
        struct waiter *next;
        struct knowing *knowing;
    } * waiters;
};

struct knowing { /* one call of pmixd_know */
    pmixd_known_f f;
    void *arg;
    unsigned left;
    bool all;
};

static void knowing_step(struct pmixd *d, struct knowing *k, bool known)
{
    k->all = k->all && known;
    if (--k->left > 0)
        return;
    k->f(d, k->all, k->arg);
    free(k);
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void want_free(struct want *want)
{
    hwloc_bitmap_free(want->waiting);
    free(want->nspace);
    uv_close((uv_handle_t *)&want->timer, on_close);
}

static void want_end(struct pmixd *d, struct want *want, bool known)
{
    struct want **p = &d->wants;
    while (*p != want)
        p = &(*p)->next;
    *p = want->next;
    while (want->waiters) {
        struct waiter *w = want->waiters;
        want->waiters = w->next;
        knowing_step(d, w->knowing, known);
        free(w);
    }
    want_free(want);
}

void pmixd_map_destroy(struct pmixd *d)
{
    while (d->wants)
        want_end(d, d->wants, false);
}

static void on_timeout(uv_timer_t *timer)
{
    struct want *want = timer->data;
    want_end(want->d, want, false);
}

static struct want *want_find(struct pmixd *d, const char *nspace)
{
    struct want *want = d->wants;
    while (want && strcmp(want->nspace, nspace) != 0)
        want = want->next;
    return want;
}

static void ask(struct pmixd *d, const char *nspace, struct knowing *k)
{
    struct want *want = want_find(d, nspace);
    bool asked = want != NULL;
    if (!want) {
        want = xcalloc(1, sizeof(*want));
        want->nspace = xstrdup(nspace);
        want->d = d;
        uv_timer_init(d->config->loop, &want->timer);
        want->timer.data = want;
        uv_timer_start(&want->timer, on_timeout, ASK_MS, 0);
        want->waiting = hwloc_bitmap_alloc();
        want->next = d->wants;
        d->wants = want;
    }
    struct waiter *w = xcalloc(1, sizeof(*w));
    w->knowing = k;
    w->next = want->waiters;
    want->waiters = w;
    k->left++;
    if (asked)
        return;
    for (unsigned r = 0; r < d->config->size; r++)
        if (r != d->config->rank)
            hwloc_bitmap_set(want->waiting, r);
    if (hwloc_bitmap_iszero(want->waiting)) {
        want_end(d, want, false);
        return;
    }
    for (unsigned r = 0; r < d->config->size; r++) {
        if (r == d->config->rank)
            continue;
        json_object *msg = json_object_new_object();
        json_object_object_add(msg, "pmi", json_object_new_string("map"));
        json_object_object_add(msg, "op", json_object_new_string("ask"));
        json_object_object_add(msg, "from", json_object_new_int64(d->config->rank));
        json_object_object_add(msg, "nspace", json_object_new_string(nspace));
        pmixd_send(d, r, msg);
    }
}

void pmixd_know(struct pmixd *d, const pmix_proc_t *procs, size_t nprocs, pmixd_known_f f,
                void *arg)
{
    struct knowing *k = xcalloc(1, sizeof(*k));
    k->f = f;
    k->arg = arg;
    k->all = true;
    k->left = 1; /* this loop */
    for (size_t i = 0; i < nprocs; i++) {
        if (i > 0 && strcmp(procs[i].nspace, procs[i - 1].nspace) == 0)
            continue;
        struct pmixd_job *job = pmixd_job_find(d, procs[i].nspace);
        if (!job)
            ask(d, procs[i].nspace, k);
        else if (!job->local)
            job->serial = d->serial;
    }
    knowing_step(d, k, true);
}

/* --- maps as JSON */

static json_object *strings_to_json(char **v, unsigned n)
{
    json_object *a = json_object_new_array_ext((int)n);
    for (unsigned i = 0; i < n; i++)
        json_object_array_add(a, v[i] ? json_object_new_string(v[i]) : NULL);
    return a;
}

static json_object *numbers_to_json(const unsigned *v, unsigned n)
{
    json_object *a = json_object_new_array_ext((int)n);
    for (unsigned i = 0; i < n; i++)
        json_object_array_add(a, json_object_new_int64(v[i]));
    return a;
}

static json_object *map_to_json(const struct pmixd_job *job)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_uint64(job->id));
    json_object_object_add(o, "universe", json_object_new_int64(job->universe));
    json_object_object_add(o, "hosts", strings_to_json(job->hosts, job->nnodes));
    json_object_object_add(o, "ranks", numbers_to_json(job->node_ranks, job->nnodes));
    json_object_object_add(o, "tasks", numbers_to_json(job->task_node, job->size));
    json_object_object_add(o, "apps", numbers_to_json(job->app_sizes, job->napps));
    if (job->parent_nspace) {
        json_object_object_add(o, "parent", json_object_new_string(job->parent_nspace));
        json_object_object_add(o, "parent_id", json_object_new_uint64(job->parent_id));
        json_object_object_add(o, "parent_rank", json_object_new_int64(job->parent_rank));
    }
    json_object *gone = json_object_new_array();
    for (int r = hwloc_bitmap_first(job->gone); r >= 0;
         r = hwloc_bitmap_next(job->gone, r))
        json_object_array_add(gone, json_object_new_int(r));
    json_object_object_add(o, "gone", gone);
    return o;
}

static unsigned *numbers_from_json(json_object *o, const char *key, unsigned below,
                                   unsigned *n)
{
    json_object *a = json_object_object_get(o, key);
    *n = 0;
    if (!json_object_is_type(a, json_type_array))
        return NULL;
    size_t len = json_object_array_length(a);
    unsigned *v = xcalloc(len ? len : 1, sizeof(*v));
    for (size_t i = 0; i < len; i++) {
        int64_t x = json_object_get_int64(json_object_array_get_idx(a, i));
        if (x < 0 || x >= (int64_t)below) {
            free(v);
            return NULL;
        }
        v[i] = (unsigned)x;
    }
    *n = (unsigned)len;
    return v;
}

static void map_learn(struct pmixd *d, const char *nspace, json_object *map)
{
    unsigned nranks;
    struct pmixd_job *job = xcalloc(1, sizeof(*job));
    json_object *hosts = json_object_object_get(map, "hosts");
    const char *parent = json_object_get_string(json_object_object_get(map, "parent"));
    job->d = d;
    job->nspace = xstrdup(nspace);
    job->serial = d->serial;
    job->id = json_object_get_uint64(json_object_object_get(map, "id"));
    job->universe =
        (unsigned)json_object_get_int(json_object_object_get(map, "universe"));
    job->node_ranks = numbers_from_json(map, "ranks", d->config->size, &nranks);
    job->task_node = numbers_from_json(map, "tasks", nranks, &job->size);
    job->app_sizes = numbers_from_json(map, "apps", UINT32_MAX, &job->napps);
    job->gone = hwloc_bitmap_alloc();
    job->tell = hwloc_bitmap_alloc();
    job->askers = hwloc_bitmap_alloc();
    unsigned sum = 0;
    for (unsigned a = 0; a < job->napps; a++)
        sum += job->app_sizes[a];
    bool good = nranks > 0 && job->size > 0 && job->napps > 0 && sum == job->size &&
                json_object_is_type(hosts, json_type_array) &&
                json_object_array_length(hosts) == nranks;
    if (good) {
        job->nnodes = nranks;
        job->hosts = xcalloc(nranks, sizeof(*job->hosts));
        for (unsigned n = 0; n < nranks; n++) {
            const char *host =
                json_object_get_string(json_object_array_get_idx(hosts, n));
            job->hosts[n] = xstrdup(host ? host : "");
        }
    }
    if (good && parent) {
        job->parent_nspace = xstrdup(parent);
        job->parent_id = json_object_get_uint64(json_object_object_get(map, "parent_id"));
        job->parent_rank =
            (unsigned)json_object_get_int64(json_object_object_get(map, "parent_rank"));
    }
    struct error err = {0};
    if (good && pmixd_job_register(job, &err) < 0)
        good = false;
    if (!good) {
        log_error("the map of the job '%s' cannot be used%s%s", nspace,
                  err.code ? ": " : "", err.text);
        pmixd_job_discard(job);
        return;
    }
    json_object *gone = json_object_object_get(map, "gone");
    for (size_t i = 0; gone && i < json_object_array_length(gone); i++) {
        int64_t r = json_object_get_int64(json_object_array_get_idx(gone, i));
        if (r >= 0 && r < (int64_t)job->size)
            hwloc_bitmap_set(job->gone, (unsigned)r);
    }
    pmixd_trace(d, "%s is on %u nodes elsewhere", nspace, job->nnodes);
}

/* The first node of a job answers for it; when its tasks are gone, as those of ranks that leave an
 * instance, the next one. */
static bool answers_for(const struct pmixd_job *job)
{
    unsigned first = job->nnodes;
    if (!job->local)
        return false;
    for (unsigned t = 0; t < job->size; t++)
        if (!hwloc_bitmap_isset(job->gone, t))
            first = MIN(first, job->task_node[t]);
    return job->node == (first < job->nnodes ? first : 0);
}

void pmixd_map_deliver(struct pmixd *d, json_object *msg)
{
    const char *op = json_object_get_string(json_object_object_get(msg, "op"));
    const char *nspace = json_object_get_string(json_object_object_get(msg, "nspace"));
    int64_t from = json_object_get_int64(json_object_object_get(msg, "from"));
    if (!op || !nspace || from < 0 || from >= (int64_t)d->config->size)
        return;
    if (strcmp(op, "ask") == 0) {
        struct pmixd_job *job = pmixd_job_find(d, nspace);
        json_object *reply = json_object_new_object(), *map = NULL;
        if (job && answers_for(job)) {
            hwloc_bitmap_set(job->askers, (unsigned)from);
            map = map_to_json(job);
        }
        json_object_object_add(reply, "pmi", json_object_new_string("map"));
        json_object_object_add(reply, "op", json_object_new_string("have"));
        json_object_object_add(reply, "from", json_object_new_int64(d->config->rank));
        json_object_object_add(reply, "nspace", json_object_new_string(nspace));
        json_object_object_add(reply, "map", map);
        pmixd_send(d, (unsigned)from, reply);
        return;
    }
    struct want *want = want_find(d, nspace);
    if (!want || !d->started)
        return;
    json_object *map = json_object_object_get(msg, "map");
    if (map && !pmixd_job_find(d, nspace))
        map_learn(d, nspace, map);
    hwloc_bitmap_clr(want->waiting, (unsigned)from);
    bool known = pmixd_job_find(d, nspace) != NULL;
    if (known || hwloc_bitmap_iszero(want->waiting))
        want_end(d, want, known);
}
