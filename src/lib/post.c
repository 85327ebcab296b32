/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "src/common/base64.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/post_impl.h"
#include "src/lib/stream.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

struct posts *posts_create(struct hbatch *h)
{
    struct posts *p = xcalloc(1, sizeof(*p));
    p->h = h;
    p->unsent_last = &p->unsent;
    p->nbuckets = POST_BUCKETS;
    p->buckets = xcalloc(p->nbuckets, sizeof(*p->buckets));
    return p;
}

static void unlink_tag(struct post *post)
{
    if (!post->chain_link)
        return;
    *post->chain_link = post->chain;
    if (post->chain)
        post->chain->chain_link = post->chain_link;
    post->chain_link = NULL;
    post->all->count--;
}

static void post_free(struct post *post)
{
    *post->link = post->next;
    if (post->next)
        post->next->link = post->link;
    unlink_tag(post);
    rows_destroy(post->rows);
    json_object_put(post->spec);
    json_object_put(post->environment);
    free(post->text);
    free(post->flags);
    free(post->cc);
    free(post);
}

static void enlist(struct post *post, struct post **list)
{
    post->next = *list;
    post->link = list;
    if (post->next)
        post->next->link = &post->next;
    *list = post;
}

static struct post **bucket(const struct posts *p, uint64_t tag)
{
    return &p->buckets[(tag * 0x9e3779b97f4a7c15u >> 20) & (p->nbuckets - 1)];
}

static void link_tag(struct post *post)
{
    struct post **at = bucket(post->all, post->tag);
    post->chain = *at;
    post->chain_link = at;
    if (post->chain)
        post->chain->chain_link = &post->chain;
    *at = post;
}

static void grow(struct posts *p)
{
    free(p->buckets);
    p->nbuckets *= 4;
    p->buckets = xcalloc(p->nbuckets, sizeof(*p->buckets));
    for (struct post *post = p->first; post; post = post->next)
        if (post->chain_link)
            link_tag(post);
}

void post_over(struct post *post)
{
    unlink_tag(post);
    *post->link = post->next;
    if (post->next)
        post->next->link = post->link;
    enlist(post, &post->all->over);
    post->over = true;
}

static void bury(struct posts *p)
{
    while (p->over)
        post_free(p->over);
}

void posts_destroy(struct posts *p)
{
    if (!p)
        return;
    while (p->first)
        post_free(p->first);
    bury(p);
    free(p->buckets);
    json_object_put(p->posted_env);
    json_object_put(p->env);
    free(p->told.s);
    free(p->taken.s);
    free(p->env_name);
    free(p);
}

struct post *post_new(struct posts *p, uint64_t tag, int tell)
{
    struct post *post = xcalloc(1, sizeof(*post));
    post->all = p;
    post->tag = tag;
    post->tell = tell;
    enlist(post, &p->first);
    if (++p->count > p->nbuckets)
        grow(p);
    link_tag(post);
    return post;
}

/* --- what is told ------------------------------------------------------------------------ */

static void add_string(struct strbuf *b, const char *s)
{
    if (s)
        strbuf_add_json(b, s);
    else
        strbuf_add(b, "null");
}

struct strbuf *post_tell(const struct post *post, const char *what)
{
    struct strbuf *b = &post->all->told;
    strbuf_addf(b, "%c[%ju,\"%s\"", b->len ? ',' : '[', (uintmax_t)post->tag, what);
    return b;
}

void post_tell_error(const struct post *post, const struct error *err)
{
    struct strbuf *b = post_tell(post, "error");
    strbuf_addf(b, ",%d,", err->code);
    add_string(b, err->text);
    strbuf_addc(b, ']');
}

static void tell_reply(const struct post *post, json_object *result)
{
    struct strbuf *b = post_tell(post, "reply");
    strbuf_addc(b, ',');
    strbuf_add(b, result ? json_object_to_json_string_ext(result, PLAIN) : "null");
    strbuf_addc(b, ']');
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    const struct post *post = arg;
    struct strbuf *b = post_tell(post, "event");
    strbuf_addf(b, ",%ju,%.6f,", (uintmax_t)id, time);
    add_string(b, name);
    strbuf_addf(b, ",%s]", context ? context : "null");
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    const struct post *post = arg;
    struct strbuf *b = post_tell(post, "output");
    bool text = utf8_valid(data, len);
    strbuf_addf(b, ",%ju,\"%s\",%u,", (uintmax_t)id, stream, task);
    if (text) {
        cleanup_json json_object *o = json_object_new_string_len(data, (int)len);
        strbuf_add(b, json_object_to_json_string_ext(o, PLAIN));
    } else {
        cleanup_free char *encoded = base64_encode(data, len);
        strbuf_addf(b, "\"%s\"", encoded);
    }
    strbuf_addf(b, ",%s,%s]", text ? "null" : "\"base64\"", eof ? "true" : "false");
}

static void on_input(hbatch_jobid id, uint64_t bytes, void *arg)
{
    const struct post *post = arg;
    strbuf_addf(post_tell(post, "input"), ",%ju,%ju]", (uintmax_t)id, (uintmax_t)bytes);
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct post *post = arg;
    if (post->over)
        return;
    if (post->rows) {
        post_row_end(post, r);
        if (left == 0)
            post_over(post);
        return;
    }
    struct strbuf *b = post_tell(post, "end");
    strbuf_addc(b, ',');
    strbuf_addu(b, r->id);
    strbuf_addc(b, ',');
    add_string(b, r->result);
    strbuf_addf(b, ",%d,%d,", r->status, r->exit_code);
    add_string(b, r->exception_type);
    strbuf_addf(b, ",%d,", r->exception_severity);
    add_string(b, r->exception_note);
    strbuf_addc(b, ',');
    strbuf_addu(b, left);
    strbuf_addc(b, ']');
    if (left == 0)
        post_over(post);
}

void post_tell_end(struct post *post, const struct hbatch_result *r)
{
    on_end(r, 0, post);
}

struct hbatch_stream_ops post_ops(const struct post *post)
{
    bool events = post->tell & HBATCH_TELL_EVENTS,
         output = post->tell & HBATCH_TELL_OUTPUT;
    return (struct hbatch_stream_ops){.event = events ? on_event : NULL,
                                      .output = output ? on_output : NULL,
                                      .input = output ? on_input : NULL,
                                      .end = on_end};
}

/* --- requests ---------------------------------------------------------------------------- */

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    if (err)
        post_tell_error(post, err);
    else
        tell_reply(post, result);
    post_over(post);
}

void posts_call(struct posts *p, uint64_t tag, const char *method, json_object *params)
{
    posts_gathered(p);
    struct post *post = post_new(p, tag, 0);
    post->number = client_send(p->h, method, params, on_reply, NULL, post);
}

void post_followed(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    if (!err) {
        tell_reply(post, result);
        return;
    }
    post_tell_error(post, err);
    post_over(post);
}

void post_follow(struct post *post, hbatch_jobid first, uint64_t count,
                 client_reply_f reply)
{
    struct hbatch *h = post->all->h;
    bool attach = post->tell & (HBATCH_TELL_EVENTS | HBATCH_TELL_OUTPUT);
    struct hbatch_stream_ops ops = post_ops(post);
    json_object *params = json_object_new_object();
    json_object_object_add(params, attach ? "id" : "first",
                           json_object_new_uint64(first));
    json_object_object_add(params, "count", json_object_new_uint64(count));
    if (attach && !ops.output)
        json_object_object_add(params, "output", json_object_new_boolean(false));
    post->number = stream_begin(h, attach ? "job.attach" : "job.follow", params, &ops,
                                post, reply, post);
}

void posts_follow(struct posts *p, uint64_t tag, hbatch_jobid first, uint64_t count,
                  int tell)
{
    posts_gathered(p);
    post_follow(post_new(p, tag, tell), first, count, post_followed);
}

/* --- the user's side --------------------------------------------------------------------- */

static void forget(struct post *post)
{
    if (post->submits && !post_take_back(post)) {
        post->tell = 0; /* its answer is still told */
        return;
    }
    if (post->carrier)
        post_leave(post);
    else if (post->number)
        client_forget(post->all->h, post->number);
    if (!post->dropped)
        post_over(post);
}

void posts_forget(struct posts *p, uint64_t tag)
{
    for (struct post *next, *post = *bucket(p, tag); post; post = next) {
        next = post->chain;
        if (post->tag == tag && !post->rows)
            forget(post);
    }
}

bool posts_take_back(struct posts *p, uint64_t tag)
{
    struct post *post = *bucket(p, tag);
    while (post && (post->tag != tag || !post->submits || post->rows))
        post = post->chain;
    if (!post || !post_take_back(post))
        return false;
    if (!post->dropped)
        post_over(post);
    return true;
}

const char *posts_take(struct posts *p, size_t *len)
{
    bury(p);
    struct strbuf empty = p->taken;
    if (p->told.len == 0)
        return NULL;
    strbuf_addc(&p->told, ']');
    p->taken = p->told;
    p->told = empty;
    p->told.len = 0;
    if (len)
        *len = p->taken.len;
    return p->taken.s;
}
