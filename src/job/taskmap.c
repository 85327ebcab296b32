/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/taskmap.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/taskmap_impl.h"

/* In one piece of memory: there is one for each job that runs. */
struct taskmap {
    unsigned ntasks, nnodes;
    hwloc_bitmap_t *sets; /* for taskmap_tasks: each is made when it is first asked for */
    unsigned *first;      /* nnodes + 1: where a node's ranks start in ranks[] */
    unsigned *ranks;      /* all ranks, node by node, ascending within each */
    unsigned node[];      /* of each rank; then FIRST, then RANKS */
};

struct taskmap *taskmap_from_nodes(unsigned *node, unsigned ntasks, unsigned nnodes)
{
    size_t n = 2 * (size_t)ntasks + nnodes + 1;
    struct taskmap *map = xcalloc(1, sizeof(*map) + n * sizeof(unsigned));
    map->ntasks = ntasks;
    map->nnodes = nnodes;
    map->first = map->node + ntasks;
    map->ranks = map->first + nnodes + 1;
    if (ntasks)
        memcpy(map->node, node, ntasks * sizeof(*node));
    /* A counting sort of the ranks by node: first[] runs ahead as it is filled. */
    for (unsigned i = 0; i < ntasks; i++)
        map->first[node[i] + 1]++;
    for (unsigned i = 0; i < nnodes; i++)
        map->first[i + 1] += map->first[i];
    for (unsigned i = 0; i < ntasks; i++)
        map->ranks[map->first[node[i]]++] = i;
    memmove(map->first + 1, map->first, nnodes * sizeof(*map->first));
    map->first[0] = 0;
    free(node);
    return map;
}

static unsigned sum(const unsigned *ntasks, unsigned nnodes)
{
    unsigned n = 0;
    for (unsigned i = 0; i < nnodes; i++)
        n += ntasks[i];
    return n;
}

struct taskmap *taskmap_block(const unsigned *ntasks, unsigned nnodes)
{
    unsigned total = sum(ntasks, nnodes), rank = 0;
    unsigned *node = xcalloc(total, sizeof(*node));
    for (unsigned i = 0; i < nnodes; i++)
        for (unsigned n = 0; n < ntasks[i]; n++)
            node[rank++] = i;
    return taskmap_from_nodes(node, total, nnodes);
}

struct taskmap *taskmap_cyclic(const unsigned *ntasks, unsigned nnodes, unsigned stride)
{
    unsigned total = sum(ntasks, nnodes), rank = 0;
    unsigned *node = xcalloc(total, sizeof(*node));
    unsigned *left = xcalloc(nnodes, sizeof(*left));
    if (nnodes)
        memcpy(left, ntasks, nnodes * sizeof(*left));
    while (rank < total)
        for (unsigned i = 0; i < nnodes; i++)
            for (unsigned n = 0; n < MAX(stride, 1) && left[i] > 0; n++, left[i]--)
                node[rank++] = i;
    free(left);
    return taskmap_from_nodes(node, total, nnodes);
}

struct taskmap *taskmap_join(const struct taskmap *a, const struct taskmap *b)
{
    unsigned total = a->ntasks + b->ntasks,
             *node = xcalloc(MAX(total, 1u), sizeof(*node));
    if (a->ntasks)
        memcpy(node, a->node, a->ntasks * sizeof(*node));
    if (b->ntasks)
        memcpy(node + a->ntasks, b->node, b->ntasks * sizeof(*node));
    return taskmap_from_nodes(node, total, MAX(a->nnodes, b->nnodes));
}

void taskmap_destroy(struct taskmap *map)
{
    if (!map)
        return;
    for (unsigned i = 0; map->sets && i < map->nnodes; i++)
        hwloc_bitmap_free(map->sets[i]);
    free(map->sets);
    free(map);
}

unsigned taskmap_nnodes(const struct taskmap *map)
{
    return map->nnodes;
}

unsigned taskmap_ntasks(const struct taskmap *map)
{
    return map->ntasks;
}

int taskmap_node(const struct taskmap *map, unsigned rank)
{
    return rank < map->ntasks ? (int)map->node[rank] : -1;
}

hwloc_const_bitmap_t taskmap_tasks(const struct taskmap *map, unsigned index)
{
    if (index >= map->nnodes)
        return NULL;
    if (!map->sets) { /* no map is a constant */
        struct taskmap *own = (struct taskmap *)(uintptr_t)map;
        own->sets = xcalloc(map->nnodes, sizeof(*own->sets));
    }
    if (!map->sets[index]) {
        map->sets[index] = hwloc_bitmap_alloc();
        /* From the greatest down: the bitmap is grown once. */
        for (unsigned i = map->first[index + 1]; i > map->first[index]; i--)
            hwloc_bitmap_set(map->sets[index], map->ranks[i - 1]);
    }
    return map->sets[index];
}

/* --- encoding ---------------------------------------------------------------------------- */

/* The block that starts at rank *RANK, which moves behind it: as many equally long runs on
 * consecutive nodes as there are. */
static struct taskmap_block_item next_block(const struct taskmap *map, unsigned *rank)
{
    struct taskmap_block_item b = {.nodeid = map->node[*rank], .repeat = 1};
    unsigned r = *rank, ppn = 0;
    do {
        unsigned node = b.nodeid + b.nnodes, run = 0;
        while (r + run < map->ntasks && map->node[r + run] == node)
            run++;
        if (b.nnodes && run != ppn)
            break;
        ppn = run;
        r += run;
        b.nnodes++;
    } while (r < map->ntasks);
    b.ppn = ppn;
    *rank = r;
    return b;
}

static bool same_block(const struct taskmap_block_item *a,
                       const struct taskmap_block_item *b)
{
    return a->nodeid == b->nodeid && a->nnodes == b->nnodes && a->ppn == b->ppn;
}

char *taskmap_encode(const struct taskmap *map)
{
    cleanup_strbuf struct strbuf out = {0};
    strbuf_addc(&out, '[');
    for (unsigned rank = 0; rank < map->ntasks;) {
        struct taskmap_block_item b = next_block(map, &rank);
        for (unsigned peek = rank; peek < map->ntasks; rank = peek, b.repeat++) {
            struct taskmap_block_item more = next_block(map, &peek);
            if (!same_block(&b, &more))
                break;
        }
        strbuf_addf(&out, "%s[%u,%u,%u,%u]", out.len > 1 ? "," : "", b.nodeid, b.nnodes,
                    b.ppn, b.repeat);
    }
    strbuf_addc(&out, ']');
    return strbuf_take(&out);
}

char *taskmap_encode_pmi(const struct taskmap *map)
{
    cleanup_strbuf struct strbuf out = {0};
    if (map->ntasks == 0)
        return xstrdup("");
    strbuf_add(&out, "(vector");
    for (unsigned rank = 0; rank < map->ntasks;) {
        struct taskmap_block_item b = next_block(map, &rank);
        strbuf_addf(&out, ",(%u,%u,%u)", b.nodeid, b.nnodes, b.ppn);
    }
    strbuf_addc(&out, ')');
    return strbuf_take(&out);
}

char *taskmap_encode_raw(const struct taskmap *map)
{
    cleanup_strbuf struct strbuf out = {0};
    for (unsigned i = 0; i < map->nnodes; i++) {
        if (i)
            strbuf_addc(&out, ';');
        const unsigned *end = map->ranks + map->first[i + 1];
        for (const unsigned *r = map->ranks + map->first[i]; r < end;) {
            const unsigned *last = r;
            while (last + 1 < end && last[1] == last[0] + 1)
                last++;
            const char *comma = r > map->ranks + map->first[i] ? "," : "";
            if (last > r)
                strbuf_addf(&out, "%s%u-%u", comma, *r, *last);
            else
                strbuf_addf(&out, "%s%u", comma, *r);
            r = last + 1;
        }
    }
    return strbuf_take(&out);
}
