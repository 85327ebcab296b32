/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_resource: requests about nodes. */
#include "src/instance/jobview.h"
#include "src/instance/journal.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static int rpc_list_nodes(struct leader *ld, const struct request *rq,
                          json_object *params, struct error *err)
{
    (void)params, (void)err;
    reply_result(ld, rq, jobview_nodes(ld->pool, ld->config.journal));
    return 0;
}

/* What is drained already keeps its time, unless the request says otherwise. */
static double drained_since(const struct leader *ld, unsigned rank, bool anew, double now)
{
    const struct leader_node *node = &ld->nodes[rank];
    return node->drained && !anew ? node->drained_at : now;
}

static int set_states(struct leader *ld, const struct request *rq, json_object *params,
                      enum pool_node_state state, struct error *err)
{
    const char *text = jsonutil_string(jsonutil_get(params, "ranks"));
    const char *reason = jsonutil_string(jsonutil_get(params, "reason"));
    bool anew = json_object_get_boolean(jsonutil_get(params, "anew"));
    double now = time_now();
    if (!text)
        return error_set(err, EINVAL, "request: the parameter 'ranks' is missing");
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, err);
    if (!ranks) {
        error_prefix(err, "ranks");
        return -1;
    }
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++)
        hwloc_bitmap_set(all, pool_nth(ld->pool, i).rank);
    if (hwloc_bitmap_iszero(ranks) || !hwloc_bitmap_isincluded(ranks, all)) {
        cleanup_free char *have = idset_encode(all, 0);
        return error_set(err, EINVAL, "ranks '%s': this instance has %s %s", text,
                         hwloc_bitmap_weight(all) == 1 ? "rank" : "ranks", have);
    }
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        report_drain(ld, (unsigned)rank, state == POOL_DRAINED, reason,
                     drained_since(ld, (unsigned)rank, anew, now));
    }
    hwloc_bitmap_foreach_end();
    orders_drain(ld, ranks, state == POOL_DRAINED, reason);
    leader_wake(ld);
    reply_when_safe(ld, rq, json_object_new_object());
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

static int rpc_journal(struct leader *ld, const struct request *rq, json_object *params,
                       struct error *err)
{
    int64_t since;
    if (param_int(params, "since", 0, INT64_MAX, 0, &since, err) < 0)
        return -1;
    reply_result(ld, rq, journal_to_json(ld->config.journal, (uint64_t)since));
    return 0;
}

const struct rpc rpc_resource_table[] = {
    {"resource.journal", rpc_journal},
    {"resource.list", rpc_list_nodes},
    {"resource.drain", rpc_drain},
    {"resource.undrain", rpc_undrain},
    {NULL, NULL},
};
