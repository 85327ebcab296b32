/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/tree.h"

/* splitmix64: the next of a sequence that looks random; the same in every run. */
static unsigned next_weight(struct tree *t)
{
    uint64_t z = (t->seed += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (unsigned)(z >> 32);
}

/* The pointer that points to N: in its parent or the root. */
static struct tree_node **link_to(struct tree *t, struct tree_node *n)
{
    if (!n->parent)
        return &t->root;
    return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

static void update(const struct tree *t, struct tree_node *n)
{
    if (t->update)
        t->update(n);
}

static void update_upwards(const struct tree *t, struct tree_node *n)
{
    for (; t->update && n; n = n->parent)
        t->update(n);
}

/* Turn N and its parent around, so that N is above. */
static void rotate_up(struct tree *t, struct tree_node *n)
{
    struct tree_node *up = n->parent, *moved;
    *link_to(t, up) = n;
    n->parent = up->parent;
    up->parent = n;
    if (up->left == n) {
        moved = up->left = n->right;
        n->right = up;
    } else {
        moved = up->right = n->left;
        n->left = up;
    }
    if (moved)
        moved->parent = up;
    update(t, up);
    update(t, n);
}

void tree_insert(struct tree *t, struct tree_node *n)
{
    struct tree_node **link = &t->root, *parent = NULL;
    if (t->last && !t->before(n, t->last)) { /* most often they come in order */
        parent = t->last;
        link = &parent->right;
    }
    while (*link) {
        parent = *link;
        link = t->before(n, parent) ? &parent->left : &parent->right;
    }
    n->left = n->right = NULL;
    n->parent = parent;
    n->weight = next_weight(t);
    *link = n;
    if (!t->first || t->before(n, t->first))
        t->first = n;
    if (!t->last || !t->before(n, t->last))
        t->last = n;
    update_upwards(t, n);
    while (n->parent && n->parent->weight < n->weight)
        rotate_up(t, n);
}

struct tree_node *tree_previous(struct tree_node *n)
{
    if (n->left) {
        for (n = n->left; n->right; n = n->right)
            ;
        return n;
    }
    while (n->parent && n->parent->left == n)
        n = n->parent;
    return n->parent;
}

struct tree_node *tree_next(struct tree_node *n)
{
    if (n->right) {
        for (n = n->right; n->left; n = n->left)
            ;
        return n;
    }
    while (n->parent && n->parent->right == n)
        n = n->parent;
    return n->parent;
}

void tree_remove(struct tree *t, struct tree_node *n)
{
    if (t->first == n)
        t->first = tree_next(n);
    if (t->last == n)
        t->last = tree_previous(n);
    while (n->left && n->right)
        rotate_up(t, n->left->weight > n->right->weight ? n->left : n->right);
    struct tree_node *child = n->left ? n->left : n->right;
    *link_to(t, n) = child;
    if (child)
        child->parent = n->parent;
    update_upwards(t, n->parent);
    n->parent = n->left = n->right = NULL;
}
