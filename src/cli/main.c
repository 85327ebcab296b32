/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "config.h"
#include "src/cli/cli.h"
#include "src/cli/optparse.h"
#include "src/cli/verbs.h"

static const struct cmd *const verbs[] = {
    &cmd_start,  &cmd_run,    &cmd_submit,  &cmd_batch,     &cmd_jobs,     &cmd_job,
    &cmd_attach, &cmd_cancel, &cmd_watch,   &cmd_waitevent, &cmd_resource, &cmd_uptime,
    &cmd_uri,    &cmd_info,   &cmd_getattr, &cmd_shutdown,  &cmd_version,  &cmd_help,
};

static const char more[] =
    "'hbatch VERB --help' tells about each. Outside an instance, 'hbatch start' makes "
    "one.\n"
    "\n"
    "Exit codes: 0 done; 1 an error, told on stderr, or wrong usage. run, attach, watch, "
    "job attach and job status, submit with --wait or --watch, batch with --wait: the "
    "greatest exit "
    "code "
    "of the tasks, 128 + N after signal N (127: no such program, 126: it cannot be run). "
    "start: the exit code of its command.";

int cmd_help_all(void)
{
    printf("Usage: hbatch VERB [OPTIONS] [ARGUMENTS]\n"
           "Run and watch jobs in an hbatch instance.\n\nVerbs:\n");
    cli_list_verbs(verbs, ARRAY_SIZE(verbs));
    putchar('\n');
    optparse_print_wrapped(more, 0);
    return 0;
}

int cmd_help_verb(struct cli *cli, const char *verb)
{
    char word[64], help[] = "--help";
    snprintf(word, sizeof(word), "%s", verb);
    char *argv[] = {word, help, NULL};
    return cli_dispatch(cli, verbs, ARRAY_SIZE(verbs), NULL, 2, argv);
}

/* Without the cost of setlocale: whether the locale's character set is UTF-8, by its name. */
static bool utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value)
            continue;
        return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
    }
    return false;
}

int main(int argc, char **argv)
{
    struct cli cli = {.verb = ""};
    const char *force = getenv("HBATCH_F58_FORCE_ASCII");
    cli.ascii = (force && *force && strcmp(force, "0") != 0) || !utf8_locale();
    if (argc < 2) {
        cli_error(&cli, "a verb is missing; see hbatch --help");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_finish(&cli, cmd_help_all());
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("hbatch %s\n", hbatch_version());
        return cli_finish(&cli, 0);
    }
    int rc = cli_dispatch(&cli, verbs, ARRAY_SIZE(verbs), NULL, argc - 1, argv + 1);
    client_close(cli.h);
    return cli_finish(&cli, rc);
}
