/* SPDX-License-Identifier: BSD-3-Clause */
/* optparse: one const table per verb is both its option parser and its --help.
 *
 *     struct optparse p;
 *     optparse_init(&p, cli, cmd, argc, argv);
 *     for (const struct opt *o; (o = optparse_next(&p));) switch (o->id) ... p.value
 *     what is left: p.args[0..p.nargs)
 *
 * Long options take "--name=value" and "--name value", short ones "-n4", "-n 4" and "-xl";
 * "--" ends them.  They are not abbreviated.  With CMD_POSIX the first word that is no option
 * ends them, too.  Every verb has --help (and -h unless it takes -h for itself).
 *
 * An operand for a verb that has none in its usage (cmd.args) is an error, too.
 *
 * A usage error is printed with the nearest known option, and ends the program. */
#ifndef HBATCH_CLI_OPTPARSE_H
#define HBATCH_CLI_OPTPARSE_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct cmd;

struct opt {
    int id;           /* the caller's */
    char key;         /* short name, or 0 */
    const char *name; /* long name without "--", or NULL */
    const char *arg;  /* what its value is called; NULL: takes none; "[N]": may take one,
                         with = or at once after the short name */
    const char *help; /* NULL: works, but is not shown */
};

struct opt_group {
    const char *heading; /* NULL: "Options" */
    const struct opt *opts;
    size_t n;
};

struct optparse {
    struct cli *cli;
    const struct cmd *cmd;
    int argc, at;
    char **argv;
    const char *cluster; /* rest of "-xyz" */
    bool over;
    bool dashes;       /* a "--" has ended the options */
    const char *value; /* of the option that was returned, or NULL */
    char **args;       /* operands, in argv's own memory */
    int nargs;
};

/* ARGV[0] is the verb. ARGV is reordered in place. */
void optparse_init(struct optparse *p, struct cli *cli, const struct cmd *cmd, int argc,
                   char **argv);
const struct opt *optparse_next(struct optparse *p);
/* Print TEXT in lines of 80 columns, those after the first one indented by COLUMN. */
void optparse_print_wrapped(const char *text, int column);

#endif
