/* SPDX-License-Identifier: BSD-3-Clause */
/* count: how many of a resource are wanted: RFC 14's count, with the texts of RFC 45.
 *
 *     4            four                    2-8:2:*      2, 4, 8
 *     2-5          2, 3, 4, 5              2-16:2:^     2, 4, 16
 *     2-9:3        2, 5, 8                 2+           2 or more
 *     2+:2:*       2, 4, 8, ...            4,9,16-17    an id set of counts (RFC 22)
 *
 * Brackets around a text are accepted.  In JSON a count is an integer, such a text, or
 * {"min":2,"max":9,"operand":3,"operator":"+"}, of which all but min may be left out.
 * Zero is no count, and none is above COUNT_MAX. */
#ifndef HBATCH_JOB_COUNT_H
#define HBATCH_JOB_COUNT_H

#include <limits.h>
#include <stdbool.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

#define COUNT_MAX ((unsigned)INT_MAX)

struct count {
    unsigned min,
        max; /* max UINT_MAX: unbounded; max itself may be skipped by the steps */
    unsigned operand;   /* 1 by default */
    char op;            /* '+', '*', '^'; '+' by default */
    hwloc_bitmap_t ids; /* set when the count is an id set with gaps, else NULL */
};

/* Decode text or JSON (integer, string, object). Return 0, or -1 with err set, and then *C is
 * zero: count_clear is not needed, but harmless. A text that starts with '{' is JSON, too. */
int count_decode(const char *text, struct count *c, struct error *err);
int count_from_json(json_object *o, struct count *c, struct error *err);
/* Free what C holds; it may be decoded into again. */
void count_clear(struct count *c);
/* RFC 45 text, as short as it can be, or an id set; the caller frees. */
char *count_encode(const struct count *c);
/* JSON: integer when min == max, text for an id set, else object. */
json_object *count_to_json(const struct count *c);
/* The smallest allowed value; then the next above V, or 0 when there is none. V need not be
 * allowed itself. */
unsigned count_first(const struct count *c);
unsigned count_next(const struct count *c, unsigned v);
bool count_contains(const struct count *c, unsigned v);

#endif
