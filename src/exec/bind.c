/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/bind.h"

#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

hwloc_bitmap_t bind_share(hwloc_const_bitmap_t set, unsigned index, unsigned n)
{
    hwloc_bitmap_t share = hwloc_bitmap_alloc();
    unsigned count = (unsigned)MAX(hwloc_bitmap_weight(set), 0);
    if (count == 0 || n == 0)
        return share;
    uint64_t from = (uint64_t)index * count / n;
    uint64_t to = (uint64_t)(index + 1) * count / n;
    if (to <= from)
        to = from + 1;
    uint64_t at = 0;
    for (int id = hwloc_bitmap_first(set); id >= 0 && at < to;
         id = hwloc_bitmap_next(set, id), at++)
        if (at >= from)
            hwloc_bitmap_set(share, (unsigned)id);
    return share;
}

hwloc_bitmap_t bind_cpus(const struct node *node, enum affinity kind, const char *map,
                         hwloc_const_bitmap_t cores, unsigned index, unsigned n)
{
    if (kind == AFFINITY_OFF || !node->bind)
        return NULL;
    if (kind == AFFINITY_MAP)
        return launch_options_map(map, index);
    cleanup_bitmap hwloc_bitmap_t share =
        kind == AFFINITY_PER_TASK ? bind_share(cores, index, n) : hwloc_bitmap_dup(cores);
    hwloc_bitmap_t pus = hwloc_bitmap_alloc();
    int core;
    hwloc_bitmap_foreach_begin(core, share)
    {
        if ((unsigned)core < node->ncores)
            hwloc_bitmap_or(pus, pus, node->pus[core]);
    }
    hwloc_bitmap_foreach_end();
    if (hwloc_bitmap_iszero(pus)) {
        hwloc_bitmap_free(pus);
        return NULL;
    }
    return pus;
}

static bool first_of_name(const struct node *node, unsigned gpu)
{
    for (unsigned i = 0; i < gpu; i++)
        if (node->gpus[i].env && strcmp(node->gpus[i].env, node->gpus[gpu].env) == 0)
            return false;
    return true;
}

void bind_gpus(const struct node *node, enum affinity kind, const char *map,
               hwloc_const_bitmap_t gpus, unsigned index, unsigned n,
               void (*add)(void *arg, const char *name, const char *value), void *arg)
{
    if (node->ngpus == 0 || kind == AFFINITY_OFF)
        return;
    cleanup_bitmap hwloc_bitmap_t share =
        kind == AFFINITY_PER_TASK ? bind_share(gpus, index, n)
        : kind == AFFINITY_MAP    ? launch_options_map(map, index)
                                  : hwloc_bitmap_dup(gpus);
    for (unsigned v = 0; v < node->ngpus; v++) {
        const char *name = node->gpus[v].env;
        if (!name || !first_of_name(node, v))
            continue;
        cleanup_strbuf struct strbuf value = {0};
        for (unsigned i = v; i < node->ngpus; i++)
            if (node->gpus[i].env && strcmp(node->gpus[i].env, name) == 0 && share &&
                hwloc_bitmap_isset(share, i))
                strbuf_addf(&value, "%s%s", value.len ? "," : "", node->gpus[i].value);
        if (value.len > 0 && strcmp(name, "CUDA_VISIBLE_DEVICES") == 0)
            add(arg, "CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        add(arg, name, value.len ? value.s : "-1");
    }
}
