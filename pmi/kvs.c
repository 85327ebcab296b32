/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/kvs.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct entry {
    char *key;
    char *value; /* terminated */
    size_t len;
    uint32_t hash;
    bool changed;
};

struct kvs {
    struct entry *entries; /* in the order of the puts */
    size_t n, size;
    uint32_t *table; /* index + 1 into entries, 0: free; open addressing */
    size_t table_size;
    size_t *changes; /* indexes of changed entries */
    size_t nchanges, changes_size;
};

struct kvs *kvs_create(void)
{
    return xcalloc(1, sizeof(struct kvs));
}

void kvs_destroy(struct kvs *kvs)
{
    if (!kvs)
        return;
    for (size_t i = 0; i < kvs->n; i++) {
        free(kvs->entries[i].key);
        free(kvs->entries[i].value);
    }
    free(kvs->entries);
    free(kvs->table);
    free(kvs->changes);
    free(kvs);
}

static uint32_t hash(const char *s)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* The place of KEY in the table, or the free one where it belongs. */
static uint32_t *place(const struct kvs *kvs, const char *key, uint32_t h)
{
    size_t i = h & (kvs->table_size - 1);
    while (kvs->table[i] != 0) {
        const struct entry *e = &kvs->entries[kvs->table[i] - 1];
        if (e->hash == h && strcmp(e->key, key) == 0)
            break;
        i = (i + 1) & (kvs->table_size - 1);
    }
    return &kvs->table[i];
}

static void grow(struct kvs *kvs)
{
    if (kvs->n == kvs->size) {
        kvs->size = kvs->size ? 2 * kvs->size : 16;
        kvs->entries = xrealloc(kvs->entries, kvs->size * sizeof(*kvs->entries));
    }
    if (2 * (kvs->n + 1) <= kvs->table_size)
        return;
    kvs->table_size = kvs->table_size ? 2 * kvs->table_size : 32;
    free(kvs->table);
    kvs->table = xcalloc(kvs->table_size, sizeof(*kvs->table));
    for (size_t i = 0; i < kvs->n; i++)
        *place(kvs, kvs->entries[i].key, kvs->entries[i].hash) = (uint32_t)i + 1;
}

static struct entry *put(struct kvs *kvs, const char *key, const char *value, size_t len)
{
    grow(kvs);
    uint32_t h = hash(key), *p = place(kvs, key, h);
    if (*p == 0) {
        kvs->entries[kvs->n++] = (struct entry){.key = xstrdup(key), .hash = h};
        *p = (uint32_t)kvs->n;
    }
    struct entry *e = &kvs->entries[*p - 1];
    char *copy = xmalloc(len + 1);
    if (len > 0)
        memcpy(copy, value, len);
    copy[len] = '\0';
    free(e->value);
    e->value = copy;
    e->len = len;
    return e;
}

void kvs_put(struct kvs *kvs, const char *key, const char *value, size_t len)
{
    struct entry *e = put(kvs, key, value, len);
    if (e->changed)
        return;
    e->changed = true;
    if (kvs->nchanges == kvs->changes_size) {
        kvs->changes_size = kvs->changes_size ? 2 * kvs->changes_size : 16;
        kvs->changes = xrealloc(kvs->changes, kvs->changes_size * sizeof(*kvs->changes));
    }
    kvs->changes[kvs->nchanges++] = (size_t)(e - kvs->entries);
}

void kvs_put_known(struct kvs *kvs, const char *key, const char *value, size_t len)
{
    put(kvs, key, value, len);
}

const char *kvs_get(const struct kvs *kvs, const char *key, size_t *len)
{
    uint32_t i = kvs->n > 0 ? *place(kvs, key, hash(key)) : 0;
    if (i == 0)
        return NULL;
    if (len)
        *len = kvs->entries[i - 1].len;
    return kvs->entries[i - 1].value;
}

const char *kvs_nth(const struct kvs *kvs, size_t i, const char **value, size_t *len)
{
    if (i >= kvs->n)
        return NULL;
    *value = kvs->entries[i].value;
    if (len)
        *len = kvs->entries[i].len;
    return kvs->entries[i].key;
}

/* Each change is the two lengths, 32 bits in network order, the key and the value. */
static void add_length(struct strbuf *b, size_t n)
{
    const char bytes[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    strbuf_addn(b, bytes, sizeof(bytes));
}

static size_t get_length(const char *data)
{
    const unsigned char *p = (const unsigned char *)data;
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

char *kvs_changes(struct kvs *kvs, size_t *len)
{
    struct strbuf b = {0};
    for (size_t i = 0; i < kvs->nchanges; i++) {
        struct entry *e = &kvs->entries[kvs->changes[i]];
        size_t key_len = strlen(e->key);
        add_length(&b, key_len);
        add_length(&b, e->len);
        strbuf_addn(&b, e->key, key_len);
        strbuf_addn(&b, e->value, e->len);
        e->changed = false;
    }
    kvs->nchanges = 0;
    *len = b.len;
    return strbuf_take(&b);
}

int kvs_merge(struct kvs *kvs, const char *data, size_t len, struct error *err)
{
    for (size_t i = 0; i < len;) {
        if (len - i < 8)
            return error_set(err, EPROTO, "key-value data cut off at byte %zu", i);
        size_t key_len = get_length(data + i), value_len = get_length(data + i + 4);
        const char *key = data + i + 8;
        if (key_len > len - i - 8 || value_len > len - i - 8 - key_len)
            return error_set(err, EPROTO,
                             "key-value data cut off in the pair at byte %zu", i);
        if (memchr(key, '\0', key_len))
            return error_set(err, EPROTO, "key-value data has a bad key at byte %zu", i);
        cleanup_free char *name = xstrndup(key, key_len);
        kvs_put_known(kvs, name, key + key_len, value_len);
        i += 8 + key_len + value_len;
    }
    return 0;
}
