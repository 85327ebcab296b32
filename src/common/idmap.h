/* SPDX-License-Identifier: BSD-3-Clause */
/* idmap: a table from 64-bit ids (jobs, processes) to pointers. */
#ifndef HBATCH_COMMON_IDMAP_H
#define HBATCH_COMMON_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap {
    struct idmap_slot {
        uint64_t id;
        void *value; /* NULL: free */
    } * slots;
    size_t size; /* a power of two, or 0 */
    size_t used;
};

void idmap_fini(struct idmap *map);
void *idmap_get(const struct idmap *map, uint64_t id); /* or NULL */
/* VALUE must not be NULL; ID must not be in the table. */
void idmap_put(struct idmap *map, uint64_t id, void *value);
void idmap_del(struct idmap *map, uint64_t id);

/* Walk the table: start with *I = 0; the next value, or NULL at the end.  The table must not
 * change meanwhile. */
void *idmap_next(const struct idmap *map, size_t *i);

#endif
