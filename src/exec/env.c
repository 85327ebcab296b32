/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/env.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/launchenv.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

static const char *const spawn_keeps[] = {"OMPI_PARENT_PORT", "PMI_SPAWNED",
                                          "PMIX_PARENT_ID", "PMIX_SPAWNED"};

static size_t name_len(const char *name)
{
    return strcspn(name, "=");
}

static bool keep(const char *name, bool spawned)
{
    if (!*name || strchr(name, '='))
        return false;
    if (spawned)
        for (size_t i = 0; i < ARRAY_SIZE(spawn_keeps); i++)
            if (strcmp(name, spawn_keeps[i]) == 0)
                return true;
    return !launchenv_is_left(name);
}

struct fill {
    struct envset *set;
    char *p;
    size_t bytes;
    bool spawned;
};

/* First round (no block): count; second: lay out. */
static void visit(struct fill *f, json_object *env, json_object *hides)
{
    if (!env)
        return;
    json_object_object_foreach(env, name, value)
    {
        if (!json_object_is_type(value, json_type_string) || !keep(name, f->spawned) ||
            (hides && json_object_object_get_ex(hides, name, NULL)))
            continue;
        const char *text = json_object_get_string(value);
        size_t n = strlen(name), m = strlen(text);
        if (f->p) {
            if (strstr(text, "{cc}"))
                f->set->templated[f->set->ntemplated++] = f->set->n;
            f->set->v[f->set->n] = f->p;
            memcpy(f->p, name, n);
            f->p[n] = '=';
            memcpy(f->p + n + 1, text, m + 1);
            f->p += n + m + 2;
        }
        f->set->n++;
        f->bytes += n + m + 2;
    }
}

static const char *get_variable(const void *env, const char *name)
{
    return envset_get(env, name);
}

struct envset *envset_create(json_object *env, json_object *overlay, bool spawned)
{
    struct envset *set = xcalloc(1, sizeof(*set));
    struct fill f = {.set = set, .spawned = spawned};
    visit(&f, env, overlay);
    visit(&f, overlay, NULL);
    set->v = xcalloc(set->n + 1u, sizeof(*set->v));
    set->templated = xcalloc(set->n, sizeof(*set->templated));
    set->block = f.p = xmalloc(f.bytes);
    set->n = 0;
    visit(&f, env, overlay);
    visit(&f, overlay, NULL);
    set->compat = compatenv_variables(envset_get(set, COMPATENV_NAME), &set->ncompat);
    set->ascii_ids = utf8_ascii_ids(get_variable, set);
    return set;
}

void envset_destroy(struct envset *set)
{
    if (!set)
        return;
    free(set->v);
    free(set->templated);
    free(set->block);
    free(set);
}

static int find(char *const *v, unsigned n, const char *name)
{
    size_t len = name_len(name);
    for (unsigned i = 0; i < n; i++)
        if (strncmp(v[i], name, len) == 0 && v[i][len] == '=')
            return (int)i;
    return -1;
}

const char *envset_get(const struct envset *set, const char *name)
{
    int i = find(set->v, set->n, name);
    return i < 0 ? NULL : set->v[i] + strlen(name) + 1;
}

/* Strings of the task at hand: memory that is reused, in chunks so that none ever moves. */
struct env_chunk {
    struct env_chunk *next;
    size_t used, size;
    char data[];
};

static char *get_memory(struct envbuf *b, size_t n)
{
    struct env_chunk *c = b->chunks;
    if (!c || c->size - c->used < n) {
        c = b->spare;
        if (c && c->size >= n) {
            b->spare = c->next;
        } else {
            size_t size = MAX(n, (size_t)16384);
            c = xmalloc(sizeof(*c) + size);
            c->size = size;
        }
        c->used = 0;
        c->next = b->chunks;
        b->chunks = c;
    }
    char *p = c->data + c->used;
    c->used += n;
    return p;
}

static void free_chunks(struct env_chunk *c)
{
    while (c) {
        struct env_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void envbuf_fini(struct envbuf *b)
{
    free_chunks(b->chunks);
    free_chunks(b->spare);
    free(b->v);
    *b = (struct envbuf){0};
}

void envbuf_begin(struct envbuf *b, const struct envset *set)
{
    while (b->chunks) {
        struct env_chunk *c = b->chunks;
        b->chunks = c->next;
        c->next = b->spare;
        b->spare = c;
    }
    if (b->size < set->n + 64) {
        b->size = set->n + 128;
        free(b->v);
        b->v = xmalloc(b->size * sizeof(*b->v));
    }
    if (set->n > 0)
        memcpy(b->v, set->v, set->n * sizeof(*b->v));
    b->n = set->n;
}

static void push(struct envbuf *b, char *kv)
{
    if (b->n + 2 > b->size) {
        b->size *= 2;
        b->v = xrealloc(b->v, b->size * sizeof(*b->v));
    }
    b->v[b->n++] = kv;
}

void envbuf_add(struct envbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char small[256];
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    char *kv = get_memory(b, (size_t)n + 1);
    if ((size_t)n < sizeof(small)) {
        memcpy(kv, small, (size_t)n + 1);
    } else {
        va_start(ap, fmt);
        vsnprintf(kv, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    push(b, kv);
}

/* No printf: a task has a dozen of them. */
static void put_parts(struct envbuf *b, const char *name, const char *prefix,
                      const char *value)
{
    size_t n = strlen(name), m = strlen(prefix), k = strlen(value);
    char *kv = get_memory(b, n + m + k + 2);
    memcpy(kv, name, n);
    kv[n] = '=';
    memcpy(kv + n + 1, prefix, m);
    memcpy(kv + n + 1 + m, value, k + 1);
    push(b, kv);
}

void envbuf_put(struct envbuf *b, const char *name, const char *value)
{
    put_parts(b, name, "", value);
}

void envbuf_putu(struct envbuf *b, const char *name, const char *prefix, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    put_parts(b, name, prefix, digits + at);
}

void envbuf_set(struct envbuf *b, const char *name, const char *value, bool replace)
{
    int i = replace ? find(b->v, b->n, name) : -1;
    if (i >= 0 && strcmp(b->v[i] + strlen(name) + 1, value) == 0)
        return;
    envbuf_put(b, name, value);
    if (i >= 0)
        b->v[i] = b->v[--b->n];
}

void envbuf_compat(struct envbuf *b, const struct envset *set)
{
    for (size_t i = 0; i < set->ncompat; i++) {
        int at = find(b->v, b->n, set->compat[i].ours);
        if (at >= 0)
            envbuf_set(b, set->compat[i].theirs, strchr(b->v[at], '=') + 1, true);
    }
}

bool envbuf_has(const struct envbuf *b, const char *name)
{
    return find(b->v, b->n, name) >= 0;
}

char **envbuf_end(struct envbuf *b)
{
    b->v[b->n] = NULL;
    return b->v;
}
