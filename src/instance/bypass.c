/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/bypass.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

bool bypass_is(const struct jobspec *spec)
{
    return jobspec_attr(spec, "system.alloc-bypass") != NULL;
}

/* NULL with err set: they are not there, or not all of them can run anything. */
static hwloc_bitmap_t find_ranks(const struct leader *ld, const struct jobspec *spec,
                                 struct error *err)
{
    const char *text =
        jsonutil_string(jsonutil_get(jobspec_attr(spec, "system.alloc-bypass"), "ranks"));
    if (!text)
        return error_null(err, EINVAL,
                          "attributes.system.alloc-bypass: must be {\"ranks\":IDSET}");
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, err);
    if (!ranks)
        return NULL;
    if (hwloc_bitmap_iszero(ranks))
        return error_null(err, EINVAL,
                          "attributes.system.alloc-bypass: no rank is named");
    cleanup_bitmap hwloc_bitmap_t there = hwloc_bitmap_alloc();
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_node node = pool_nth(ld->pool, i);
        hwloc_bitmap_set(there, node.rank);
        if (node.state == POOL_DOWN && hwloc_bitmap_isset(ranks, node.rank))
            return error_null(err, EHOSTUNREACH, "rank %u (%s) is down: %s", node.rank,
                              node.host, node.reason ? node.reason : "nobody knows why");
    }
    cleanup_bitmap hwloc_bitmap_t rest = hwloc_bitmap_dup(ranks);
    hwloc_bitmap_andnot(rest, rest, there);
    if (!hwloc_bitmap_iszero(rest)) {
        cleanup_free char *missing = idset_encode(rest, 0), *all = idset_encode(there, 0);
        return error_null(err, EHOSTUNREACH, "this instance has no rank %s; it has %s",
                          missing, all);
    }
    return take(ranks);
}

int bypass_check(const struct leader *ld, const struct submission *sub, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t ranks = find_ranks(ld, sub->spec, err);
    if (ranks && sub->count > 1)
        return error_set(err, EINVAL,
                         "attributes.system.alloc-bypass is for single jobs, not arrays");
    return ranks ? 0 : -1;
}

static struct placement *place(const struct leader *ld, hwloc_const_bitmap_t ranks)
{
    struct placement *pl = placement_create((size_t)hwloc_bitmap_weight(ranks));
    cleanup_bitmap hwloc_bitmap_t none = hwloc_bitmap_alloc();
    size_t n = 0;
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_node node = pool_nth(ld->pool, i);
        if (!hwloc_bitmap_isset(ranks, node.rank))
            continue;
        rset_add(pl->rset, node.rank, node.host, none, none);
        pl->nslots[n++] = 1;
    }
    return pl;
}

void bypass_turn(struct leader *ld)
{
    struct error err;
    if (!ld->have_bypass)
        return;
    ld->have_bypass = false;
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        if (job->state != JOB_SCHED || job->rest || job->ahead >= 0 ||
            !bypass_is(job->sub->spec))
            continue;
        cleanup_bitmap hwloc_bitmap_t ranks = find_ranks(ld, job->sub->spec, &err);
        if (ranks)
            manager_start(&job->sj, place(ld, ranks), ld);
        else
            manager_exception(ld, job, "exec", 0, err.text);
    }
}
