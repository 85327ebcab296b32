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

bool listing_told(const struct listing *l, const struct listing_kind *kind)
{
    if (!l->format || strcmp(l->format, "help") != 0)
        return false;
    printf("Formats:\n");
    for (size_t i = 0; i < kind->nformats; i++)
        printf("  %-20s %s\n", kind->formats[i].name, kind->formats[i].text);
    printf("\nFields:\n");
    for (size_t i = 0; i < kind->nfields; i++)
        printf("  %-20s %s\n", kind->fields[i].name, kind->fields[i].heading);
    return true;
}

static const char *find_format(const struct listing *l, const struct listing_kind *kind)
{
    for (size_t i = 0; l->format && i < kind->nformats; i++)
        if (strcmp(kind->formats[i].name, l->format) == 0)
            return kind->formats[i].text;
    return l->format ? l->format : kind->formats[0].text;
}

void listing_print(const struct cli *cli, const struct listing *l,
                   const struct listing_kind *kind, const void **items, size_t n)
{
    struct error err;
    struct format *f =
        format_create(find_format(l, kind), kind->fields, kind->nfields, &err);
    if (!f)
        cli_die(cli, "--format: %s", err.text);
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

void listing_print_json(json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}
