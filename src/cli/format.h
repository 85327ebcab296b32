/* SPDX-License-Identifier: BSD-3-Clause */
/* format: lines made of fields, in the mini-language of Python's str.format as Flux uses it:
 *
 *     {name}  {name:SPEC}  {name!CONV:SPEC}  {{ and }} for braces
 *     SPEC    [[FILL]ALIGN][SIGN][0][WIDTH][,][.PRECISION][TYPE][h][+]
 *             ALIGN < > ^ =; TYPE s d f e g x o b %; h: "-" for what is empty; +: a cut text
 *             ends in "+".  After !d, strftime(3) text, then "::" and such a SPEC.
 *     CONV    d  time as strftime(3) text            D  time as 2026-01-31T08:00:00
 *             F  duration as 1.5h (RFC 23)           H  duration as 1:30:00
 *             P  share as 50%                        s, r  as it is
 *
 * Before a field, "?:" leaves its column out when it is empty in all lines, "+:" makes it as
 * wide as its widest value, "?+:" does both.  A format that begins with "sort:k1,-k2 " sorts.
 *
 * The header line has each field's heading, aligned likewise. */
#ifndef HBATCH_CLI_FORMAT_H
#define HBATCH_CLI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include "src/common/error.h"

/* What a field is in one line. */
struct format_value {
    enum { FORMAT_NONE, FORMAT_TEXT, FORMAT_INT, FORMAT_NUMBER } type;
    const char *text; /* the caller's, .buf or .made */
    char *made;       /* to be freed, or NULL */
    long long i;
    double number;
    char buf[128];
};

struct format_field {
    const char *
        name; /* "a.*": any name that begins with "a."; get has the one that was asked for */
    const char *heading; /* of "a.*" its name in capitals */
    /* Set *V (zeroed) for ITEM; fields that are absent stay FORMAT_NONE. */
    void (*get)(const void *item, const struct format_field *field,
                struct format_value *v);
    const void *arg; /* get's own */
};

struct format;

/* Compile TEXT over N FIELDS (kept by reference); NULL with err set: marks the place in TEXT. */
struct format *format_create(const char *text, const struct format_field *fields,
                             size_t n, struct error *err);
void format_destroy(struct format *f); /* NULL is allowed */
/* Sort keys from elsewhere ("name,-t_submit"). */
int format_set_sort(struct format *f, const char *keys, struct error *err);
/* Sort ITEMS and fix the columns that depend on all of them. */
void format_prepare(struct format *f, const void **items, size_t n);
/* F with ARG for each field that lines are made of or sorted by. */
void format_each_field(const struct format *f,
                       void (*fn)(const struct format_field *field, void *arg),
                       void *arg);
/* New strings, without newline. */
char *format_header(const struct format *f);
char *format_line(const struct format *f, const void *item);
/* Leave WIDTH characters of LINE. */
void format_cut(char *line, size_t width);

/* SECONDS as Flux prints durations: "0s", "1.234s", "59.5s", "1.5m", "2.25h", "3d", "inf". */
char *format_duration(double seconds, char *buf, size_t size);
/* SECONDS as "H:MM:SS" ("1 day, 2:00:00" above a day). */
char *format_clock(double seconds, char *buf, size_t size);

#endif
