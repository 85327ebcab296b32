/* SPDX-License-Identifier: BSD-3-Clause */
/* tree: a sorted set that lives in its members.
 *
 * A treap: a search tree by order that is also a heap by a pseudo-random weight, so that it
 * stays about 2 log2(n) deep whatever order members come in, without memory of its own.  A
 * member may keep something about all that is below it (update). */
#ifndef HBATCH_SCHED_TREE_H
#define HBATCH_SCHED_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *parent, *left, *right;
    unsigned weight; /* heap order */
};

struct tree {
    struct tree_node *root, *first, *last;
    uint64_t seed; /* of the weights; any value */
    /* Does A come before B?  It is so or the other way round, and does not change. */
    bool (*before)(struct tree_node *a, struct tree_node *b);
    /* What is below N has changed: make N's summary anew from it.  May be NULL. */
    void (*update)(struct tree_node *n);
};

#define tree_entry(node, type, member)                                                   \
    ({                                                                                   \
        struct tree_node *node_ = (node);                                                \
        node_ ? (type *)(void *)((char *)node_ - offsetof(type, member)) : NULL;         \
    })

void tree_insert(struct tree *t, struct tree_node *n); /* N is in no tree */
void tree_remove(struct tree *t, struct tree_node *n); /* N is in this one */
/* NULL: it is the last, or first, one. */
struct tree_node *tree_next(struct tree_node *n);
struct tree_node *tree_previous(struct tree_node *n);

#endif
