/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/verbs.h"

/* --- fields ------------------------------------------------------------------------------ */

static void get_name(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    json_object *const *o = item;
    (void)f;
    v->type = FORMAT_TEXT;
    v->text = cli_get_string(*o, "name", "");
}

static void get_number(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    json_object *const *o = item;
    if (!cli_get(*o, f->name))
        return;
    v->type = FORMAT_NUMBER;
    v->number = cli_get_number(*o, f->name, 0);
}

static void get_hours(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    json_object *const *o = item;
    (void)f;
    v->type = FORMAT_NUMBER;
    v->number = cli_get_number(*o, "usage", 0) / 3600;
}

static void get_count(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    json_object *const *o = item;
    v->type = FORMAT_INT;
    v->i = (long long)cli_get_number(*o, f->name, 0);
    if (strcmp(f->name, "pending") == 0)
        v->i = (long long)(cli_get_number(*o, "active", 0) -
                           cli_get_number(*o, "running", 0));
}

static const struct format_field fields[] = {
    {"name", "NAME", get_name, NULL},        {"shares", "SHARES", get_number, NULL},
    {"share", "SHARE", get_number, NULL},    {"usage", "USAGE.S", get_number, NULL},
    {"hours", "USAGE", get_hours, NULL},     {"used", "USED", get_number, NULL},
    {"factor", "FACTOR", get_number, NULL},  {"ncores", "NCORES", get_count, NULL},
    {"active", "ACTIVE", get_count, NULL},   {"pending", "PENDING", get_count, NULL},
    {"running", "RUNNING", get_count, NULL},
};

/* --- the verb ---------------------------------------------------------------------------- */

enum { BY, FORMAT, NO_HEADER, JSON };

static const struct opt opts[] = {
    {BY, 0, "by", "KIND", "Usage by bank (the default), queue or user"},
    {FORMAT, 'o', "format", "FORMAT",
     "Fields in Python's format syntax: name shares share hours usage used factor ncores "
     "active pending running"},
    {NO_HEADER, 'n', "no-header", NULL, "No header line"},
    {JSON, 0, "json", NULL, "Print all of it as JSON"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static void print_list(struct cli *cli, json_object *list, const char *text,
                       bool no_header)
{
    struct error err;
    struct format *f = format_create(text, fields, ARRAY_SIZE(fields), &err);
    if (!f)
        cli_die(cli, "%s", err.text);
    size_t n = json_object_array_length(list);
    cleanup_free json_object **rows = xcalloc(n + 1, sizeof(json_object *));
    cleanup_free const void **items = xcalloc(n + 1, sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        rows[i] = json_object_array_get_idx(list, i);
        items[i] = &rows[i];
    }
    format_prepare(f, items, n);
    if (!no_header) {
        cleanup_free char *line = format_header(f);
        puts(line);
    }
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = format_line(f, items[i]);
        puts(line);
    }
    format_destroy(f);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const char *const kinds[] = {"bank", "queue", "user"}, *const keys[] = {
                                                                      "banks", "queues",
                                                                      "users"};
    struct optparse p;
    const char *format = NULL;
    size_t kind = 0;
    bool no_header = false, json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case BY:
            kind = 0;
            while (strcmp(kinds[kind], p.value) != 0)
                if (++kind == ARRAY_SIZE(kinds))
                    cli_die(cli, "--by=%s: must be bank, queue or user", p.value);
            break;
        case FORMAT:
            format = p.value;
            break;
        case NO_HEADER:
            no_header = true;
            break;
        case JSON:
            json = true;
            break;
        }
    }
    cli_operand(cli, &p, "", true);
    cleanup_json json_object *result = cli_call(cli, "account.list", NULL);
    if (json) {
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
        return 0;
    }
    if (!format)
        format = kind == 0
                     ? "{name:<12} {shares:>8g} {share!P:>6} {hours:>10.2f} {used!P:>6} "
                       "{factor:>7.3f} {ncores:>7} {pending:>8} {running:>8}"
                     : "{name:<12} {hours:>10.2f} {ncores:>7} {pending:>8} {running:>8}";
    print_list(cli, cli_list(cli, result, keys[kind]), format, no_header);
    return 0;
}

const struct cmd cmd_account = {
    .name = "account",
    .args = "",
    .help = "Who has used how much: shares, usage and fair share by bank, queue or user",
    .groups = groups,
    .run = run,
};
