/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/specopts.h"
#include "src/cli/submitting.h"
#include "src/cli/verbs.h"

static const struct opt_group groups[] = {
    SPECOPTS_GROUPS,
    OPTS("Submitting", submitting_opts),
    OPTS_END,
};

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct specopts spec = {.urgency = -1};
    struct submitting s = {.cli = cli, .cmd = cmd};
    struct optparse p;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (!specopts_take(&spec, cli, o, p.value))
            submitting_take(&s, o, p.value);
    }
    spec.argc = p.nargs;
    spec.argv = p.args;
    spec.literal = p.dashes;
    submitting_begin(&s, &spec, specopts_needs_cc(&spec) || s.texts.bcc);
    int64_t jobs = submitting_count(&s.texts, &err);
    if (jobs < 0)
        cli_die(cli, "%s", err.text);
    submitting_expect(&s, (uint64_t)jobs);
    submitting_add(&s, &spec, &s.texts, NULL);
    int rc = submitting_finish(&s);
    specopts_fini(&spec);
    return rc;
}

const struct cmd cmd_submit = {
    .name = "submit",
    .args = "COMMAND [ARG...] [: [OPTIONS] COMMAND [ARG...]]...",
    .help = "Submit jobs and print their ids",
    .more = specopts_more,
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
