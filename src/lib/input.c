/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/input.h"

#include <json-c/json.h>
#include "src/common/base64.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

struct chunk {
    struct chunk *next;
    uint64_t id, end; /* of the job; bytes sent with it */
    size_t len;
    bool eof;
    json_object *params;
};

struct sent {
    struct sent *next;
    uint64_t id, bytes;
};

struct inputs {
    char source[CLIENT_KEY_SIZE]; /* "": none yet */
    struct sent *jobs;
    struct chunk *first, **last;
    size_t kept;
};

struct inputs *inputs_create(void)
{
    struct inputs *in = xcalloc(1, sizeof(*in));
    in->last = &in->first;
    return in;
}

static void drop_chunk(struct inputs *in, struct chunk **at)
{
    struct chunk *c = *at;
    *at = c->next;
    if (!c->next)
        in->last = at;
    in->kept -= c->len;
    json_object_put(c->params);
    free(c);
}

void inputs_destroy(struct inputs *in)
{
    if (!in)
        return;
    while (in->first)
        drop_chunk(in, &in->first);
    for (struct sent *s = in->jobs, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(in);
}

static struct sent *sent_to(struct inputs *in, uint64_t id)
{
    struct sent *s = in->jobs;
    while (s && s->id != id)
        s = s->next;
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    s->id = id;
    s->next = in->jobs;
    in->jobs = s;
    return s;
}

void inputs_send(struct inputs *in, struct hbatch *h, uint64_t id, const char *tasks,
                 const void *data, size_t len, bool eof)
{
    struct sent *sent = sent_to(in, id);
    json_object *params = json_object_new_object();
    if (!*in->source)
        client_key(in->source);
    json_object_object_add(params, "id", json_object_new_uint64(id));
    json_object_object_add(params, "from", json_object_new_string(in->source));
    json_object_object_add(params, "at", json_object_new_uint64(sent->bytes));
    if (len && utf8_valid(data, len)) {
        json_object_object_add(params, "data",
                               json_object_new_string_len(data, (int)len));
    } else if (len) {
        cleanup_free char *text = base64_encode(data, len);
        json_object_object_add(params, "data", json_object_new_string(text));
        json_object_object_add(params, "encoding", json_object_new_string("base64"));
    }
    if (tasks)
        json_object_object_add(params, "ranks", json_object_new_string(tasks));
    json_object_object_add(params, "eof", json_object_new_boolean(eof));

    struct chunk *c = xcalloc(1, sizeof(*c));
    sent->bytes += len;
    *c = (struct chunk){
        .id = id, .end = sent->bytes, .len = len, .eof = eof, .params = params};
    *in->last = c;
    in->last = &c->next;
    in->kept += len;
    while (in->kept > INPUTS_KEPT)
        drop_chunk(in, &in->first);
    client_notify(h, "job.stdin", json_object_get(params));
}

void inputs_taken(struct inputs *in, uint64_t id, uint64_t bytes)
{
    for (struct chunk **at = &in->first; *at;)
        /* of an end, it is not told that it came */
        if ((*at)->id == id && (*at)->end <= bytes && !(*at)->eof)
            drop_chunk(in, at);
        else
            at = &(*at)->next;
}

void inputs_over(struct inputs *in, uint64_t id)
{
    for (struct chunk **at = &in->first; *at;)
        if ((*at)->id == id)
            drop_chunk(in, at);
        else
            at = &(*at)->next;
    for (struct sent **at = &in->jobs, *s; (s = *at); at = &s->next)
        if (s->id == id) {
            *at = s->next;
            free(s);
            return;
        }
}

void inputs_repeat(struct inputs *in, struct hbatch *h)
{
    for (struct chunk *c = in->first; c; c = c->next)
        client_notify(h, "job.stdin", json_object_get(c->params));
}
