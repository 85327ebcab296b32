/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/comm/lines.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* What a message is, before the client's number. */
enum {
    OPEN = 'O',   /* PATH */
    ANSWER = 'A', /* "CODE TEXT": it could not be opened; nothing: it is */
    DOWN = 'D',   /* LINE of the client */
    UP = 'U',     /* LINE for the client */
    CLOSED = 'E', /* by the socket */
    GONE = 'G',   /* the client is */
};

struct inlet {
    struct inlet *next;
    uint64_t client;
    unsigned rank;   /* where the socket is */
    int64_t request; /* its id, until it is answered */
    bool open;
};

struct outlet {
    struct outlet *next;
    struct relays *relays;
    unsigned rank; /* where the client is */
    uint64_t client;
    struct lines *lines;
};

struct relays {
    struct relay_config config;
    struct server *server;
    struct inlet *inlets;
    struct outlet *outlets;
};

struct relays *relays_create(const struct relay_config *config)
{
    struct relays *rs = xcalloc(1, sizeof(*rs));
    rs->config = *config;
    return rs;
}

void relays_serve(struct relays *rs, struct server *server)
{
    rs->server = server;
}

static void receive(struct relays *rs, unsigned from, char kind, uint64_t client,
                    const char *text, size_t len);

static void tell(struct relays *rs, unsigned rank, char kind, uint64_t client,
                 const char *text, size_t len)
{
    if (rank == rs->config.rank) {
        receive(rs, rank, kind, client, text, len);
        return;
    }
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "%c%llu ", kind, (unsigned long long)client);
    strbuf_addn(&b, text, len);
    rs->config.send(rs->config.arg, rank, b.s, b.len);
}

/* --- the socket's side ------------------------------------------------------------------------ */

static struct outlet **find_outlet(struct relays *rs, unsigned rank, uint64_t client)
{
    struct outlet **p = &rs->outlets;
    while (*p && ((*p)->rank != rank || (*p)->client != client))
        p = &(*p)->next;
    return p;
}

static void drop_outlet(struct outlet **p)
{
    struct outlet *o = *p;
    *p = o->next;
    lines_close(o->lines);
    free(o);
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct outlet *o = arg;
    (void)l;
    tell(o->relays, o->rank, UP, o->client, line, len);
}

static void on_closed(struct lines *l, int status, void *arg)
{
    struct outlet *o = arg;
    struct relays *rs = o->relays;
    unsigned rank = o->rank;
    uint64_t client = o->client;
    (void)l, (void)status;
    drop_outlet(find_outlet(rs, rank, client));
    tell(rs, rank, CLOSED, client, "", 0);
}

static const struct lines_ops outlet_ops = {.line = on_line, .closed = on_closed};

static void open_outlet(struct relays *rs, unsigned rank, uint64_t client,
                        const char *path)
{
    struct error err;
    int fd = lines_connect_now(path, &err);
    if (fd < 0) {
        cleanup_free char *text = xasprintf("%d %s", err.code, err.text);
        tell(rs, rank, ANSWER, client, text, strlen(text));
        return;
    }
    struct outlet *o = xcalloc(1, sizeof(*o));
    o->relays = rs;
    o->rank = rank;
    o->client = client;
    o->lines = lines_create(rs->config.loop, fd, &outlet_ops, o);
    o->next = rs->outlets;
    rs->outlets = o;
    tell(rs, rank, ANSWER, client, "", 0);
}

/* --- the client's side ------------------------------------------------------------------------ */

static struct inlet **find_inlet(struct relays *rs, uint64_t client)
{
    struct inlet **p = &rs->inlets;
    while (*p && (*p)->client != client)
        p = &(*p)->next;
    return p;
}

static void drop_inlet(struct inlet **p)
{
    struct inlet *in = *p;
    *p = in->next;
    free(in);
}

static void reply(struct client *c, int64_t id, const struct error *err)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(o, "id", json_object_new_int64(id));
    if (err) {
        json_object *e = json_object_new_object();
        json_object_object_add(e, "code", json_object_new_int(err->code));
        json_object_object_add(e, "message", json_object_new_string(err->text));
        json_object_object_add(o, "error", e);
    } else {
        json_object_object_add(o, "result", json_object_new_object());
    }
    client_send_json(c, o);
}

static void take_answer(struct relays *rs, struct inlet **p, const char *text)
{
    struct client *c = server_find(rs->server, (*p)->client);
    int64_t request = (*p)->request;
    char *rest;
    struct error err;
    if (!*text) {
        (*p)->open = true;
        reply(c, request, NULL);
        return;
    }
    int code = (int)strtol(text, &rest, 10);
    error_set(&err, code ? code : EIO, "%s", rest + (*rest == ' '));
    drop_inlet(p);
    reply(c, request, &err);
}

static int open_inlet(struct relays *rs, const struct client *c, json_object *request,
                      int64_t id, struct error *err)
{
    json_object *params = jsonutil_get(request, "params");
    const char *path = jsonutil_string(jsonutil_get(params, "path"));
    int64_t rank;
    if (!path || *path != '/')
        return error_set(err, EINVAL,
                         "request: path must be the absolute path of a socket, not %s",
                         jsonutil_show(jsonutil_get(params, "path")).text);
    if (!jsonutil_int(jsonutil_get(params, "rank"), 0, INT32_MAX, &rank) ||
        !rs->config.exists(rs->config.arg, (unsigned)rank))
        return error_set(err, EINVAL, "request: there is no rank %s here",
                         jsonutil_show(jsonutil_get(params, "rank")).text);
    struct inlet *in = xcalloc(1, sizeof(*in));
    in->client = client_number(c);
    in->rank = (unsigned)rank;
    in->request = id;
    in->next = rs->inlets;
    rs->inlets = in;
    tell(rs, in->rank, OPEN, in->client, path, strlen(path));
    return 0;
}

bool relays_line(struct relays *rs, struct client *c, const char *line, size_t len)
{
    static const char method[] = "\"instance.relay\"";
    struct inlet *in = *find_inlet(rs, client_number(c));
    struct error err;
    int64_t id = 0;
    if (in) {
        tell(rs, in->rank, DOWN, in->client, line, len);
        return true;
    }
    if (!memmem(line, MIN(len, 128u), method, sizeof(method) - 1))
        return false;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *name = jsonutil_string(jsonutil_get(o, "method"));
    if (!name || strcmp(name, "instance.relay") != 0 ||
        !jsonutil_int(jsonutil_get(o, "id"), 0, INT64_MAX, &id))
        return false;
    if (open_inlet(rs, c, o, id, &err) < 0)
        reply(c, id, &err);
    return true;
}

void relays_client_gone(struct relays *rs, const struct client *c)
{
    struct inlet **p = find_inlet(rs, client_number(c));
    if (!*p)
        return;
    unsigned rank = (*p)->rank;
    drop_inlet(p);
    tell(rs, rank, GONE, client_number(c), "", 0);
}

/* --- messages ----------------------------------------------------------------------------------- */

static void receive(struct relays *rs, unsigned from, char kind, uint64_t client,
                    const char *text, size_t len)
{
    bool down = kind == OPEN || kind == DOWN || kind == GONE;
    struct outlet **o = down ? find_outlet(rs, from, client) : NULL;
    struct inlet **in = down ? NULL : find_inlet(rs, client);
    struct client *c = down ? NULL : server_find(rs->server, client);
    if (kind == OPEN && !*o)
        open_outlet(rs, from, client, text);
    else if (kind == DOWN && *o)
        lines_send((*o)->lines, text, len);
    else if (kind == GONE && *o)
        drop_outlet(o);
    if (down || !c || !*in || (*in)->rank != from)
        return;
    if (kind == ANSWER && !(*in)->open)
        take_answer(rs, in, text);
    else if (kind == UP)
        client_send(c, text, len);
    else if (kind == CLOSED)
        server_drop(c);
}

void relays_message(struct relays *rs, unsigned rank, char *text, size_t len)
{
    char *rest = text;
    if (len < 2)
        return;
    uint64_t client = strtoull(text + 1, &rest, 10);
    if (*rest == ' ')
        receive(rs, rank, *text, client, rest + 1, len - (size_t)(rest + 1 - text));
}

void relays_rank_lost(struct relays *rs, unsigned rank)
{
    for (struct outlet **p = &rs->outlets; *p;)
        if ((*p)->rank == rank)
            drop_outlet(p);
        else
            p = &(*p)->next;
    for (struct inlet *in = rs->inlets, *next; in; in = next) {
        next = in->next;
        struct client *c = in->rank == rank ? server_find(rs->server, in->client) : NULL;
        if (c)
            server_drop(c); /* and the inlet with it */
    }
}

void relays_clear(struct relays *rs)
{
    while (rs->outlets)
        drop_outlet(&rs->outlets);
    while (rs->inlets) /* their clients are closed by the router */
        drop_inlet(&rs->inlets);
}

void relays_destroy(struct relays *rs)
{
    if (!rs)
        return;
    relays_clear(rs);
    free(rs);
}
