/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "src/cli/verbs.h"

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    printf("hbatch %s (%s)\n", hbatch_version(), MPI_FLAVOUR);
    return 0;
}

const struct cmd cmd_version = {
    .name = "version", .args = "", .help = "Show the version", .run = run};
