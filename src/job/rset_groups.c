/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rset_groups.h"

#include "src/common/util.h"

/* Sets that may be NULL, which is no id. */
static int compare_sets(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b)
{
    return a && b ? hwloc_bitmap_compare(a, b) : (a != NULL) - (b != NULL);
}

static int by_children(const void *pa, const void *pb)
{
    const struct rset_node *a = *(const struct rset_node *const *)pa;
    const struct rset_node *b = *(const struct rset_node *const *)pb;
    int order = hwloc_bitmap_compare(a->cores, b->cores);
    if (order == 0)
        order = compare_sets(a->gpus, b->gpus);
    if (order == 0)
        order = (a->memory > b->memory) - (a->memory < b->memory);
    return order ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

static int by_first_rank(const void *pa, const void *pb)
{
    const struct rset_group *a = pa, *b = pb;
    return (a->node->rank > b->node->rank) - (a->node->rank < b->node->rank);
}

struct rset_groups rset_groups_create(const struct rset *r)
{
    struct rset_groups g = {.at = xcalloc(r->nnodes, sizeof(*g.at))};
    const struct rset_node **sorted = xcalloc(r->nnodes, sizeof(*sorted));
    for (size_t i = 0; i < r->nnodes; i++)
        sorted[i] = &r->nodes[i];
    qsort(sorted, r->nnodes, sizeof(*sorted), by_children);
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *node = sorted[i];
        const struct rset_node *first = g.n ? g.at[g.n - 1].node : NULL;
        if (!first || !hwloc_bitmap_isequal(first->cores, node->cores) ||
            compare_sets(first->gpus, node->gpus) != 0 || first->memory != node->memory)
            g.at[g.n++] = (struct rset_group){node, hwloc_bitmap_alloc()};
        hwloc_bitmap_set(g.at[g.n - 1].ranks, node->rank);
    }
    free(sorted);
    qsort(g.at, g.n, sizeof(*g.at), by_first_rank);
    return g;
}

void rset_groups_clear(struct rset_groups *g)
{
    for (size_t i = 0; i < g->n; i++)
        hwloc_bitmap_free(g->at[i].ranks);
    free(g->at);
    *g = (struct rset_groups){0};
}
