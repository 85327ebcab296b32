/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/specs.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "src/common/util.h"

enum { BUCKETS = 1024, KEEP = 256, KEEP_BYTES = 1 << 20, KINDS = 2 };

/* A text is compared with so many others, and is like one if at most half of it is its own. */
enum { MODELS = 8, SHORT = 128 };

struct specs {
    struct text **buckets; /* nbuckets: a power of 2 */
    size_t nbuckets, count;
    struct text *first, *last; /* unused ones, the one that was used last is last */
    unsigned unused;
    size_t unused_bytes;
    struct text
        *models[KINDS][MODELS]; /* the last ones that were like no other, or NULL */
    unsigned next_model[KINDS];
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
    s->nbuckets = BUCKETS;
    s->buckets = xcalloc(s->nbuckets, sizeof(*s->buckets));
    return s;
}

static struct text **bucket(const struct specs *s, unsigned long long h)
{
    return &s->buckets[h & (s->nbuckets - 1)];
}

static void grow(struct specs *s)
{
    struct text **old = s->buckets;
    size_t n = s->nbuckets;
    s->nbuckets *= 4;
    s->buckets = xcalloc(s->nbuckets, sizeof(*s->buckets));
    for (size_t i = 0; i < n; i++)
        for (struct text *t = old[i], *next; t; t = next) {
            next = t->chain;
            t->chain = *bucket(s, t->hash);
            *bucket(s, t->hash) = t;
        }
    free(old);
}

/* --- what a text has of another ----------------------------------------------------------- */

size_t text_held(const struct text *t)
{
    return t->len - t->head - t->tail;
}

void text_add(const struct text *t, struct strbuf *b)
{
    if (t->like)
        strbuf_addn(b, t->like->middle, t->head);
    strbuf_addn(b, t->middle, text_held(t));
    if (t->like)
        strbuf_addn(b, t->like->middle + t->like->len - t->tail, t->tail);
}

char *text_get(const struct text *t)
{
    struct strbuf b = {0};
    text_add(t, &b);
    return strbuf_take(&b);
}

json_object *text_json(const struct text *t)
{
    cleanup_free char *text = t ? text_get(t) : NULL;
    return text ? json_tokener_parse(text) : NULL;
}

static bool text_is(const struct text *t, enum text_kind kind, const char *data,
                    size_t len)
{
    if (t->kind != kind || t->len != len)
        return false;
    size_t held = text_held(t);
    return (!t->like || (memcmp(t->like->middle, data, t->head) == 0 &&
                         memcmp(t->like->middle + t->like->len - t->tail,
                                data + len - t->tail, t->tail) == 0)) &&
           memcmp(t->middle, data + t->head, held) == 0;
}

static size_t common_head(const char *a, const char *b, size_t most)
{
    size_t n = 0;
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* Before the ends A and B. */
static size_t common_tail(const char *a, const char *b, size_t most)
{
    size_t n = 0;
    while (n < most && a[-1 - (ptrdiff_t)n] == b[-1 - (ptrdiff_t)n])
        n++;
    return n;
}

/* The model that T, of which all is known but what it is like, has the most of. */
static void find_model(const struct specs *s, struct text *t, const char *data)
{
    size_t most = t->len / 2;
    for (unsigned i = 0; t->len >= SHORT && i < MODELS; i++) {
        struct text *m = s->models[t->kind][i];
        if (!m)
            continue;
        size_t shorter = MIN(t->len, m->len);
        size_t head = common_head(data, m->middle, shorter);
        size_t tail = common_tail(data + t->len, m->middle + m->len, shorter - head);
        if (head + tail <= most)
            continue;
        most = head + tail;
        t->like = m;
        t->head = (unsigned)head;
        t->tail = (unsigned)tail;
    }
}

static void be_model(struct specs *s, struct text *t)
{
    unsigned *next = &s->next_model[t->kind];
    s->models[t->kind][*next] = t;
    *next = (*next + 1) % MODELS;
}

static void fill(struct specs *s, struct text *t, const char *data)
{
    find_model(s, t, data);
    if (t->like)
        specs_hold(s, t->like);
    else if (t->len >= SHORT)
        be_model(s, t);
    t->middle = xstrndup(data + t->head, text_held(t));
}

/* --- the unused ones ---------------------------------------------------------------------- */

static void unlink_unused(struct specs *s, struct text *t)
{
    s->unused--;
    s->unused_bytes -= text_held(t);
    *(t->prev ? &t->prev->next : &s->first) = t->next;
    *(t->next ? &t->next->prev : &s->last) = t->prev;
}

static void link_unused(struct specs *s, struct text *t)
{
    s->unused++;
    s->unused_bytes += text_held(t);
    t->prev = s->last;
    t->next = NULL;
    *(s->last ? &s->last->next : &s->first) = t;
    s->last = t;
}

static void free_text(struct text *t)
{
    hwloc_bitmap_free(t->known);
    free(t->middle);
    free(t);
}

/* T, which is unused, is no more. */
static void forget(struct specs *s, struct text *t)
{
    struct text **p = bucket(s, t->hash), *like = t->like;
    while (*p != t)
        p = &(*p)->chain;
    *p = t->chain;
    s->count--;
    unlink_unused(s, t);
    for (unsigned i = 0; i < MODELS; i++)
        if (s->models[t->kind][i] == t)
            s->models[t->kind][i] = NULL;
    free_text(t);
    if (like && --like->refs == 0)
        link_unused(s, like);
}

void specs_destroy(struct specs *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->nbuckets; i++)
        for (struct text *t = s->buckets[i], *next; t; t = next) {
            next = t->chain;
            free_text(t);
        }
    free(s->buckets);
    free(s);
}

struct text *specs_get(struct specs *s, enum text_kind kind, const char *data, size_t len)
{
    unsigned long long h = hash(kind, data, len);
    struct text *t = *bucket(s, h);
    unsigned twins = 0; /* different texts of one hash */
    for (; t; t = t->chain) {
        if (t->hash != h)
            continue;
        if (text_is(t, kind, data, len))
            break;
        twins++;
    }
    if (t) {
        specs_hold(s, t);
    } else {
        t = xcalloc(1, sizeof(*t));
        t->kind = kind;
        t->hash = h;
        /* by content, so that a store sees one text for it whenever it comes */
        snprintf(t->name, sizeof(t->name), "%c%016llx%.4u", kind == TEXT_ENV ? 'e' : 's',
                 h, twins);
        if (twins == 0)
            t->name[17] = '\0';
        t->len = len;
        t->refs = 1;
        fill(s, t, data);
        if (++s->count > s->nbuckets)
            grow(s);
        t->chain = *bucket(s, h);
        *bucket(s, h) = t;
    }
    return t;
}

struct text *specs_hold(struct specs *s, struct text *t)
{
    if (t->refs++ == 0)
        unlink_unused(s, t);
    return t;
}

void specs_put(struct specs *s, struct text *t)
{
    if (!t || --t->refs > 0)
        return;
    link_unused(s, t);
    while (s->unused > KEEP || (s->unused > 1 && s->unused_bytes > KEEP_BYTES)) {
        s->drop(s->first, s->arg);
        forget(s, s->first);
    }
}

/* A name holds its text's hash: letter, 16 hexadecimal digits, twin. */
struct text *specs_find(const struct specs *s, const char *name)
{
    char digits[17] = "";
    if (name[0])
        snprintf(digits, sizeof(digits), "%s", name + 1);
    struct text *t = *bucket(s, strtoull(digits, NULL, 16));
    while (t && strcmp(t->name, name) != 0)
        t = t->chain;
    return t;
}

bool text_known(const struct text *t, unsigned rank)
{
    return t->known && hwloc_bitmap_isset(t->known, rank);
}

void text_set_known(struct text *t, unsigned rank)
{
    if (!t->known)
        t->known = hwloc_bitmap_alloc();
    hwloc_bitmap_set(t->known, rank);
}

void specs_forget_rank(struct specs *s, unsigned rank)
{
    for (size_t i = 0; i < s->nbuckets; i++)
        for (struct text *t = s->buckets[i]; t; t = t->chain)
            if (t->known)
                hwloc_bitmap_clr(t->known, rank);
}

void specs_adopt(struct specs *s, void (*drop)(const struct text *t, void *arg),
                 void *arg)
{
    s->drop = drop;
    s->arg = arg;
    for (size_t i = 0; i < s->nbuckets; i++)
        for (struct text *t = s->buckets[i]; t; t = t->chain) {
            hwloc_bitmap_free(take(t->known));
            if (t->streamed && --t->refs == 0)
                link_unused(s, t);
        }
}

void specs_unstream(struct specs *s, bool held)
{
    for (size_t i = 0; i < s->nbuckets; i++)
        for (struct text *t = s->buckets[i]; t; t = t->chain) {
            if (held && t->streamed && --t->refs == 0)
                link_unused(s, t);
            t->streamed = false;
        }
}
