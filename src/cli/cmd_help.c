/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/guide.h"
#include "src/cli/verbs.h"

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    const char *verb = cli_operand(cli, &p, "", true);
    if (verb && !cmd_is_verb(verb))
        guide_show(cli, verb);
    if (verb)
        return cmd_help_verb(cli, verb);
    cmd_help_all();
    guide_list();
    return 0;
}

const struct cmd cmd_help = {.name = "help",
                             .args = "[VERB|TOPIC]",
                             .help = "Show the verbs, one's options, or a guide",
                             .run = run};
