/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

json_object *submit_parse(const char *text, const char *what, struct error *err)
{
    json_tokener *tok = json_tokener_new();
    size_t len = strlen(text);
    json_object *o = json_tokener_parse_ex(tok, text, (int)len + 1);
    enum json_tokener_error code = json_tokener_get_error(tok);
    size_t end = json_tokener_get_parse_end(tok);
    json_tokener_free(tok);
    if (code == json_tokener_success && json_object_is_type(o, json_type_object) &&
        text[end + strspn(text + end, " \t\r\n")] == '\0')
        return o;
    json_object_put(o);
    return error_null(err, EINVAL, "%s is not a JSON object: %s at byte %zu", what,
                      code == json_tokener_success    ? "unexpected content"
                      : code == json_tokener_continue ? "it ends too early"
                                                      : json_tokener_error_desc(code),
                      end);
}

static json_object *member(json_object *o, const char *key)
{
    json_object *value;
    if (!json_object_object_get_ex(o, key, &value) ||
        !json_object_is_type(value, json_type_object)) {
        value = json_object_new_object();
        json_object_object_add(o, key, value);
    }
    return value;
}

json_object *submit_system(json_object *spec)
{
    return member(member(spec, "attributes"), "system");
}

static int check_text(const char *what, const char *text, struct error *err)
{
    return !text || utf8_valid(text, strlen(text))
               ? 0
               : error_set(err, EILSEQ, "%s: the text is not UTF-8", what);
}

int submit_check(const struct hbatch_submit *options, struct error *err)
{
    return !options || (check_text("cc", options->cc, err) == 0 &&
                        check_text("flags", options->flags, err) == 0)
               ? 0
               : -1;
}

int submit_environment(json_object *spec, const struct hbatch_submit *options,
                       struct error *err)
{
    json_object *env = NULL;
    if (submit_check(options, err) < 0 ||
        (options && options->environment &&
         !(env = submit_parse(options->environment, "the environment", err)))) {
        json_object_put(spec);
        return -1;
    }
    if (env)
        json_object_object_add(submit_system(spec), "environment", env);
    return 0;
}

json_object *submit_params(json_object *spec, const struct hbatch_submit *options,
                           const char *follow)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "jobspec", spec);
    if (options && options->urgency >= 0)
        json_object_object_add(params, "urgency", json_object_new_int(options->urgency));
    if (options && options->flags) {
        json_object *flags = json_object_new_array();
        for (const char *at = options->flags; *at; at += *at == ',') {
            size_t n = strcspn(at, ",");
            if (n)
                json_object_array_add(flags, json_object_new_string_len(at, (int)n));
            at += n;
        }
        json_object_object_add(params, "flags", flags);
    }
    if (options && options->cc)
        json_object_object_add(params, "cc", json_object_new_string(options->cc));
    if (follow)
        json_object_object_add(params, "follow", json_object_new_string(follow));
    return params;
}

int submit_job(struct hbatch *h, json_object *spec, const struct hbatch_submit *options,
               hbatch_jobid *id, const struct hbatch_stream_ops *ops, void *arg,
               struct error *err)
{
    const char *follow = !ops ? NULL : ops->event || ops->output ? "attach" : "status";
    json_object *params = submit_params(spec, options, follow), *o;
    int stream = 0;
    cleanup_json json_object *reply =
        ops ? stream_open(h, "job.submit", params, ops, arg, &stream, id, err)
            : client_call(h, "job.submit", params, err);
    if (!reply)
        return -1;
    if (!ops && id && json_object_object_get_ex(reply, "id", &o))
        *id = json_object_get_uint64(o);
    if (options && options->count) {
        bool many = json_object_object_get_ex(reply, "count", &o);
        *options->count = many ? json_object_get_uint64(o) : 1;
    }
    return stream;
}
