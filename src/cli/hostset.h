/* SPDX-License-Identifier: BSD-3-Clause */
/* hostset: what is done with lists of hosts as with sets. */
#ifndef HBATCH_CLI_HOSTSET_H
#define HBATCH_CLI_HOSTSET_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include "src/common/hostlist.h"

/* New lists, in the order of A.  Those of A that are in B, once each; those that are not; those that are in one
 * of the two only, sorted. */
struct hostlist *hostset_intersect(const struct hostlist *a, const struct hostlist *b);
struct hostlist *hostset_minus(const struct hostlist *a, const struct hostlist *b);
struct hostlist *hostset_xor(const struct hostlist *a, const struct hostlist *b);
/* Those at the places in IDS, or with OTHERS, those at the others. */
struct hostlist *hostset_nth(const struct hostlist *a, hwloc_const_bitmap_t ids,
                             bool others);
/* B after A. */
void hostset_add(struct hostlist *a, const struct hostlist *b);

#endif
