/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/target.h"
#include "src/cli/verbs.h"

enum { BACKGROUND, CANCEL, EXIT_CODE, NOW, REASON, IGNORED };

static const struct opt opts[] = {
    {REASON, 'm', "message", "NOTE", "Say why"},
    {NOW, 0, "now", NULL, "Do not wait for tasks to end by themselves after SIGTERM"},
    {CANCEL, 0, "cancel", NULL,
     "Cancel also the jobs that would be kept in the state directory"},
    {EXIT_CODE, 0, "exit-code", "N",
     "The instance's exit code, and so that of the job that it is (default: its "
     "program's)"},
    {BACKGROUND, 0, "background", NULL, "Do not wait until the instance has ended"},
    /* Flux's: nothing is asked or logged here, and there is no garbage to collect */
    {IGNORED, 0, "quiet", NULL, NULL},
    {IGNORED, 0, "verbose", "[LEVEL]", NULL},
    {IGNORED, 'y', "yes", NULL, NULL},
    {IGNORED, 'n', "no", NULL, NULL},
    {IGNORED, 0, "gc", NULL, NULL},
    {IGNORED, 0, "skip-gc", NULL, NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static void use_target(struct cli *cli, const char *text)
{
    struct target t = {.text = text};
    struct place at;
    struct error err;
    if (target_find(cli, &t, &at, &err) < 0 || target_enter(cli, &at, &err) < 0)
        cli_die(cli, "%s", err.text);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    bool background = false;
    json_object *params = json_object_new_object();
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == BACKGROUND)
            background = true;
        else if (o->id == CANCEL)
            json_object_object_add(params, "cancel", json_object_new_boolean(true));
        else if (o->id == EXIT_CODE)
            json_object_object_add(
                params, "status",
                json_object_new_int64(cli_number(cli, "--exit-code", p.value, 0, 255)));
        else if (o->id == NOW)
            json_object_object_add(params, "now", json_object_new_boolean(true));
        else if (o->id == REASON)
            json_object_object_add(params, "reason", json_object_new_string(p.value));
    }
    const char *target = cli_operand(cli, &p, "", true);
    if (target)
        use_target(cli, target);
    json_object_put(cli_call(cli, "instance.shutdown", params));
    /* The connection closes when the instance is gone. */
    while (!background && client_process(cli->h, -1, &err) >= 0)
        ;
    return 0;
}

const struct cmd cmd_shutdown = {
    .name = "shutdown",
    .args = "[TARGET]",
    .help = "End the instance: its jobs are canceled, or kept in its state directory",
    .more = "Without TARGET, this instance; TARGET is that of 'hbatch uri': the job that "
            "is an instance, a path of jobs, a URI.",
    .groups = groups,
    .run = run,
};
