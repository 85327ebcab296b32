/* SPDX-License-Identifier: BSD-3-Clause */
/* From a command and options to a job specification (RFC 14, RFC 25). */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/bytes.h"
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/job/constraint.h"
#include "src/job/jobspec.h"
#include "src/lib/build.h"
#include "src/lib/envrules.h"
#include "src/lib/rlimits.h"

extern char **environ;

int build_path_set(json_object *root, const char *path, json_object *value,
                   struct error *err)
{
    cleanup_json json_object *owned = value;
    for (;;) {
        const char *dot = strchr(path, '.');
        size_t len = dot ? (size_t)(dot - path) : strlen(path);
        if (len == 0)
            return error_set(err, EINVAL, "an empty name in a key");
        cleanup_free char *key = xstrndup(path, len);
        if (!dot) {
            json_object_object_add(root, key, take(owned));
            return 0;
        }
        json_object *next;
        if (!json_object_object_get_ex(root, key, &next)) {
            next = json_object_new_object();
            json_object_object_add(root, key, next);
        }
        if (!json_object_is_type(next, json_type_object))
            return error_set(err, EINVAL, "'%s' has a value already and cannot have keys",
                             key);
        root = next;
        path = dot + 1;
    }
}

static json_object *strings(int argc, const char *const *argv)
{
    json_object *array = json_object_new_array_ext(argc ? argc : 1);
    for (int i = 0; i < argc; i++)
        json_object_array_add(array, json_object_new_string(argv[i]));
    return array;
}

static void append(json_object **array, json_object *value)
{
    if (!*array)
        *array = json_object_new_array();
    json_object_array_add(*array, value);
}

struct hbatch_jobspec *hbatch_jobspec_create(int argc, const char *const *argv)
{
    struct hbatch_jobspec *b = xcalloc(1, sizeof(*b));
    b->command = strings(argc, argv);
    b->shell = json_object_new_object();
    return b;
}

void hbatch_jobspec_destroy(struct hbatch_jobspec *b)
{
    if (!b)
        return;
    json_object *const all[] = {b->command,   b->shell,   b->dependencies, b->requires,
                                b->env_rules, b->rlimits, b->setopt,       b->setattr,
                                b->resources, b->unfit,   b->instance,     b->script,
                                b->files};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        json_object_put(all[i]);
    char *const texts[] = {b->name, b->queue, b->bank,   b->placement,
                           b->cwd,  b->input, b->output, b->error};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < b->nprograms; i++) {
        json_object_put(b->programs[i].command);
        json_object_put(b->programs[i].env_rules);
        free(b->programs[i].cwd);
    }
    free(b->programs);
    count_clear(&b->nodes);
    free(b);
}

/* --- options ----------------------------------------------------------------------------- */

static int parse_uint(const char *text, unsigned least, unsigned *value,
                      struct error *err)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || v > INT_MAX || v < least)
        return error_set(err, EINVAL, "must be a%s whole number",
                         least ? " positive" : "");
    *value = (unsigned)v;
    return 0;
}

static int set_text(char **where, const char *value)
{
    free(*where);
    *where = xstrdup(value);
    return 0;
}

static int set_nodes(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    count_clear(&b->nodes);
    b->have_nodes = false;
    if (strpbrk(value, "-+,:[")) {
        if (count_decode(value, &b->nodes, err) < 0)
            return -1;
        if (b->nodes.min < 1)
            return error_set(err, EINVAL, "must be at least 1");
    } else {
        unsigned n;
        if (parse_uint(value, 1, &n, err) < 0)
            return -1;
        b->nodes = (struct count){.min = n, .max = n, .operand = 1, .op = '+'};
    }
    b->have_nodes = true;
    return 0;
}

#define SET_COUNT(NAME, LEAST)                                                           \
    static int set_##NAME(struct hbatch_jobspec *b, const char *value,                   \
                          struct error *err)                                             \
    {                                                                                    \
        b->have_##NAME = true;                                                           \
        return parse_uint(value, LEAST, &b->NAME, err);                                  \
    }
SET_COUNT(ntasks, 1)
SET_COUNT(cores_per_task, 1)
SET_COUNT(gpus_per_task, 0)
SET_COUNT(cores, 1)
SET_COUNT(tasks_per_node, 1)
SET_COUNT(tasks_per_core, 1)
SET_COUNT(gpus_per_node, 0)

static int set_exclusive(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)value, (void)err;
    b->exclusive = true;
    return 0;
}

static int set_contiguous(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)value, (void)err;
    b->contiguous = true;
    return 0;
}

static int set_resources(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    json_object *o = build_shape(value, err);
    if (!o)
        return -1;
    json_object_put(b->resources);
    b->resources = o;
    return 0;
}

static int set_time_limit(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    char *end;
    double t = strtod(value, &end);
    if (end != value && !*end && strspn(value, "0123456789.") == strlen(value))
        t *= 60; /* a bare number is minutes */
    else if (duration_decode(value, &t, err) < 0)
        return -1;
    b->duration = isinf(t) ? 0 : t;
    return 0;
}

static int set_name(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->name, value);
}

static int set_queue(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->queue, value);
}

static int set_bank(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->bank, value);
}

static int set_placement(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->placement, value);
}

static int parse_memory(const char *text, uint64_t *bytes, struct error *err)
{
    if (bytes_decode(text, 1 << 20, bytes, err) < 0)
        return -1;
    return *bytes ? 0 : error_set(err, EINVAL, "must be more than 0");
}

static int set_mem(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    return parse_memory(value, &b->mem, err);
}

static int set_mem_per_core(struct hbatch_jobspec *b, const char *value,
                            struct error *err)
{
    return parse_memory(value, &b->mem_per_core, err);
}

static int set_cwd(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    if (!*value)
        return error_set(err, EINVAL, "must name a directory");
    cleanup_free char *here = *value == '/' || *value == '{' ? NULL : getcwd(NULL, 0);
    cleanup_free char *path = here ? xasprintf("%s/%s", here, value) : NULL;
    return set_text(&b->cwd, path ? path : value);
}

static int set_dependency(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    json_object *dep = build_dependency(value, err);
    if (!dep)
        return -1;
    append(&b->dependencies, dep);
    return 0;
}

static int set_begin_time(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    double t;
    if (build_begin_time(value, time_now(), &t, err) < 0)
        return -1;
    char text[64];
    snprintf(text, sizeof(text), "%.6f", t);
    json_object *dep = json_object_new_object();
    json_object_object_add(dep, "scheme", json_object_new_string("begin-time"));
    json_object_object_add(dep, "value", json_object_new_string(text));
    append(&b->dependencies, dep);
    return 0;
}

static int set_requires(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    json_object *c = constraint_parse(value, err);
    if (!c)
        return -1;
    append(&b->requires, c);
    return 0;
}

static int set_signal(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    json_object *o = build_signal(value, err);
    if (!o)
        return -1;
    json_object_object_add(b->shell, "signal", o);
    return 0;
}

static int set_taskmap(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    const char *colon = strchr(value, ':');
    if (!*value || colon == value)
        return error_set(err, EINVAL, "must be SCHEME or SCHEME:VALUE, as in cyclic:2");
    json_object *o = json_object_new_object();
    json_object_object_add(o, "scheme",
                           json_object_new_string_len(
                               value, (int)(colon ? colon - value : (int)strlen(value))));
    json_object_object_add(o, "value", json_object_new_string(colon ? colon + 1 : ""));
    json_object_object_add(b->shell, "taskmap", o);
    return 0;
}

static int add_rule(json_object **list, const char *prefix, const char *value)
{
    cleanup_free char *rule = xasprintf("%s%s", prefix, value);
    append(list, json_object_new_string(rule));
    return 0;
}

static int set_env(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->env_rules, "", value);
}

static int set_env_remove(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->env_rules, "-", value);
}

static int set_env_file(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->env_rules, "^", value);
}

static int set_rlimit(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    if (!b->rlimits)
        b->rlimits = rlimits_default();
    return rlimits_apply(b->rlimits, value, err);
}

static int set_setopt(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->setopt, "", value);
}

static int set_retry(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->setopt, "retry=", value);
}

static int set_preemptible(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    bool given = value && *value;
    return add_rule(&b->setopt, given ? "preemptible=" : "preemptible",
                    given ? value : "");
}

static int set_setattr(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&b->setattr, "", value);
}

static int set_input(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->input, value);
}

static int set_output(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->output, value);
}

static int set_error(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)err;
    return set_text(&b->error, value);
}

static int set_label_io(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)value, (void)err;
    b->label_io = true;
    return 0;
}

static int set_unbuffered(struct hbatch_jobspec *b, const char *value, struct error *err)
{
    (void)value, (void)err;
    b->unbuffered = true;
    return 0;
}

static const struct {
    const char *name;
    bool flag; /* takes no value */
    int (*set)(struct hbatch_jobspec *b, const char *value, struct error *err);
} options[] = {
    {"nodes", false, set_nodes},
    {"ntasks", false, set_ntasks},
    {"cores-per-task", false, set_cores_per_task},
    {"gpus-per-task", false, set_gpus_per_task},
    {"nslots", false,
     set_ntasks}, /* what the three are called where the job is an instance */
    {"cores-per-slot", false, set_cores_per_task},
    {"gpus-per-slot", false, set_gpus_per_task},
    {"cores", false, set_cores},
    {"tasks-per-node", false, set_tasks_per_node},
    {"tasks-per-core", false, set_tasks_per_core},
    {"gpus-per-node", false, set_gpus_per_node},
    {"mem", false, set_mem},
    {"mem-per-core", false, set_mem_per_core},
    {"exclusive", true, set_exclusive},
    {"contiguous", true, set_contiguous},
    {"resources", false, set_resources},
    {"job-name", false, set_name},
    {"time-limit", false, set_time_limit},
    {"queue", false, set_queue},
    {"bank", false, set_bank},
    {"placement", false, set_placement},
    {"dependency", false, set_dependency},
    {"begin-time", false, set_begin_time},
    {"requires", false, set_requires},
    {"cwd", false, set_cwd},
    {"signal", false, set_signal},
    {"taskmap", false, set_taskmap},
    {"setopt", false, set_setopt},
    {"add-file", false, build_add_file},
    {"retry", false, set_retry},
    {"preemptible", true, set_preemptible},
    {"setattr", false, set_setattr},
    {"env", false, set_env},
    {"env-remove", false, set_env_remove},
    {"env-file", false, set_env_file},
    {"rlimit", false, set_rlimit},
    {"input", false, set_input},
    {"output", false, set_output},
    {"error", false, set_error},
    {"label-io", true, set_label_io},
    {"unbuffered", true, set_unbuffered},
};

int build_set(struct hbatch_jobspec *b, const char *option, const char *value,
              struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (strcmp(options[i].name, option) != 0)
            continue;
        if (!options[i].flag && !value)
            return error_set(err, EINVAL, "%s: needs a value", option);
        if (value && !utf8_valid(value, strlen(value)))
            return error_set(err, EINVAL, "%s: the value is not UTF-8", option);
        if (options[i].set(b, value, err) < 0)
            return error_prefix(err, "%s=%s", option, value ? value : "");
        return 0;
    }
    return error_set(err, EINVAL, "there is no job option named '%s'", option);
}

/* --- one program of several ---------------------------------------------------------------- */

int build_add_program(struct hbatch_jobspec *b, int argc, const char *const *argv,
                      unsigned ntasks, const char *const *env_rules, const char *cwd,
                      struct error *err)
{
    if (argc < 1 || ntasks < 1)
        return error_set(err, EINVAL, "a program needs a command and at least one task");
    if (b->nprograms + 1 >= JOBSPEC_PROGRAMS_MAX)
        return error_set(
            err, EINVAL,
            "a job has at most %d programs: hbatch multi-prog takes any number of them "
            "from a file",
            JOBSPEC_PROGRAMS_MAX);
    b->programs = xrealloc(b->programs, (b->nprograms + 1) * sizeof(*b->programs));
    struct build_program *p = &b->programs[b->nprograms++];
    *p = (struct build_program){.command = strings(argc, argv),
                                .ntasks = ntasks,
                                .cwd = cwd ? xstrdup(cwd) : NULL};
    for (; env_rules && *env_rules; env_rules++)
        append(&p->env_rules, json_object_new_string(*env_rules));
    return 0;
}

static int program_ntasks(struct build_program *p, const char *value, struct error *err)
{
    return parse_uint(value, 1, &p->ntasks, err);
}

static int program_cores(struct build_program *p, const char *value, struct error *err)
{
    p->have_cores = true;
    return parse_uint(value, 1, &p->cores, err);
}

static int program_gpus(struct build_program *p, const char *value, struct error *err)
{
    p->have_gpus = true;
    return parse_uint(value, 0, &p->gpus, err);
}

static int program_mem(struct build_program *p, const char *value, struct error *err)
{
    p->have_mem = true;
    if (strcmp(value, "0") == 0) { /* none, though the job has some */
        p->mem_per_core = 0;
        return 0;
    }
    return parse_memory(value, &p->mem_per_core, err);
}

static int program_cwd(struct build_program *p, const char *value, struct error *err)
{
    if (!*value)
        return error_set(err, EINVAL, "must name a directory");
    return set_text(&p->cwd, value);
}

static int program_env(struct build_program *p, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&p->env_rules, "", value);
}

static int program_env_remove(struct build_program *p, const char *value,
                              struct error *err)
{
    (void)err;
    return add_rule(&p->env_rules, "-", value);
}

static int program_env_file(struct build_program *p, const char *value, struct error *err)
{
    (void)err;
    return add_rule(&p->env_rules, "^", value);
}

int build_set_program(struct hbatch_jobspec *b, const char *option, const char *value,
                      struct error *err)
{
    static const struct {
        const char *name;
        int (*set)(struct build_program *p, const char *value, struct error *err);
    } own[] = {
        {"ntasks", program_ntasks},
        {"cores-per-task", program_cores},
        {"gpus-per-task", program_gpus},
        {"mem-per-core", program_mem},
        {"cwd", program_cwd},
        {"env", program_env},
        {"env-remove", program_env_remove},
        {"env-file", program_env_file},
    };
    if (b->nprograms == 0)
        return error_set(err, EINVAL, "%s: there is no program that was added", option);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (strcmp(own[i].name, option) != 0)
            continue;
        if (!value || !utf8_valid(value, strlen(value)))
            return error_set(err, EINVAL, "%s: %s", option,
                             value ? "the value is not UTF-8" : "needs a value");
        if (own[i].set(&b->programs[b->nprograms - 1], value, err) < 0)
            return error_prefix(err, "%s=%s", option, value);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (strcmp(options[i].name, option) == 0)
            return error_set(
                err, EINVAL,
                "%s is of the whole job and cannot differ between its programs: give it "
                "before the first one",
                option);
    return error_set(err, EINVAL, "there is no job option named '%s'", option);
}
