/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/jobspec.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/common/util.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

struct jobspec_path jobspec_at(const char *fmt, ...)
{
    struct jobspec_path path;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path.text, sizeof(path.text), fmt, ap);
    va_end(ap);
    return path;
}

int jobspec_bad(struct error *err, const char *path, const char *must, json_object *value)
{
    if (!value)
        return error_set(err, EINVAL, "jobspec: %s: is missing or null; it must be %s",
                         path, must);
    return error_set(err, EINVAL, "jobspec: %s: must be %s, not %s", path, must,
                     jsonutil_show(value).text);
}

int jobspec_check_keys(struct error *err, const char *path, json_object *value,
                       const char *const *allowed)
{
    if (!json_object_is_type(value, json_type_object))
        return jobspec_bad(err, path, "an object", value);
    const char *stray = allowed ? jsonutil_stray_key(value, allowed) : NULL;
    if (!stray)
        return 0;
    char known[160] = "";
    size_t used = 0;
    for (const char *const *a = allowed; *a && used < sizeof(known); a++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                 used ? ", " : "", *a);
    return error_set(err, EINVAL, "jobspec: %s%s%s: unknown key (known here: %s)", path,
                     *path ? "." : "", stray, known);
}

int jobspec_check_positive(struct error *err, const char *path, json_object *value,
                           unsigned *n)
{
    int64_t v;
    if (!jsonutil_int(value, 1, INT64_MAX, &v))
        return jobspec_bad(err, path, "a positive integer", value);
    if (v > INT_MAX)
        return jobspec_bad(err, path, "at most 2147483647", value);
    *n = (unsigned)v;
    return 0;
}

int jobspec_check_command(struct error *err, const char *path, json_object *value)
{
    if (!json_object_is_type(value, json_type_array) ||
        json_object_array_length(value) == 0)
        return jobspec_bad(err, path, "an array of one or more strings", value);
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        json_object *word = json_object_array_get_idx(value, i);
        const char *s = jsonutil_string(word);
        if (!s)
            return jobspec_bad(err, jobspec_at("%s[%zu]", path, i).text,
                               "a string without NUL bytes", word);
        if (i == 0 && *s == '\0')
            return jobspec_bad(err, jobspec_at("%s[0]", path).text,
                               "the name of a program", word);
    }
    return 0;
}

unsigned jobspec_fixed_ntasks(const struct job_shape *shape)
{
    if (shape->ntasks)
        return shape->ntasks;
    if (shape->nnodes_min != shape->nnodes_max && shape->nnodes_min > 0)
        return 0;
    return MAX(shape->nnodes_min, 1) * shape->nslots * shape->tasks_per_slot;
}

/* tasks[0].count: one of per_slot and total.  RFC 25 bounds total from below by the number of
 * nodes; its upper bound (the number of slots) is broken by the RFC's own use case 2.1, and
 * RFC 14 says "possibly oversubscribed", so there is none here. */
static int decode_task_count(struct jobspec *js, json_object *count, struct error *err)
{
    static const char *const keys[] = {"per_slot", "total", NULL};
    struct job_shape *shape = &js->shape;
    if (jobspec_check_keys(err, "tasks[0].count", count, keys) < 0)
        return -1;
    if (json_object_object_length(count) != 1)
        return jobspec_bad(err, "tasks[0].count", "one of per_slot and total", count);
    json_object *value;
    if (json_object_object_get_ex(count, "per_slot", &value)) {
        if (jobspec_check_positive(err, "tasks[0].count.per_slot", value,
                                   &shape->tasks_per_slot) < 0)
            return -1;
        uint64_t n = (uint64_t)MAX(shape->nnodes_min, 1) * shape->nslots;
        if (n * shape->tasks_per_slot > INT_MAX)
            return error_set(err, EINVAL,
                             "jobspec: tasks[0].count.per_slot: %u tasks on each of %ju "
                             "slots are more than 2147483647",
                             shape->tasks_per_slot, (uintmax_t)n);
        return 0;
    }
    json_object_object_get_ex(count, "total", &value);
    if (jobspec_check_positive(err, "tasks[0].count.total", value, &shape->ntasks) < 0)
        return -1;
    if (shape->ntasks < shape->nnodes_min)
        return error_set(
            err, EINVAL,
            "jobspec: tasks[0].count.total: %u tasks are too few for %u nodes: "
            "each node needs one",
            shape->ntasks, shape->nnodes_min);
    /* No more nodes than tasks can be of use. */
    if (shape->nnodes_min && shape->nnodes_max > shape->ntasks)
        shape->nnodes_max = shape->ntasks;
    return 0;
}

static int decode_tasks(struct jobspec *js, json_object *tasks, struct error *err)
{
    static const char *const keys[] = {"command", "slot", "count", NULL};
    size_t n =
        json_object_is_type(tasks, json_type_array) ? json_object_array_length(tasks) : 0;
    if (n > 0 && (js->nslots > 0 || n > 1))
        return jobspec_decode_programs(js, tasks, err);
    if (n != 1)
        return jobspec_bad(err, "tasks", "an array of one task, or one for each slot",
                           tasks);
    json_object *task = json_object_array_get_idx(tasks, 0);
    if (jobspec_check_keys(err, "tasks[0]", task, keys) < 0)
        return -1;
    json_object *command = jsonutil_get(task, "command");
    if (jobspec_check_command(err, "tasks[0].command", command) < 0)
        return -1;
    js->command = command;
    json_object *slot = jsonutil_get(task, "slot");
    const char *label = jsonutil_string(slot);
    if (!label || strcmp(label, js->label) != 0)
        return jobspec_bad(err, "tasks[0].slot",
                           jobspec_at("the slot's label \"%s\"", js->label).text, slot);
    return decode_task_count(js, jsonutil_get(task, "count"), err);
}

static const char *basename_of(const char *program)
{
    const char *slash = strrchr(program, '/');
    return slash && slash[1] ? slash + 1 : program;
}

static const char *name_of(json_object *o, json_object *command)
{
    json_object *name = jsonutil_at(o, "attributes.system.job.name");
    return name ? json_object_get_string(name)
                : basename_of(
                      json_object_get_string(json_object_array_get_idx(command, 0)));
}

static int decode(struct jobspec *js, struct error *err)
{
    static const char *const keys[] = {"version", "resources", "tasks", "attributes",
                                       NULL};
    json_object *o = js->json;
    if (!json_object_is_type(o, json_type_object))
        return error_set(err, EINVAL, "jobspec: must be an object, not %s",
                         jsonutil_show(o).text);
    json_object *version = jsonutil_get(o, "version");
    if (!jsonutil_int(version, 1, 1, NULL))
        return jobspec_bad(err, "version", "1", version);
    if (jobspec_check_keys(err, "", o, keys) < 0 ||
        jobspec_decode_resources(js, jsonutil_get(o, "resources"), err) < 0 ||
        decode_tasks(js, jsonutil_get(o, "tasks"), err) < 0 ||
        jobspec_decode_attributes(js, jsonutil_get(o, "attributes"), err) < 0)
        return -1;
    free(take(js->slots));
    js->name = name_of(o, js->command);
    js->cwd = jsonutil_string(jsonutil_get(js->system, "cwd"));
    return 0;
}

struct jobspec *jobspec_from_json(json_object *o, struct error *err)
{
    struct jobspec *js = xcalloc(1, sizeof(*js));
    js->refs = 1;
    js->json = json_object_get(o);
    js->shape = (struct job_shape){.tasks_per_slot = 1};
    if (decode(js, err) < 0) {
        jobspec_destroy(js);
        return NULL;
    }
    return js;
}

struct jobspec *jobspec_decode(const char *text, size_t len, struct error *err)
{
    cleanup_json json_object *o = jsonutil_decode(text, len, err);
    if (!o) {
        error_prefix(err, "jobspec");
        return NULL;
    }
    return jobspec_from_json(o, err);
}

struct jobspec *jobspec_ref(struct jobspec *js)
{
    js->refs++;
    return js;
}

void jobspec_destroy(struct jobspec *js)
{
    if (!js || --js->refs > 0)
        return;
    if (js->like) {
        jobspec_destroy(js->like);
        free(js);
        return;
    }
    json_object_put(js->json);
    json_object_put(js->programs);
    free(js->slots);
    free(js->parts);
    free(js);
}

struct jobspec_own *jobspec_own_of(json_object *o)
{
    json_object *task = json_object_array_get_idx(jsonutil_get(o, "tasks"), 0);
    json_object *system = jsonutil_at(o, "attributes.system");
    const char *name = name_of(o, jsonutil_get(task, "command")),
               *cwd = jsonutil_string(jsonutil_get(system, "cwd"));
    size_t len = strlen(name) + 1;
    struct jobspec_own *own =
        xcalloc(1, sizeof(*own) + len + (cwd ? strlen(cwd) + 1 : 0));
    jsonutil_number(jsonutil_get(system, "duration"), &own->duration);
    memcpy(own->name, name, len);
    own->cwd = cwd ? strcpy(own->name + len, cwd) : NULL;
    return own;
}

bool jobspec_has(const struct jobspec *js, const struct jobspec_own *own)
{
    return js->shape.duration == own->duration && strcmp(js->name, own->name) == 0 &&
           (js->cwd && own->cwd ? strcmp(js->cwd, own->cwd) == 0 : js->cwd == own->cwd);
}

struct jobspec *jobspec_variant(struct jobspec *js, const struct jobspec_own *own)
{
    size_t name = strlen(own->name) + 1, cwd = own->cwd ? strlen(own->cwd) + 1 : 0;
    struct jobspec *other = xmalloc(sizeof(*other) + name + cwd);
    char *words = (char *)(other + 1);
    *other = *js;
    other->refs = 1;
    other->like = jobspec_ref(js->like ? js->like : js);
    other->shape.duration = own->duration;
    other->name = memcpy(words, own->name, name);
    other->cwd = cwd ? memcpy(words + name, own->cwd, cwd) : NULL;
    return other;
}

json_object *jobspec_json(const struct jobspec *js)
{
    return js->json;
}

const struct job_shape *jobspec_shape(const struct jobspec *js)
{
    return &js->shape;
}

unsigned jobspec_ntasks(const struct jobspec *js, unsigned nnodes)
{
    const struct job_shape *shape = &js->shape;
    if (shape->ntasks)
        return shape->ntasks;
    return (shape->nnodes_min ? nnodes : 1) * shape->nslots * shape->tasks_per_slot;
}

const char *jobspec_name(const struct jobspec *js)
{
    return js->name;
}

static const char *system_string(const struct jobspec *js, const char *name)
{
    return jsonutil_string(jsonutil_get(js->system, name));
}

const char *jobspec_cwd(const struct jobspec *js)
{
    return js->cwd;
}

const char *jobspec_queue(const struct jobspec *js)
{
    return system_string(js, "queue");
}

const char *jobspec_placement(const struct jobspec *js)
{
    return js->placement;
}

json_object *jobspec_command(const struct jobspec *js)
{
    return js->command;
}

json_object *jobspec_programs(const struct jobspec *js)
{
    return js->programs ? js->programs : jobspec_option(js, "apps");
}

json_object *jobspec_environment(const struct jobspec *js)
{
    json_object *env = jsonutil_get(js->system, "environment");
    return json_object_is_type(env, json_type_object) ? env : NULL;
}

const char *jobspec_environment_hash(const struct jobspec *js)
{
    return system_string(js, "environment");
}

json_object *jobspec_constraints(const struct jobspec *js)
{
    return jsonutil_get(js->system, "constraints");
}

json_object *jobspec_dependencies(const struct jobspec *js)
{
    return jsonutil_get(js->system, "dependencies");
}

json_object *jobspec_files(const struct jobspec *js)
{
    return jsonutil_get(js->system, "files");
}

json_object *jobspec_attr(const struct jobspec *js, const char *path)
{
    return jsonutil_at(jsonutil_get(js->json, "attributes"), path);
}

static const char *base_of(const char *word)
{
    const char *slash = strrchr(word, '/');
    return slash ? slash + 1 : word;
}

bool jobspec_names_instance(const char *word)
{
    return strcmp(base_of(word), "hbatch-instance") == 0;
}

bool jobspec_json_is_instance(json_object *jobspec)
{
    json_object *said = jsonutil_at(jobspec, "attributes.system.shell.options.instance");
    json_object *bulk = jsonutil_at(jobspec, "attributes.system.bulk"),
                *apps = jsonutil_at(jobspec, "attributes.system.shell.options.apps");
    if (said)
        return json_object_get_boolean(said);
    json_object *tasks = jsonutil_get(jobspec, "tasks");
    if (bulk || apps || !json_object_is_type(tasks, json_type_array) ||
        json_object_array_length(tasks) != 1)
        return false;
    json_object *command = jsonutil_get(json_object_array_get_idx(tasks, 0), "command");
    if (!json_object_is_type(command, json_type_array))
        return false;
    const char *word = jsonutil_string(json_object_array_get_idx(command, 0)),
               *verb = jsonutil_string(json_object_array_get_idx(command, 1));
    return word &&
           (jobspec_names_instance(word) ||
            (verb && strcmp(base_of(word), "hbatch") == 0 && strcmp(verb, "start") == 0));
}

bool jobspec_is_instance(const struct jobspec *js)
{
    return jobspec_json_is_instance(js->json);
}

json_object *jobspec_option(const struct jobspec *js, const char *name)
{
    json_object *shell = jsonutil_get(js->system, "shell");
    return jsonutil_get(jsonutil_get(shell, "options"), name);
}
