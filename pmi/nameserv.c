/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages, all {"pmi":"ns","from":R,...}:
 *   {"op":"publish","token":T,"nspace":S,"rank":N,"data":{...},"range":N,"persist":N}
 *   {"op":"lookup","token":T,"nspace":S,"rank":N,"keys":[...],"range":N,"need":N}
 *   {"op":"unpublish","token":T,"nspace":S,"rank":N,"keys":[...]|null}
 *   {"op":"reply","token":T,"status":ERRNO,"found":{...}}
 *   {"op":"cancel","token":T}: a parked lookup that nobody waits for any more
 *   {"op":"ended","nspace":S,"rank":N}: a task ended
 * and {"pmi":"end","from":R,"nspace":S}: a job ended on node R.
 * The timeout of a lookup is kept where it was asked. */
#include "pmi/nameserv.h"
#include "pmi/pending.h"
#include "src/common/util.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct owner {
    char *nspace;
    unsigned rank, node;
};

struct name { /* in the table */
    struct name *next;
    char *key;
    json_object *value;
    struct owner owner;
    enum nameserv_range range;
    enum nameserv_persist persist;
    bool orphan; /* its publisher has ended: it may be replaced */
};

struct parked { /* a lookup that waits, in the table */
    struct parked *next;
    uint64_t token;
    struct owner asker;
    json_object *keys;
    enum nameserv_range range;
    unsigned need;
};

struct request { /* of this node */
    struct pending pending;
    struct nameserv *ns;
    struct owner asker;
    nameserv_f cb;
    void *cbarg;
    bool waits; /* a lookup that may be parked */
};

struct publisher { /* of this node: its end is to be told */
    struct publisher *next;
    char *nspace;
    bool tasks; /* the ends of its tasks as well */
};

struct nameserv {
    unsigned self;
    void (*send)(void *arg, int rank, json_object *msg);
    void *arg;
    struct pending_list requests;
    struct publisher *publishers;
    struct name *names; /* rank 0 */
    struct parked *parked;
};

struct nameserv *nameserv_create(uv_loop_t *loop, unsigned self,
                                 void (*send)(void *arg, int rank, json_object *msg),
                                 void *arg)
{
    struct nameserv *ns = xcalloc(1, sizeof(*ns));
    ns->requests.loop = loop;
    ns->self = self;
    ns->send = send;
    ns->arg = arg;
    return ns;
}

static void request_free(struct request *r)
{
    free(r->asker.nspace);
    pending_remove(&r->pending);
}

static void name_remove(struct name **p)
{
    struct name *name = *p;
    *p = name->next;
    free(name->key);
    free(name->owner.nspace);
    json_object_put(name->value);
    free(name);
}

static void parked_remove(struct parked **p)
{
    struct parked *parked = *p;
    *p = parked->next;
    free(parked->asker.nspace);
    json_object_put(parked->keys);
    free(parked);
}

void nameserv_destroy(struct nameserv *ns)
{
    if (!ns)
        return;
    while (ns->requests.first)
        request_free((struct request *)ns->requests.first);
    while (ns->names)
        name_remove(&ns->names);
    while (ns->parked)
        parked_remove(&ns->parked);
    while (ns->publishers) {
        struct publisher *p = ns->publishers;
        ns->publishers = p->next;
        free(p->nspace);
        free(p);
    }
    free(ns);
}

/* --- the table, at rank 0 */

static bool same_task(const struct owner *a, const struct owner *b)
{
    return a->rank == b->rank && strcmp(a->nspace, b->nspace) == 0;
}

/* Is A within RANGE of B? */
static bool in_range(enum nameserv_range range, const struct owner *a,
                     const struct owner *b)
{
    switch (range) {
    case NAMESERV_ALL:
        return true;
    case NAMESERV_JOB:
        return strcmp(a->nspace, b->nspace) == 0;
    case NAMESERV_NODE:
        return a->node == b->node;
    case NAMESERV_TASK:
        return same_task(a, b);
    }
    return false;
}

static void reply(struct nameserv *ns, unsigned to, uint64_t token, int status,
                  json_object *found)
{
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("ns"));
    json_object_object_add(msg, "op", json_object_new_string("reply"));
    json_object_object_add(msg, "from", json_object_new_int64(ns->self));
    json_object_object_add(msg, "token", json_object_new_uint64(token));
    json_object_object_add(msg, "status", json_object_new_int(status));
    if (found)
        json_object_object_add(msg, "found", found);
    ns->send(ns->arg, (int)to, msg);
}

static struct name **name_find(struct nameserv *ns, const char *key,
                               const struct owner *asker, enum nameserv_range range)
{
    struct name **p = &ns->names;
    while (*p &&
           !(strcmp((*p)->key, key) == 0 && in_range((*p)->range, &(*p)->owner, asker) &&
             in_range(range, &(*p)->owner, asker)))
        p = &(*p)->next;
    return p;
}

/* The keys that are there, as the reply's "found"; NULL when they are fewer than NEED or none. */
static json_object *find_all(struct nameserv *ns, const struct owner *asker,
                             json_object *keys, enum nameserv_range range, unsigned need)
{
    json_object *found = json_object_new_object();
    size_t n = json_object_array_length(keys);
    for (size_t i = 0; i < n; i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(keys, i));
        struct name *name = key ? *name_find(ns, key, asker, range) : NULL;
        if (!name)
            continue;
        json_object *hit = json_object_new_object();
        json_object_object_add(hit, "value", json_object_get(name->value));
        json_object_object_add(hit, "nspace", json_object_new_string(name->owner.nspace));
        json_object_object_add(hit, "rank", json_object_new_int64(name->owner.rank));
        json_object_object_add(found, key, hit);
    }
    int count = json_object_object_length(found);
    if (count == 0 || (unsigned)count < need) {
        json_object_put(found);
        return NULL;
    }
    json_object_object_foreach(found, key, value)
    {
        (void)value;
        struct name **p = name_find(ns, key, asker, range);
        if (*p && (*p)->persist == NAMESERV_ONCE)
            name_remove(p);
    }
    return found;
}

/* Something was published: answer the lookups that have waited for it. */
static void serve_parked(struct nameserv *ns)
{
    for (struct parked **p = &ns->parked; *p;) {
        struct parked *parked = *p;
        json_object *found =
            find_all(ns, &parked->asker, parked->keys, parked->range, parked->need);
        if (found) {
            reply(ns, parked->asker.node, parked->token, 0, found);
            parked_remove(p);
        } else {
            p = &parked->next;
        }
    }
}

static int table_publish(struct nameserv *ns, const struct owner *owner, json_object *msg)
{
    json_object *data = json_object_object_get(msg, "data");
    enum nameserv_range range =
        (enum nameserv_range)json_object_get_int(json_object_object_get(msg, "range"));
    if (!json_object_is_type(data, json_type_object))
        return EINVAL;
    json_object_object_foreach(data, old_key, old_value)
    {
        (void)old_value;
        for (struct name **p = &ns->names; *p;) {
            bool clash = strcmp((*p)->key, old_key) == 0 && (*p)->range == range &&
                         in_range(range, &(*p)->owner, owner);
            if (clash && !(*p)->orphan)
                return EEXIST;
            if (clash)
                name_remove(p);
            else
                p = &(*p)->next;
        }
    }
    json_object_object_foreach(data, key, value)
    {
        struct name *name = xcalloc(1, sizeof(*name));
        name->key = xstrdup(key);
        name->value = json_object_get(value);
        name->owner = *owner;
        name->owner.nspace = xstrdup(owner->nspace);
        name->range = range;
        name->persist = (enum nameserv_persist)json_object_get_int(
            json_object_object_get(msg, "persist"));
        name->next = ns->names;
        ns->names = name;
    }
    return 0;
}

static int table_unpublish(struct nameserv *ns, const struct owner *owner,
                           json_object *keys)
{
    unsigned removed = 0;
    for (struct name **p = &ns->names; *p;) {
        bool hit = same_task(&(*p)->owner, owner);
        if (hit && keys) {
            hit = false;
            for (size_t i = 0; !hit && i < json_object_array_length(keys); i++) {
                const char *key =
                    json_object_get_string(json_object_array_get_idx(keys, i));
                hit = key && strcmp(key, (*p)->key) == 0;
            }
        }
        if (hit) {
            name_remove(p);
            removed++;
        } else {
            p = &(*p)->next;
        }
    }
    return removed > 0 || !keys ? 0 : ENOENT;
}

static void table_lookup(struct nameserv *ns, const struct owner *asker, uint64_t token,
                         json_object *msg)
{
    json_object *keys = json_object_object_get(msg, "keys");
    enum nameserv_range range =
        (enum nameserv_range)json_object_get_int(json_object_object_get(msg, "range"));
    int64_t need = json_object_get_int64(json_object_object_get(msg, "need"));
    if (!json_object_is_type(keys, json_type_array) || need < 0 ||
        need > (int64_t)json_object_array_length(keys)) {
        reply(ns, asker->node, token, EINVAL, NULL);
        return;
    }
    json_object *found = find_all(ns, asker, keys, range, (unsigned)need);
    if (found || need == 0) {
        reply(ns, asker->node, token, found ? 0 : ENOENT, found);
        return;
    }
    struct parked *parked = xcalloc(1, sizeof(*parked));
    parked->token = token;
    parked->asker = *asker;
    parked->asker.nspace = xstrdup(asker->nspace);
    parked->keys = json_object_get(keys);
    parked->range = range;
    parked->need = (unsigned)need;
    parked->next = ns->parked;
    ns->parked = parked;
}

/* A task ended (RANK), or a job (-1), on NODE. */
static void table_ended(struct nameserv *ns, const char *nspace, int64_t rank,
                        unsigned node)
{
    for (struct name **p = &ns->names; *p;) {
        struct name *name = *p;
        bool his = strcmp(name->owner.nspace, nspace) == 0 && name->owner.node == node &&
                   (rank < 0 || name->owner.rank == (unsigned)rank);
        bool drop = his && (name->persist == NAMESERV_WHILE_TASK ||
                            (rank < 0 && name->persist != NAMESERV_INSTANCE));
        if (his)
            name->orphan = true;
        if (drop)
            name_remove(p);
        else
            p = &name->next;
    }
}

static void table_cancel(struct nameserv *ns, unsigned node, uint64_t token)
{
    for (struct parked **p = &ns->parked; *p;)
        if ((*p)->token == token && (*p)->asker.node == node)
            parked_remove(p);
        else
            p = &(*p)->next;
}

static void table_deliver(struct nameserv *ns, const char *op, unsigned from,
                          json_object *msg)
{
    uint64_t token = json_object_get_uint64(json_object_object_get(msg, "token"));
    const char *nspace = json_object_get_string(json_object_object_get(msg, "nspace"));
    int64_t rank = json_object_get_int64(json_object_object_get(msg, "rank"));
    cleanup_free char *name = xstrdup(nspace ? nspace : "");
    struct owner owner = {name, (unsigned)rank, from};
    json_object *keys = json_object_object_get(msg, "keys");
    if (strcmp(op, "cancel") == 0) {
        table_cancel(ns, from, token);
    } else if (!nspace || (keys && !json_object_is_type(keys, json_type_array))) {
        reply(ns, from, token, EINVAL, NULL);
    } else if (strcmp(op, "publish") == 0) {
        int status = table_publish(ns, &owner, msg);
        reply(ns, from, token, status, NULL);
        if (status == 0)
            serve_parked(ns);
    } else if (strcmp(op, "lookup") == 0) {
        table_lookup(ns, &owner, token, msg);
    } else if (strcmp(op, "unpublish") == 0) {
        reply(ns, from, token, table_unpublish(ns, &owner, keys), NULL);
    } else if (strcmp(op, "ended") == 0) {
        table_ended(ns, nspace, rank, from);
    }
}

/* --- requests of this node */

static json_object *message(struct nameserv *ns, const char *op, uint64_t token)
{
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("ns"));
    json_object_object_add(msg, "op", json_object_new_string(op));
    json_object_object_add(msg, "from", json_object_new_int64(ns->self));
    json_object_object_add(msg, "token", json_object_new_uint64(token));
    return msg;
}

static json_object *request_message(struct request *r, const char *op)
{
    json_object *msg = message(r->ns, op, r->pending.token);
    json_object_object_add(msg, "nspace", json_object_new_string(r->asker.nspace));
    json_object_object_add(msg, "rank", json_object_new_int64(r->asker.rank));
    return msg;
}

static void on_expired(struct pending *p)
{
    struct request *r = (struct request *)p;
    struct nameserv *ns = r->ns;
    nameserv_f cb = r->cb;
    void *arg = r->cbarg;
    ns->send(ns->arg, 0, message(ns, "cancel", r->pending.token));
    request_free(r);
    cb(ETIMEDOUT, NULL, arg);
}

/* TIMEOUT: seconds, 0: none */
static struct request *request_new(struct nameserv *ns, const char *nspace, unsigned rank,
                                   double timeout, nameserv_f cb, void *cbarg)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->ns = ns;
    r->asker = (struct owner){xstrdup(nspace), rank, ns->self};
    r->cb = cb;
    r->cbarg = cbarg;
    pending_add(&ns->requests, &r->pending, timeout, on_expired);
    return r;
}

static struct publisher *publisher_find(struct nameserv *ns, const char *nspace)
{
    struct publisher *p = ns->publishers;
    while (p && strcmp(p->nspace, nspace) != 0)
        p = p->next;
    return p;
}

void nameserv_publish(struct nameserv *ns, const char *nspace, unsigned rank,
                      json_object *data, enum nameserv_range range,
                      enum nameserv_persist persist, nameserv_f cb, void *cbarg)
{
    struct request *r = request_new(ns, nspace, rank, 0, cb, cbarg);
    struct publisher *p = publisher_find(ns, nspace);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->nspace = xstrdup(nspace);
        p->next = ns->publishers;
        ns->publishers = p;
    }
    p->tasks = p->tasks || persist == NAMESERV_WHILE_TASK;
    json_object *msg = request_message(r, "publish");
    json_object_object_add(msg, "data", data);
    json_object_object_add(msg, "range", json_object_new_int((int)range));
    json_object_object_add(msg, "persist", json_object_new_int((int)persist));
    ns->send(ns->arg, 0, msg);
}

void nameserv_lookup(struct nameserv *ns, const char *nspace, unsigned rank,
                     json_object *keys, enum nameserv_range range, unsigned need,
                     double timeout, nameserv_f cb, void *cbarg)
{
    struct request *r = request_new(ns, nspace, rank, need > 0 ? timeout : 0, cb, cbarg);
    r->waits = need > 0;
    json_object *msg = request_message(r, "lookup");
    json_object_object_add(msg, "keys", keys);
    json_object_object_add(msg, "range", json_object_new_int((int)range));
    json_object_object_add(msg, "need", json_object_new_int64(need));
    ns->send(ns->arg, 0, msg);
}

void nameserv_unpublish(struct nameserv *ns, const char *nspace, unsigned rank,
                        json_object *keys, nameserv_f cb, void *cbarg)
{
    struct request *r = request_new(ns, nspace, rank, 0, cb, cbarg);
    json_object *msg = request_message(r, "unpublish");
    json_object_object_add(msg, "keys", keys);
    ns->send(ns->arg, 0, msg);
}

/* Drop the requests of a job (RANK -1) or a task. */
static void drop_requests(struct nameserv *ns, const char *nspace, int64_t rank)
{
    for (struct pending *p = ns->requests.first, *next; p; p = next) {
        struct request *r = (struct request *)p;
        next = p->next;
        if (strcmp(r->asker.nspace, nspace) != 0 ||
            (rank >= 0 && r->asker.rank != (unsigned)rank))
            continue;
        if (r->waits)
            ns->send(ns->arg, 0, message(ns, "cancel", r->pending.token));
        request_free(r);
    }
}

void nameserv_task_ended(struct nameserv *ns, const char *nspace, unsigned rank)
{
    struct publisher *p = publisher_find(ns, nspace);
    drop_requests(ns, nspace, rank);
    if (!p || !p->tasks)
        return;
    json_object *msg = message(ns, "ended", 0);
    json_object_object_add(msg, "nspace", json_object_new_string(nspace));
    json_object_object_add(msg, "rank", json_object_new_int64(rank));
    ns->send(ns->arg, 0, msg);
}

void nameserv_job_ended(struct nameserv *ns, const char *nspace)
{
    struct publisher **p = &ns->publishers;
    drop_requests(ns, nspace, -1);
    while (*p && strcmp((*p)->nspace, nspace) != 0)
        p = &(*p)->next;
    if (!*p)
        return;
    struct publisher *publisher = *p;
    *p = publisher->next;
    free(publisher->nspace);
    free(publisher);
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("end"));
    json_object_object_add(msg, "from", json_object_new_int64(ns->self));
    json_object_object_add(msg, "nspace", json_object_new_string(nspace));
    ns->send(ns->arg, 0, msg);
}

void nameserv_deliver(struct nameserv *ns, json_object *msg)
{
    const char *kind = json_object_get_string(json_object_object_get(msg, "pmi"));
    const char *op = json_object_get_string(json_object_object_get(msg, "op"));
    int64_t from = json_object_get_int64(json_object_object_get(msg, "from"));
    if (from < 0 || from > INT32_MAX)
        return;
    if (kind && strcmp(kind, "end") == 0) {
        const char *nspace =
            json_object_get_string(json_object_object_get(msg, "nspace"));
        if (nspace)
            table_ended(ns, nspace, -1, (unsigned)from);
        return;
    }
    if (!op)
        return;
    if (strcmp(op, "reply") != 0) {
        table_deliver(ns, op, (unsigned)from, msg);
        return;
    }
    uint64_t token = json_object_get_uint64(json_object_object_get(msg, "token"));
    struct request *r = (struct request *)pending_find(&ns->requests, token);
    if (!r)
        return; /* its task has ended */
    nameserv_f cb = r->cb;
    void *arg = r->cbarg;
    request_free(r);
    cb(json_object_get_int(json_object_object_get(msg, "status")),
       json_object_object_get(msg, "found"), arg);
}
