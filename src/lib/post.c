/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "src/common/base64.h"
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/client.h"
#include "src/lib/post.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* One request, from when it is posted until nothing of it can be told any more. */
struct post {
    struct post *next, **link; /* of the posts */
    struct post *later;        /* of the submissions that were not sent yet */
    struct posts *all;
    uint64_t tag;
    int tell;
    int number;      /* of the request or stream in the connection; 0: not sent */
    bool over;       /* nothing more is told of it */
    bool submits;    /* a submission without an answer */
    bool brings_env; /* its answer names all->env */
    bool by_name;    /* it was sent with the name of an environment */
    json_object *
        spec; /* of a submission without an answer, unless TEXT is there, which takes less memory */
    char *text;
    json_object *environment; /* likewise: a string, JSON text; or NULL */
    char *flags, *cc;
    int urgency;
};

struct posts {
    struct hbatch *h;
    struct post *first;
    struct post *over; /* to be freed when no callback runs */
    struct post *unsent, **unsent_last;
    unsigned waiting; /* submissions that were sent and have no answer */
    struct strbuf told, taken;
    json_object *posted_env; /* text of the environment that was posted last */
    json_object *env;        /* that was sent last */
    char *env_name;          /* the instance's name of that; NULL: not known yet */
    bool env_asked;          /* a submission with it is on its way */
};

struct posts *posts_create(struct hbatch *h)
{
    struct posts *p = xcalloc(1, sizeof(*p));
    p->h = h;
    p->unsent_last = &p->unsent;
    return p;
}

static void post_free(struct post *post)
{
    *post->link = post->next;
    if (post->next)
        post->next->link = post->link;
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

/* Its stream may be in the midst of telling: it is freed later. */
static void post_over(struct post *post)
{
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
    json_object_put(p->posted_env);
    json_object_put(p->env);
    free(p->told.s);
    free(p->taken.s);
    free(p->env_name);
    free(p);
}

static struct post *post_new(struct posts *p, uint64_t tag, int tell)
{
    struct post *post = xcalloc(1, sizeof(*post));
    post->all = p;
    post->tag = tag;
    post->tell = tell;
    enlist(post, &p->first);
    return post;
}

/* --- what is told ------------------------------------------------------------------------ */

static void add_string(struct strbuf *b, const char *s)
{
    if (!s) {
        strbuf_add(b, "null");
        return;
    }
    size_t n = 0;
    while ((unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\')
        n++;
    if (s[n]) {
        cleanup_json json_object *o = json_object_new_string(s);
        strbuf_add(b, json_object_to_json_string_ext(o, PLAIN));
        return;
    }
    strbuf_addc(b, '"');
    strbuf_addn(b, s, n);
    strbuf_addc(b, '"');
}

static struct strbuf *begin(const struct post *post, const char *what)
{
    struct strbuf *b = &post->all->told;
    strbuf_addf(b, "%c[%ju,\"%s\"", b->len ? ',' : '[', (uintmax_t)post->tag, what);
    return b;
}

static void tell_error(const struct post *post, const struct error *err)
{
    struct strbuf *b = begin(post, "error");
    strbuf_addf(b, ",%d,", err->code);
    add_string(b, err->text);
    strbuf_addc(b, ']');
}

static void tell_reply(const struct post *post, json_object *result)
{
    struct strbuf *b = begin(post, "reply");
    strbuf_addc(b, ',');
    strbuf_add(b, result ? json_object_to_json_string_ext(result, PLAIN) : "null");
    strbuf_addc(b, ']');
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    const struct post *post = arg;
    struct strbuf *b = begin(post, "event");
    strbuf_addf(b, ",%ju,%.6f,", (uintmax_t)id, time);
    add_string(b, name);
    strbuf_addf(b, ",%s]", context ? context : "null");
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    const struct post *post = arg;
    struct strbuf *b = begin(post, "output");
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
    strbuf_addf(begin(post, "input"), ",%ju,%ju]", (uintmax_t)id, (uintmax_t)bytes);
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct post *post = arg;
    if (post->over)
        return;
    struct strbuf *b = begin(post, "end");
    strbuf_addf(b, ",%ju,", (uintmax_t)r->id);
    add_string(b, r->result);
    strbuf_addf(b, ",%d,%d,", r->status, r->exit_code);
    add_string(b, r->exception_type);
    strbuf_addf(b, ",%d,", r->exception_severity);
    add_string(b, r->exception_note);
    strbuf_addf(b, ",%ju]", (uintmax_t)left);
    if (left == 0)
        post_over(post);
}

/* --- requests ---------------------------------------------------------------------------- */

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    if (err)
        tell_error(post, err);
    else
        tell_reply(post, result);
    post_over(post);
}

void posts_call(struct posts *p, uint64_t tag, const char *method, json_object *params)
{
    struct post *post = post_new(p, tag, 0);
    post->number = client_send(p->h, method, params, on_reply, NULL, post);
}

static void on_followed(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    if (!err) {
        tell_reply(post, result);
        return;
    }
    tell_error(post, err);
    post_over(post);
}

static void follow(struct post *post, hbatch_jobid first, uint64_t count,
                   client_reply_f reply)
{
    struct hbatch *h = post->all->h;
    bool attach = post->tell & (HBATCH_TELL_EVENTS | HBATCH_TELL_OUTPUT);
    struct hbatch_stream_ops ops = {
        .event = post->tell & HBATCH_TELL_EVENTS ? on_event : NULL,
        .output = post->tell & HBATCH_TELL_OUTPUT ? on_output : NULL,
        .input = post->tell & HBATCH_TELL_OUTPUT ? on_input : NULL,
        .end = on_end,
    };
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
    follow(post_new(p, tag, tell), first, count, on_followed);
}

/* --- submissions ------------------------------------------------------------------------- */

static void send_unsent(struct posts *p);

static void on_reply_of_follow(json_object *result, const struct error *err, void *arg)
{
    (void)result;
    if (err)
        on_followed(NULL, err, arg);
}

/* The instance keeps an environment for a while when no job has it any more; then it must be sent again. */
static bool is_unknown_environment(const struct post *post, const struct error *err)
{
    return post->by_name && err && err->code == ENOENT &&
           strstr(err->text, "environment named");
}

static void send_again(struct post *post)
{
    struct posts *p = post->all;
    if (p->env == post->environment)
        free(take(p->env_name));
    post->by_name = false;
    post->number = 0;
    post->later = p->unsent;
    p->unsent = post;
    if (!post->later)
        p->unsent_last = &post->later;
}

static void on_submitted(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    struct posts *p = post->all;
    json_object *id = NULL, *count = NULL, *env = NULL;
    p->waiting--;
    if (result) {
        json_object_object_get_ex(result, "id", &id);
        json_object_object_get_ex(result, "count", &count);
        json_object_object_get_ex(result, "env", &env);
    }
    if (post->brings_env) {
        p->env_asked = post->brings_env = false;
        if (env && json_object_is_type(env, json_type_string))
            p->env_name = xstrdup(json_object_get_string(env));
    }
    if (is_unknown_environment(post, err)) {
        send_again(post);
        send_unsent(p);
        return;
    }
    post->submits = false;
    json_object_put(take(post->spec));
    json_object_put(take(post->environment));
    if (err) {
        tell_error(post, err);
        post_over(post);
    } else {
        uint64_t first = json_object_get_uint64(id);
        uint64_t n = count ? json_object_get_uint64(count) : 1;
        strbuf_addf(begin(post, "submitted"), ",%ju,%ju]", (uintmax_t)first,
                    (uintmax_t)n);
        if (!post->tell) {
            client_forget(
                p->h, post->number); /* it may be a stream that nobody wants any more */
            post_over(post);
        } else if (post->tell & HBATCH_TELL_EVENTS &&
                   !(post->tell & HBATCH_TELL_OUTPUT)) {
            follow(post, first, n, on_reply_of_follow);
        }
    }
    send_unsent(p);
}

/* The environment of POST, by name if the instance has it.  False: that is not known yet. */
static bool share_environment(struct posts *p, struct post *post)
{
    if (p->env_asked) /* the answer is that of the environment that was sent last */
        return false;
    if (!p->env || (p->env != post->environment &&
                    strcmp(json_object_get_string(p->env),
                           json_object_get_string(post->environment)) != 0)) {
        free(take(p->env_name));
        json_object_put(p->env);
        p->env = json_object_get(post->environment);
    }
    json_object *env = p->env_name ? json_object_new_string(p->env_name)
                                   : json_tokener_parse(json_object_get_string(p->env));
    json_object_object_add(submit_system(post->spec), "environment", env);
    post->by_name = p->env_name;
    post->brings_env = p->env_asked = !p->env_name;
    return true;
}

static void send_submission(struct post *post)
{
    struct posts *p = post->all;
    struct hbatch_submit options = {
        .urgency = post->urgency, .flags = post->flags, .cc = post->cc};
    bool attach = post->tell & HBATCH_TELL_OUTPUT, status = post->tell == HBATCH_TELL_END;
    struct hbatch_stream_ops ops = {.event =
                                        post->tell & HBATCH_TELL_EVENTS ? on_event : NULL,
                                    .output = attach ? on_output : NULL,
                                    .input = attach ? on_input : NULL,
                                    .end = on_end};
    json_object *params = submit_params(json_object_get(post->spec), &options,
                                        attach   ? "attach"
                                        : status ? "status"
                                                 : NULL);
    p->waiting++;
    post->number =
        attach || status
            ? stream_begin(p->h, "job.submit", params, &ops, post, on_submitted, post)
            : client_send(p->h, "job.submit", params, on_submitted, NULL, post);
}

static void send_unsent(struct posts *p)
{
    for (struct post *post; (post = p->unsent) && p->waiting < POST_WINDOW;) {
        if (!post->spec)
            post->spec = json_tokener_parse(post->text);
        free(take(post->text));
        if (post->environment && !share_environment(p, post))
            return;
        if (!(p->unsent = take(post->later)))
            p->unsent_last = &p->unsent;
        send_submission(post);
    }
}

/* A string object with TEXT: one for all that post it one after another. */
static json_object *keep_environment(struct posts *p, const char *text)
{
    if (!p->posted_env || strcmp(json_object_get_string(p->posted_env), text) != 0) {
        json_object_put(p->posted_env);
        p->posted_env = json_object_new_string(text);
    }
    return json_object_get(p->posted_env);
}

int posts_submit(struct posts *p, uint64_t tag, const char *jobspec,
                 const struct hbatch_submit *options, int tell, struct error *err)
{
    json_object *env = NULL;
    cleanup_json json_object *spec = submit_parse(jobspec, "the job specification", err);
    if (!spec)
        return -1;
    if (options && options->environment &&
        (!p->posted_env ||
         strcmp(json_object_get_string(p->posted_env), options->environment) != 0)) {
        if (!(env = submit_parse(options->environment, "the environment", err)))
            return -1;
        json_object_put(env);
    }
    struct post *post = post_new(p, tag, tell);
    post->submits = true;
    post->urgency = options ? options->urgency : -1;
    if (options) {
        post->environment =
            options->environment ? keep_environment(p, options->environment) : NULL;
        post->flags = options->flags ? xstrdup(options->flags) : NULL;
        post->cc = options->cc ? xstrdup(options->cc) : NULL;
    }
    if (p->waiting >= POST_WINDOW)
        post->text = xstrdup(jobspec);
    else
        post->spec = take(spec);
    *p->unsent_last = post;
    p->unsent_last = &post->later;
    send_unsent(p);
    return 0;
}

/* --- the user's side --------------------------------------------------------------------- */

static void take_out(struct posts *p, struct post *post)
{
    struct post **at = &p->unsent;
    while (*at != post)
        at = &(*at)->later;
    if (!(*at = post->later))
        p->unsent_last = at;
}

void posts_forget(struct posts *p, uint64_t tag)
{
    for (struct post *next, *post = p->first; post; post = next) {
        next = post->next;
        if (post->tag != tag)
            continue;
        if (post->submits && post->number) {
            post->tell = 0; /* its answer is still told */
            continue;
        }
        if (post->submits)
            take_out(p, post);
        else
            client_forget(p->h, post->number);
        post_over(post);
    }
}

bool posts_take_back(struct posts *p, uint64_t tag)
{
    struct post *post = p->first;
    while (post && (post->tag != tag || !post->submits))
        post = post->next;
    if (!post || post->number)
        return false;
    take_out(p, post);
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
