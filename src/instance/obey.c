/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/obey.h"

#include <string.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/grow.h"
#include "src/instance/shrink.h"
#include "src/job/jsonutil.h"

#define BY_PARENT "by the parent instance"

/* The ranks here on NODES, an idset of the parent's ranks. */
static hwloc_bitmap_t find_ranks(const struct instance *in, json_object *nodes)
{
    struct error err;
    const char *text = jsonutil_string(nodes);
    cleanup_bitmap hwloc_bitmap_t set = text ? idset_decode(text, &err) : NULL;
    hwloc_bitmap_t ranks = hwloc_bitmap_alloc();
    for (unsigned i = 0; set && i < in->size; i++) {
        int64_t node;
        if (!jsonutil_get(in->nodes[i], "left") &&
            jsonutil_int(jsonutil_get(in->nodes[i], "node"), 0, INT32_MAX, &node) &&
            hwloc_bitmap_isset(set, (unsigned)node))
            hwloc_bitmap_set(ranks, i);
    }
    return ranks;
}

static void prepare(struct instance *in, json_object *order)
{
    grow_prepare(in, jsonutil_get(order, "pmix"));
}

static void shrink(struct instance *in, json_object *order)
{
    int64_t n = 0;
    unsigned can;
    if (jsonutil_int(jsonutil_get(order, "nnodes"), 1, INT32_MAX, &n)) {
        can = shrink_count(in, (unsigned)n);
    } else {
        cleanup_bitmap hwloc_bitmap_t ranks =
            find_ranks(in, jsonutil_get(order, "nodes"));
        n = hwloc_bitmap_weight(ranks);
        can = shrink_ranks(in, ranks, NULL);
    }
    if (can >= n && n > 0)
        return;
    cleanup_free char *why =
        n == 0 ? xstrdup("the instance is not on these nodes")
               : xasprintf("%u of %lld nodes can be given back: its leader's stays, and "
                           "others leave already, or were lost",
                           can, (long long)n);
    parent_note(in->parent, "shrink_error", json_object_new_string(why));
}

static void drain(struct instance *in, json_object *order)
{
    const char *reason = jsonutil_string(jsonutil_get(order, "reason"));
    cleanup_free char *why =
        xasprintf("drained " BY_PARENT "%s%s", reason ? ": " : "", reason ? reason : "");
    cleanup_bitmap hwloc_bitmap_t ranks = find_ranks(in, jsonutil_get(order, "nodes"));
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        const char *old = leader_drained(in->leader, (unsigned)rank);
        if (!old || strstr(old, BY_PARENT)) /* one of its own stays */
            leader_drain(in->leader, (unsigned)rank, true, why);
    }
    hwloc_bitmap_foreach_end();
}

static void undrain(struct instance *in, json_object *order)
{
    cleanup_bitmap hwloc_bitmap_t ranks = find_ranks(in, jsonutil_get(order, "nodes"));
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        const char *old = leader_drained(in->leader, (unsigned)rank);
        if (old && strncmp(old, "drained " BY_PARENT, strlen("drained " BY_PARENT)) == 0)
            leader_drain(in->leader, (unsigned)rank, false, NULL);
    }
    hwloc_bitmap_foreach_end();
}

static void expire(struct instance *in, json_object *order)
{
    double when, limit = in->options.time_limit;
    double start = json_object_get_double(jsonutil_get(in->info, "starttime"));
    if (!jsonutil_number(jsonutil_get(order, "expiration"), &when) || when < 0)
        return;
    if (limit > 0 && (when <= 0 || start + limit < when))
        when = start + limit;
    json_object_object_add(in->info, "expiration", json_object_new_double(when));
    leader_expire_at(in->leader, when);
}

static const struct {
    const char *name;
    void (*call)(struct instance *in, json_object *order);
} orders[] = {{"prepare", prepare},
              {"shrink", shrink},
              {"drain", drain},
              {"undrain", undrain},
              {"expiration", expire}};

void obey_order(void *arg, json_object *order)
{
    struct instance *in = arg;
    const char *name = jsonutil_string(jsonutil_get(order, "order"));
    for (size_t i = 0; name && in->leader && i < ARRAY_SIZE(orders); i++)
        if (strcmp(orders[i].name, name) == 0) {
            orders[i].call(in, order);
            return;
        }
    log_warning("the parent instance orders what is not known here: %.100s",
                json_object_to_json_string(order));
}
