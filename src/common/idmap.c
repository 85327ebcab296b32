/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/idmap.h"

#include "src/common/util.h"

/* Open addressing with linear probing; removal shifts the rest of a run back, so that there
 * are no tombstones however many ids pass through. */

static size_t home(const struct idmap *map, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 20) & (map->size - 1);
}

void idmap_fini(struct idmap *map)
{
    free(map->slots);
    *map = (struct idmap){0};
}

void *idmap_get(const struct idmap *map, uint64_t id)
{
    if (map->size == 0)
        return NULL;
    for (size_t i = home(map, id); map->slots[i].value; i = (i + 1) & (map->size - 1))
        if (map->slots[i].id == id)
            return map->slots[i].value;
    return NULL;
}

static void insert(struct idmap *map, uint64_t id, void *value)
{
    size_t i = home(map, id);
    while (map->slots[i].value)
        i = (i + 1) & (map->size - 1);
    map->slots[i].id = id;
    map->slots[i].value = value;
    map->used++;
}

void idmap_put(struct idmap *map, uint64_t id, void *value)
{
    if ((map->used + 1) * 2 > map->size) {
        struct idmap bigger = {.size = map->size ? map->size * 2 : 64};
        bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
        for (size_t i = 0; i < map->size; i++)
            if (map->slots[i].value)
                insert(&bigger, map->slots[i].id, map->slots[i].value);
        free(map->slots);
        *map = bigger;
    }
    insert(map, id, value);
}

void idmap_del(struct idmap *map, uint64_t id)
{
    if (map->size == 0)
        return;
    size_t mask = map->size - 1, i = home(map, id);
    while (map->slots[i].value && map->slots[i].id != id)
        i = (i + 1) & mask;
    if (!map->slots[i].value)
        return;
    map->used--;
    for (size_t j = (i + 1) & mask; map->slots[j].value; j = (j + 1) & mask) {
        size_t h = home(map, map->slots[j].id);
        if (((j - h) & mask) >= ((j - i) & mask)) {
            map->slots[i] = map->slots[j];
            i = j;
        }
    }
    map->slots[i].value = NULL;
}

void *idmap_next(const struct idmap *map, size_t *i)
{
    while (*i < map->size) {
        void *value = map->slots[(*i)++].value;
        if (value)
            return value;
    }
    return NULL;
}
