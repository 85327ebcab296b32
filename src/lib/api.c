/* SPDX-License-Identifier: BSD-3-Clause */
/* The public functions of hbatch.h: text and struct hbatch_error outside, json-c objects and
 * struct error inside. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "config.h"
#include "src/common/base64.h"
#include "src/common/jobid.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/build.h"
#include "src/lib/client.h"
#include "src/lib/input.h"
#include "src/lib/post.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

_Static_assert(sizeof(struct hbatch_error) == sizeof(struct error),
               "one error, two names");

/* Give the caller his error, and return -1. */
static int fail(struct hbatch_error *out, const struct error *err)
{
    if (out) {
        out->code = err->code;
        memcpy(out->text, err->text, sizeof(out->text));
    }
    return -1;
}

static void *fail_null(struct hbatch_error *out, const struct error *err)
{
    fail(out, err);
    return NULL;
}

static char *text_of(json_object *o)
{
    return xstrdup(json_object_to_json_string_ext(o, PLAIN));
}

static json_object *with_id(hbatch_jobid id)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_uint64(id));
    return o;
}

static int call(struct hbatch *h, const char *method, json_object *params,
                struct hbatch_error *err)
{
    struct error e;
    json_object *result = client_call(h, method, params, &e);
    if (!result)
        return fail(err, &e);
    json_object_put(result);
    return 0;
}

static char *call_text(struct hbatch *h, const char *method, json_object *params,
                       struct hbatch_error *err)
{
    struct error e;
    cleanup_json json_object *result = client_call(h, method, params, &e);
    return result ? text_of(result) : fail_null(err, &e);
}

const char *hbatch_version(void)
{
    return PACKAGE_VERSION;
}

/* --- connection -------------------------------------------------------------------------- */

struct hbatch *hbatch_open(const char *uri, struct hbatch_error *err)
{
    struct error e;
    struct hbatch *h = client_open(uri, &e);
    return h ? h : fail_null(err, &e);
}

struct hbatch *hbatch_open_carrier(const struct hbatch_carrier *carrier, void *arg,
                                   const char *name)
{
    return client_open_carrier(carrier, arg, name);
}

void hbatch_close(struct hbatch *h)
{
    client_close(h);
}

int hbatch_fd(struct hbatch *h)
{
    return client_watch(h);
}

int hbatch_want_write(const struct hbatch *h)
{
    return client_unsent(h);
}

int hbatch_dispatch(struct hbatch *h, int timeout_ms, struct hbatch_error *err)
{
    struct error e;
    int rc = client_process(h, timeout_ms, &e);
    return rc < 0 ? fail(err, &e) : rc;
}

/* *PARAMS: of TEXT, or NULL. */
static int check_request(const char *method, const char *text, json_object **params,
                         struct error *err)
{
    *params = NULL;
    if (method[strspn(method, "abcdefghijklmnopqrstuvwxyz.-_0123456789")])
        return error_set(err, EINVAL, "'%s' is not the name of a method", method);
    return text && !(*params = submit_parse(text, "the text of the parameters", err)) ? -1
                                                                                      : 0;
}

char *hbatch_call(struct hbatch *h, const char *method, const char *params,
                  struct hbatch_error *err)
{
    struct error e;
    json_object *o;
    if (check_request(method, params, &o, &e) < 0)
        return fail_null(err, &e);
    return call_text(h, method, o, err);
}

/* --- job ids ----------------------------------------------------------------------------- */

int hbatch_jobid_decode(const char *text, hbatch_jobid *id, struct hbatch_error *err)
{
    struct error e;
    jobid_t decoded;
    if (jobid_decode(text, &decoded, &e) < 0)
        return fail(err, &e);
    *id = decoded;
    return 0;
}

char *hbatch_jobid_encode(hbatch_jobid id, const char *form, struct hbatch_error *err)
{
    struct error e;
    char buf[JOBID_BUFSIZE];
    int f = form ? jobid_form_decode(form) : JOBID_F58;
    if (f < 0) {
        error_set(&e, EINVAL, "there is no form of job ids named '%s'", form);
        return fail_null(err, &e);
    }
    return xstrdup(jobid_encode(id, (enum jobid_form)f, buf, sizeof(buf)));
}

hbatch_jobid hbatch_jobid_nth(hbatch_jobid first, uint64_t i)
{
    return jobid_nth(first, i);
}

/* --- job specifications ------------------------------------------------------------------ */

int hbatch_jobspec_set(struct hbatch_jobspec *js, const char *option, const char *value,
                       struct hbatch_error *err)
{
    struct error e;
    return build_set(js, option, value, &e) < 0 ? fail(err, &e) : 0;
}

int hbatch_jobspec_add_program(struct hbatch_jobspec *js, int argc,
                               const char *const *argv, unsigned ntasks,
                               const char *const *env_rules, const char *cwd,
                               struct hbatch_error *err)
{
    struct error e;
    int rc = build_add_program(js, argc, argv, ntasks, env_rules, cwd, &e);
    return rc < 0 ? fail(err, &e) : 0;
}

int hbatch_jobspec_set_program(struct hbatch_jobspec *js, const char *option,
                               const char *value, struct hbatch_error *err)
{
    struct error e;
    return build_set_program(js, option, value, &e) < 0 ? fail(err, &e) : 0;
}

int hbatch_jobspec_set_instance(struct hbatch_jobspec *js, int noptions,
                                const char *const *options, const char *script,
                                struct hbatch_error *err)
{
    struct error e;
    int rc = build_set_instance(js, noptions, options, script, &e);
    return rc < 0 ? fail(err, &e) : 0;
}

char *hbatch_jobspec_encode(struct hbatch_jobspec *js, struct hbatch_error *err)
{
    struct error e;
    cleanup_json json_object *o = build_encode(js, &e);
    return o ? text_of(o) : fail_null(err, &e);
}

/* --- submit and streams ------------------------------------------------------------------ */

int hbatch_submit(struct hbatch *h, struct hbatch_jobspec *js,
                  const struct hbatch_submit *options, hbatch_jobid *id,
                  struct hbatch_error *err)
{
    struct error e;
    json_object *spec = build_encode(js, &e);
    if (!spec || submit_environment(spec, options, &e) < 0 ||
        submit_job(h, spec, options, id, NULL, NULL, &e) < 0)
        return fail(err, &e);
    return 0;
}

int hbatch_submit_text(struct hbatch *h, const char *jobspec,
                       const struct hbatch_submit *options, hbatch_jobid *id,
                       struct hbatch_error *err)
{
    return hbatch_submit_stream(h, jobspec, options, id, NULL, NULL, err);
}

int hbatch_submit_stream(struct hbatch *h, const char *jobspec,
                         const struct hbatch_submit *options, hbatch_jobid *id,
                         const struct hbatch_stream_ops *ops, void *arg,
                         struct hbatch_error *err)
{
    struct error e;
    json_object *spec = submit_parse(jobspec, "the job specification", &e);
    int stream = spec && submit_environment(spec, options, &e) == 0
                     ? submit_job(h, spec, options, id, ops, arg, &e)
                     : -1;
    return stream < 0 ? fail(err, &e) : stream;
}

int hbatch_attach(struct hbatch *h, hbatch_jobid id, const struct hbatch_stream_ops *ops,
                  void *arg, struct hbatch_error *err)
{
    struct error e;
    int stream;
    json_object *params = with_id(id);
    if (!ops->output)
        json_object_object_add(params, "output", json_object_new_boolean(false));
    json_object *reply =
        stream_open(h, "job.attach", params, ops, arg, &stream, NULL, &e);
    if (!reply)
        return fail(err, &e);
    json_object_put(reply);
    return stream;
}

int hbatch_follow(struct hbatch *h, hbatch_jobid first, uint64_t count,
                  const struct hbatch_stream_ops *ops, void *arg,
                  struct hbatch_error *err)
{
    struct error e;
    int stream;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "first", json_object_new_uint64(first));
    json_object_object_add(params, "count", json_object_new_uint64(count));
    json_object *reply =
        stream_open(h, "job.follow", params, ops, arg, &stream, NULL, &e);
    if (!reply)
        return fail(err, &e);
    json_object_put(reply);
    return stream;
}

void hbatch_unfollow(struct hbatch *h, int stream)
{
    client_forget(h, stream);
}

int hbatch_stdin(struct hbatch *h, hbatch_jobid id, const char *tasks, const void *data,
                 size_t len, int end, struct hbatch_error *err)
{
    struct error e;
    inputs_send(client_inputs(h), h, id, tasks, data, len, end);
    return client_flush(h, &e) < 0 ? fail(err, &e) : 0;
}

/* --- many requests at once --------------------------------------------------------------- */

int hbatch_post(struct hbatch *h, uint64_t tag, const char *method, const char *params,
                struct hbatch_error *err)
{
    struct error e;
    json_object *o;
    if (check_request(method, params, &o, &e) < 0)
        return fail(err, &e);
    posts_call(client_posts(h), tag, method, o);
    return 0;
}

int hbatch_post_submit(struct hbatch *h, uint64_t tag, const char *jobspec,
                       const struct hbatch_submit *options, int tell,
                       struct hbatch_error *err)
{
    struct error e;
    int rc = posts_submit(client_posts(h), tag, jobspec, options, tell, &e);
    return rc < 0 ? fail(err, &e) : 0;
}

int hbatch_post_follow(struct hbatch *h, uint64_t tag, hbatch_jobid first, uint64_t count,
                       int tell, struct hbatch_error *err)
{
    struct error e;
    if (count == 0) {
        error_set(&e, EINVAL, "no job is to be followed: the count is 0");
        return fail(err, &e);
    }
    posts_follow(client_posts(h), tag, first, count, tell);
    return 0;
}

void hbatch_unpost(struct hbatch *h, uint64_t tag)
{
    posts_forget(client_posts(h), tag);
}

int hbatch_take_back(struct hbatch *h, uint64_t tag)
{
    return posts_take_back(client_posts(h), tag);
}

const char *hbatch_take(struct hbatch *h, size_t *len)
{
    return posts_take(client_posts(h), len);
}

/* --- jobs -------------------------------------------------------------------------------- */

int hbatch_wait(struct hbatch *h, hbatch_jobid id, struct hbatch_result *result,
                struct hbatch_error *err)
{
    struct error e;
    json_object *o = client_call(h, "job.wait", with_id(id), &e);
    if (!o)
        return fail(err, &e);
    client_keep(h, o);
    stream_result(o, result);
    return 0;
}

int hbatch_cancel(struct hbatch *h, hbatch_jobid id, const char *note,
                  struct hbatch_error *err)
{
    struct error e;
    json_object *ids = json_object_new_array(), *errors, *first, *o;
    json_object *params = json_object_new_object();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(params, "ids", ids);
    if (note)
        json_object_object_add(params, "note", json_object_new_string(note));
    cleanup_json json_object *result = client_call(h, "job.cancel", params, &e);
    if (!result)
        return fail(err, &e);
    if (!json_object_object_get_ex(result, "errors", &errors) ||
        !json_object_is_type(errors, json_type_array) ||
        !(first = json_object_array_get_idx(errors, 0)))
        return 0;
    bool told = json_object_object_get_ex(first, "message", &o);
    error_set(&e, ENOENT, "%s",
              told ? json_object_get_string(o) : "the job is not active");
    return fail(err, &e);
}

int hbatch_kill(struct hbatch *h, hbatch_jobid id, int signal, struct hbatch_error *err)
{
    json_object *params = with_id(id);
    json_object_object_add(params, "signal", json_object_new_int(signal));
    return call(h, "job.kill", params, err);
}

int hbatch_raise(struct hbatch *h, hbatch_jobid id, const char *type, int severity,
                 const char *note, struct hbatch_error *err)
{
    json_object *params = with_id(id);
    json_object_object_add(params, "type", json_object_new_string(type));
    json_object_object_add(params, "severity", json_object_new_int(severity));
    json_object_object_add(params, "note", json_object_new_string(note ? note : ""));
    return call(h, "job.raise", params, err);
}

int hbatch_urgency(struct hbatch *h, hbatch_jobid id, int urgency,
                   struct hbatch_error *err)
{
    struct error e;
    json_object *params = with_id(id), *old = NULL;
    json_object_object_add(params, "urgency", json_object_new_int(urgency));
    cleanup_json json_object *result = client_call(h, "job.urgency", params, &e);
    if (!result)
        return fail(err, &e);
    json_object_object_get_ex(result, "old", &old);
    return json_object_get_int(old);
}

char *hbatch_list(struct hbatch *h, const char *query, struct hbatch_error *err)
{
    return hbatch_call(h, "job.list", query, err);
}

char *hbatch_info(struct hbatch *h, hbatch_jobid id, const char *key,
                  struct hbatch_error *err)
{
    struct error e;
    json_object *params = with_id(id), *keys = json_object_new_array(), *value;
    json_object_array_add(keys, json_object_new_string(key));
    json_object_object_add(params, "keys", keys);
    cleanup_json json_object *result = client_call(h, "job.info", params, &e);
    if (!result)
        return fail_null(err, &e);
    if (!json_object_object_get_ex(result, key, &value)) {
        error_set(&e, ENODATA, "the job has no %s", key);
        return fail_null(err, &e);
    }
    if (json_object_is_type(value, json_type_string))
        return xstrdup(json_object_get_string(value));
    return text_of(value);
}

/* --- instance ---------------------------------------------------------------------------- */

char *hbatch_resources(struct hbatch *h, struct hbatch_error *err)
{
    return call_text(h, "resource.list", NULL, err);
}

char *hbatch_instance(struct hbatch *h, struct hbatch_error *err)
{
    return call_text(h, "instance.info", NULL, err);
}

int hbatch_shutdown(struct hbatch *h, const char *reason, struct hbatch_error *err)
{
    json_object *params = json_object_new_object();
    if (reason)
        json_object_object_add(params, "reason", json_object_new_string(reason));
    return call(h, "instance.shutdown", params, err);
}
