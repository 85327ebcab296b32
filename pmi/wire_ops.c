/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/wire_impl.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

#include <errno.h>
#include <string.h>

/* --- barrier ------------------------------------------------------------------------------ */

/* Answer all that wait. */
static void release(struct wire_job *job, int status, const char *why)
{
    job->waiting = 0;
    job->exchanging = false;
    for (unsigned i = 0; i < job->nlocal; i++) {
        struct conn *c = job->conns[i];
        if (!c || !c->in_barrier)
            continue;
        c->in_barrier = false;
        cleanup_free char *token = take(c->token);
        conn_answer(c, &(struct wire_answer){WIRE_BARRIER, .token = token,
                                             .status = status, .why = why});
    }
}

static void break_job(struct wire_job *job, int status, char *why)
{
    job->broken = status;
    free(job->why);
    job->why = why;
}

static void on_exchanged(int status, const char *data, size_t len, void *arg)
{
    struct wire_job *job = arg;
    struct error err;
    if (status == 0 && kvs_merge(job->kvs, data, len, &err) < 0)
        status = err.code;
    if (status != 0 && !job->broken)
        break_job(
            job, status,
            xasprintf("a task on another node cannot join it (%s)", strerror(status)));
    release(job, status, job->why);
}

void op_barrier(struct conn *c, const char *token)
{
    struct wire_job *job = c->job;
    if (c->in_barrier) {
        conn_error(c, "entered a barrier that it is in already");
        return;
    }
    c->pending++;
    if (job->broken) {
        conn_answer(c, &(struct wire_answer){WIRE_BARRIER, .token = token,
                                             .status = job->broken, .why = job->why});
        return;
    }
    c->in_barrier = true;
    c->token = token ? xstrdup(token) : NULL;
    if (++job->waiting < job->nlocal)
        return;
    size_t len;
    cleanup_free char *data = kvs_changes(job->kvs, &len);
    if (job->nnodes == 1) {
        release(job, 0, NULL);
        return;
    }
    job->exchanging = true;
    exchange_start(job->wire->x, job->key, job->node_ranks, job->nnodes, data, len, 0,
                   on_exchanged, job);
}

/* Nobody is left who could put what they wait for. */
static void fail_attr_waits(struct wire_job *job)
{
    for (struct attr_wait **p = &job->attr_waits; *p;) {
        struct attr_wait *w = *p;
        bool others = false;
        for (unsigned i = 0; i < job->nlocal; i++) {
            struct conn *c = job->conns[i];
            others = others || !c || (c != w->c && !c->gone);
        }
        if (others) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        conn_answer(w->c, &(struct wire_answer){WIRE_NODEATTR, .token = w->token,
                                                .status = ECONNABORTED, .why = job->why});
        free(w->key);
        free(w->token);
        free(w);
        p = &job->attr_waits;
    }
}

void op_gone(struct conn *c, const char *what, bool quiet)
{
    struct wire_job *job = c->job;
    if (c->gone)
        return;
    c->gone = true;
    if (c->in_barrier && !job->exchanging) {
        c->in_barrier = false;
        c->pending--;
        job->waiting--;
        free(take(c->token));
    }
    if (!job->broken) {
        break_job(job, ECONNABORTED, xasprintf("task %u %s", c->rank, what));
        /* In a barrier that is on its way this node's part was given: fail the next. */
        if (job->nnodes > 1)
            exchange_fail(job->wire->x, job->key, job->node_ranks, job->nnodes,
                          ECONNABORTED);
        if (!job->exchanging && job->waiting > 0) {
            if (!quiet)
                conn_log(c,
                         "%s while other tasks of its job wait in a barrier, which fails",
                         what);
            release(job, ECONNABORTED, job->why);
        }
    }
    fail_attr_waits(job);
}

/* --- abort -------------------------------------------------------------------------------- */

void op_abort(struct conn *c, int status, const char *text)
{
    const struct pmi_config *config = &c->job->wire->config;
    bool given = text && utf8_valid(text, strlen(text));
    config->ops->abort(config->arg, c->job->id, c->rank, status, given ? text : "");
}

/* --- name service ------------------------------------------------------------------------- */

static struct wire_request *request(struct conn *c, enum wire_op op, const char *token,
                                    const char *key)
{
    struct wire_request *r = xcalloc(1, sizeof(*r));
    struct wire *wire = c->job->wire;
    r->wire = wire;
    r->c = c;
    r->op = op;
    r->token = token ? xstrdup(token) : NULL;
    r->key = key ? xstrdup(key) : NULL;
    r->next = wire->requests;
    r->prev = &wire->requests;
    if (r->next)
        r->next->prev = &r->next;
    wire->requests = r;
    c->pending++;
    return r;
}

static void request_free(struct wire_request *r)
{
    *r->prev = r->next;
    if (r->next)
        r->next->prev = r->prev;
    free(r->token);
    free(r->key);
    free(r);
}

static const char *ns_reason(int status)
{
    return status == EEXIST      ? "the name is published already"
           : status == ENOENT    ? "the name is not published"
           : status == ETIMEDOUT ? "the name service did not answer in time"
           : status == EPERM     ? "another task published the name"
                                 : strerror(status);
}

static void on_ns(int status, json_object *found, void *arg)
{
    struct wire_request *r = arg;
    struct wire_answer a = {r->op, .token = r->token, .status = status};
    if (status == 0 && r->op == WIRE_LOOKUP) {
        json_object *entry, *value = NULL;
        if (found && json_object_object_get_ex(found, r->key, &entry))
            json_object_object_get_ex(entry, "value", &value);
        if (value && json_object_is_type(value, json_type_string)) {
            a.value = json_object_get_string(value);
            a.len = (size_t)json_object_get_string_len(value);
        } else {
            a.status = value ? EINVAL : ENOENT;
        }
    }
    if (a.status != 0)
        a.why = ns_reason(a.status);
    conn_answer(r->c, &a);
    request_free(r);
}

static json_object *string(const char *s, size_t len)
{
    return json_object_new_string_len(s, (int)len);
}

void op_publish(struct conn *c, const char *token, const char *name, const char *port,
                size_t len)
{
    json_object *data = json_object_new_object();
    json_object_object_add(data, name, string(port, len));
    nameserv_publish(c->job->wire->ns, c->job->nspace, c->rank, data, NAMESERV_ALL,
                     NAMESERV_WHILE_JOB, on_ns, request(c, WIRE_PUBLISH, token, name));
}

static json_object *one_key(const char *name)
{
    json_object *keys = json_object_new_array();
    json_object_array_add(keys, json_object_new_string(name));
    return keys;
}

void op_lookup(struct conn *c, const char *token, const char *name)
{
    nameserv_lookup(c->job->wire->ns, c->job->nspace, c->rank, one_key(name),
                    NAMESERV_ALL, 0, 0, on_ns, request(c, WIRE_LOOKUP, token, name));
}

void op_unpublish(struct conn *c, const char *token, const char *name)
{
    nameserv_unpublish(c->job->wire->ns, c->job->nspace, c->rank, one_key(name), on_ns,
                       request(c, WIRE_UNPUBLISH, token, name));
}

/* --- spawn -------------------------------------------------------------------------------- */

void op_spawn_info(json_object *app, json_object *info, const char *key,
                   const char *value)
{
    if (strcmp(key, "wdir") == 0 || strcmp(key, "wd") == 0)
        json_object_object_add(app, "cwd", json_object_new_string(value));
    else if (!json_object_object_get_ex(info, key, NULL))
        json_object_object_add(info, key, json_object_new_string(value));
}

static void on_spawned(int status, uint64_t id, const char *nspace, const char *error,
                       void *arg)
{
    (void)id;
    struct wire_request *r = arg;
    if (status != 0)
        conn_log(r->c, "could not spawn: %s", error ? error : strerror(status));
    conn_answer(r->c,
                &(struct wire_answer){WIRE_SPAWN, .token = r->token, .status = status,
                                      .value = nspace, .len = nspace ? strlen(nspace) : 0,
                                      .why = error ? error : strerror(status)});
    request_free(r);
}

void op_spawn(struct conn *c, const char *token, json_object *apps, json_object *info)
{
    spawner_request(c->job->wire->spawner, c->job->id, c->job->nspace, c->rank, apps,
                    info, 0, on_spawned, request(c, WIRE_SPAWN, token, NULL));
}

/* --- node attributes ---------------------------------------------------------------------- */

void op_put_attr(struct conn *c, const char *key, const char *value, size_t len)
{
    struct wire_job *job = c->job;
    kvs_put_known(job->attrs, key, value, len);
    struct attr_wait *ready = NULL, **last = &ready;
    for (struct attr_wait **p = &job->attr_waits; *p;) {
        struct attr_wait *w = *p;
        if (strcmp(w->key, key) != 0) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        w->next = NULL;
        *last = w;
        last = &w->next;
    }
    while (ready) {
        struct attr_wait *w = ready;
        ready = w->next;
        conn_answer(w->c, &(struct wire_answer){WIRE_NODEATTR, .token = w->token,
                                                .value = value, .len = len});
        free(w->key);
        free(w->token);
        free(w);
    }
}

void op_get_attr(struct conn *c, const char *token, const char *key, bool wait)
{
    struct wire_job *job = c->job;
    struct wire_answer a = {WIRE_NODEATTR, .token = token};
    c->pending++;
    a.value = kvs_get(job->attrs, key, &a.len);
    if (a.value || !wait) {
        if (!a.value)
            a.status = ENOENT;
        conn_answer(c, &a);
        return;
    }
    struct attr_wait *w = xcalloc(1, sizeof(*w)), **p = &job->attr_waits;
    w->c = c;
    w->key = xstrdup(key);
    w->token = token ? xstrdup(token) : NULL;
    while (*p)
        p = &(*p)->next;
    *p = w;
    fail_attr_waits(job);
}

/* --- ends --------------------------------------------------------------------------------- */

void op_conn_freed(struct conn *c)
{
    for (struct attr_wait **p = &c->job->attr_waits; *p;) {
        struct attr_wait *w = *p;
        if (w->c != c) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        free(w->key);
        free(w->token);
        free(w);
    }
}

void op_job_ended(struct wire_job *job)
{
    struct wire *wire = job->wire;
    /* After these no callback for the job comes any more. */
    spawner_job_ended(wire->spawner, job->nspace);
    nameserv_job_ended(wire->ns, job->nspace);
    for (struct wire_request *r = wire->requests, *next; r; r = next) {
        next = r->next;
        if (r->c->job == job)
            request_free(r);
    }
}

void op_destroy(struct wire *wire)
{
    while (wire->requests)
        request_free(wire->requests);
}
