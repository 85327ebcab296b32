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

/* --- one that is set ---------------------------------------------------------------------- */

static const struct opt set_opts[] = {
    {0, 'f', "force", NULL, NULL}, /* Flux's: all that can be set take effect at once */
};
static const struct opt_group set_groups[] = {OPTS(NULL, set_opts), OPTS_END};

static int set_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    json_object *params = json_object_new_object();
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        ;
    if (p.nargs != 2)
        cli_die(cli, "needs a NAME and a VALUE; see hbatch %s --help", cli->verb);
    json_object_object_add(params, "name", json_object_new_string(p.args[0]));
    json_object_object_add(params, "value", json_object_new_string(p.args[1]));
    json_object_put(cli_call(cli, "instance.setattr", params));
    return 0;
}

const struct cmd cmd_setattr = {
    .name = "setattr",
    .args = "NAME VALUE",
    .help = "Set an attribute of the instance",
    .groups = set_groups,
    .run = set_run,
};

/* --- all of them ------------------------------------------------------------------------- */

enum { VALUES, JSON };

static const struct opt list_opts[] = {
    {VALUES, 'v', "values", NULL, "With their values"},
    {JSON, 0, "json", NULL, "All with their values, as JSON"},
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
    bool values = false, json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        values |= o->id == VALUES;
        json |= o->id == JSON;
    }
    cli_operand(cli, &p, "", true);
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    json_object_object_del(info, "usage"); /* which are no attributes */
    json_object_object_del(info, "traffic");
    if (json)
        puts(json_object_to_json_string_ext(info, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    else
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
