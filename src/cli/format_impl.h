/* SPDX-License-Identifier: BSD-3-Clause */
/* format_impl: what a format consists of, for format_parse.c (made from text), format_value.c (one field of one line)
 * and format.c (lines). */
#ifndef HBATCH_CLI_FORMAT_IMPL_H
#define HBATCH_CLI_FORMAT_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include "src/cli/format.h"
#include "src/common/strbuf.h"

struct format_spec {
    char fill[5]; /* one character, UTF-8 */
    char align;   /* < > ^ = or 0 */
    char sign;    /* '+', ' ' or 0 */
    bool zero, comma;
    int width, precision; /* -1: not given */
    char type;
    bool hyphen, plus;
};

struct format_piece {
    char *text;                       /* before the field */
    const struct format_field *field; /* NULL: only text */
    char conv;
    char *time_format; /* for !d */
    struct format_spec spec;
    bool if_any, expand; /* ?: and +: */
    bool hidden;
};

struct format_sort_key {
    const struct format_field *field;
    bool reverse;
};

struct format {
    const char *source; /* of what is being compiled: for messages */
    const struct format_field *fields;
    size_t nfields;
    struct format_made_field { /* "a.b", of a field "a.*" */
        struct format_field field;
        char *name, *heading;
    } * *made; /* [nmade] */
    size_t nmade;
    struct format_piece *pieces;
    size_t n;
    struct format_sort_key *keys;
    size_t nkeys;
};

/* Characters of S, which is UTF-8; the bytes of the first N of them. */
size_t format_chars(const char *s);
size_t format_bytes(const char *s, size_t n);
/* Whether "?:" and "h" take it for nothing: zero durations and times, too. */
bool format_is_empty(const char *s);

/* A number, 0 for any other value. */
double format_as_number(const struct format_value *v);
/* Append TEXT as SPEC aligns it; NUMBER: to the right, unless told otherwise. */
void format_add_aligned(struct strbuf *out, const struct format_spec *spec,
                        const char *text, bool number);
/* Append what the field of P is in ITEM. */
void format_add_value(struct strbuf *out, const struct format_piece *p, const void *item);

#endif
