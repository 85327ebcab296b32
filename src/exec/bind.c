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

/* Whether GPU is near the cores of task INDEX. */
static bool is_near(const struct node *node, unsigned gpu, hwloc_const_bitmap_t cores,
                    unsigned index, unsigned n)
{
    cleanup_bitmap hwloc_bitmap_t share = bind_share(cores, index, n);
    hwloc_const_bitmap_t near = node->gpus[gpu].near;
    bool found = false;
    int core;
    hwloc_bitmap_foreach_begin(core, share)
    {
        found |= near && (unsigned)core < node->ncores &&
                 hwloc_bitmap_intersects(node->pus[core], near);
    }
    hwloc_bitmap_foreach_end();
    return found;
}

/* Task INDEX of N: its share of GPUS, as many as bind_share gives; each task has those near its share of CORES, as
 * far as there are any. A new bitmap. */
static hwloc_bitmap_t share_near(const struct node *node, hwloc_const_bitmap_t cores,
                                 hwloc_const_bitmap_t gpus, unsigned index, unsigned n)
{
    unsigned count = (unsigned)MAX(hwloc_bitmap_weight(gpus), 0);
    bool known = false;
    for (unsigned i = 0; i < node->ngpus; i++)
        known |= node->gpus[i].near && hwloc_bitmap_isset(gpus, i);
    if (!known || n < 2 || count < 2 || hwloc_bitmap_last(gpus) >= (int)node->ngpus)
        return bind_share(gpus, index, n);
    /* Each GPU goes to so many tasks at most, and each task gets so many. */
    unsigned users = count < n ? (n + count - 1) / count : 1;
    cleanup_free unsigned *used = xcalloc(node->ngpus, sizeof(*used));
    cleanup_free unsigned *owner = xcalloc((size_t)n * node->ngpus, sizeof(*owner));
    for (int far = 0; far < 2; far++) /* first what is near, for all tasks */
        for (unsigned task = 0; task < n; task++) {
            uint64_t from = (uint64_t)task * count / n,
                     to = (uint64_t)(task + 1) * count / n;
            unsigned *mine = owner + (size_t)task * node->ngpus, have = 0;
            for (unsigned g = 0; g < node->ngpus; g++)
                have += mine[g];
            for (unsigned least = 0; least < users; least++) /* the least used one */
                for (unsigned g = 0; g < node->ngpus && have < MAX(to - from, 1u); g++)
                    if (hwloc_bitmap_isset(gpus, g) && used[g] == least && !mine[g] &&
                        (far || is_near(node, g, cores, task, n))) {
                        mine[g] = 1;
                        used[g]++;
                        have++;
                    }
        }
    hwloc_bitmap_t share = hwloc_bitmap_alloc();
    for (unsigned g = 0; g < node->ngpus; g++)
        if (owner[(size_t)index * node->ngpus + g])
            hwloc_bitmap_set(share, g);
    return share;
}

/* What else a variable needs to mean the devices that are meant. */
static void add_more(const char *name, unsigned n,
                     void (*add)(void *arg, const char *name, const char *value),
                     void *arg)
{
    if (strcmp(name, "CUDA_VISIBLE_DEVICES") == 0)
        add(arg, "CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    if (strcmp(name, "ZE_AFFINITY_MASK") == 0)
        add(arg, "ZE_ENABLE_PCI_ID_DEVICE_ORDER", "1");
    if (strcmp(name, "ROCR_VISIBLE_DEVICES") != 0)
        return;
    /* HIP counts among those that ROCr shows; what the submitter had would choose again */
    cleanup_strbuf struct strbuf all = {0};
    for (unsigned i = 0; i < n; i++)
        strbuf_addf(&all, "%s%u", i ? "," : "", i);
    add(arg, "HIP_VISIBLE_DEVICES", all.s);
}

static bool first_of_name(const struct node *node, unsigned gpu)
{
    for (unsigned i = 0; i < gpu; i++)
        if (node->gpus[i].env && strcmp(node->gpus[i].env, node->gpus[gpu].env) == 0)
            return false;
    return true;
}

void bind_gpus(const struct node *node, enum affinity kind, const char *map,
               hwloc_const_bitmap_t cores, hwloc_const_bitmap_t gpus, unsigned index,
               unsigned n, void (*add)(void *arg, const char *name, const char *value),
               void *arg)
{
    if (node->ngpus == 0 || kind == AFFINITY_OFF)
        return;
    cleanup_bitmap hwloc_bitmap_t share =
        kind == AFFINITY_PER_TASK ? share_near(node, cores, gpus, index, n)
        : kind == AFFINITY_MAP    ? launch_options_map(map, index)
                                  : hwloc_bitmap_dup(gpus);
    for (unsigned v = 0; v < node->ngpus; v++) {
        const char *name = node->gpus[v].env;
        if (!name || !first_of_name(node, v))
            continue;
        cleanup_strbuf struct strbuf value = {0};
        unsigned shown = 0;
        for (unsigned i = v; i < node->ngpus; i++)
            if (node->gpus[i].env && strcmp(node->gpus[i].env, name) == 0 && share &&
                hwloc_bitmap_isset(share, i))
                strbuf_addf(&value, "%s%s", shown++ ? "," : "", node->gpus[i].value);
        if (shown > 0)
            add_more(name, shown, add, arg);
        add(arg, name, value.len ? value.s : "-1");
    }
}
