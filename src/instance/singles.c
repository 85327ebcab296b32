/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/singles.h"

#include <search.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"

struct waiter {
    jobid_t id;
    uint64_t before; /* active ones between the one that waits before it, and it */
    struct dependency **deps; /* [ndeps] */
    size_t ndeps;
};

struct name {
    char *text;
    uint64_t total, tail; /* active ones; those after the last one that waits */
    struct waiter *v;     /* [first..n) */
    size_t first, n, room;
    /* Ids that were counted, until the first one is over: for singletons that are not the latest of all. */
    jobid_t *ids;
    size_t nids, ids_room;
    bool changed; /* and since then these are not true */
};

struct singles {
    void *names; /* tsearch's */
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void free_name(void *p)
{
    struct name *n = p;
    for (size_t i = n->first; i < n->n; i++)
        free(n->v[i].deps);
    free(n->v);
    free(n->ids);
    free(n->text);
    free(n);
}

struct singles *singles_create(void)
{
    return xcalloc(1, sizeof(struct singles));
}

void singles_destroy(struct singles *s)
{
    if (s)
        tdestroy(s->names, free_name);
    free(s);
}

static struct name *find(const struct singles *s, const char *text)
{
    const struct name key = {.text = (char *)(uintptr_t)text};
    struct name **found = tfind(&key, &s->names, by_text);
    return found ? *found : NULL;
}

static struct name *get(struct singles *s, const char *text)
{
    struct name *n = find(s, text);
    if (n)
        return n;
    n = xcalloc(1, sizeof(*n));
    n->text = xstrdup(text);
    tsearch(n, &s->names, by_text);
    return n;
}

/* The first that waits after ID; n->n: there is none. */
static size_t after(const struct name *n, jobid_t id)
{
    size_t low = n->first, high = n->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (n->v[mid].id <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static uint64_t *number_at(struct name *n, size_t i)
{
    return i < n->n ? &n->v[i].before : &n->tail;
}

void singles_count(struct singles *s, const char *name, jobid_t id)
{
    struct name *n = get(s, name);
    n->total++;
    ++*number_at(n, after(n, id));
    if (n->changed)
        return;
    if (n->nids > 0 && n->ids[n->nids - 1] > id) { /* in order, but for a few */
        size_t i = n->nids;
        while (i > 0 && n->ids[i - 1] > id)
            i--;
        n->ids = xrealloc(n->ids, (n->nids + 1) * sizeof(*n->ids));
        n->ids_room = n->nids + 1;
        memmove(&n->ids[i + 1], &n->ids[i], (n->nids - i) * sizeof(*n->ids));
        n->ids[i] = id;
        n->nids++;
        return;
    }
    if (n->nids == n->ids_room) {
        n->ids_room = MAX(2 * n->ids_room, (size_t)16);
        n->ids = xrealloc(n->ids, n->ids_room * sizeof(*n->ids));
    }
    n->ids[n->nids++] = id;
}

/* How many of those that were counted have ids up to ID. */
static size_t up_to(const struct name *n, jobid_t id)
{
    size_t low = 0, high = n->nids;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (n->ids[mid] <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Active ones between the one that waits at I - 1, and ID, which is counted and comes before what waits at I. */
static uint64_t between(const struct name *n, size_t i, jobid_t id)
{
    uint64_t number = i < n->n ? n->v[i].before : n->tail;
    if (n->changed) /* it is the latest */
        return number - 1;
    size_t from = i > n->first ? up_to(n, n->v[i - 1].id) : 0;
    return MIN((uint64_t)(up_to(n, id) - 1 - from), number - 1);
}

bool singles_is_first(const struct singles *s, const char *name, jobid_t id)
{
    const struct name *n = find(s, name);
    if (!n || n->total == 0)
        return true;
    size_t i = after(n, id);
    return id > 0 && i == n->first && between(n, i, id) == 0;
}

static void add_dep(struct waiter *w, struct dependency *d)
{
    w->deps = xrealloc(w->deps, (w->ndeps + 1) * sizeof(*w->deps));
    w->deps[w->ndeps++] = d;
}

void singles_add(struct singles *s, const char *name, jobid_t id, struct dependency *d)
{
    struct name *n = get(s, name);
    size_t i = after(n, id);
    if (i > n->first && n->v[i - 1].id == id) {
        add_dep(&n->v[i - 1], d);
        return;
    }
    uint64_t before = between(n, i, id);
    *number_at(n, i) -= before + 1;
    if (n->n == n->room) {
        n->room = MAX(2 * n->room, (size_t)4);
        n->v = xrealloc(n->v, n->room * sizeof(*n->v));
    }
    memmove(&n->v[i + 1], &n->v[i], (n->n - i) * sizeof(*n->v));
    n->v[i] = (struct waiter){.id = id, .before = before};
    n->n++;
    add_dep(&n->v[i], d);
}

/* What waits at I does not any more: it is one of those before the next. */
static void drop(struct name *n, size_t i)
{
    uint64_t before = n->v[i].before;
    free(n->v[i].deps);
    if (i == n->first)
        n->first++;
    else {
        memmove(&n->v[i], &n->v[i + 1], (n->n - i - 1) * sizeof(*n->v));
        n->n--;
    }
    *number_at(n, MAX(i, n->first)) += before + 1;
    if (n->first == n->n)
        n->first = n->n = 0;
}

void singles_remove(struct singles *s, const char *name, jobid_t id, struct dependency *d)
{
    struct name *n = find(s, name);
    size_t i = n ? after(n, id) : 0;
    if (!n || i == n->first || n->v[i - 1].id != id)
        return;
    struct waiter *w = &n->v[i - 1];
    for (size_t k = 0; k < w->ndeps; k++)
        if (w->deps[k] == d) {
            w->deps[k] = w->deps[--w->ndeps];
            break;
        }
    if (w->ndeps == 0)
        drop(n, i - 1);
}

bool singles_over(struct singles *s, const char *name, jobid_t id,
                  struct dependency ***list, size_t *count)
{
    struct name *n = find(s, name);
    if (!n || n->total == 0)
        return false;
    if (!n->changed) {
        free(take(n->ids));
        n->nids = n->ids_room = 0;
        n->changed = true;
    }
    n->total--;
    size_t i = after(n, id);
    uint64_t *number = number_at(n, i);
    *number -= *number > 0;
    bool met = i == n->first && i < n->n && *number == 0;
    if (met) {
        *list = take(n->v[i].deps);
        *count = n->v[i].ndeps;
        drop(n, i);
    }
    if (n->total == 0) {
        tdelete(n, &s->names, by_text);
        free_name(n);
    }
    return met;
}
