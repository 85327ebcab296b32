/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/verbs.h"

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    const char *verb = cli_operand(cli, &p, "", true);
    return verb ? cmd_help_verb(cli, verb) : cmd_help_all();
}

const struct cmd cmd_help = {.name = "help",
                             .args = "[VERB]",
                             .help = "Show the verbs, or one's options",
                             .run = run};
