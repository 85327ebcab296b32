/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/share.h"

#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* The entries of LIST whose places are in SET. */
static json_object *pick(json_object *list, hwloc_const_bitmap_t set)
{
    json_object *some = json_object_new_array();
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; set && i < n; i++)
        if (hwloc_bitmap_isset(set, (unsigned)i))
            json_object_array_add(some,
                                  json_object_get(json_object_array_get_idx(list, i)));
    return some;
}

/* Ids are places in the list. */
static json_object *pick_gpus(json_object *list, hwloc_const_bitmap_t set)
{
    json_object *some = json_object_new_array();
    cleanup_json json_object *picked = pick(list, set);
    for (size_t i = 0; i < json_object_array_length(picked); i++) {
        json_object *copy = NULL;
        json_object_deep_copy(json_object_array_get_idx(picked, i), &copy, NULL);
        json_object_object_add(copy, "id", json_object_new_int64((int64_t)i));
        json_object_array_add(some, copy);
    }
    return some;
}

void share_add(json_object *o, json_object *node, hwloc_const_bitmap_t cores,
               hwloc_const_bitmap_t gpus)
{
    json_object_object_add(o, "cores", pick(jsonutil_get(node, "cores"), cores));
    json_object_object_add(o, "gpus", pick_gpus(jsonutil_get(node, "gpus"), gpus));
    if (jsonutil_get(node, "numa"))
        json_object_object_add(o, "numa", json_object_get(jsonutil_get(node, "numa")));
}
