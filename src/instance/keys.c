/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/keys.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"

struct entry {
    char key[KEY_SIZE]; /* "": never used */
    uint16_t next;      /* of the bucket, + 1 */
    jobid_t first;
    uint64_t count;
};

struct keys {
    struct entry ring[KEYS_MAX];
    uint16_t buckets[KEYS_MAX]; /* entry + 1, 0: none */
    unsigned at;                /* where the next one goes: the oldest is there */
};

struct keys *keys_create(void)
{
    return xcalloc(1, sizeof(struct keys));
}

void keys_destroy(struct keys *k)
{
    free(k);
}

int key_check(const char *key, struct error *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(key);
    if (len > 0 && len < KEY_SIZE && strspn(key, allowed) == len)
        return 0;
    return error_set(err, EINVAL,
                     "key '%.40s' must be 1 to %d letters, digits, '-' and '_'", key,
                     KEY_SIZE - 1);
}

static unsigned bucket_of(const char *key)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    while (*key)
        h = (h ^ (unsigned char)*key++) * 16777619u;
    return (h ^ h >> 16) % KEYS_MAX;
}

static uint16_t *find(struct keys *k, const char *key)
{
    uint16_t *at = &k->buckets[bucket_of(key)];
    while (*at && strcmp(k->ring[*at - 1].key, key) != 0)
        at = &k->ring[*at - 1].next;
    return at;
}

void keys_add(struct keys *k, const char *key, jobid_t first, uint64_t count)
{
    if (key_check(key, NULL) < 0)
        return;
    uint16_t *at = find(k, key);
    if (!*at) {
        struct entry *e = &k->ring[k->at];
        if (*e->key) {
            uint16_t *old = find(k, e->key);
            *old = e->next;
        }
        strcpy(e->key, key);
        at = &k->buckets[bucket_of(key)];
        e->next = *at;
        *at = (uint16_t)(k->at + 1);
        k->at = (k->at + 1) % KEYS_MAX;
    }
    k->ring[*at - 1].first = first;
    k->ring[*at - 1].count = count;
}

bool keys_find(struct keys *k, const char *key, jobid_t *first, uint64_t *count)
{
    uint16_t at = *find(k, key);
    if (!at || !*key)
        return false;
    *first = k->ring[at - 1].first;
    *count = k->ring[at - 1].count;
    return true;
}
