/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include "src/common/jobid.h"
#include "src/common/util.h"
#include "src/lib/post_impl.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

static void send_unsent(struct posts *p);

/* --- rows -------------------------------------------------------------------------------- */

void rows_destroy(struct rows *r)
{
    if (!r)
        return;
    spectext_fini(&r->common);
    free(r->words.s);
    free(r->row);
    free(r);
}

static void rows_add(struct post *carrier, struct post *post, const char *words,
                     size_t len)
{
    struct rows *r = carrier->rows;
    if (r->n == r->size) {
        r->size = MAX(2 * r->size, (size_t)16);
        r->row = xrealloc(r->row, r->size * sizeof(*r->row));
    }
    post->carrier = carrier;
    post->place = r->n;
    r->row[r->n++] = (struct row){post, r->words.len, len};
    r->left++;
    strbuf_addn(&r->words, words, len);
}

/* POST is no longer one of its carrier's. */
static void leave(struct post *post)
{
    struct rows *r = take(post->carrier)->rows;
    r->row[post->place].post = NULL;
    r->left--;
}

/* Those that were taken back are forgotten: from now on, a place is a position among the jobs. */
static void compact(struct rows *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->row[i].post) {
            r->row[i].post->place = n;
            r->row[n++] = r->row[i];
        }
    r->n = n;
}

/* The specification of all that CARRIER has. */
static json_object *carrier_spec(struct post *carrier)
{
    const struct rows *r = carrier->rows;
    json_object *spec = take(carrier->spec), *o, *task;
    struct strbuf b = {0};
    if (!spec)
        spec = json_tokener_parse(r->common.text);
    size_t first = r->common.len - r->common.head - r->common.tail;
    if (r->n == 1 && r->row[0].at == 0 && r->row[0].len == first)
        return spec; /* as it came */
    json_object_object_get_ex(spec, "tasks", &o);
    task = json_object_array_get_idx(o, 0);
    json_object_object_get_ex(task, "command", &o);
    json_object_array_del_idx(o, 1, json_object_array_length(o) - 1);
    for (size_t i = 0; i < r->n; i++) {
        strbuf_add(&b, i ? ",[" : "[[");
        if (r->row[i].len > 1) /* without the first comma */
            strbuf_addn(&b, r->words.s + r->row[i].at + 1, r->row[i].len - 1);
        strbuf_addc(&b, ']');
    }
    strbuf_addc(&b, ']');
    json_object *rows = json_object_new_int(0); /* which is written as the text */
    json_object_set_serializer(rows, json_object_userdata_to_json_string, strbuf_take(&b),
                               json_object_free_userdata);
    json_object_object_add(submit_system(spec), "bulk", rows);
    return spec;
}

/* The text of one of them. */
static char *row_text(const struct rows *r, const struct row *row)
{
    struct strbuf b = {0};
    strbuf_addn(&b, r->common.text, r->common.head);
    strbuf_addn(&b, r->words.s + row->at, row->len);
    strbuf_add(&b, r->common.text + r->common.len - r->common.tail);
    return strbuf_take(&b);
}

void post_row_end(struct post *carrier, const struct hbatch_result *result)
{
    struct rows *r = carrier->rows;
    struct hbatch_result of_row = *result;
    int64_t at = jobid_position(r->first, r->n, result->id);
    if (at >= 0 && !r->row[at].post && !*result->result) /* of jobs nobody knows of */
        for (at = 0; (size_t)at < r->n && !r->row[at].post;)
            at++;
    if (at < 0 || (size_t)at >= r->n || !r->row[at].post)
        return;
    struct post *post = r->row[at].post;
    of_row.id = jobid_nth(r->first, (uint64_t)at);
    leave(post);
    post_tell_end(post, &of_row);
}

bool post_take_back(struct post *post)
{
    if (post->carrier ? post->carrier->number : post->number)
        return false;
    post->submits = false;
    post->dropped = !post->carrier; /* it is in the list */
    if (post->carrier)
        leave(post);
    return true;
}

void post_leave(struct post *post)
{
    struct post *carrier = post->carrier;
    leave(post);
    if (carrier->rows->left > 0 || carrier->submits)
        return;
    client_forget(carrier->all->h, carrier->number);
    post_over(carrier);
}

/* --- answers ----------------------------------------------------------------------------- */

static void on_reply_of_follow(json_object *result, const struct error *err, void *arg)
{
    (void)result;
    if (err)
        post_followed(NULL, err, arg);
}

/* The instance keeps an environment for a while when no job has it any more; then it must be sent again. */
static bool is_unknown_environment(const struct post *post, const struct error *err)
{
    return post->by_name && err && err->code == ENOENT &&
           strstr(err->text, "environment named");
}

static void put_first(struct post *post)
{
    struct posts *p = post->all;
    post->number = 0;
    post->later = p->unsent;
    p->unsent = post;
    if (!post->later)
        p->unsent_last = &post->later;
}

static void send_again(struct post *post)
{
    struct posts *p = post->all;
    if (p->env == post->environment)
        free(take(p->env_name));
    post->by_name = false;
    put_first(post);
}

/* They were refused together: each by itself, as each may have its own reason. */
static void send_one_by_one(struct post *carrier)
{
    struct rows *r = carrier->rows;
    for (size_t i = r->n; i-- > 0;) {
        struct post *post = r->row[i].post;
        if (!post)
            continue;
        leave(post);
        post->text = row_text(r, &r->row[i]);
        post->environment = json_object_get(carrier->environment);
        post->flags = carrier->flags ? xstrdup(carrier->flags) : NULL;
        put_first(post);
    }
    post_over(carrier);
}

static void tell_submitted(struct post *post, uint64_t first, uint64_t n)
{
    struct strbuf *b = post_tell(post, "submitted");
    strbuf_addc(b, ',');
    strbuf_addu(b, first);
    strbuf_addc(b, ',');
    strbuf_addu(b, n);
    strbuf_addc(b, ']');
    post->submits = false;
}

static void carrier_submitted(struct post *carrier, uint64_t first)
{
    struct rows *r = carrier->rows;
    r->first = first;
    for (size_t i = 0; i < r->n; i++) {
        struct post *post = r->row[i].post;
        tell_submitted(post, jobid_nth(first, i), 1);
        if (post->tell)
            continue;
        leave(post);
        post_over(post);
    }
    free(take(r->words.s));
    spectext_fini(&r->common);
    if (r->left > 0)
        return;
    client_forget(carrier->all->h, carrier->number);
    post_over(carrier);
}

static void single_submitted(struct post *post, uint64_t first, uint64_t n)
{
    tell_submitted(post, first, n);
    if (!post->tell) {
        client_forget(post->all->h, /* it may be a stream that nobody wants any more */
                      post->number);
        post_over(post);
    } else if (post->tell & HBATCH_TELL_EVENTS && !(post->tell & HBATCH_TELL_OUTPUT)) {
        post_follow(post, first, n, on_reply_of_follow);
    }
}

static void on_submitted(json_object *result, const struct error *err, void *arg)
{
    struct post *post = arg;
    struct posts *p = post->all;
    json_object *id = NULL, *count = NULL, *env = NULL;
    p->waiting -= post->rows ? (unsigned)post->rows->n : 1;
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
    uint64_t first = json_object_get_uint64(id);
    if (err && post->rows) {
        send_one_by_one(post);
    } else if (err) {
        post_tell_error(post, err);
        post_over(post);
    } else if (post->rows) {
        carrier_submitted(post, first);
    } else {
        free(take(post->text));
        json_object_put(take(post->environment));
        single_submitted(post, first, count ? json_object_get_uint64(count) : 1);
    }
    send_unsent(p);
}

/* --- sending ----------------------------------------------------------------------------- */

/* Give SPEC the environment of POST, by name if the instance has it.  False: that is not known yet. */
static bool share_environment(struct posts *p, struct post *post, json_object *spec)
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
    json_object_object_add(submit_system(spec), "environment", env);
    post->by_name = p->env_name;
    post->brings_env = p->env_asked = !p->env_name;
    return true;
}

static void send_submission(struct post *post, json_object *spec)
{
    struct posts *p = post->all;
    struct hbatch_submit options = {
        .urgency = post->urgency, .flags = post->flags, .cc = post->cc};
    bool attach = post->tell & HBATCH_TELL_OUTPUT, status = post->tell == HBATCH_TELL_END;
    struct hbatch_stream_ops ops = post_ops(post);
    json_object *params = submit_params(spec, &options,
                                        attach   ? "attach"
                                        : status ? "status"
                                                 : NULL);
    p->waiting += post->rows ? (unsigned)post->rows->n : 1;
    post->submits = true;
    post->number =
        attach || status
            ? stream_begin(p->h, "job.submit", params, &ops, post, on_submitted, post)
            : client_send(p->h, "job.submit", params, on_submitted, NULL, post);
}

/* Nothing of it is to be sent any more. */
static bool is_void(const struct post *post)
{
    return post->dropped || (post->rows && post->rows->left == 0);
}

static void send_unsent(struct posts *p)
{
    for (struct post *post; (post = p->unsent) && p->waiting < POST_WINDOW;) {
        bool gone = is_void(post);
        if (!gone && post->environment && p->env_asked)
            return;
        if (!(p->unsent = take(post->later)))
            p->unsent_last = &p->unsent;
        if (gone) {
            post_over(post);
            continue;
        }
        if (post->rows)
            compact(post->rows);
        json_object *spec = post->rows   ? carrier_spec(post)
                            : post->spec ? take(post->spec)
                                         : json_tokener_parse(post->text);
        if (post->environment)
            share_environment(p, post, spec);
        send_submission(post, spec);
    }
}

static void put_last(struct post *post)
{
    struct posts *p = post->all;
    *p->unsent_last = post;
    p->unsent_last = &post->later;
}

void posts_gathered(struct posts *p)
{
    if (!p->gathering)
        return;
    put_last(take(p->gathering));
    send_unsent(p);
}

/* --- posting ----------------------------------------------------------------------------- */

/* A string object with TEXT: one for all that post it one after another. */
static json_object *keep_environment(struct posts *p, const char *text)
{
    if (!p->posted_env || strcmp(json_object_get_string(p->posted_env), text) != 0) {
        json_object_put(p->posted_env);
        p->posted_env = json_object_new_string(text);
    }
    return json_object_get(p->posted_env);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct hbatch_submit defaults = {.urgency = -1};

/* Whether what is gathered may take another one, which is submitted so. */
static bool may_join(const struct post *carrier, const struct hbatch_submit *options,
                     int tell)
{
    return carrier && carrier->tell == tell && carrier->urgency == options->urgency &&
           !options->cc && same_text(carrier->flags, options->flags) &&
           same_text(carrier->environment ? json_object_get_string(carrier->environment)
                                          : NULL,
                     options->environment) &&
           carrier->rows->n < POST_ROWS && carrier->rows->words.len < POST_ROWS_BYTES;
}

static struct post *new_submission(struct posts *p, uint64_t tag,
                                   const struct hbatch_submit *options, int tell)
{
    struct post *post = post_new(p, tag, tell);
    post->urgency = options->urgency;
    if (options->environment)
        post->environment = keep_environment(p, options->environment);
    if (options->flags)
        post->flags = xstrdup(options->flags);
    return post;
}

static void join(struct post *carrier, uint64_t tag, const char *words, size_t len)
{
    struct post *post = post_new(carrier->all, tag, carrier->tell);
    post->submits = true;
    post->urgency = carrier->urgency;
    rows_add(carrier, post, words, len);
}

/* The first of what may become many; false: nothing can join it. */
static bool begin_gathering(struct posts *p, uint64_t tag, const char *jobspec,
                            const struct hbatch_submit *options, int tell)
{
    struct spectext common;
    size_t len, size = strlen(jobspec);
    if (options->cc || (tell & ~HBATCH_TELL_END) || !spectext_init(&common, jobspec))
        return false;
    const char *words = spectext_match(&common, jobspec, size, &len);
    if (!words) {
        spectext_fini(&common);
        return false;
    }
    p->gathering = new_submission(p, 0, options, tell);
    p->gathering->rows = xcalloc(1, sizeof(*p->gathering->rows));
    p->gathering->rows->common = common;
    join(p->gathering, tag, words, len);
    return true;
}

int posts_submit(struct posts *p, uint64_t tag, const char *jobspec,
                 const struct hbatch_submit *options, int tell, struct error *err)
{
    size_t len;
    const char *words;
    if (!options)
        options = &defaults;
    if (submit_check(options, err) < 0)
        return -1;
    if (may_join(p->gathering, options, tell) &&
        (words = spectext_match(&p->gathering->rows->common, jobspec, strlen(jobspec),
                                &len))) {
        join(p->gathering, tag, words, len);
        return 0;
    }
    cleanup_json json_object *spec = submit_parse(jobspec, "the job specification", err);
    if (!spec)
        return -1;
    if (options->environment &&
        (!p->posted_env ||
         strcmp(json_object_get_string(p->posted_env), options->environment) != 0)) {
        cleanup_json json_object *env =
            submit_parse(options->environment, "the environment", err);
        if (!env)
            return -1;
    }
    posts_gathered(p);
    bool soon = p->waiting < POST_WINDOW;
    if (begin_gathering(p, tag, jobspec, options, tell)) {
        p->gathering->spec = soon ? take(spec) : NULL;
        return 0;
    }
    struct post *post = new_submission(p, tag, options, tell);
    post->submits = true;
    post->text = xstrdup(jobspec);
    post->spec = soon ? take(spec) : NULL;
    post->cc = options->cc ? xstrdup(options->cc) : NULL;
    put_last(post);
    send_unsent(p);
    return 0;
}
