/* SPDX-License-Identifier: BSD-3-Clause */
/* idranges: a set of ids (RFC 22) as ranges, not as a bitmap: the i-th id and the place of an id are found in
 * O(log ranges), and a set like 1-1000000 takes no more room than its text.  Single ids at equal distances are
 * one range, too. */
#ifndef HBATCH_COMMON_IDRANGES_H
#define HBATCH_COMMON_IDRANGES_H

#include <stdint.h>
#include "src/common/error.h"
#include "src/common/strbuf.h"

struct idranges;

/* The set TEXT, of 1 to MAX ids.  NULL with err set: it is none, is empty, or has more. */
struct idranges *idranges_decode(const char *text, uint64_t max, struct error *err);
void idranges_destroy(struct idranges *r); /* NULL is allowed */
uint64_t idranges_count(const struct idranges *r);
/* The id at POSITION, which is less than the count. */
unsigned idranges_nth(const struct idranges *r, uint64_t position);
/* The position of ID, or -1. */
int64_t idranges_position(const struct idranges *r, uint64_t id);
/* Add the ids at FIRST to END (not included) to the text B, behind a comma if there is something in it. */
void idranges_encode(const struct idranges *r, uint64_t first, uint64_t end,
                     struct strbuf *b);

#endif
