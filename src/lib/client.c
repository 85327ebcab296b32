/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "src/comm/linebuf.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/lib/client.h"
#include "src/lib/input.h"
#include "src/lib/link.h"
#include "src/lib/post.h"

struct pending {
    struct pending *next, **link; /* in the order of ids; LINK points here */
    struct pending *chain;        /* of the bucket */
    int id;
    bool replied, forgotten;
    bool late;  /* done with while callbacks ran: still to be removed */
    char *text; /* from "method" on */
    size_t len; /* of text */
    client_reply_f reply;
    client_note_f note;
    void (*begin)(void *arg); /* client_reopen */
    void *arg;
    void (*free_arg)(void *arg);
};

struct hbatch {
    struct link link;
    struct inputs *inputs;
    struct posts *posts; /* NULL: nothing was posted yet */
    int last_id;
    int depth;     /* callbacks that run now: entries are removed at depth 0 */
    unsigned late; /* entries to be removed then */
    struct pending *first, **last;
    struct pending **buckets; /* by id: answers come in any order */
    unsigned nbuckets, count; /* nbuckets: a power of 2 */
    struct linebuf in;
    struct strbuf out;
    size_t out_done; /* bytes of out that are sent */
    json_tokener *tok;
    json_object *kept; /* what a caller was given a view of */
    struct error lost; /* code != 0: the connection is gone, and why */
};

enum { BUCKETS = 64 };

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void pending_free(struct pending *p)
{
    if (p->free_arg)
        p->free_arg(p->arg);
    free(p->text);
    free(p);
}

char *client_key(char key[CLIENT_KEY_SIZE])
{
    uint64_t n;
    if (getrandom(&n, sizeof(n), 0) !=
        sizeof(n)) /* early at boot: a kernel without entropy */
        n = (uint64_t)(time_now() * 1e6) * (uint64_t)getpid();
    snprintf(key, CLIENT_KEY_SIZE, "%016llx", (unsigned long long)n);
    return key;
}

static struct hbatch *create(const struct link *link)
{
    struct hbatch *h = xcalloc(1, sizeof(*h));
    h->link = *link;
    h->inputs = inputs_create();
    h->last = &h->first;
    h->nbuckets = BUCKETS;
    h->buckets = xcalloc(h->nbuckets, sizeof(struct pending *));
    linebuf_init(&h->in);
    h->tok = json_tokener_new();
    return h;
}

struct hbatch *client_open(const char *uri, struct error *err)
{
    if (!uri) {
        uri = getenv("HBATCH_URI");
        if (!uri || !*uri)
            return error_null(
                err, ENOENT,
                "no instance here: HBATCH_URI is not set; " LINK_HOW_TO_START);
    }
    struct link link;
    if (link_open(&link, uri, err) < 0)
        return NULL;
    return create(&link);
}

struct hbatch *client_open_carrier(const struct hbatch_carrier *carrier, void *arg,
                                   const char *name)
{
    struct link link;
    link_open_carrier(&link, carrier, arg, name);
    return create(&link);
}

void client_close(struct hbatch *h)
{
    if (!h)
        return;
    link_close(&h->link);
    inputs_destroy(h->inputs);
    for (struct pending *p = h->first, *next; p; p = next) {
        next = p->next;
        pending_free(p);
    }
    posts_destroy(h->posts);
    free(h->buckets);
    linebuf_fini(&h->in);
    free(h->out.s);
    json_tokener_free(h->tok);
    json_object_put(h->kept);
    free(h);
}

int client_fd(const struct hbatch *h)
{
    return h->link.fd;
}

int client_watch(struct hbatch *h)
{
    return link_watch(&h->link, client_unsent(h));
}

const char *client_uri(const struct hbatch *h)
{
    return h->link.uri;
}

bool client_is_away(const struct hbatch *h)
{
    return h->link.away;
}

struct inputs *client_inputs(struct hbatch *h)
{
    return h->inputs;
}

struct posts *client_posts(struct hbatch *h)
{
    if (!h->posts)
        h->posts = posts_create(h);
    return h->posts;
}

void client_keep(struct hbatch *h, json_object *o)
{
    json_object_put(h->kept);
    h->kept = o;
}

bool client_unsent(const struct hbatch *h)
{
    return h->out_done < h->out.len;
}

static int is_lost(const struct hbatch *h, struct error *err)
{
    if (err)
        *err = h->lost;
    return -1;
}

static int lost(struct hbatch *h, struct error *err, int code, const char *why)
{
    error_set(&h->lost, code, "the connection to the instance at %s is lost: %s",
              h->link.uri, why);
    return is_lost(h, err);
}

/* --- out --------------------------------------------------------------------------------- */

/* What follows the id of a request. */
static char *encode(const char *method, json_object *params, size_t *len)
{
    struct strbuf b = {0};
    strbuf_addf(&b, "\"method\":\"%s\",\"params\":", method);
    if (params) {
        size_t n;
        const char *text = json_object_to_json_string_length(params, PLAIN, &n);
        strbuf_addn(&b, text, n);
        json_object_put(params);
    } else {
        strbuf_add(&b, "{}");
    }
    strbuf_add(&b, "}\n");
    *len = b.len;
    return strbuf_take(&b);
}

static void queue(struct hbatch *h, const struct pending *p, bool again)
{
    strbuf_addf(&h->out, "{\"jsonrpc\":\"2.0\",\"id\":%d,%s", p->id,
                again ? "\"again\":true," : "");
    strbuf_addn(&h->out, p->text, p->len);
}

/* --- who waits for an answer ---------------------------------------------------------------- */

static struct pending **bucket(struct hbatch *h, int64_t id)
{
    return &h->buckets[(uint64_t)id & (h->nbuckets - 1)];
}

static void grow(struct hbatch *h)
{
    free(h->buckets);
    h->nbuckets *= 2;
    h->buckets = xcalloc(h->nbuckets, sizeof(struct pending *));
    for (struct pending *p = h->first; p; p = p->next) {
        p->chain = *bucket(h, p->id);
        *bucket(h, p->id) = p;
    }
}

static void add(struct hbatch *h, struct pending *p)
{
    p->link = h->last;
    *h->last = p;
    h->last = &p->next;
    p->chain = *bucket(h, p->id);
    *bucket(h, p->id) = p;
    if (++h->count > h->nbuckets)
        grow(h);
}

static void drop(struct hbatch *h, struct pending *p)
{
    struct pending **at = bucket(h, p->id);
    while (*at != p)
        at = &(*at)->chain;
    *at = p->chain;
    *p->link = p->next;
    *(p->next ? &p->next->link : &h->last) = p->link;
    h->count--;
    h->late -= p->late;
    pending_free(p);
}

static bool is_done(const struct pending *p)
{
    return p->forgotten || (p->replied && !p->note);
}

static void finish(struct hbatch *h, struct pending *p)
{
    if (!is_done(p))
        return;
    if (h->depth) {
        h->late += !p->late;
        p->late = true;
        return;
    }
    drop(h, p);
    for (struct pending *next, *q = h->first; q && h->late; q = next) {
        next = q->next;
        if (q->late)
            drop(h, q);
    }
}

static struct pending *find(struct hbatch *h, int64_t id)
{
    struct pending *p = *bucket(h, id);
    while (p && p->id != id)
        p = p->chain;
    return p && !p->forgotten ? p : NULL;
}

int client_send(struct hbatch *h, const char *method, json_object *params,
                client_reply_f reply, client_note_f note, void *arg)
{
    struct pending *p = xcalloc(1, sizeof(*p));
    char key[CLIENT_KEY_SIZE];
    if (strcmp(method, "job.submit") == 0 &&
        json_object_is_type(params, json_type_object) &&
        !json_object_object_get_ex(params, "key", NULL))
        json_object_object_add(params, "key", json_object_new_string(client_key(key)));
    p->id = ++h->last_id;
    p->reply = reply;
    p->note = note;
    p->arg = arg;
    p->text = encode(method, params, &p->len);
    add(h, p);
    queue(h, p, false);
    return p->id;
}

void client_reopen(struct hbatch *h, int id, const char *method, json_object *params,
                   void (*begin)(void *arg))
{
    struct pending *p = find(h, id);
    if (!p) {
        json_object_put(params);
        return;
    }
    p->begin = begin;
    if (!method)
        return;
    free(p->text);
    p->text = encode(method, params, &p->len);
}

void client_notify(struct hbatch *h, const char *method, json_object *params)
{
    size_t len;
    cleanup_free char *text = encode(method, params, &len);
    strbuf_add(&h->out, "{\"jsonrpc\":\"2.0\",");
    strbuf_addn(&h->out, text, len);
}

/* Who always has more to send than the socket takes would keep all that was sent, too. */
static void drop_sent(struct hbatch *h)
{
    if (h->out_done < h->out.len / 2)
        return;
    h->out.len -= h->out_done;
    memmove(h->out.s, h->out.s + h->out_done, h->out.len);
    h->out_done = 0;
}

static int flush(struct hbatch *h, struct error *err)
{
    if (h->lost.code)
        return is_lost(h, err);
    while (client_unsent(h) && !h->link.away) {
        ssize_t n = link_send(&h->link, h->out.s + h->out_done, h->out.len - h->out_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            drop_sent(h);
            return 0;
        }
        /* A peer that has hung up may have said why before: what it sent is still read. */
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return 0;
        if (n < 0)
            return lost(h, err, errno, strerror(errno));
        h->out_done += (size_t)n;
    }
    if (!client_unsent(h))
        h->out.len = h->out_done = 0;
    return 0;
}

int client_flush(struct hbatch *h, struct error *err)
{
    if (h->posts && h->depth == 0)
        posts_gathered(h->posts);
    int rc = flush(h, err);
    if (h->link.watch >= 0)
        link_watch(&h->link, client_unsent(h));
    return rc;
}

/* --- lost and found ---------------------------------------------------------------------------- */

/* On a new connection: ask again for all that is not answered, and begin the streams anew. */
static void resume(struct hbatch *h)
{
    h->out.len = h->out_done = 0; /* what was not sent is among what follows */
    linebuf_fini(&h->in);
    linebuf_init(&h->in);
    h->depth++; /* what ends meanwhile stays in the list */
    for (struct pending *p = h->first; p; p = p->next) {
        if (is_done(p) || (p->replied && !p->begin))
            continue;
        if (p->replied)
            p->begin(p->arg);
        queue(h, p, true);
    }
    h->depth--;
    inputs_repeat(h->inputs, h);
}

/* Try to connect when it is time to.  -1 with err set: the instance will not come back. */
static int come_back(struct hbatch *h, struct error *err)
{
    int rc = link_retry(&h->link, &h->lost);
    if (rc > 0)
        resume(h);
    return rc < 0 ? is_lost(h, err) : client_flush(h, err);
}

static int hung_up(struct hbatch *h, int code, const char *why, struct error *err)
{
    return link_lost(&h->link, code, why, &h->lost) < 0 ? is_lost(h, err)
                                                        : come_back(h, err);
}

/* --- in ---------------------------------------------------------------------------------- */

void client_own(struct hbatch *h, int id, void (*free_arg)(void *arg))
{
    struct pending *p = find(h, id);
    if (p)
        p->free_arg = free_arg;
}

void client_forget(struct hbatch *h, int id)
{
    struct pending *p = find(h, id);
    if (!p)
        return;
    p->forgotten = true;
    finish(h, p);
}

static void receive_reply(struct hbatch *h, struct pending *p, json_object *msg)
{
    json_object *result = NULL, *error = NULL, *o;
    struct error err = {0};
    json_object_object_get_ex(msg, "result", &result);
    if (json_object_object_get_ex(msg, "error", &error)) {
        int code =
            json_object_object_get_ex(error, "code", &o) ? json_object_get_int(o) : 0;
        const char *text = json_object_object_get_ex(error, "message", &o)
                               ? json_object_get_string(o)
                               : NULL;
        error_set(&err, code ? code : EPROTO, "%s",
                  text ? text : "failed without a reason");
        p->note = NULL; /* no stream was opened */
    } else if (p->replied) {
        return; /* a stream that goes on */
    }
    p->replied = true;
    h->depth++;
    if (p->reply && !p->forgotten)
        p->reply(error ? NULL : result, error ? &err : NULL, p->arg);
    h->depth--;
    finish(h, p);
}

/* What a line says that is the answer to no request: ours was none to the instance, and will never be answered. */
static const char *not_understood(json_object *msg)
{
    json_object *id, *error, *o;
    if (!json_object_object_get_ex(msg, "id", &id) || id ||
        !json_object_object_get_ex(msg, "error", &error))
        return NULL;
    return json_object_object_get_ex(error, "message", &o) ? json_object_get_string(o)
                                                           : "no reason is told";
}

static void receive(struct hbatch *h, json_object *msg)
{
    json_object *o, *params;
    if (json_object_object_get_ex(msg, "id", &o)) {
        struct pending *p = find(h, json_object_get_int64(o));
        if (p)
            receive_reply(h, p, msg);
        return;
    }
    if (!json_object_object_get_ex(msg, "method", &o) ||
        !json_object_object_get_ex(msg, "params", &params))
        return;
    const char *method = json_object_get_string(o);
    if (!json_object_object_get_ex(params, "sub", &o))
        return;
    struct pending *p = find(h, json_object_get_int64(o));
    if (!p || !p->note)
        return;
    h->depth++;
    p->note(method, params, p->arg);
    h->depth--;
    finish(h, p);
}

/* Run the callbacks of the lines that are there. 1: some, 0: none, -1: not our protocol. */
static int receive_lines(struct hbatch *h, struct error *err)
{
    size_t len;
    int any = 0;
    for (char *line; (line = linebuf_next(&h->in, &len)); any = 1) {
        json_tokener_reset(h->tok);
        cleanup_json json_object *msg = json_tokener_parse_ex(h->tok, line, (int)len + 1);
        if (!json_object_is_type(msg, json_type_object))
            return lost(h, err, EPROTO, "it sent what is not a JSON object");
        const char *why = not_understood(msg);
        if (why) {
            cleanup_free char *text = xasprintf("it did not take a request: %s", why);
            return lost(h, err, EPROTO, text);
        }
        receive(h, msg);
    }
    if (linebuf_overflow(&h->in))
        return lost(h, err, EPROTO, "it sent a line that is too long");
    return any;
}

/* Read once. 1: callbacks ran, 0: nothing is there, -1: lost for good; 2: a part of a line came, or the
 * connection is another one. */
static int receive_some(struct hbatch *h, struct error *err)
{
    size_t room;
    char *at = linebuf_reserve(&h->in, &room);
    ssize_t n = link_recv(&h->link, at, room);
    if (n == 0)
        return hung_up(h, ECONNRESET, "it closed the connection", err) < 0 ? -1 : 2;
    if (n < 0 && (errno == ECONNRESET || errno == EPIPE))
        return hung_up(h, errno, strerror(errno), err) < 0 ? -1 : 2;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n < 0)
        return errno == EINTR ? 2 : lost(h, err, errno, strerror(errno));
    link_heard(&h->link);
    linebuf_commit(&h->in, (size_t)n);
    int rc = receive_lines(h, err);
    if (rc > 0 && client_flush(h, err) < 0)
        return -1;
    return rc == 0 ? 2 : rc;
}

/* Milliseconds until END, or as the caller said: 0 and -1 have no end. */
static int remaining(int timeout_ms, double end)
{
    if (timeout_ms <= 0)
        return timeout_ms;
    double left = end - time_mono();
    return left > 0 ? (int)(left * 1000) + 1 : 0;
}

int client_process(struct hbatch *h, int timeout_ms, struct error *err)
{
    double end = timeout_ms > 0 ? time_mono() + timeout_ms / 1e3 : 0;
    if (client_flush(h, err) < 0)
        return -1;
    for (;;) {
        if (h->link.away && come_back(h, err) < 0)
            return -1;
        int rc = h->link.away ? 0 : receive_some(h, err);
        if (rc == 2 && !h->link.away)
            continue;
        if (rc == 1 || rc < 0)
            return rc;
        bool room = client_unsent(h) && !h->link.away;
        int left = remaining(timeout_ms, end);
        int ready = left == 0 ? 0 : link_wait(&h->link, room, left);
        if (ready == 0)
            return 0;
        if ((ready & POLLOUT) && client_flush(h, err) < 0)
            return -1;
    }
}

struct call {
    bool done;
    json_object *result;
    struct error err;
};

static void call_reply(json_object *result, const struct error *err, void *arg)
{
    struct call *c = arg;
    c->done = true;
    c->result = json_object_get(result);
    if (err)
        c->err = *err;
    else if (!c->result) /* JSON null */
        c->result = json_object_new_object();
}

json_object *client_call(struct hbatch *h, const char *method, json_object *params,
                         struct error *err)
{
    struct call call = {0};
    int id = client_send(h, method, params, call_reply, NULL, &call);
    while (!call.done) {
        if (client_process(h, -1, err) < 0) {
            if (!call.done)
                client_forget(h, id);
            json_object_put(call.result);
            return NULL;
        }
    }
    if (!call.result && err)
        *err = call.err;
    return call.result;
}
