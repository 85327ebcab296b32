/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/job/count.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

/* The labels met so far: RFC 14 wants each to be unique. There are six vertices at most. */
struct labels {
    const char *at[6];
    size_t n;
};

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
    for (size_t i = 0; i < labels->n; i++)
        if (strcmp(labels->at[i], label) == 0)
            return jobspec_bad(err, jobspec_at("%s.label", path).text,
                               "a label that no other resource has", v);
    labels->at[labels->n++] = label;
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

static int decode_node(struct jobspec *js, json_object *o, const char *path,
                       struct labels *labels, struct error *err)
{
    if (check_vertex(o, path, parent_keys, labels, err) < 0 ||
        decode_node_count(js, jsonutil_get(o, "count"), jobspec_at("%s.count", path).text,
                          err) < 0)
        return -1;
    if (json_object_get_boolean(jsonutil_get(o, "exclusive")))
        js->shape.exclusive = true;
    json_object *with = jsonutil_get(o, "with");
    size_t n =
        json_object_is_type(with, json_type_array) ? json_object_array_length(with) : 0;
    if (n < 1 || n > 2 ||
        (n == 2 && !is_type(json_object_array_get_idx(with, 1), "memory")))
        return jobspec_bad(err, jobspec_at("%s.with", path).text,
                           "an array of one slot and, if wanted, memory", with);
    json_object *slot = json_object_array_get_idx(with, 0);
    struct jobspec_path slot_path = jobspec_at("%s.with[0]", path);
    if (!is_type(slot, "slot"))
        return jobspec_bad(err, jobspec_at("%s.type", slot_path.text).text,
                           "\"slot\" within a node", jsonutil_get(slot, "type"));
    if (decode_slot(js, slot, slot_path.text, labels, err) < 0)
        return -1;
    return n < 2 ? 0
                 : decode_node_memory(js, json_object_array_get_idx(with, 1),
                                      jobspec_at("%s.with[1]", path).text, labels, err);
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

int jobspec_decode_resources(struct jobspec *js, json_object *resources,
                             struct error *err)
{
    struct labels labels = {.n = 0};
    size_t n = json_object_is_type(resources, json_type_array)
                   ? json_object_array_length(resources)
                   : 0;
    json_object *memory = n == 2 ? json_object_array_get_idx(resources, 1) : NULL;
    if (n < 1 || n > 2 || (n == 2 && !is_type(memory, "memory")))
        return jobspec_bad(err, "resources",
                           "an array of one node or slot, with memory beside a slot",
                           resources);
    json_object *o = json_object_array_get_idx(resources, 0);
    if (!json_object_is_type(o, json_type_object))
        return jobspec_bad(err, "resources[0]", "an object", o);
    int rc;
    if (is_type(o, "node"))
        rc = decode_node(js, o, "resources[0]", &labels, err);
    else if (is_type(o, "slot"))
        rc = decode_slot(js, o, "resources[0]", &labels, err);
    else
        rc = jobspec_bad(err, "resources[0].type", "\"node\" or \"slot\"",
                         jsonutil_get(o, "type"));
    if (rc == 0 && memory && is_type(o, "node"))
        rc = jobspec_bad(err, "resources",
                         "an array of one node or slot, with memory beside a slot",
                         resources);
    else if (rc == 0 && memory)
        rc = decode_node_memory(js, memory, "resources[1]", &labels, err);
    return rc < 0 ? -1 : check_totals(&js->shape, err);
}
