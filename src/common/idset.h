/* SPDX-License-Identifier: BSD-3-Clause */
/* idset: sets of non-negative ids, as hwloc bitmaps with the text form of RFC 22.
 *
 * An idset IS an hwloc_bitmap_t: use hwloc's own calls for everything that a set does (set,
 * clr, isset, weight, and, or, foreach), and these for the text forms.  The text form is a
 * comma separated list of ids and ranges, ascending, without duplicates: "0-3,7,9-10".
 * Brackets around it are accepted: "[0-3,7]". */
#ifndef HBATCH_COMMON_IDSET_H
#define HBATCH_COMMON_IDSET_H

#include <hwloc/bitmap.h>
#include "src/common/error.h"

/* The largest id: a set is a bitmap, so this bounds its memory (2 MiB). */
#define IDSET_MAX 16777215U

enum {
    IDSET_BRACKETS = 1, /* encode with brackets, when there is more than one id */
    IDSET_SPREAD = 2,   /* encode without ranges: "0,1,2,3" */
};

/* Decode TEXT (empty text: the empty set). Return a new set, to be freed with
 * hwloc_bitmap_free, or NULL with err set: it names the text and the place in it. */
hwloc_bitmap_t idset_decode(const char *text, struct error *err);

/* Called for each range LO to HI of a set, in order. Not 0 stops, and is the result of the walk. */
typedef int (*idset_range_f)(unsigned lo, unsigned hi, void *arg);
/* The ranges of TEXT, one by one, without a set of them, with ids up to LIMIT; UINT_MAX: any id, those that are
 * no unsigned number as UINT_MAX.  -1 with err set as idset_decode; the ranges before the mistake were walked
 * then. */
int idset_walk(const char *text, unsigned limit, idset_range_f range, void *arg,
               struct error *err);

/* Encode SET (NULL: empty); return a new string, to be freed by the caller.  FLAGS as above, or 0. */
char *idset_encode(hwloc_const_bitmap_t set, int flags);

#endif
