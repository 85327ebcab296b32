/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/specs.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "src/common/util.h"

enum { BUCKETS = 1024, KEEP = 256 };

struct specs {
    struct text *buckets[BUCKETS];
    struct text *first, *last; /* by use, the last used last */
    unsigned unused;
    void (*drop)(const struct text *t, void *arg);
    void *arg;
};

/* FNV-1a over words: environments are kilobytes, so a byte at a time would show. */
static unsigned long long hash(enum text_kind kind, const char *data, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)kind, word;
    for (; len >= 8; data += 8, len -= 8) {
        memcpy(&word, data, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, data, len);
    h = (h ^ word ^ ((uint64_t)len << 56)) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

struct specs *specs_create(void (*drop)(const struct text *t, void *arg), void *arg)
{
    struct specs *s = xcalloc(1, sizeof(*s));
    s->drop = drop;
    s->arg = arg;
    return s;
}

static void unlink_use(struct specs *s, struct text *t)
{
    *(t->prev ? &t->prev->next : &s->first) = t->next;
    *(t->next ? &t->next->prev : &s->last) = t->prev;
}

static void link_last(struct specs *s, struct text *t)
{
    t->prev = s->last;
    t->next = NULL;
    *(s->last ? &s->last->next : &s->first) = t;
    s->last = t;
}

static void free_text(struct specs *s, struct text *t)
{
    struct text **p = &s->buckets[t->hash % BUCKETS];
    while (*p != t)
        p = &(*p)->chain;
    *p = t->chain;
    unlink_use(s, t);
    hwloc_bitmap_free(t->known);
    free(t->data);
    free(t);
}

void specs_destroy(struct specs *s)
{
    if (!s)
        return;
    while (s->first)
        free_text(s, s->first);
    free(s);
}

struct text *specs_get(struct specs *s, enum text_kind kind, const char *data, size_t len)
{
    unsigned long long h = hash(kind, data, len);
    struct text *t = s->buckets[h % BUCKETS];
    unsigned twins = 0; /* different texts of one hash */
    for (; t; t = t->chain) {
        if (t->hash != h)
            continue;
        if (t->kind == kind && t->len == len && memcmp(t->data, data, len) == 0)
            break;
        twins++;
    }
    if (t) {
        unlink_use(s, t);
        if (t->refs++ == 0)
            s->unused--;
    } else {
        t = xcalloc(1, sizeof(*t));
        t->kind = kind;
        t->hash = h;
        /* by content, so that a store sees one text for it whenever it comes */
        snprintf(t->name, sizeof(t->name), "%c%016llx%.4u", kind == TEXT_ENV ? 'e' : 's',
                 h, twins);
        if (twins == 0)
            t->name[17] = '\0';
        t->data = xstrndup(data, len);
        t->len = len;
        t->refs = 1;
        t->known = hwloc_bitmap_alloc();
        t->chain = s->buckets[h % BUCKETS];
        s->buckets[h % BUCKETS] = t;
    }
    link_last(s, t);
    return t;
}

void specs_put(struct specs *s, struct text *t)
{
    if (!t || --t->refs > 0)
        return;
    s->unused++;
    for (struct text *u = s->first, *next; u && s->unused > KEEP; u = next) {
        next = u->next;
        if (u->refs > 0)
            continue;
        s->drop(u, s->arg);
        free_text(s, u);
        s->unused--;
    }
}

const struct text *specs_find(const struct specs *s, const char *name)
{
    for (const struct text *t = s->last; t; t = t->prev)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

void specs_forget_rank(struct specs *s, unsigned rank)
{
    for (struct text *t = s->first; t; t = t->next)
        hwloc_bitmap_clr(t->known, rank);
}
