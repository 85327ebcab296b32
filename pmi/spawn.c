/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/spawn.h"
#include "pmi/pmi.h"
#include "src/common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

struct request {
    struct request *next, **pprev;
    struct spawner *s;
    uint64_t token;
    char *nspace; /* of the parent */
    spawn_f cb;
    void *cbarg;
    uv_timer_t timer;
};

struct spawner {
    uv_loop_t *loop;
    unsigned self;
    void (*send)(void *arg, int rank, json_object *msg);
    void *arg;
    uint64_t tokens;
    struct request *requests;
};

struct spawner *spawner_create(uv_loop_t *loop, unsigned self,
                               void (*send)(void *arg, int rank, json_object *msg),
                               void *arg)
{
    struct spawner *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->self = self;
    s->send = send;
    s->arg = arg;
    return s;
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void request_free(struct request *r)
{
    *r->pprev = r->next;
    if (r->next)
        r->next->pprev = r->pprev;
    free(r->nspace);
    uv_close((uv_handle_t *)&r->timer, on_close);
}

void spawner_destroy(struct spawner *s)
{
    if (!s)
        return;
    while (s->requests)
        request_free(s->requests);
    free(s);
}

static void answer(struct request *r, int status, uint64_t id, const char *nspace,
                   const char *error)
{
    spawn_f cb = r->cb;
    void *arg = r->cbarg;
    request_free(r);
    cb(status, id, nspace, error, arg);
}

static void on_timeout(uv_timer_t *timer)
{
    struct request *r = timer->data;
    struct spawner *s = r->s;
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("unspawn"));
    json_object_object_add(msg, "token", json_object_new_uint64(r->token));
    json_object_object_add(msg, "from", json_object_new_int64(s->self));
    s->send(s->arg, PMI_LEADER, msg);
    answer(r, ETIMEDOUT, 0, NULL, "the job was not started within the time allowed");
}

void spawner_request(struct spawner *s, uint64_t parent, const char *nspace,
                     unsigned rank, json_object *apps, json_object *info, double timeout,
                     spawn_f cb, void *cbarg)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->s = s;
    r->token = ++s->tokens;
    r->nspace = xstrdup(nspace);
    r->cb = cb;
    r->cbarg = cbarg;
    r->next = s->requests;
    r->pprev = &s->requests;
    if (r->next)
        r->next->pprev = &r->next;
    s->requests = r;
    uv_timer_init(s->loop, &r->timer);
    r->timer.data = r;
    if (timeout > 0)
        uv_timer_start(&r->timer, on_timeout, (uint64_t)(timeout * 1000), 0);
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("spawn"));
    json_object_object_add(msg, "token", json_object_new_uint64(r->token));
    json_object_object_add(msg, "from", json_object_new_int64(s->self));
    json_object_object_add(msg, "parent", json_object_new_uint64(parent));
    json_object_object_add(msg, "parent_nspace", json_object_new_string(nspace));
    json_object_object_add(msg, "parent_rank", json_object_new_int64(rank));
    json_object_object_add(msg, "apps", apps);
    json_object_object_add(msg, "info", info ? info : json_object_new_object());
    s->send(s->arg, PMI_LEADER, msg);
}

void spawner_job_ended(struct spawner *s, const char *nspace)
{
    for (struct request *r = s->requests, *next; r; r = next) {
        next = r->next;
        if (strcmp(r->nspace, nspace) == 0)
            request_free(r);
    }
}

void spawner_deliver(struct spawner *s, json_object *msg)
{
    uint64_t token = json_object_get_uint64(json_object_object_get(msg, "token"));
    struct request *r = s->requests;
    while (r && r->token != token)
        r = r->next;
    if (!r)
        return;
    int status = json_object_get_int(json_object_object_get(msg, "status"));
    const char *error = json_object_get_string(json_object_object_get(msg, "error"));
    uint64_t id = json_object_get_uint64(json_object_object_get(msg, "id"));
    if (status) {
        answer(r, status, 0, NULL, error);
        return;
    }
    /* the child's namespace is the parent's with another id, see pmi_job_spec */
    cleanup_free char *nspace = NULL;
    const char *given = json_object_get_string(json_object_object_get(msg, "nspace"));
    const char *dot = strrchr(r->nspace, '.');
    if (given)
        nspace = xstrdup(given);
    else
        nspace =
            xasprintf("%.*s.%" PRIu64, dot ? (int)(dot - r->nspace) : 0, r->nspace, id);
    answer(r, 0, id, nspace, NULL);
}
