/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/verbs.h"

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    const char *name = cli_operand(cli, &p, "the attribute's NAME", false);
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    json_object *value = cli_get(cli_get(info, "attrs"), name);
    if (!value)
        value = cli_get(info, name);
    if (!value)
        cli_die(cli, "this instance has no attribute '%s'; see hbatch info", name);
    puts(json_object_get_string(value));
    return 0;
}

const struct cmd cmd_getattr = {
    .name = "getattr",
    .args = "NAME",
    .help = "Print an attribute of the instance",
    .run = run,
};

/* --- all of them ------------------------------------------------------------------------- */

static const struct opt list_opts[] = {
    {0, 'v', "values", NULL, "With their values"},
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

static void print_all(json_object *o, bool values)
{
    json_object_object_foreach(o, key, value)
    {
        if (json_object_is_type(value, json_type_object))
            print_all(value, values);
        else if (values)
            printf("%-24s %s\n", key, json_object_get_string(value));
        else
            puts(key);
    }
}

static int list_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool values = false;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        values = true;
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    json_object_object_del(info, "usage"); /* which are no attributes */
    json_object_object_del(info, "traffic");
    print_all(info, values);
    return 0;
}

const struct cmd cmd_lsattr = {
    .name = "lsattr",
    .args = "",
    .help = "List the attributes of the instance",
    .groups = list_groups,
    .run = list_run,
};
