/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/hostset.h"

#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"

struct index { /* names of a list, sorted */
    const char **names;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct index make_index(const struct hostlist *hl)
{
    struct index x = {.n = hostlist_count(hl)};
    x.names = xcalloc(x.n + 1, sizeof(*x.names));
    for (size_t i = 0; i < x.n; i++)
        x.names[i] = hostlist_nth(hl, i);
    qsort(x.names, x.n, sizeof(*x.names), compare);
    return x;
}

/* Those of A that are in B, or are not. */
static struct hostlist *filter(const struct hostlist *a, const struct hostlist *b,
                               bool in)
{
    struct index x = make_index(b);
    struct hostlist *result = hostlist_create();
    for (size_t i = 0; i < hostlist_count(a); i++) {
        const char *name = hostlist_nth(a, i);
        if ((bsearch(&name, x.names, x.n, sizeof(*x.names), compare) != NULL) == in)
            hostlist_append_name(result, name);
    }
    free(x.names);
    return result;
}

struct hostlist *hostset_intersect(const struct hostlist *a, const struct hostlist *b)
{
    struct hostlist *result = filter(a, b, true);
    hostlist_uniq(result);
    return result;
}

struct hostlist *hostset_minus(const struct hostlist *a, const struct hostlist *b)
{
    return filter(a, b, false);
}

struct hostlist *hostset_xor(const struct hostlist *a, const struct hostlist *b)
{
    struct hostlist *result = filter(a, b, false), *rest = filter(b, a, false);
    hostset_add(result, rest);
    hostlist_destroy(rest);
    hostlist_uniq(result);
    return result;
}

struct hostlist *hostset_nth(const struct hostlist *a, hwloc_const_bitmap_t ids,
                             bool others)
{
    struct hostlist *result = hostlist_create();
    for (size_t i = 0; i < hostlist_count(a); i++)
        if ((hwloc_bitmap_isset(ids, (unsigned)i) != 0) != others)
            hostlist_append_name(result, hostlist_nth(a, i));
    return result;
}

void hostset_add(struct hostlist *a, const struct hostlist *b)
{
    for (size_t i = 0; i < hostlist_count(b); i++)
        hostlist_append_name(a, hostlist_nth(b, i));
}
