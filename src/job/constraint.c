/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/constraint.h"

#include <errno.h>
#include <string.h>

#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* Bounds the recursion; what a person or a tool writes stays far below. */
#define NESTING_MAX 64

enum op { OP_AND, OP_OR, OP_NOT, OP_PROPERTIES, OP_HOSTLIST, OP_RANKS };

struct constraint {
    enum op op;
    size_t n;                  /* entries of child, or of name */
    struct constraint **child; /* and, or, not */
    char **name;               /* properties as given; hosts in strcmp order */
    hwloc_bitmap_t ranks;      /* ranks */
};

static struct constraint *compile(json_object *o, int nesting, struct error *err);

void constraint_destroy(struct constraint *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        if (c->child)
            constraint_destroy(c->child[i]);
        if (c->name)
            free(c->name[i]);
    }
    free(c->child);
    free(c->name);
    hwloc_bitmap_free(c->ranks);
    free(c);
}

static int add_children(struct constraint *c, const char *op, json_object *values,
                        int nesting, struct error *err)
{
    size_t n = json_object_array_length(values);
    if (c->op == OP_NOT && n > 1)
        return error_set(err, EINVAL, "constraint: not takes one value, there are %zu",
                         n);
    if (nesting >= NESTING_MAX)
        return error_set(err, EINVAL, "constraint: %s: nested more than %d deep", op,
                         NESTING_MAX);
    c->child = xcalloc(n, sizeof(*c->child));
    for (; c->n < n; c->n++) {
        c->child[c->n] =
            compile(json_object_array_get_idx(values, c->n), nesting + 1, err);
        if (!c->child[c->n])
            return -1;
    }
    return 0;
}

static int add_properties(struct constraint *c, json_object *values, struct error *err)
{
    size_t n = json_object_array_length(values);
    c->name = xcalloc(n, sizeof(*c->name));
    for (size_t i = 0; i < n; i++) {
        json_object *v = json_object_array_get_idx(values, i);
        const char *s = jsonutil_string(v);
        const char *name = s && *s == '^' ? s + 1 : s;
        if (!name || *name == '\0')
            return error_set(err, EINVAL,
                             "constraint: properties: %s is not the name of a property",
                             jsonutil_show(v).text);
        size_t good = strcspn(name, "!&'\"^`|()"); /* RFC 20 */
        if (name[good])
            return error_set(err, EINVAL,
                             "constraint: properties: '%c' is not allowed in the name %s",
                             name[good], jsonutil_show(v).text);
        c->name[c->n++] = xstrdup(s);
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_hosts(struct constraint *c, json_object *values, struct error *err)
{
    struct hostlist *hl = hostlist_create();
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < json_object_array_length(values); i++) {
        json_object *v = json_object_array_get_idx(values, i);
        const char *s = jsonutil_string(v);
        if (s)
            rc = hostlist_append(hl, s, err);
        else
            rc = error_set(err, EINVAL, "%s is not a string", jsonutil_show(v).text);
    }
    if (rc >= 0 && hostlist_count(hl) == 0)
        rc = error_set(err, EINVAL, "no host is named");
    if (rc < 0) {
        hostlist_destroy(hl);
        return error_prefix(err, "constraint: hostlist");
    }
    c->name = xcalloc(hostlist_count(hl), sizeof(*c->name));
    for (; c->n < hostlist_count(hl); c->n++)
        c->name[c->n] = xstrdup(hostlist_nth(hl, c->n));
    hostlist_destroy(hl);
    qsort(c->name, c->n, sizeof(*c->name), compare_names);
    return 0;
}

static int add_ranks(struct constraint *c, json_object *values, struct error *err)
{
    c->ranks = hwloc_bitmap_alloc();
    for (size_t i = 0; i < json_object_array_length(values); i++) {
        json_object *v = json_object_array_get_idx(values, i);
        const char *s = jsonutil_string(v);
        if (!s)
            return error_set(err, EINVAL, "constraint: ranks: %s is not a string",
                             jsonutil_show(v).text);
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(s, err);
        if (!set)
            return error_prefix(err, "constraint: ranks");
        hwloc_bitmap_or(c->ranks, c->ranks, set);
    }
    if (hwloc_bitmap_iszero(c->ranks))
        return error_set(err, EINVAL, "constraint: ranks: no rank is named");
    return 0;
}

static int fill(struct constraint *c, const char *op, json_object *values, int nesting,
                struct error *err)
{
    static const char *const names[] = {
        [OP_AND] = "and",           [OP_OR] = "or",
        [OP_NOT] = "not",           [OP_PROPERTIES] = "properties",
        [OP_HOSTLIST] = "hostlist", [OP_RANKS] = "ranks",
    };
    size_t i = 0;
    while (i < ARRAY_SIZE(names) && strcmp(names[i], op) != 0)
        i++;
    if (i == ARRAY_SIZE(names))
        return error_set(err, EINVAL,
                         "constraint: unknown operator \"%s\" (known: and, or, not, "
                         "properties, hostlist, ranks)",
                         op);
    c->op = (enum op)i;
    if (!json_object_is_type(values, json_type_array))
        return error_set(err, EINVAL,
                         "constraint: %s: must be an array of values, not %s", op,
                         jsonutil_show(values).text);
    switch (c->op) {
    case OP_PROPERTIES:
        return add_properties(c, values, err);
    case OP_HOSTLIST:
        return add_hosts(c, values, err);
    case OP_RANKS:
        return add_ranks(c, values, err);
    default:
        return add_children(c, op, values, nesting, err);
    }
}

static struct constraint *compile(json_object *o, int nesting, struct error *err)
{
    if (!json_object_is_type(o, json_type_object))
        return error_null(err, EINVAL,
                          "constraint: must be an object {\"OPERATOR\":[VALUES]}, not %s",
                          jsonutil_show(o).text);
    if (json_object_object_length(o) > 1)
        return error_null(
            err, EINVAL,
            "constraint: %s has more than one operator; join them with \"and\"",
            jsonutil_show(o).text);
    struct constraint *c = xcalloc(1, sizeof(*c)); /* as it is: {"and":[]}, as {} means */
    json_object_object_foreach(o, op, values)
    {
        if (fill(c, op, values, nesting, err) < 0) {
            constraint_destroy(c);
            return NULL;
        }
    }
    return c;
}

struct constraint *constraint_from_json(json_object *o, struct error *err)
{
    return compile(o, 0, err);
}

static bool has_properties(const struct constraint *c, const struct constraint_node *node)
{
    for (size_t i = 0; i < c->n; i++) {
        bool wanted = c->name[i][0] != '^';
        const char *name = c->name[i] + !wanted;
        bool found = node->has_property && node->has_property(node->arg, name);
        if (found != wanted)
            return false;
    }
    return true;
}

bool constraint_match(const struct constraint *c, const struct constraint_node *node)
{
    switch (c->op) {
    case OP_AND:
        for (size_t i = 0; i < c->n; i++)
            if (!constraint_match(c->child[i], node))
                return false;
        return true;
    case OP_OR:
        for (size_t i = 0; i < c->n; i++)
            if (constraint_match(c->child[i], node))
                return true;
        return c->n == 0; /* RFC 31: matches anything */
    case OP_NOT:
        return c->n == 1 && !constraint_match(c->child[0], node);
    case OP_PROPERTIES:
        return has_properties(c, node);
    case OP_HOSTLIST:
        return node->host &&
               bsearch(&node->host, c->name, c->n, sizeof(*c->name), compare_names);
    case OP_RANKS:
        return hwloc_bitmap_isset(c->ranks, node->rank);
    }
    return false;
}
