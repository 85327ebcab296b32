/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/spawn.h"
#include "pmi/pending.h"
#include "pmi/pmi.h"
#include "src/common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

struct request {
    struct pending pending;
    struct spawner *s;
    json_object *msg; /* what the leader was asked, for another leader */
    char *nspace;     /* of the parent */
    spawn_f cb;
    void *cbarg;
};

struct spawner {
    unsigned self;
    void (*send)(void *arg, int rank, json_object *msg);
    void *arg;
    struct pending_list requests;
};

struct spawner *spawner_create(uv_loop_t *loop, unsigned self,
                               void (*send)(void *arg, int rank, json_object *msg),
                               void *arg)
{
    struct spawner *s = xcalloc(1, sizeof(*s));
    s->requests.loop = loop;
    s->self = self;
    s->send = send;
    s->arg = arg;
    return s;
}

static void request_free(struct request *r)
{
    json_object_put(r->msg);
    free(r->nspace);
    pending_remove(&r->pending);
}

void spawner_destroy(struct spawner *s)
{
    if (!s)
        return;
    while (s->requests.first)
        request_free((struct request *)s->requests.first);
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

static void on_expired(struct pending *p)
{
    struct request *r = (struct request *)p;
    struct spawner *s = r->s;
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("unspawn"));
    json_object_object_add(msg, "token", json_object_new_uint64(r->pending.token));
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
    r->nspace = xstrdup(nspace);
    r->cb = cb;
    r->cbarg = cbarg;
    pending_add(&s->requests, &r->pending, timeout, on_expired);
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("spawn"));
    json_object_object_add(msg, "token", json_object_new_uint64(r->pending.token));
    json_object_object_add(msg, "from", json_object_new_int64(s->self));
    json_object_object_add(msg, "parent", json_object_new_uint64(parent));
    json_object_object_add(msg, "parent_nspace", json_object_new_string(nspace));
    json_object_object_add(msg, "parent_rank", json_object_new_int64(rank));
    json_object_object_add(msg, "apps", apps);
    json_object_object_add(msg, "info", info ? info : json_object_new_object());
    r->msg = json_object_get(msg);
    s->send(s->arg, PMI_LEADER, msg);
}

void spawner_ask_again(struct spawner *s)
{
    for (struct pending *p = s->requests.first; p; p = p->next)
        s->send(s->arg, PMI_LEADER, json_object_get(((struct request *)p)->msg));
}

void spawner_job_ended(struct spawner *s, const char *nspace)
{
    for (struct pending *p = s->requests.first, *next; p; p = next) {
        struct request *r = (struct request *)p;
        next = p->next;
        if (strcmp(r->nspace, nspace) == 0)
            request_free(r);
    }
}

void spawner_deliver(struct spawner *s, json_object *msg)
{
    uint64_t token = json_object_get_uint64(json_object_object_get(msg, "token"));
    struct request *r = (struct request *)pending_find(&s->requests, token);
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
