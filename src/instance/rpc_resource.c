/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_resource: requests about nodes. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static void add_set(json_object *o, const char *key, hwloc_const_bitmap_t set)
{
    cleanup_free char *text = set ? idset_encode(set, 0) : xstrdup("");
    json_object_object_add(o, key, json_object_new_string(text));
}

static int rpc_list_nodes(struct leader *ld, const struct request *rq,
                          json_object *params, struct error *err)
{
    static const char *const states[] = {
        [POOL_UP] = "up", [POOL_DRAINED] = "drained", [POOL_DOWN] = "down"};
    (void)params, (void)err;
    json_object *nodes = json_object_new_array();
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_node node = pool_nth(ld->pool, i);
        json_object *o = json_object_new_object();
        json_object_object_add(o, "rank", json_object_new_int64(node.rank));
        json_object_object_add(o, "host", json_object_new_string(node.host));
        add_set(o, "cores", node.cores);
        add_set(o, "gpus", node.gpus);
        add_set(o, "free_cores", node.free_cores);
        add_set(o, "free_gpus", node.free_gpus);
        json_object_object_add(o, "state", json_object_new_string(states[node.state]));
        if (node.reason)
            json_object_object_add(o, "reason", json_object_new_string(node.reason));
        json_object_array_add(nodes, o);
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "nodes", nodes);
    reply_result(ld, rq, result);
    return 0;
}

static int set_states(struct leader *ld, const struct request *rq, json_object *params,
                      enum pool_node_state state, struct error *err)
{
    const char *text = jsonutil_string(jsonutil_get(params, "ranks"));
    const char *reason = jsonutil_string(jsonutil_get(params, "reason"));
    if (!text)
        return error_set(err, EINVAL, "request: the parameter 'ranks' is missing");
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, err);
    if (!ranks) {
        error_prefix(err, "ranks");
        return -1;
    }
    int last = hwloc_bitmap_last(ranks);
    if (last < 0 || (size_t)last >= pool_nnodes(ld->pool))
        return error_set(err, EINVAL, "ranks '%s': this instance has ranks 0-%zu", text,
                         pool_nnodes(ld->pool) - 1);
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        if (!ld->nodes[rank].lost)
            pool_set_state(ld->pool, (unsigned)rank, state, reason);
    }
    hwloc_bitmap_foreach_end();
    leader_wake(ld);
    reply_result(ld, rq, json_object_new_object());
    return 0;
}

static int rpc_drain(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    return set_states(ld, rq, params, POOL_DRAINED, err);
}

static int rpc_undrain(struct leader *ld, const struct request *rq, json_object *params,
                       struct error *err)
{
    return set_states(ld, rq, params, POOL_UP, err);
}

const struct rpc rpc_resource_table[] = {
    {"resource.list", rpc_list_nodes},
    {"resource.drain", rpc_drain},
    {"resource.undrain", rpc_undrain},
    {NULL, NULL},
};
