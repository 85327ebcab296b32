/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/domains.h"

#include "src/common/util.h"

struct domains *domains_create(size_t n)
{
    struct domains *d = xcalloc(1, sizeof(*d) + n * sizeof(d->at[0]));
    d->refs = 1;
    d->n = n;
    for (size_t i = 0; i < n; i++) {
        d->at[i].cores = hwloc_bitmap_alloc();
        d->at[i].gpus = hwloc_bitmap_alloc();
    }
    return d;
}

struct domains *domains_ref(struct domains *d)
{
    if (d)
        d->refs++;
    return d;
}

void domains_destroy(struct domains *d)
{
    if (!d || --d->refs > 0)
        return;
    for (size_t i = 0; i < d->n; i++) {
        hwloc_bitmap_free(d->at[i].cores);
        hwloc_bitmap_free(d->at[i].gpus);
    }
    free(d);
}
