/* SPDX-License-Identifier: BSD-3-Clause */
/* domains: which of a node's cores and GPUs are near each other: its NUMA nodes, as a rule.
 *
 * Immutable and counted: nodes, and copies of what describes them, share one. */
#ifndef HBATCH_JOB_DOMAINS_H
#define HBATCH_JOB_DOMAINS_H

#include <stddef.h>
#include <hwloc/bitmap.h>

struct domain {
    hwloc_bitmap_t cores, gpus; /* logical ids */
};

struct domains {
    unsigned refs;
    size_t n;
    struct domain at[];
};

/* N empty ones. */
struct domains *domains_create(size_t n);
struct domains *domains_ref(struct domains *d); /* NULL is allowed */
void domains_destroy(struct domains *d);        /* NULL is allowed */

#endif
