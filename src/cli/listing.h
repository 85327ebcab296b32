/* SPDX-License-Identifier: BSD-3-Clause */
/* listing: what verbs have in common that print lines of fields: -o FORMAT, by name or as a text, -n and --json.
 *
 *     static const struct opt opts[] = {
 *         {MINE, 'q', "queue", "NAME", "..."},
 *         LISTING_OPTS("Fields in Python's format syntax: state nnodes"),
 *     };
 *     for (const struct opt *o; (o = optparse_next(&p));)
 *         if (!listing_take(&l, o, p.value)) switch (o->id) ... */
#ifndef HBATCH_CLI_LISTING_H
#define HBATCH_CLI_LISTING_H

#include "src/cli/cli.h"
#include "src/cli/formats.h"

struct listing {
    const char *format; /* as given; NULL: it was not */
    bool no_header, json;
};

enum { LISTING_FORMAT = 1000, LISTING_NO_HEADER, LISTING_JSON };

#define LISTING_OPTS(FIELDS, JSON_HELP)                                                  \
    {LISTING_FORMAT, 'o', "format", "FORMAT", FIELDS},                                   \
        {LISTING_NO_HEADER, 'n', "no-header", NULL, "No header line"},                   \
    {                                                                                    \
        LISTING_JSON, 0, "json", NULL, JSON_HELP                                         \
    }

/* Whether O was one of these. */
bool listing_take(struct listing *l, const struct opt *o, const char *value);

/* What lines are made of. */
struct listing_kind {
    const struct format_field *fields;
    size_t nfields;
    struct formats formats;
};
/* FILE and TABLE: where users have theirs (formats.h). */
#define LISTING_KIND(FIELDS, FORMATS, FILE, TABLE, ENV)                                  \
    {                                                                                    \
        FIELDS, ARRAY_SIZE(FIELDS),                                                      \
        {                                                                                \
            FILE, TABLE, ENV, FORMATS, ARRAY_SIZE(FORMATS)                               \
        }                                                                                \
    }

/* -o help or get-config, which is told; then there is nothing more to do. */
bool listing_told(const struct cli *cli, const struct listing *l,
                  const struct listing_kind *kind);
/* The format that was asked for, or the default; a wrong one is the end. */
struct format *listing_compile(const struct cli *cli, const struct listing *l,
                               const struct listing_kind *kind);
/* A line for each of ITEMS; F is destroyed. */
void listing_print_as(const struct listing *l, struct format *f, const void **items,
                      size_t n);
/* Both. */
void listing_print(const struct cli *cli, const struct listing *l,
                   const struct listing_kind *kind, const void **items, size_t n);
/* O on a line. */
void listing_print_json(json_object *o);

#endif
