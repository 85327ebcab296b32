/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc: JSON-RPC 2.0 requests of clients: dispatch, parameters, replies. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct reply { /* one that waits for the next commit, or for the second rank */
    struct reply *next;
    struct request rq;
    json_object *result;
    bool stored;
    bool
        submitted; /* it accepts jobs, which are in the store with the next commit only */
    uint64_t epoch; /* that tells the others, once it is stored */
};

static const struct rpc *const tables[] = {
    rpc_job_table,     rpc_list_table,  rpc_resource_table, rpc_instance_table,
    rpc_archive_table, rpc_grant_table, rpc_share_table,    rpc_queue_table,
    rpc_account_table, rpc_purge_table};

static json_object *envelope(const struct request *rq)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    /* JSON-RPC 2.0: null when the request's own could not be told */
    json_object_object_add(o, "id", rq->id < 0 ? NULL : json_object_new_int64(rq->id));
    return o;
}

void reply_result(struct leader *ld, const struct request *rq, json_object *result)
{
    (void)ld;
    cleanup_json json_object *o = envelope(rq);
    json_object_object_add(o, "result", result);
    client_send_json(rq->client, o);
}

void reply_error(struct leader *ld, const struct request *rq, const struct error *err)
{
    (void)ld;
    cleanup_json json_object *o = envelope(rq);
    json_object *e = json_object_new_object();
    json_object_object_add(e, "code", json_object_new_int(err->code));
    json_object_object_add(e, "message", json_object_new_string(err->text));
    json_object_object_add(o, "error", e);
    client_send_json(rq->client, o);
}

static struct reply *add_reply(struct leader *ld, const struct request *rq,
                               json_object *result)
{
    struct reply *r = xcalloc(1, sizeof(*r));
    r->rq = *rq;
    r->result = result;
    *ld->replies_end = r;
    ld->replies_end = &r->next;
    leader_wake(ld);
    return r;
}

void reply_when_stored(struct leader *ld, const struct request *rq, json_object *result)
{
    add_reply(ld, rq, result);
    ld->replies_fresh = true;
}

void reply_accept_when_stored(struct leader *ld, const struct request *rq,
                              json_object *result)
{
    add_reply(ld, rq, result)->submitted = true;
    ld->replies_fresh = true;
}

static void refuse_jobs(struct leader *ld, const struct reply *r, const char *why)
{
    jobid_t first =
        (jobid_t)json_object_get_int64(json_object_object_get(r->result, "id"));
    uint64_t count =
        (uint64_t)json_object_get_int64(json_object_object_get(r->result, "count"));
    for (uint64_t i = 0; i < count; i++) {
        struct job *job = jobtable_find(ld->jobs, jobid_nth(first, i));
        if (job)
            manager_refuse(ld, job, why);
    }
    uint64_t at = 0;
    struct submission *sub = count > 1 ? jobtable_array_of(ld->jobs, first, &at) : NULL;
    if (sub) /* the elements that wait */
        elements_end(ld, sub, (struct array_run){0, sub->count}, "cancel", why);
}

void replies_refuse(struct leader *ld, const struct error *why)
{
    struct error err;
    error_set(&err, why->code, "the job was not accepted: %s", why->text);
    struct reply *refused = NULL;
    ld->replies_end = &ld->replies;
    for (struct reply **p = &ld->replies, *r; (r = *p);) {
        if (r->stored || !r->submitted) {
            p = &r->next;
            ld->replies_end = p;
            continue;
        }
        *p = r->next;
        r->next = refused;
        refused = r;
    }
    for (struct reply *r; (r = refused);) {
        refused = r->next;
        reply_error(ld, &r->rq, &err);
        refuse_jobs(ld, r, err.text);
        json_object_put(r->result);
        free(r);
    }
}

void reply_when_safe(struct leader *ld, const struct request *rq, json_object *result)
{
    struct reply *r = add_reply(ld, rq, result);
    r->stored = true; /* which it need not be */
    r->epoch = gate_epoch(ld);
}

/* What the reply promises to follow begins right after it. */
static void open_stream(struct leader *ld, struct reply *r, const char *follow)
{
    struct error err;
    jobid_t first =
        (jobid_t)json_object_get_int64(json_object_object_get(r->result, "id"));
    uint64_t count =
        (uint64_t)json_object_get_int64(json_object_object_get(r->result, "count"));
    if (strcmp(follow, "attach") != 0)
        stream_follow(ld, &r->rq, first, count, &err);
    else if (count > 1)
        stream_attach_block(ld, &r->rq, first, count, true);
    else
        stream_attach(ld, &r->rq, first, true, &err);
    stream_hold(ld, &r->rq, first);
}

void replies_stored(struct leader *ld)
{
    uint64_t epoch = gate_epoch(ld);
    for (struct reply *r = ld->replies; r && ld->replies_fresh; r = r->next)
        if (!r->stored) {
            r->stored = true;
            r->epoch = epoch;
        }
    ld->replies_fresh = false;
}

void replies_flush(struct leader *ld)
{
    uint64_t safe = gate_safe(ld);
    for (struct reply **p = &ld->replies, *r; (r = *p);) {
        if (!r->stored || r->epoch > safe) {
            p = &r->next;
            continue;
        }
        *p = r->next;
        if (!*p)
            ld->replies_end = p;
        /* "follow" is a note to ourselves, not part of the result */
        json_object *note = json_object_get(json_object_object_get(r->result, "follow"));
        json_object_object_del(r->result, "follow");
        reply_result(ld, &r->rq, json_object_get(r->result));
        if (note)
            open_stream(ld, r, json_object_get_string(note));
        json_object_put(note);
        json_object_put(r->result);
        free(r);
    }
}

void replies_forget(struct leader *ld, struct client *c, bool may_return)
{
    ld->replies_end = &ld->replies;
    for (struct reply **p = &ld->replies; *p;) {
        struct reply *r = *p;
        if (c && r->rq.client != c) {
            p = &r->next;
            ld->replies_end = p;
            continue;
        }
        *p = r->next;
        if (!may_return && json_object_object_get_ex(r->result, "follow", NULL))
            tie_cut(ld, (jobid_t)json_object_get_int64(
                            json_object_object_get(r->result, "id")));
        json_object_put(r->result);
        free(r);
    }
}

void notify(struct client *c, const char *method, json_object *params)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(o, "method", json_object_new_string(method));
    json_object_object_add(o, "params", params);
    client_send_json(c, o);
}

static const struct rpc *find(const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        for (const struct rpc *r = tables[i]; r->method; r++)
            if (strcmp(r->method, method) == 0)
                return r;
    return NULL;
}

void leader_client_line(struct leader *ld, struct client *c, char *line, size_t len)
{
    struct error err;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    if (!o) {
        error_prefix(&err, "request");
        reply_error(ld, &(struct request){.client = c, .id = -1}, &err);
    } else if (!news_hold(ld, c, o)) {
        leader_answer(ld, c, o);
    }
}

void leader_answer(struct leader *ld, struct client *c, json_object *o)
{
    struct error err;
    struct request rq = {.client = c, .id = -1};
    jsonutil_int(jsonutil_get(o, "id"), 0, INT64_MAX, &rq.id);
    rq.again = json_object_get_boolean(jsonutil_get(o, "again"));
    bool notification =
        json_object_is_type(o, json_type_object) && !jsonutil_get(o, "id");
    const char *method = jsonutil_string(jsonutil_get(o, "method"));
    const struct rpc *rpc = method ? find(method) : NULL;
    if (!rpc)
        error_set(&err, ENOSYS, "request: no such method: %s",
                  method ? method : "none given");
    else if (rpc->call(ld, &rq, jsonutil_get(o, "params"), &err) == 0)
        return;
    if (!notification)
        reply_error(ld, &rq, &err);
}
