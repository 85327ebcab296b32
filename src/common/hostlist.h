/* SPDX-License-Identifier: BSD-3-Clause */
/* hostlist: an ordered list of host names, duplicates allowed, with the text form of RFC 29:
 * "node[0-3,7],login", zero padding kept ("n[008-011]"). */
#ifndef HBATCH_COMMON_HOSTLIST_H
#define HBATCH_COMMON_HOSTLIST_H

#include <stddef.h>
#include "src/common/error.h"

/* Limits on what a text may name: they bound the memory that a short text can claim. */
#define HOSTLIST_MAX 1048576U  /* names in a list */
#define HOSTLIST_NAME_MAX 255U /* bytes in a name */

struct hostlist;

struct hostlist *hostlist_create(void);
/* NULL is allowed. */
void hostlist_destroy(struct hostlist *hl);

/* Decode TEXT; return a new list or NULL with err set (names the text and the place). */
struct hostlist *hostlist_decode(const char *text, struct error *err);
/* Encode, adjacent names with a common prefix folded; new string, the caller frees. */
char *hostlist_encode(const struct hostlist *hl);

/* Append hosts given in the text form; return the number added or -1 with err set, and then
 * the list is as before. */
int hostlist_append(struct hostlist *hl, const char *text, struct error *err);
/* Append one name, taken literally. */
void hostlist_append_name(struct hostlist *hl, const char *name);

size_t hostlist_count(const struct hostlist *hl);
/* The Ith name (owned by the list, valid until it changes), or NULL past the end. */
const char *hostlist_nth(const struct hostlist *hl, size_t i);
/* Index of the first entry that equals NAME, or -1. */
ptrdiff_t hostlist_find(const struct hostlist *hl, const char *name);

/* Sort by prefix and number ("n2" before "n10"); remove duplicates (which sorts). */
void hostlist_sort(struct hostlist *hl);
void hostlist_uniq(struct hostlist *hl);

#endif
