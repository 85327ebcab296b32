/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/listing.h"
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

static const struct formats_own formats[] = {
    {"default", NULL, "{name:<12} {hours:>10.2f} {ncores:>7} {pending:>8} {running:>8}"},
    {"banks", NULL,
     "{name:<12} {shares:>8g} {share!P:>6} {hours:>10.2f} {used!P:>6} "
     "{factor:>7.3f} {ncores:>7} {pending:>8} {running:>8}"},
};
static const struct listing_kind listing =
    LISTING_KIND(fields, formats, "account", NULL, NULL);

static const struct opt opts[] = {
    {BY, 0, "by", "KIND", "Usage by bank (the default), queue or user"},
    LISTING_OPTS("Fields in Python's format syntax: name shares share hours usage used "
                 "factor ncores active pending running; 'help' lists them",
                 "Print all of it as JSON"),
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static void print_list(struct cli *cli, const struct listing *l, json_object *list)
{
    size_t n = json_object_array_length(list);
    cleanup_free json_object **rows = xcalloc(n + 1, sizeof(json_object *));
    cleanup_free const void **items = xcalloc(n + 1, sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        rows[i] = json_object_array_get_idx(list, i);
        items[i] = &rows[i];
    }
    listing_print(cli, l, &listing, items, n);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const char *const kinds[] = {"bank", "queue", "user"}, *const keys[] = {
                                                                      "banks", "queues",
                                                                      "users"};
    struct optparse p;
    struct listing l = {0};
    size_t kind = 0;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (listing_take(&l, o, p.value))
            continue;
        kind = 0;
        while (strcmp(kinds[kind], p.value) != 0)
            if (++kind == ARRAY_SIZE(kinds))
                cli_die(cli, "--by=%s: must be bank, queue or user", p.value);
    }
    cli_operand(cli, &p, "", true);
    if (listing_told(cli, &l, &listing))
        return 0;
    cleanup_json json_object *result = cli_call(cli, "account.list", NULL);
    if (l.json) {
        listing_print_json(result);
        return 0;
    }
    if (!l.format && kind == 0)
        l.format = "banks";
    print_list(cli, &l, cli_list(cli, result, keys[kind]));
    return 0;
}

const struct cmd cmd_account = {
    .name = "account",
    .args = "",
    .help = "Who has used how much: shares, usage and fair share by bank, queue or user",
    .groups = groups,
    .run = run,
};
