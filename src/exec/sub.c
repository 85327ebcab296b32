/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/sub.h"

#include "src/common/util.h"
#include "src/exec/tmpdir.h"
#include "src/job/jsonutil.h"

/* The entries of LIST whose places are in SET. */
static json_object *pick(json_object *list, hwloc_const_bitmap_t set)
{
    json_object *some = json_object_new_array();
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        if (hwloc_bitmap_isset(set, (unsigned)i))
            json_object_array_add(some,
                                  json_object_get(json_object_array_get_idx(list, i)));
    return some;
}

/* Numbered anew from 0: ids are places in the list. */
static json_object *pick_gpus(json_object *list, hwloc_const_bitmap_t set)
{
    json_object *some = json_object_new_array();
    json_object *picked = pick(list, set);
    for (size_t i = 0; i < json_object_array_length(picked); i++) {
        json_object *copy = NULL;
        json_object_deep_copy(json_object_array_get_idx(picked, i), &copy, NULL);
        json_object_object_add(copy, "id", json_object_new_int64((int64_t)i));
        json_object_array_add(some, copy);
    }
    json_object_put(picked);
    return some;
}

char *sub_describe(const struct job *job)
{
    const struct node *node = job->x->node;
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->id));
    json_object_object_add(o, "name", json_object_new_string(job->f58));
    json_object_object_add(o, "instance", json_object_new_string(node->instance));
    json_object_object_add(o, "level", json_object_new_int64((int64_t)node->level + 1));
    json_object_object_add(o, "uri", json_object_new_string(node->uri));
    json_object_object_add(o, "node", json_object_new_int64(job->x->rank));
    json_object_object_add(o, "host", json_object_new_string(node->host));
    json_object_object_add(o, "virtual",
                           json_object_get(jsonutil_get(node->init, "virtual")));
    json_object_object_add(o, "bind", json_object_new_boolean(node->bind));
    json_object_object_add(o, "cores",
                           pick(jsonutil_get(node->init, "cores"), job->cores));
    json_object_object_add(o, "gpus",
                           pick_gpus(jsonutil_get(node->init, "gpus"), job->gpus));
    if (jsonutil_get(node->init, "numa"))
        json_object_object_add(o, "numa",
                               json_object_get(jsonutil_get(node->init, "numa")));
    if (job->memory)
        json_object_object_add(o, "memory", json_object_new_int64((int64_t)job->memory));
    json_object_object_add(o, "expiration", json_object_new_double(job->expiration));
    if (jsonutil_get(job->start, "parent"))
        json_object_object_add(o, "spawned", json_object_new_boolean(true));
    json_object *join = jobspec_attr(job->spec->js, "system.join");
    if (join)
        json_object_object_add(o, "join", json_object_get(join));
    json_object_object_add(o, "tmpdir", json_object_new_string(tmpdir_path(job->tmpdir)));
    return xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
}
