/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/build.h"
#include "src/lib/envrules.h"
#include "src/lib/rlimits.h"

extern char **environ;

static void add_string(json_object *o, const char *key, const char *value)
{
    if (value)
        json_object_object_add(o, key, json_object_new_string(value));
}

static json_object *single(const char *key, json_object *value)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, key, value);
    return o;
}

/* --- resources --------------------------------------------------------------------------- */

json_object *build_vertex(const char *type, json_object *count, json_object *with)
{
    json_object *o = json_object_new_object();
    add_string(o, "type", type);
    json_object_object_add(o, "count", count);
    if (with)
        json_object_object_add(o, "with", with);
    return o;
}

static json_object *array_of(json_object *o)
{
    json_object *array = json_object_new_array_ext(1);
    json_object_array_add(array, o);
    return array;
}

json_object *build_memory(uint64_t bytes)
{
    unsigned count;
    const char *unit = bytes_split(bytes, &count);
    json_object *o = build_vertex("memory", json_object_new_int64(count), NULL);
    add_string(o, "unit", unit);
    return o;
}

json_object *build_slot(const char *label, unsigned count, unsigned cores, unsigned gpus,
                        uint64_t memory)
{
    json_object *with =
        array_of(build_vertex("core", json_object_new_int64(cores), NULL));
    if (gpus)
        json_object_array_add(with,
                              build_vertex("gpu", json_object_new_int64(gpus), NULL));
    if (memory)
        json_object_array_add(with, build_memory(memory));
    json_object *o = build_vertex("slot", json_object_new_int64(count), with);
    add_string(o, "label", label);
    return o;
}

static json_object *slot(const struct hbatch_jobspec *b, unsigned count, unsigned cores,
                         unsigned gpus)
{
    return build_slot("task", count, cores, gpus, b->mem_per_core * cores);
}

json_object *build_nodes(const struct hbatch_jobspec *b, bool exclusive,
                         json_object *list)
{
    json_object *count = b->nodes.min == b->nodes.max
                             ? json_object_new_int64(b->nodes.min)
                             : count_to_json(&b->nodes);
    if (b->mem)
        json_object_array_add(list, build_memory(b->mem));
    json_object *o = build_vertex("node", count, list);
    if (exclusive)
        json_object_object_add(o, "exclusive", json_object_new_boolean(true));
    return array_of(o);
}

static json_object *nodes(const struct hbatch_jobspec *b, bool exclusive,
                          json_object *with)
{
    return build_nodes(b, exclusive, array_of(with));
}

/* Slots alone, and what is for each node that they come to be on. */
static json_object *slots(const struct hbatch_jobspec *b, json_object *slot)
{
    json_object *list = array_of(slot);
    if (b->mem)
        json_object_array_add(list, build_memory(b->mem));
    return list;
}

struct shape_request {
    json_object *resources;
    json_object *count; /* of the tasks */
};

static int per_task(const struct hbatch_jobspec *b, struct shape_request *r,
                    struct error *err)
{
    unsigned ntasks = b->have_ntasks ? b->ntasks : b->have_nodes ? b->nodes.min : 1;
    unsigned cores = b->have_cores_per_task ? b->cores_per_task : 1;
    unsigned gpus = b->have_gpus_per_task ? b->gpus_per_task : 0;
    if (!b->have_nodes) {
        if (b->exclusive)
            return error_set(err, EINVAL,
                             "exclusive can only be set together with nodes");
        r->resources = slots(b, slot(b, ntasks, cores, gpus));
        r->count = single("per_slot", json_object_new_int(1));
        return 0;
    }
    if (b->nodes.min > ntasks)
        return error_set(err, EINVAL, "%u nodes are more than there are %s (%u)",
                         b->nodes.min, b->instance ? "slots" : "tasks", ntasks);
    bool whole = b->exclusive || !b->have_ntasks;
    unsigned nslots = (ntasks + b->nodes.min - 1) / b->nodes.min;
    bool even =
        b->nodes.min == b->nodes.max ? ntasks % b->nodes.min == 0 : !b->have_ntasks;
    r->resources = nodes(b, whole, slot(b, nslots, cores, gpus));
    r->count = even ? single("per_slot", json_object_new_int(1))
                    : single("total", json_object_new_int64(ntasks));
    return 0;
}

static int per_resource(const struct hbatch_jobspec *b, struct shape_request *r,
                        struct error *err)
{
    if (b->have_ntasks || b->have_cores_per_task || b->have_gpus_per_task)
        return error_set(
            err, EINVAL,
            "cores, tasks-per-node, tasks-per-core and gpus-per-node cannot be "
            "used together with ntasks, cores-per-task and gpus-per-task");
    if (b->have_tasks_per_node && b->have_tasks_per_core)
        return error_set(err, EINVAL,
                         "tasks-per-node and tasks-per-core cannot be used together");
    if (b->have_gpus_per_node && !b->have_nodes)
        return error_set(err, EINVAL, "gpus-per-node needs nodes");
    /* How many tasks there are must be known before the job is placed. */
    if (b->have_tasks_per_node && !b->have_nodes)
        return error_set(err, EINVAL, "tasks-per-node needs nodes");
    if (b->have_tasks_per_core && !b->have_cores)
        return error_set(err, EINVAL, "tasks-per-core needs cores");
    if (b->have_tasks_per_core && b->exclusive)
        return error_set(err, EINVAL, "tasks-per-core cannot be used with whole nodes");
    if (!b->have_nodes && b->exclusive)
        return error_set(err, EINVAL, "exclusive can only be set together with nodes");

    unsigned per_slot = 1;
    if (b->have_nodes) {
        unsigned size = 1;
        if (b->have_cores && b->cores % b->nodes.min != 0)
            return error_set(err, EINVAL,
                             "%u cores cannot be divided evenly among %u nodes", b->cores,
                             b->nodes.min);
        if (b->have_cores)
            size = b->cores / b->nodes.min;
        /* One slot a node: tasks of a node are tasks of a slot. */
        if (b->have_tasks_per_node)
            per_slot = b->tasks_per_node;
        else if (b->have_tasks_per_core)
            per_slot = b->tasks_per_core * size;
        r->resources =
            nodes(b, b->exclusive || !b->have_cores,
                  slot(b, 1, size, b->have_gpus_per_node ? b->gpus_per_node : 0));
    } else {
        r->resources = slots(b, slot(b, b->cores, 1, 0));
        if (b->have_tasks_per_core)
            per_slot = b->tasks_per_core;
    }
    r->count = single("per_slot", json_object_new_int64(per_slot));
    return 0;
}

static int of_shape(const struct hbatch_jobspec *b, struct shape_request *r,
                    struct error *err)
{
    if (b->have_nodes || b->have_cores || b->have_cores_per_task ||
        b->have_gpus_per_task || b->have_tasks_per_node || b->have_tasks_per_core ||
        b->have_gpus_per_node || b->exclusive || b->mem || b->mem_per_core)
        return error_set(
            err, EINVAL,
            "resources says all: of the other sizes only ntasks goes with it");
    r->resources = json_object_get(b->resources);
    r->count = b->have_ntasks ? single("total", json_object_new_int64(b->ntasks))
                              : single("per_slot", json_object_new_int(1));
    return 0;
}

static int make_shape(const struct hbatch_jobspec *b, struct shape_request *r,
                      struct error *err)
{
    unsigned cores = b->have_cores_per_task ? b->cores_per_task : 1;
    if (b->mem && b->mem_per_core)
        return error_set(err, EINVAL, "mem and mem-per-core cannot be used together");
    if (b->mem_per_core > BYTES_MAX / MAX(cores, b->cores))
        return error_set(
            err, EINVAL,
            "mem-per-core: %s for each of %u cores is more than there can be",
            bytes_encode(b->mem_per_core).s, MAX(cores, b->cores));
    if (b->resources)
        return of_shape(b, r, err);
    if (b->have_cores || b->have_tasks_per_node || b->have_tasks_per_core ||
        b->have_gpus_per_node)
        return per_resource(b, r, err);
    return per_task(b, r, err);
}

/* --- environment, I/O -------------------------------------------------------------------- */

int build_apply_rules(struct envrules *e, json_object *rules, struct error *err)
{
    size_t n = rules ? json_object_array_length(rules) : 0;
    for (size_t i = 0; i < n; i++) {
        if (envrules_apply(e, json_object_get_string(json_object_array_get_idx(rules, i)),
                           err) < 0)
            return error_prefix(err, "env");
    }
    return 0;
}

static int add_environment(struct hbatch_jobspec *b, json_object *system,
                           json_object *shell, struct error *err)
{
    struct envrules e;
    envrules_init(&e, environ);
    int rc = build_apply_rules(&e, b->env_rules, err);
    if (rc == 0) {
        json_object_object_add(system, "environment", json_object_get(e.env));
        if (json_object_object_length(e.expand))
            json_object_object_add(shell, "env-expand", json_object_get(e.expand));
        json_object_put(b->unfit);
        b->unfit = json_object_get(e.unfit);
    }
    envrules_fini(&e);
    return rc;
}

/* --input=0,3 names tasks, all else a file. */
static bool names_tasks(const char *input)
{
    if (strcmp(input, "all") == 0)
        return true;
    if (!*input || input[strspn(input, "0123456789,-[]")])
        return false;
    hwloc_bitmap_t set = idset_decode(input, NULL);
    bool yes = set != NULL;
    if (set)
        hwloc_bitmap_free(set);
    return yes;
}

static void add_io(const struct hbatch_jobspec *b, json_object *shell)
{
    const struct {
        const char *path, *what;
    } files[] = {{b->output, "stdout"}, {b->error, "stderr"}};
    char key[64];
#define SET(VALUE, ...)                                                                  \
    (snprintf(key, sizeof(key), __VA_ARGS__), build_path_set(shell, key, (VALUE), NULL))
    if (b->input && names_tasks(b->input)) {
        SET(json_object_new_string("service"), "input.stdin.type");
        SET(json_object_new_string(b->input), "input.stdin.ranks");
    } else if (b->input) {
        SET(json_object_new_string("file"), "input.stdin.type");
        SET(json_object_new_string(b->input), "input.stdin.path");
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *what = files[i].what;
        if (files[i].path && strcmp(files[i].path, "none") != 0 &&
            strcmp(files[i].path, "kvs") != 0) {
            SET(json_object_new_string("file"), "output.%s.type", what);
            SET(json_object_new_string(files[i].path), "output.%s.path", what);
            if (b->label_io)
                SET(json_object_new_boolean(true), "output.%s.label", what);
        }
        if (b->unbuffered)
            SET(json_object_new_string("none"), "output.%s.buffer.type", what);
    }
    if (b->unbuffered) {
        SET(json_object_new_double(0.05), "output.batch-timeout");
        SET(json_object_new_double(0), "input.batch-timeout");
    }
#undef SET
}

static int add_keyvals(json_object *list, json_object *root, const char *what,
                       struct error *err)
{
    size_t n = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        cleanup_free char *key = NULL;
        json_object *value;
        if (build_keyval(text, &key, &value, err) < 0)
            return error_prefix(err, "%s", what);
        const char *path = key;
        cleanup_free char *full = NULL;
        if (strcmp(what, "setattr") == 0) {
            if (*key == '.')
                path = key + 1;
            else if (strncmp(key, "system.", 7) != 0 && strncmp(key, "user.", 5) != 0)
                path = full = xasprintf("system.%s", key);
        }
        if (build_path_set(root, path, value, err) < 0)
            return error_prefix(err, "%s '%s'", what, text);
    }
    return 0;
}

/* --- all of it --------------------------------------------------------------------------- */

static int check_command(json_object *command, bool may_be_empty, struct error *err)
{
    size_t n = json_object_array_length(command);
    if (n == 0 && !may_be_empty)
        return error_set(err, EINVAL, "there is no command to run");
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(command, i);
        if (!utf8_valid(json_object_get_string(o), (size_t)json_object_get_string_len(o)))
            return error_set(err, EILSEQ,
                             "argument %zu of the command is not UTF-8, which job "
                             "specifications are written in",
                             i);
    }
    return 0;
}

static struct build_env environment_of(json_object *system, json_object *shell)
{
    struct build_env env = {NULL, NULL};
    json_object_object_get_ex(system, "environment", &env.variables);
    json_object_object_get_ex(shell, "env-expand", &env.expand);
    return env;
}

/* Programs that have slots of their own. */
static int add_different(struct hbatch_jobspec *b, json_object *spec, json_object *system,
                         json_object *shell, struct error *err)
{
    const struct build_env env = environment_of(system, shell);
    json_object *resources = build_programs_resources(b, err);
    if (!resources)
        return -1;
    json_object_object_add(spec, "resources", resources);
    json_object *tasks = build_programs_tasks(b, &env, err);
    if (!tasks)
        return -1;
    json_object_object_add(spec, "tasks", tasks);
    return 0;
}

/* One program, or several, in slots that are all alike. */
static int add_alike(struct hbatch_jobspec *b, json_object *spec, json_object *system,
                     json_object *shell, struct error *err)
{
    bool had_ntasks = b->have_ntasks;
    unsigned ntasks = b->ntasks;
    if (b->nprograms > 0) {
        const struct build_env env = environment_of(system, shell);
        json_object *apps = build_programs_apps(b, &env, &b->ntasks, err);
        if (!apps)
            return -1;
        json_object_object_add(shell, "apps", apps);
        b->have_ntasks = true;
    }
    struct shape_request shape = {0};
    int rc = make_shape(b, &shape, err);
    b->ntasks = ntasks;
    b->have_ntasks = had_ntasks;
    if (rc < 0)
        return -1;
    json_object_object_add(spec, "resources", shape.resources);
    json_object *task = json_object_new_object();
    json_object_object_add(task, "command",
                           b->instance ? build_instance_command(b)
                                       : json_object_get(b->command));
    const char *label = build_slot_label(shape.resources);
    add_string(task, "slot", label ? label : "task");
    json_object_object_add(task, "count", shape.count);
    json_object_object_add(spec, "tasks", array_of(task));
    return 0;
}

static int fill(struct hbatch_jobspec *b, json_object *spec, struct error *err)
{
    json_object *attributes = json_object_new_object(),
                *system = json_object_new_object();
    json_object *shell = json_object_new_object();
    json_object_object_add(spec, "attributes", attributes);
    json_object_object_add(attributes, "system", system);
    json_object_object_add(system, "duration", json_object_new_double(b->duration));
    if (b->duration == (double)(int64_t)b->duration)
        json_object_object_add(system, "duration",
                               json_object_new_int64((int64_t)b->duration));
    json_object_object_foreach(b->shell, key, value)
    {
        json_object_object_add(shell, key, json_object_get(value));
    }
    cleanup_json json_object *shell_ref = json_object_get(shell);
    build_path_set(system, "shell.options", shell, NULL);

    if (add_environment(b, system, shell, err) < 0)
        return -1;
    if (build_programs_differ(b)) {
        if (add_different(b, spec, system, shell, err) < 0)
            return -1;
    } else if (add_alike(b, spec, system, shell, err) < 0) {
        return -1;
    }
    json_object_object_add(spec, "version", json_object_new_int(1));

    cleanup_free char *here = b->cwd ? xstrdup(b->cwd) : getcwd(NULL, 0);
    if (!here)
        return error_set(err, errno, "the current directory has no name: %s",
                         strerror(errno));
    if (!utf8_valid(here, strlen(here)))
        return error_set(err, EILSEQ, "the name of the working directory is not UTF-8");
    add_string(system, "cwd", here);
    if (b->name)
        build_path_set(system, "job.name", json_object_new_string(b->name), NULL);
    add_string(system, "queue", b->queue);
    add_string(system, "bank", b->bank);
    add_string(system, "placement", b->placement);
    if (b->contiguous)
        json_object_object_add(system, "contiguous", json_object_new_boolean(true));
    add_io(b, shell);
    if (b->instance)
        build_instance_attributes(b, system, shell);
    build_files(b, system);
    json_object_object_add(shell, "rlimit",
                           b->rlimits ? json_object_get(b->rlimits) : rlimits_default());
    if (b->dependencies)
        json_object_object_add(system, "dependencies", json_object_get(b->dependencies));
    if (b->requires) {
        size_t n = json_object_array_length(b->requires);
        json_object *c = n == 1
                             ? json_object_get(json_object_array_get_idx(b->requires, 0))
                             : single("and", json_object_get(b->requires));
        json_object_object_add(system, "constraints", c);
    }
    if (add_keyvals(b->setopt, shell, "setopt", err) < 0)
        return -1;
    return add_keyvals(b->setattr, attributes, "setattr", err);
}

json_object *build_encode(struct hbatch_jobspec *b, struct error *err)
{
    if (check_command(b->command, b->instance != NULL, err) < 0 ||
        (b->instance && check_command(b->instance, false, err) < 0))
        return NULL;
    if (b->instance && b->nprograms > 0)
        return error_null(err, EINVAL,
                          "a job that is an instance has one program: it can run the "
                          "others");
    for (size_t i = 0; i < b->nprograms; i++)
        if (check_command(b->programs[i].command, false, err) < 0)
            return NULL;
    json_object *spec = json_object_new_object();
    if (fill(b, spec, err) == 0)
        return spec;
    json_object_put(spec);
    return NULL;
}
