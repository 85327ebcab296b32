/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "src/common/util.h"
#include "src/job/bulk.h"
#include "src/job/constraint.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

/* A check of one key's value: 0, or -1 with err set. */
typedef int (*check_f)(const struct jobspec *js, const char *path, json_object *value,
                       struct error *err);
struct check {
    const char *key;
    check_f check;
};

static int check_string(const struct jobspec *js, const char *path, json_object *value,
                        struct error *err)
{
    (void)js;
    const char *s = jsonutil_string(value);
    if (!s || *s == '\0')
        return jobspec_bad(err, path, "a string that is not empty", value);
    return 0;
}

static int check_object(const struct jobspec *js, const char *path, json_object *value,
                        struct error *err)
{
    (void)js;
    return jobspec_check_keys(err, path, value, NULL);
}

static int check_seconds(const struct jobspec *js, const char *path, json_object *value,
                         struct error *err)
{
    (void)js;
    double v;
    if (!jsonutil_number(value, &v) || v < 0)
        return jobspec_bad(err, path, "a number of seconds, 0 or more", value);
    return 0;
}

static int check_flag(const struct jobspec *js, const char *path, json_object *value,
                      struct error *err)
{
    (void)js;
    return json_object_is_type(value, json_type_boolean)
               ? 0
               : jobspec_bad(err, path, "true or false", value);
}

/* RFC 14: an absolute path; one that starts with a template is made absolute later. */
static int check_cwd(const struct jobspec *js, const char *path, json_object *value,
                     struct error *err)
{
    (void)js;
    const char *s = jsonutil_string(value);
    if (!s || (s[0] != '/' && strncmp(s, "{{", 2) != 0))
        return jobspec_bad(err, path, "an absolute path", value);
    return 0;
}

/* Names to strings, or to null for "unset". */
static int check_variables(const struct jobspec *js, const char *path, json_object *value,
                           struct error *err)
{
    if (check_object(js, path, value, err) < 0)
        return -1;
    json_object_object_foreach(value, name, v)
    {
        if (*name == '\0' || strchr(name, '='))
            return error_set(err, EINVAL,
                             "jobspec: %s: \"%s\" cannot be the name of a variable: it "
                             "must not be empty or have '=' in it",
                             path, name);
        if (v && !jsonutil_string(v))
            return jobspec_bad(err, jobspec_at("%s.%s", path, name).text,
                               "a string without NUL bytes, or null", v);
    }
    return 0;
}

/* An object of variables, or the hash of one that the receiver has already. */
static int check_environment(const struct jobspec *js, const char *path,
                             json_object *value, struct error *err)
{
    if (json_object_is_type(value, json_type_string))
        return check_string(js, path, value, err);
    return check_variables(js, path, value, err);
}

static bool is_one_of(json_object *value, const char *const *names)
{
    const char *s = jsonutil_string(value);
    for (; s && *names; names++)
        if (strcmp(s, *names) == 0)
            return true;
    return false;
}

/* RFC 26.  Which schemes there are is the instance's to say; those that the RFC gives required
 * keys must have them. */
static int check_dependency(const char *path, json_object *value, struct error *err)
{
    static const char *const openmp[] = {"string", "fluid", NULL};
    static const char *const types[] = {"in", "out", "inout", NULL};
    static const char *const scopes[] = {"user", "global", NULL};
    if (jobspec_check_keys(err, path, value, NULL) < 0)
        return -1;
    json_object *scheme = jsonutil_get(value, "scheme");
    json_object *what = jsonutil_get(value, "value");
    const char *s = jsonutil_string(scheme), *v = jsonutil_string(what);
    if (!s || *s == '\0')
        return jobspec_bad(err, jobspec_at("%s.scheme", path).text,
                           "the name of a dependency scheme", scheme);
    if (!v) /* it is empty where the scheme says all, as in singleton */
        return jobspec_bad(err, jobspec_at("%s.value", path).text, "a string", what);
    if (strcmp(s, "begin-time") == 0) {
        char *end;
        double t = strtod(v, &end);
        if (*end != '\0' || !(t >= 0 && t < 1e12))
            return jobspec_bad(err, jobspec_at("%s.value", path).text,
                               "a time in seconds since the epoch, as a string", what);
    }
    if (!is_one_of(scheme, openmp))
        return 0;
    json_object *type = jsonutil_get(value, "type");
    json_object *scope = jsonutil_get(value, "scope");
    if (!is_one_of(type, types))
        return jobspec_bad(err, jobspec_at("%s.type", path).text,
                           "\"in\", \"out\" or \"inout\"", type);
    if (!is_one_of(scope, scopes))
        return jobspec_bad(err, jobspec_at("%s.scope", path).text,
                           "\"user\" or \"global\"", scope);
    return 0;
}

static int check_dependencies(const struct jobspec *js, const char *path,
                              json_object *value, struct error *err)
{
    (void)js;
    if (!json_object_is_type(value, json_type_array))
        return jobspec_bad(err, path, "an array of dependencies", value);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (check_dependency(jobspec_at("%s[%zu]", path, i).text,
                             json_object_array_get_idx(value, i), err) < 0)
            return -1;
    return 0;
}

static int check_constraints(const struct jobspec *js, const char *path,
                             json_object *value, struct error *err)
{
    (void)js;
    struct constraint *c = constraint_from_json(value, err);
    if (!c)
        return error_prefix(err, "jobspec: %s", path);
    constraint_destroy(c);
    return 0;
}

/* attributes.system.job: all values are strings. */
static int check_job(const struct jobspec *js, const char *path, json_object *value,
                     struct error *err)
{
    if (check_object(js, path, value, err) < 0)
        return -1;
    json_object_object_foreach(value, key, v)
    {
        if (check_string(js, jobspec_at("%s.%s", path, key).text, v, err) < 0)
            return -1;
    }
    return 0;
}

/* Variables that are made on the node, where a task starts. */
static int check_templates(const char *path, json_object *value, struct error *err)
{
    if (check_variables(NULL, path, value, err) < 0)
        return -1;
    json_object_object_foreach(value, name, v)
    {
        if (!v)
            return jobspec_bad(err, jobspec_at("%s.%s", path, name).text,
                               "a string without NUL bytes", v);
    }
    return 0;
}

int jobspec_check_overlay(struct error *err, const char *path, json_object *o)
{
    json_object *v;
    if (json_object_object_get_ex(o, "environment", &v) &&
        check_variables(NULL, jobspec_at("%s.environment", path).text, v, err) < 0)
        return -1;
    if (json_object_object_get_ex(o, "cwd", &v) &&
        check_cwd(NULL, jobspec_at("%s.cwd", path).text, v, err) < 0)
        return -1;
    if (json_object_object_get_ex(o, "path", &v) &&
        check_string(NULL, jobspec_at("%s.path", path).text, v, err) < 0)
        return -1;
    if (json_object_object_get_ex(o, "env-expand", &v))
        return check_templates(jobspec_at("%s.env-expand", path).text, v, err);
    return 0;
}

/* What is for one program only. */
static int check_alone(const struct jobspec *js, struct error *err)
{
    static const char *const options[] = {"instance", "per-resource"};
    if (jsonutil_get(js->system, "bulk") && jobspec_programs(js))
        return error_set(err, EINVAL,
                         "jobspec: attributes.system.bulk: a job of several programs "
                         "cannot be one of many in one");
    for (size_t i = 0; js->programs && i < ARRAY_SIZE(options); i++)
        if (jobspec_option(js, options[i]))
            return error_set(
                err, EINVAL,
                "jobspec: attributes.system.shell.options.%s: a job of several "
                "programs (tasks) cannot have it",
                options[i]);
    if (js->programs && js->shape.contiguous && !js->shape.nnodes_min)
        return error_set(
            err, EINVAL,
            "jobspec: attributes.system.contiguous: several programs (tasks) can have it "
            "only where their slots are in a node");
    json_object *map = js->programs ? jobspec_option(js, "taskmap") : NULL;
    const char *scheme = jsonutil_string(jsonutil_get(map, "scheme"));
    if (scheme && strcmp(scheme, "manual") == 0)
        return error_set(err, EINVAL,
                         "jobspec: attributes.system.shell.options.taskmap: where the "
                         "tasks of several "
                         "programs go follows from their slots: it can be block or "
                         "cyclic, not manual");
    return 0;
}

/* Several programs in slots of one kind: an extension, see jobspec.h. */
static int check_apps(const struct jobspec *js, const char *path, json_object *value,
                      struct error *err)
{
    static const char *const keys[] = {"command", "ntasks", "environment",
                                       "cwd",     "path",   NULL};
    unsigned ntasks = jobspec_fixed_ntasks(&js->shape);
    uint64_t sum = 0;
    if (!json_object_is_type(value, json_type_array) ||
        json_object_array_length(value) == 0)
        return jobspec_bad(err, path, "an array of one or more programs", value);
    if (json_object_array_length(value) > JOBSPEC_PROGRAMS_MAX)
        return error_set(
            err, EINVAL,
            "jobspec: %s: %zu programs are too many for one job, which has at most %d: "
            "hbatch multi-prog takes any number of them from a file",
            path, json_object_array_length(value), JOBSPEC_PROGRAMS_MAX);
    if (js->programs)
        return error_set(err, EINVAL, "jobspec: %s: the programs are in tasks already",
                         path);
    if (!ntasks)
        return error_set(
            err, EINVAL,
            "jobspec: %s: the number of tasks depends on the number of nodes; "
            "give tasks[0].count.total",
            path);
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        json_object *app = json_object_array_get_idx(value, i);
        struct jobspec_path at = jobspec_at("%s[%zu]", path, i);
        unsigned n;
        if (jobspec_check_keys(err, at.text, app, keys) < 0 ||
            jobspec_check_command(err, jobspec_at("%s.command", at.text).text,
                                  jsonutil_get(app, "command")) < 0 ||
            jobspec_check_positive(err, jobspec_at("%s.ntasks", at.text).text,
                                   jsonutil_get(app, "ntasks"), &n) < 0)
            return -1;
        if (jobspec_check_overlay(err, at.text, app) < 0)
            return -1;
        sum += n;
    }
    if (sum != ntasks)
        return error_set(
            err, EINVAL,
            "jobspec: %s: the programs have %ju tasks together, the job has %u", path,
            (uintmax_t)sum, ntasks);
    return 0;
}

/* Check each key of O that CHECKS knows (ended by a NULL key); others are kept unseen. */
static int check_known(const struct jobspec *js, const char *path, json_object *o,
                       const struct check *checks, struct error *err)
{
    if (check_object(js, path, o, err) < 0)
        return -1;
    json_object *v;
    for (; checks->key; checks++)
        if (json_object_object_get_ex(o, checks->key, &v) &&
            checks->check(js, jobspec_at("%s.%s", path, checks->key).text, v, err) < 0)
            return -1;
    return 0;
}

static int check_options(const struct jobspec *js, const char *path, json_object *value,
                         struct error *err)
{
    static const struct check checks[] = {{"apps", check_apps}, {NULL, NULL}};
    return check_known(js, path, value, checks, err);
}

static int check_shell(const struct jobspec *js, const char *path, json_object *value,
                       struct error *err)
{
    static const struct check checks[] = {{"options", check_options}, {NULL, NULL}};
    return check_known(js, path, value, checks, err);
}

/* Many jobs that differ in their words: an extension, see bulk.h. */
static int check_bulk(const struct jobspec *js, const char *path, json_object *value,
                      struct error *err)
{
    (void)js;
    return bulk_check(path, value, err);
}

static int check_system(const struct jobspec *js, const char *path, json_object *value,
                        struct error *err)
{
    static const struct check checks[] = {
        {"duration", check_seconds},
        {"preemptible-after", check_seconds},
        {"cwd", check_cwd},
        {"environment", check_environment},
        {"queue", check_string},
        {"bank", check_string},
        {"placement", check_string},
        {"contiguous", check_flag},
        {"project", check_string},
        {"dependencies", check_dependencies},
        {"constraints", check_constraints},
        {"job", check_job},
        {"shell", check_shell},
        {"files", check_object},
        {"bulk", check_bulk},
        {NULL, NULL},
    };
    return check_known(js, path, value, checks, err);
}

int jobspec_decode_attributes(struct jobspec *js, json_object *attributes,
                              struct error *err)
{
    static const struct check checks[] = {
        {"system", check_system}, {"user", check_object}, {NULL, NULL}};
    if (check_known(js, "attributes", attributes, checks, err) < 0)
        return -1;
    js->system = jsonutil_get(attributes, "system");
    js->placement = jsonutil_string(jsonutil_get(js->system, "placement"));
    jsonutil_number(jsonutil_get(js->system, "duration"), &js->shape.duration);
    js->shape.contiguous =
        json_object_get_boolean(jsonutil_get(js->system, "contiguous"));
    return check_alone(js, err);
}
