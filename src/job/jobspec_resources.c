/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/job/count.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

/* The labels met so far: RFC 14 wants each to be unique. */
struct labels {
    const char *few[8], **more; /* more: in place of few */
    size_t n, room;
};

static void add_label(struct labels *l, const char *label)
{
    if (l->n == MAX(l->room, ARRAY_SIZE(l->few))) {
        l->room = 2 * l->n;
        const char **more = xrealloc(l->more, l->room * sizeof(*more));
        if (!l->more)
            memcpy(more, l->few, sizeof(l->few));
        l->more = more;
    }
    (l->more ? l->more : l->few)[l->n++] = label;
}

static bool has_label(const struct labels *l, const char *label)
{
    const char *const *at = l->more ? l->more : l->few;
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(at[i], label) == 0)
            return true;
    return false;
}

/* What all vertices have in common. */
static int check_vertex(json_object *o, const char *path, const char *const *keys,
                        struct labels *labels, struct error *err)
{
    if (jobspec_check_keys(err, path, o, keys) < 0)
        return -1;
    json_object *v;
    if (json_object_object_get_ex(o, "unit", &v) && !jsonutil_string(v))
        return jobspec_bad(err, jobspec_at("%s.unit", path).text, "a string", v);
    if (json_object_object_get_ex(o, "exclusive", &v) &&
        !json_object_is_type(v, json_type_boolean))
        return jobspec_bad(err, jobspec_at("%s.exclusive", path).text, "true or false",
                           v);
    if (!json_object_object_get_ex(o, "label", &v))
        return 0;
    const char *label = jsonutil_string(v);
    if (!label)
        return jobspec_bad(err, jobspec_at("%s.label", path).text, "a string", v);
    if (has_label(labels, label))
        return jobspec_bad(err, jobspec_at("%s.label", path).text,
                           "a label that no other resource has", v);
    add_label(labels, label);
    return 0;
}

static bool is_type(json_object *o, const char *type)
{
    const char *s = jsonutil_string(jsonutil_get(o, "type"));
    return s && strcmp(s, type) == 0;
}

static const char *const leaf_keys[] = {"type", "count", "unit", "label", NULL};

/* Bytes of a memory vertex, into *BYTES, which has none yet. */
static int decode_memory(json_object *o, const char *path, struct labels *labels,
                         uint64_t *bytes, struct error *err)
{
    unsigned n;
    if (check_vertex(o, path, leaf_keys, labels, err) < 0 ||
        jobspec_check_positive(err, jobspec_at("%s.count", path).text,
                               jsonutil_get(o, "count"), &n) < 0)
        return -1;
    json_object *name = jsonutil_get(o, "unit");
    const char *text = jsonutil_string(name);
    uint64_t unit = text && *text ? bytes_unit(text) : 0;
    if (!unit)
        return jobspec_bad(err, jobspec_at("%s.unit", path).text,
                           "a unit of memory, as in \"MiB\" or \"GiB\"", name);
    if (n > BYTES_MAX / unit)
        return error_set(err, EINVAL, "jobspec: %s: %u %s are more than there can be",
                         path, n, text);
    *bytes = n * unit;
    return 0;
}

static int decode_leaf(struct jobspec *js, json_object *o, const char *path,
                       struct labels *labels, struct error *err)
{
    if (!json_object_is_type(o, json_type_object))
        return jobspec_bad(err, path, "an object", o);
    if (is_type(o, "memory") && !js->shape.mem_per_slot)
        return decode_memory(o, path, labels, &js->shape.mem_per_slot, err);
    unsigned *n = is_type(o, "core")  ? &js->shape.cores_per_slot
                  : is_type(o, "gpu") ? &js->shape.gpus_per_slot
                                      : NULL;
    if (!n && !is_type(o, "memory"))
        return jobspec_bad(err, jobspec_at("%s.type", path).text,
                           "\"core\", \"gpu\" or \"memory\" within a slot",
                           jsonutil_get(o, "type"));
    if (!n || *n)
        return jobspec_bad(err, jobspec_at("%s.type", path).text,
                           "a type that the slot does not have yet",
                           jsonutil_get(o, "type"));
    if (check_vertex(o, path, leaf_keys, labels, err) < 0)
        return -1;
    return jobspec_check_positive(err, jobspec_at("%s.count", path).text,
                                  jsonutil_get(o, "count"), n);
}

static const char *const parent_keys[] = {"type",  "count",     "unit", "with",
                                          "label", "exclusive", NULL};

static int decode_slot(struct jobspec *js, json_object *o, const char *path,
                       struct labels *labels, struct error *err)
{
    if (check_vertex(o, path, parent_keys, labels, err) < 0)
        return -1;
    json_object *label = jsonutil_get(o, "label");
    if (!label)
        return jobspec_bad(err, jobspec_at("%s.label", path).text, "a string", NULL);
    js->label = json_object_get_string(label);
    if (jobspec_check_positive(err, jobspec_at("%s.count", path).text,
                               jsonutil_get(o, "count"), &js->shape.nslots) < 0)
        return -1;
    if (json_object_get_boolean(jsonutil_get(o, "exclusive")))
        js->shape.exclusive = true;

    json_object *with = jsonutil_get(o, "with");
    size_t n =
        json_object_is_type(with, json_type_array) ? json_object_array_length(with) : 0;
    if (n < 1 || n > 3)
        return jobspec_bad(err, jobspec_at("%s.with", path).text,
                           "an array of a core and, if wanted, a gpu and memory", with);
    for (size_t i = 0; i < n; i++)
        if (decode_leaf(js, json_object_array_get_idx(with, i),
                        jobspec_at("%s.with[%zu]", path, i).text, labels, err) < 0)
            return -1;
    if (!js->shape.cores_per_slot)
        return error_set(err, EINVAL, "jobspec: %s.with: a slot must have a core", path);
    return 0;
}

/* What is beside the slot is for each node. */
static int decode_node_memory(struct jobspec *js, json_object *o, const char *path,
                              struct labels *labels, struct error *err)
{
    return decode_memory(o, path, labels, &js->shape.mem_per_node, err);
}

/* A fixed count or a range.  Steps and gaps are refused: a placement takes any number of
 * nodes between the least and the most. */
static int decode_node_count(struct jobspec *js, json_object *o, const char *path,
                             struct error *err)
{
    struct job_shape *shape = &js->shape;
    if (!json_object_is_type(o, json_type_string) &&
        !json_object_is_type(o, json_type_object)) {
        if (jobspec_check_positive(err, path, o, &shape->nnodes_min) < 0)
            return -1;
        shape->nnodes_max = shape->nnodes_min;
        return 0;
    }
    struct count c;
    if (count_from_json(o, &c, err) < 0)
        return error_prefix(err, "jobspec: %s", path);
    bool plain = !c.ids && (c.min == c.max || (c.op == '+' && c.operand == 1));
    shape->nnodes_min = c.min;
    shape->nnodes_max = c.max;
    count_clear(&c);
    if (!plain)
        return jobspec_bad(err, path, "a range without steps or gaps (\"2-4\", \"2+\")",
                           o);
    if (shape->nnodes_min < 1 || shape->nnodes_min > INT_MAX)
        return jobspec_bad(err, path, "a range that starts at 1 or more", o);
    return 0;
}

/* One of several slots: aside with it. */
static void keep_slot(struct jobspec *js)
{
    struct job_shape *s = &js->shape;
    js->slots[js->nslots++] = (struct jobspec_slot){js->label,
                                                    {.nslots = s->nslots,
                                                     .cores = s->cores_per_slot,
                                                     .gpus = s->gpus_per_slot,
                                                     .tasks_per_slot = 1,
                                                     .memory = s->mem_per_slot}};
    s->nslots = s->cores_per_slot = s->gpus_per_slot = 0;
    s->mem_per_slot = 0;
}

/* One slot, or several, and memory for each node, which may come last. */
static int decode_slots(struct jobspec *js, json_object *list, const char *path,
                        const char *must, struct labels *labels, struct error *err)
{
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    json_object *last = n > 1 ? json_object_array_get_idx(list, n - 1) : NULL;
    size_t nslots = last && is_type(last, "memory") ? n - 1 : n;
    if (nslots < 1)
        return jobspec_bad(err, path, must, list);
    if (nslots > JOBSPEC_PROGRAMS_MAX)
        return error_set(
            err, EINVAL,
            "jobspec: %s: %zu slots are more than the %d that a job may have", path,
            nslots, JOBSPEC_PROGRAMS_MAX);
    if (nslots > 1)
        js->slots = xcalloc(nslots, sizeof(*js->slots));
    for (size_t i = 0; i < nslots; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        struct jobspec_path at = jobspec_at("%s[%zu]", path, i);
        if (!json_object_is_type(o, json_type_object))
            return jobspec_bad(err, at.text, "an object", o);
        if (!is_type(o, "slot"))
            return jobspec_bad(err, jobspec_at("%s.type", at.text).text, "\"slot\"",
                               jsonutil_get(o, "type"));
        if (decode_slot(js, o, at.text, labels, err) < 0)
            return -1;
        if (nslots > 1)
            keep_slot(js);
    }
    return nslots == n
               ? 0
               : decode_node_memory(js, last, jobspec_at("%s[%zu]", path, nslots).text,
                                    labels, err);
}

static int decode_node(struct jobspec *js, json_object *o, const char *path,
                       struct labels *labels, struct error *err)
{
    if (check_vertex(o, path, parent_keys, labels, err) < 0 ||
        decode_node_count(js, jsonutil_get(o, "count"), jobspec_at("%s.count", path).text,
                          err) < 0)
        return -1;
    if (json_object_get_boolean(jsonutil_get(o, "exclusive")))
        js->shape.exclusive = true;
    return decode_slots(js, jsonutil_get(o, "with"), jobspec_at("%s.with", path).text,
                        "an array of one or more slots and, if wanted, memory", labels,
                        err);
}

/* Whoever multiplies these numbers need not think of overflow. */
static int check_totals(const struct job_shape *shape, struct error *err)
{
    uint64_t slots = (uint64_t)MAX(shape->nnodes_min, 1) * shape->nslots;
    uint64_t most = MAX(shape->cores_per_slot, shape->gpus_per_slot);
    if (slots > INT_MAX || slots * most > INT_MAX)
        return error_set(
            err, EINVAL,
            "jobspec: resources: %u nodes with %u slots of %u cores and %u GPUs "
            "are more than 2147483647 in all",
            MAX(shape->nnodes_min, 1), shape->nslots, shape->cores_per_slot,
            shape->gpus_per_slot);
    if (shape->mem_per_slot > BYTES_MAX / MAX(slots, 1))
        return error_set(err, EINVAL,
                         "jobspec: resources: %ju slots with %s of memory each are more "
                         "than there can be",
                         (uintmax_t)slots, bytes_encode(shape->mem_per_slot).s);
    return 0;
}

static int decode_top(struct jobspec *js, json_object *resources, struct labels *labels,
                      struct error *err)
{
    static const char must[] =
        "an array of one node, or of slots, with memory beside them";
    size_t n = json_object_is_type(resources, json_type_array)
                   ? json_object_array_length(resources)
                   : 0;
    json_object *o = n ? json_object_array_get_idx(resources, 0) : NULL;
    if (n < 1)
        return jobspec_bad(err, "resources", must, resources);
    if (!json_object_is_type(o, json_type_object))
        return jobspec_bad(err, "resources[0]", "an object", o);
    if (!is_type(o, "node") && !is_type(o, "slot"))
        return jobspec_bad(err, "resources[0].type", "\"node\" or \"slot\"",
                           jsonutil_get(o, "type"));
    if (is_type(o, "node") && n > 1)
        return jobspec_bad(err, "resources", must, resources);
    if (is_type(o, "node"))
        return decode_node(js, o, "resources[0]", labels, err);
    if (decode_slots(js, resources, "resources", must, labels, err) < 0)
        return -1;
    if (js->nslots && js->shape.exclusive)
        return error_set(err, EINVAL,
                         "jobspec: resources: \"exclusive\" goes with several slots only "
                         "where they are in a node");
    return 0;
}

int jobspec_decode_resources(struct jobspec *js, json_object *resources,
                             struct error *err)
{
    struct labels labels = {.n = 0};
    int rc = decode_top(js, resources, &labels, err);
    free(labels.more);
    return rc < 0 || js->nslots ? rc : check_totals(&js->shape, err);
}
