/* SPDX-License-Identifier: BSD-3-Clause */
/* tree: labels in a tree, drawn with lines. */
#ifndef HBATCH_CLI_TREE_H
#define HBATCH_CLI_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct tree {
    char *prefix, *label; /* prefix: in the columns before the tree */
    unsigned long count;  /* of leaves that are alike */
    struct tree **children;
    size_t n;
};

enum tree_style { TREE_BOX, TREE_ASCII, TREE_COMPACT };

/* PREFIX and LABEL are taken over. */
struct tree *tree_create(char *prefix, char *label);
void tree_destroy(struct tree *t);
/* CHILD is taken over; with COMBINE, a leaf that has one like it in T only counts there. */
void tree_add(struct tree *t, struct tree *child, bool combine);
/* WIDTH: where lines are cut, 0: nowhere.  SKIP_ROOT: only what is below T. */
void tree_print(const struct tree *t, enum tree_style style, size_t width,
                bool skip_root);

#endif
