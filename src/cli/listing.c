/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/listing.h"

#include <string.h>

bool listing_take(struct listing *l, const struct opt *o, const char *value)
{
    switch (o->id) {
    case LISTING_FORMAT:
        l->format = value;
        return true;
    case LISTING_NO_HEADER:
        l->no_header = true;
        return true;
    case LISTING_JSON:
        l->json = true;
        return true;
    }
    return false;
}

bool listing_told(const struct cli *cli, const struct listing *l,
                  const struct listing_kind *kind)
{
    return l->format &&
           formats_told(cli, &kind->formats, l->format, kind->fields, kind->nfields);
}

struct format *listing_compile(const struct cli *cli, const struct listing *l,
                               const struct listing_kind *kind)
{
    struct error err;
    const char *name = l->format ? l->format : formats_default(&kind->formats);
    cleanup_free char *text = formats_find(cli, &kind->formats, name);
    struct format *f = format_create(text, kind->fields, kind->nfields, &err);
    if (!f)
        cli_die(cli, "--format: %s", err.text);
    return f;
}

void listing_print_as(const struct listing *l, struct format *f, const void **items,
                      size_t n)
{
    format_prepare(f, items, n);
    if (!l->no_header) {
        cleanup_free char *line = format_header(f);
        puts(line);
    }
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = format_line(f, items[i]);
        puts(line);
    }
    format_destroy(f);
}

void listing_print(const struct cli *cli, const struct listing *l,
                   const struct listing_kind *kind, const void **items, size_t n)
{
    listing_print_as(l, listing_compile(cli, l, kind), items, n);
}

void listing_print_json(json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}
