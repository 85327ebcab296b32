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
