/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/tree.h"

#include <stdio.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

#define LOOK_BACK 256 /* leaves among which one that is alike is looked for */

static const struct lines {
    const char *pipe, *tee, *elbow, *blank;
} styles[] = {
    [TREE_BOX] = {"│   ", "├── ", "└── ", "    "},
    [TREE_ASCII] = {"|   ", "|-- ", "`-- ", "    "},
    [TREE_COMPACT] = {"│ ", "├─", "└─", "  "},
};

struct tree *tree_create(char *prefix, char *label)
{
    struct tree *t = xcalloc(1, sizeof(*t));
    t->prefix = prefix;
    t->label = label;
    t->count = 1;
    return t;
}

void tree_destroy(struct tree *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        tree_destroy(t->children[i]);
    free(t->children);
    free(t->prefix);
    free(t->label);
    free(t);
}

static bool alike(const struct tree *a, const struct tree *b)
{
    return a->n == 0 && b->n == 0 && strcmp(a->label, b->label) == 0 &&
           strcmp(a->prefix, b->prefix) == 0;
}

void tree_add(struct tree *t, struct tree *child, bool combine)
{
    for (size_t i = t->n; combine && i > 0 && i + LOOK_BACK > t->n; i--) {
        if (!alike(t->children[i - 1], child))
            continue;
        t->children[i - 1]->count += child->count;
        tree_destroy(child);
        return;
    }
    if (!(t->n & (t->n - 1))) /* room is a power of 2 */
        t->children = xrealloc(t->children, (t->n ? t->n * 2 : 1) * sizeof(*t->children));
    t->children[t->n++] = child;
}

/* Bytes of TEXT that take WIDTH columns. */
static size_t cut(const char *text, size_t width)
{
    size_t n = 0;
    for (const char *s = text; *s; s++) {
        if ((*s & 0xc0) != 0x80 && n++ == width)
            return (size_t)(s - text);
    }
    return strlen(text);
}

/* LEAD: the lines that come down from above; CONNECTOR: that to this one. */
static void print(const struct tree *t, const struct lines *l, size_t width,
                  const char *lead, const char *connector, bool has_connector)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "%s%s", t->prefix, lead);
    if (has_connector)
        strbuf_add(&line, connector);
    strbuf_addf(&line, t->count > 1 ? "%lu*[" : "", t->count);
    strbuf_addf(&line, "%s%s", t->label, t->count > 1 ? "]" : "");
    cleanup_free char *text = strbuf_take(&line);
    if (width && cut(text, width) < strlen(text))
        printf("%.*s+\n", (int)cut(text, width - 1), text);
    else
        puts(text);
    const char *more = !has_connector ? "" : connector == l->elbow ? l->blank : l->pipe;
    cleanup_free char *below = xasprintf("%s%s", lead, more);
    for (size_t i = 0; i < t->n; i++)
        print(t->children[i], l, width, below, i + 1 < t->n ? l->tee : l->elbow, true);
}

void tree_print(const struct tree *t, enum tree_style style, size_t width, bool skip_root)
{
    const struct lines *l = &styles[style];
    if (!skip_root)
        print(t, l, width, "", "", false);
    for (size_t i = 0; skip_root && i < t->n; i++)
        print(t->children[i], l, width, "", "", false);
}
