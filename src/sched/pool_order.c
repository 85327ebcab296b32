/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/pool_order.h"

#include "src/common/util.h"

static struct pool_order_node *node_of(struct tree_node *n)
{
    return tree_entry(n, struct pool_order_node, in);
}

/* Nodes lie in one array: their addresses tell their places. */
static bool before(struct tree_node *a, struct tree_node *b)
{
    const struct pool_order_node *x = node_of(a), *y = node_of(b);
    return x->gpus != y->gpus     ? x->gpus < y->gpus
           : x->cores != y->cores ? x->cores < y->cores
                                  : x < y;
}

static unsigned most(struct tree_node *n)
{
    return n ? node_of(n)->most : 0;
}

static void summarize(struct tree_node *n)
{
    struct pool_order_node *x = node_of(n);
    x->most = MAX(x->cores, MAX(most(n->left), most(n->right)));
}

void pool_order_clear(struct pool_order *o)
{
    free(o->nodes);
    *o = (struct pool_order){0};
}

void pool_order_reset(struct pool_order *o, size_t nnodes)
{
    pool_order_clear(o);
    o->tree = (struct tree){.before = before, .update = summarize};
    o->nnodes = nnodes;
    o->nodes = xcalloc(MAX(nnodes, (size_t)1), sizeof(*o->nodes));
}

void pool_order_set(struct pool_order *o, size_t i, unsigned cores, unsigned gpus)
{
    struct pool_order_node *n = &o->nodes[i];
    if (n->cores == cores && n->gpus == gpus)
        return;
    if (n->cores > 0)
        tree_remove(&o->tree, &n->in);
    n->cores = cores;
    n->gpus = gpus;
    if (cores > 0)
        tree_insert(&o->tree, &n->in);
}

/* Below N, which may be NULL.  All that has the GPUs is together at the end. */
static struct tree_node *search(struct tree_node *n, unsigned cores, unsigned gpus)
{
    if (most(n) < cores)
        return NULL;
    const struct pool_order_node *x = node_of(n);
    struct tree_node *found = x->gpus < gpus ? NULL : search(n->left, cores, gpus);
    if (!found && x->gpus >= gpus && x->cores >= cores)
        found = n;
    return found ? found : search(n->right, cores, gpus);
}

size_t pool_order_next(const struct pool_order *o, size_t after, unsigned cores,
                       unsigned gpus)
{
    struct tree_node *n;
    if (after == POOL_ORDER_NONE) {
        n = search(o->tree.root, cores, gpus);
    } else {
        n = &o->nodes[after].in;
        do
            n = tree_next(n);
        while (n && node_of(n)->cores < cores);
    }
    return n ? (size_t)(node_of(n) - o->nodes) : POOL_ORDER_NONE;
}
