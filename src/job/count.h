/* SPDX-License-Identifier: BSD-3-Clause */
/* count: RFC 45 resource counts: an integer, "MIN-MAX:OPERAND:OPERATOR", "MIN+", idset texts,
 * and the JSON object {"min","max","operand","operator"}. */
#ifndef HBATCH_JOB_COUNT_H
#define HBATCH_JOB_COUNT_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct count {
    unsigned min, max;  /* max UINT_MAX: unbounded */
    unsigned operand;   /* 1 by default */
    char op;            /* '+', '*', '^'; '+' by default */
    hwloc_bitmap_t ids; /* set when the count is an idset with gaps, else NULL */
};

/* Decode text or JSON (integer, string, object). Return 0, or -1 with err set. */
int count_decode(const char *text, struct count *c, struct error *err);
int count_from_json(json_object *o, struct count *c, struct error *err);
void count_clear(struct count *c);
/* RFC 45 text; the caller frees.  JSON: integer when min == max, else object or string. */
char *count_encode(const struct count *c);
json_object *count_to_json(const struct count *c);
/* The smallest allowed value; then the next above V, or 0 when there is none. */
unsigned count_first(const struct count *c);
unsigned count_next(const struct count *c, unsigned v);
bool count_contains(const struct count *c, unsigned v);

#endif
