/* SPDX-License-Identifier: BSD-3-Clause */
/* jsonutil: what every decoder of this library asks of a JSON value. */
#ifndef HBATCH_JOB_JSONUTIL_H
#define HBATCH_JOB_JSONUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

/* Decode exactly one JSON value (RFC 8259, valid UTF-8) from LEN bytes; blanks around it are
 * allowed, nothing else.  "null" is an error: no file format here has it at the top. */
json_object *jsonutil_decode(const char *text, size_t len, struct error *err);

/* A value as an error message shows it: compact JSON, cut with "..." when it is long. Use as
 * jsonutil_show(o).text within one expression. */
struct jsonutil_shown {
    char text[80];
};
struct jsonutil_shown jsonutil_show(json_object *o);

/* Member NAME of O, or NULL when O is no object, has none, or it is null. */
json_object *jsonutil_get(json_object *o, const char *name);
/* What members lead to: PATH is their names with dots between; as jsonutil_get. */
json_object *jsonutil_at(json_object *o, const char *path);
/* The first key of object O that is not in ALLOWED (ended by NULL), or NULL. */
const char *jsonutil_stray_key(json_object *o, const char *const *allowed);
/* An integer in LOW..HIGH: true, and its value in *V (V may be NULL). */
bool jsonutil_int(json_object *o, int64_t low, int64_t high, int64_t *v);
/* A finite integer or floating point number: true, and its value in *V (may be NULL). */
bool jsonutil_number(json_object *o, double *v);
/* Whether array O has the number N; false if it is no array. */
bool jsonutil_has_int(json_object *o, int64_t n);
/* The string, or NULL when O is none or holds a NUL byte. */
const char *jsonutil_string(json_object *o);

/* Member NAME of O: TEXT; NULL: there is none. */
void jsonutil_add_string(json_object *o, const char *name, const char *text);
/* Member NAME of O: SET (NULL: empty) in RFC 22 text. */
void jsonutil_add_idset(json_object *o, const char *name, hwloc_const_bitmap_t set);

#endif
