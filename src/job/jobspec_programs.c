/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs of several programs, each with slots of its own: several entries in tasks. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

/* The slot of that label is taken. */
static const struct job_part *take_slot(struct jobspec *js, const char *label)
{
    for (unsigned i = 0; label && i < js->nslots; i++)
        if (js->slots[i].label && strcmp(js->slots[i].label, label) == 0) {
            js->slots[i].label = NULL;
            return &js->slots[i].part;
        }
    return NULL;
}

static int decode_count(json_object *count, const char *path, unsigned *per_slot,
                        struct error *err)
{
    json_object *value = jsonutil_get(count, "per_slot");
    if (!json_object_is_type(count, json_type_object) || !value ||
        json_object_object_length(count) != 1)
        return jobspec_bad(err, path, "per_slot, where there are several programs",
                           count);
    return jobspec_check_positive(err, jobspec_at("%s.per_slot", path).text, value,
                                  per_slot);
}

/* As an entry of the option apps. */
static json_object *make_program(json_object *task, unsigned ntasks)
{
    static const char *const keys[] = {"environment", "env-expand", "cwd", "path"};
    json_object *o = json_object_new_object(), *v;
    json_object *attributes = jsonutil_get(task, "attributes");
    json_object_object_add(o, "command", json_object_get(jsonutil_get(task, "command")));
    json_object_object_add(o, "ntasks", json_object_new_int64(ntasks));
    for (size_t i = 0; attributes && i < ARRAY_SIZE(keys); i++)
        if (json_object_object_get_ex(attributes, keys[i], &v))
            json_object_object_add(o, keys[i], json_object_get(v));
    return o;
}

static int decode_program(struct jobspec *js, json_object *task, size_t i,
                          struct error *err)
{
    static const char *const keys[] = {"command", "slot", "count", "attributes", NULL};
    struct jobspec_path at = jobspec_at("tasks[%zu]", i);
    json_object *command = jsonutil_get(task, "command"),
                *slot = jsonutil_get(task, "slot"),
                *attributes = jsonutil_get(task, "attributes");
    struct job_part *part = &js->parts[i];
    if (jobspec_check_keys(err, at.text, task, keys) < 0 ||
        jobspec_check_command(err, jobspec_at("%s.command", at.text).text, command) < 0)
        return -1;
    const struct job_part *slots = take_slot(js, jsonutil_string(slot));
    if (!slots)
        return jobspec_bad(err, jobspec_at("%s.slot", at.text).text,
                           "the label of a slot that no other task has", slot);
    *part = *slots;
    struct jobspec_path where = jobspec_at("%s.attributes", at.text);
    if (decode_count(jsonutil_get(task, "count"), jobspec_at("%s.count", at.text).text,
                     &part->tasks_per_slot, err) < 0 ||
        (attributes && (jobspec_check_keys(err, where.text, attributes, NULL) < 0 ||
                        jobspec_check_overlay(err, where.text, attributes) < 0)))
        return -1;
    uint64_t ntasks = (uint64_t)MAX(js->shape.nnodes_min, 1u) * part->nslots;
    if (ntasks > INT_MAX || ntasks * part->tasks_per_slot > INT_MAX)
        return error_set(
            err, EINVAL,
            "jobspec: %s.count: %u tasks on each of %ju slots are more than 2147483647",
            at.text, part->tasks_per_slot, (uintmax_t)ntasks);
    json_object_array_add(js->programs,
                          make_program(task, (unsigned)ntasks * part->tasks_per_slot));
    return 0;
}

struct ranked {
    struct job_part part;
    unsigned at;
};

static int harder(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    const struct job_part *p = &x->part, *q = &y->part;
    return p->gpus != q->gpus       ? (p->gpus < q->gpus) - (p->gpus > q->gpus)
           : p->cores != q->cores   ? (p->cores < q->cores) - (p->cores > q->cores)
           : p->memory != q->memory ? (p->memory < q->memory) - (p->memory > q->memory)
                                    : (x->at > y->at) - (x->at < y->at);
}

void job_parts_order(struct job_part *parts, unsigned n)
{
    cleanup_free struct ranked *all = xcalloc(n, sizeof(*all));
    for (unsigned i = 0; i < n; i++)
        all[i] = (struct ranked){parts[i], i};
    qsort(all, n, sizeof(*all), harder);
    for (unsigned i = 0; i < n; i++)
        parts[i].hardest = all[i].at;
}

/* All parts together are the one slot of the shape. */
static int add_up(struct jobspec *js, struct error *err)
{
    struct job_shape *s = &js->shape;
    uint64_t nodes = MAX(s->nnodes_min, 1u), cores = 0, gpus = 0, tasks = 0, memory = 0;
    for (unsigned i = 0; i < s->nparts; i++) {
        const struct job_part *p = &s->parts[i];
        cores += (uint64_t)p->nslots * p->cores;
        gpus += (uint64_t)p->nslots * p->gpus;
        tasks += (uint64_t)p->nslots * p->tasks_per_slot;
        if (cores * nodes > INT_MAX || gpus * nodes > INT_MAX || tasks * nodes > INT_MAX)
            return error_set(
                err, EINVAL,
                "jobspec: resources: the programs ask for more than 2147483647 cores, "
                "GPUs or tasks in all");
        if (p->memory > (BYTES_MAX - memory) / ((uint64_t)p->nslots * nodes))
            return error_set(
                err, EINVAL,
                "jobspec: resources: %u slots with %s of memory each are more than "
                "there can be",
                p->nslots, bytes_encode(p->memory).s);
        memory += p->memory * p->nslots;
    }
    s->nslots = 1;
    s->tasks_per_slot = 1;
    s->cores_per_slot = (unsigned)cores;
    s->gpus_per_slot = (unsigned)gpus;
    s->mem_per_slot = memory;
    s->ntasks = (unsigned)(tasks * nodes);
    return 0;
}

int jobspec_decode_programs(struct jobspec *js, json_object *tasks, struct error *err)
{
    size_t n = json_object_array_length(tasks);
    if (js->nslots == 0)
        return error_set(
            err, EINVAL,
            "jobspec: tasks: several programs need a slot each, and resources has one "
            "(programs that share slots of one kind are in shell.options.apps)");
    if (n != js->nslots)
        return error_set(err, EINVAL,
                         "jobspec: tasks: there must be one for each slot: %zu, and "
                         "resources has %u slots",
                         n, js->nslots);
    if (js->shape.nnodes_min != js->shape.nnodes_max)
        return error_set(
            err, EINVAL,
            "jobspec: resources[0].count: must be a number, not a range, where there are "
            "several programs");
    js->parts = xcalloc(n, sizeof(*js->parts));
    js->programs = json_object_new_array_ext((int)n);
    for (size_t i = 0; i < n; i++)
        if (decode_program(js, json_object_array_get_idx(tasks, i), i, err) < 0)
            return -1;
    job_parts_order(js->parts, (unsigned)n);
    js->shape.parts = js->parts;
    js->shape.nparts = (unsigned)n;
    js->command = jsonutil_get(json_object_array_get_idx(tasks, 0), "command");
    return add_up(js, err);
}
