/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rset_parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static json_object *parts_of(const struct rset *r)
{
    json_object *parts = jsonutil_get(r->scheduling, "parts");
    return json_object_is_type(parts, json_type_array) ? parts : NULL;
}

/* --- in ---------------------------------------------------------------------------------- */

static json_object *part_to_fill(struct rset *r, unsigned part, unsigned nparts)
{
    if (!r->scheduling)
        r->scheduling = json_object_new_object();
    json_object *parts = parts_of(r);
    if (!parts) {
        parts = json_object_new_array_ext((int)nparts);
        for (unsigned i = 0; i < nparts; i++)
            json_object_array_add(parts, json_object_new_array());
        json_object_object_add(r->scheduling, "parts", parts);
    }
    return json_object_array_get_idx(parts, part);
}

/* One more rank in the set of ENTRY. */
static void add_rank(json_object *entry, unsigned rank)
{
    cleanup_bitmap hwloc_bitmap_t ranks =
        idset_decode(json_object_get_string(jsonutil_get(entry, "rank")), NULL);
    hwloc_bitmap_set(ranks, rank);
    cleanup_free char *text = idset_encode(ranks, 0);
    json_object_object_add(entry, "rank", json_object_new_string(text));
}

void rset_parts_add(struct rset *r, unsigned part, unsigned nparts, unsigned rank,
                    unsigned nslots, hwloc_const_bitmap_t cores,
                    hwloc_const_bitmap_t gpus)
{
    json_object *list = part_to_fill(r, part, nparts),
                *children = json_object_new_object();
    size_t n = json_object_array_length(list);
    json_object *last = n ? json_object_array_get_idx(list, n - 1) : NULL;
    jsonutil_add_idset(children, "core", cores);
    if (gpus && !hwloc_bitmap_iszero(gpus))
        jsonutil_add_idset(children, "gpu", gpus);
    if (last && json_object_get_int64(jsonutil_get(last, "slots")) == (int64_t)nslots &&
        json_object_equal(jsonutil_get(last, "children"), children)) {
        add_rank(last, rank);
        json_object_put(children);
        return;
    }
    json_object *entry = json_object_new_object();
    char text[16];
    snprintf(text, sizeof(text), "%u", rank);
    json_object_object_add(entry, "rank", json_object_new_string(text));
    json_object_object_add(entry, "slots", json_object_new_int64(nslots));
    json_object_object_add(entry, "children", children);
    json_object_array_add(list, entry);
}

/* --- out --------------------------------------------------------------------------------- */

/* What PART has says of its entry ENTRY, or false: it is none. */
static bool get_entry(json_object *entry, hwloc_bitmap_t *ranks, unsigned *nslots)
{
    int64_t n;
    const char *text = jsonutil_string(jsonutil_get(entry, "rank"));
    if (!text || !jsonutil_int(jsonutil_get(entry, "slots"), 1, UINT_MAX, &n) ||
        !(*ranks = idset_decode(text, NULL)))
        return false;
    *nslots = (unsigned)n;
    return true;
}

static json_object *entries(const struct rset *r, size_t part)
{
    json_object *list = parts_of(r) ? json_object_array_get_idx(parts_of(r), part) : NULL;
    return json_object_is_type(list, json_type_array) ? list : NULL;
}

void rset_parts_slots(const struct rset *r, unsigned part, unsigned *nslots)
{
    json_object *list = entries(r, part);
    memset(nslots, 0, r->nnodes * sizeof(*nslots));
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        cleanup_bitmap hwloc_bitmap_t ranks = NULL;
        unsigned n;
        if (!get_entry(json_object_array_get_idx(list, i), &ranks, &n))
            continue;
        for (size_t k = 0; k < r->nnodes; k++)
            if (hwloc_bitmap_isset(ranks, r->nodes[k].rank))
                nslots[k] = n;
    }
}

/* [SLOTS,"CORES","GPUS"] of the entry in LIST that has RANK. */
static json_object *find_rank(json_object *list, unsigned rank)
{
    json_object *o = json_object_new_array_ext(3);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        cleanup_bitmap hwloc_bitmap_t ranks = NULL;
        unsigned n;
        if (!get_entry(entry, &ranks, &n) || !hwloc_bitmap_isset(ranks, rank))
            continue;
        json_object *children = jsonutil_get(entry, "children");
        const char *cores = jsonutil_string(jsonutil_get(children, "core")),
                   *gpus = jsonutil_string(jsonutil_get(children, "gpu"));
        json_object_array_add(o, json_object_new_int64(n));
        json_object_array_add(o, json_object_new_string(cores ? cores : ""));
        json_object_array_add(o, json_object_new_string(gpus ? gpus : ""));
        return o;
    }
    json_object_array_add(o, json_object_new_int64(0));
    json_object_array_add(o, json_object_new_string(""));
    json_object_array_add(o, json_object_new_string(""));
    return o;
}

json_object *rset_parts_on(const struct rset *r, unsigned rank)
{
    json_object *parts = parts_of(r);
    if (!parts)
        return NULL;
    json_object *all = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(parts); i++)
        json_object_array_add(all, find_rank(entries(r, i), rank));
    return all;
}
