/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/attach.h"
#include "src/cli/specopts.h"
#include "src/cli/verbs.h"

enum { OPT_WAIT_EVENT = SPECOPT_END };

static const struct opt own[] = {
    {OPT_WAIT_EVENT, 0, "wait-event", "NAME", "Return after this event of the job"},
};

static const struct opt_group groups[] = {
    SPECOPTS_GROUPS,
    OPTS("Running", own),
    OPTS_END,
};

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct specopts s = {.urgency = -1};
    struct attach_options a = {.owner = true};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (!specopts_take(&s, cli, o, p.value))
            a.wait_event = p.value;
    }
    s.argc = p.nargs;
    s.argv = p.args;
    s.literal = p.dashes;
    json_object *spec = specopts_encode(&s, cli, cmd, NULL);
    int rc = 0;
    if (s.dry_run) {
        puts(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(spec);
    } else {
        struct hbatch_submit submit = {.urgency = s.urgency, .flags = s.flags};
        a.no_stdin = !attach_add_stdin(spec);
        a.label = s.label_io;
        a.show_id = s.verbose > 0;
        a.show_events = s.verbose > 1;
        rc = attach_submit(cli, &a, spec, &submit);
    }
    specopts_fini(&s);
    return rc;
}

const struct cmd cmd_run = {
    .name = "run",
    .args = "COMMAND [ARG...] [: [OPTIONS] COMMAND [ARG...]]...",
    .help = "Run a job: wait for it, show its output, and leave with its exit code",
    .more = specopts_more,
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
