/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/default_memory.h"

#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static bool is_type(json_object *o, const char *type)
{
    const char *s = jsonutil_string(jsonutil_get(o, "type"));
    return s && strcmp(s, type) == 0;
}

/* Whether the list of resources has one of TYPE. */
static bool lists(json_object *list, const char *type)
{
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        if (is_type(json_object_array_get_idx(list, i), type))
            return true;
    return false;
}

static void add_to_slot(json_object *slot, uint64_t per_core)
{
    json_object *with = jsonutil_get(slot, "with");
    size_t n =
        json_object_is_type(with, json_type_array) ? json_object_array_length(with) : 0;
    int64_t cores = 0;
    for (size_t i = 0; i < n; i++)
        if (is_type(json_object_array_get_idx(with, i), "core"))
            jsonutil_int(jsonutil_get(json_object_array_get_idx(with, i), "count"), 1,
                         INT_MAX, &cores);
    if (cores < 1 || (uint64_t)cores > BYTES_MAX / per_core || lists(with, "memory") ||
        json_object_get_boolean(jsonutil_get(slot, "exclusive")))
        return;
    unsigned count;
    const char *unit = bytes_split((uint64_t)cores * per_core, &count);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "type", json_object_new_string("memory"));
    json_object_object_add(o, "count", json_object_new_int64(count));
    json_object_object_add(o, "unit", json_object_new_string(unit));
    json_object_array_add(with, o);
}

void default_memory_add(json_object *list, uint64_t per_core)
{
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n && !lists(list, "memory"); i++) {
        json_object *o = json_object_array_get_idx(list, i);
        if (is_type(o, "slot"))
            add_to_slot(o, per_core);
        else if (is_type(o, "node") &&
                 !json_object_get_boolean(jsonutil_get(o, "exclusive")))
            default_memory_add(jsonutil_get(o, "with"), per_core);
    }
}
