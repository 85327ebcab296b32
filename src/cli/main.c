/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "src/cli/cli.h"
#include "src/cli/inside.h"
#include "src/cli/optparse.h"
#include "src/cli/sshrun.h"
#include "src/cli/target.h"
#include "src/cli/verbs.h"
#include "src/common/utf8.h"

static const struct cmd *const verbs[] = {
    &cmd_start,    &cmd_run,     &cmd_submit,   &cmd_bulksubmit, &cmd_batch,
    &cmd_alloc,    &cmd_proxy,   &cmd_jobs,     &cmd_top,        &cmd_pstree,
    &cmd_job,      &cmd_attach,  &cmd_output,   &cmd_export,     &cmd_report,
    &cmd_cancel,   &cmd_pgrep,   &cmd_pkill,    &cmd_watch,      &cmd_waitevent,
    &cmd_resource, &cmd_exec,    &cmd_archive,  &cmd_update,     &cmd_queue,
    &cmd_config,   &cmd_account, &cmd_uptime,   &cmd_dmesg,      &cmd_uri,
    &cmd_info,     &cmd_getattr, &cmd_setattr,  &cmd_lsattr,     &cmd_shutdown,
    &cmd_simulate, &cmd_python,  &cmd_env,      &cmd_hostlist,   &cmd_multiprog,
    &cmd_version,  &cmd_help,    &cmd_complete, &cmd_taskpids,   &cmd_relay,
};

const struct cmd cmd_all = {.name = "", .verbs = verbs, .nverbs = ARRAY_SIZE(verbs)};

static const char more[] =
    "Before the verb, -p or --parent (may be repeated) means the instance around this "
    "one, -r or "
    "--root the outermost one, and --uri=TARGET any other, named as for 'hbatch uri'.\n"
    "\n"
    "'hbatch VERB --help' tells about each. Outside an instance, 'hbatch start' makes "
    "one.\n"
    "\n"
    "Exit codes: 0 done; 1 an error, told on stderr, or wrong usage. run, attach, watch, "
    "job attach and job status, submit and bulksubmit with --wait or --watch, batch with "
    "--wait: the "
    "greatest exit "
    "code "
    "of the tasks, 128 + N after signal N (127: no such program, 126: it cannot be run). "
    "start, alloc and proxy: the exit code of their command.";

int cmd_help_all(void)
{
    printf("Usage: hbatch [--parent | --root | --uri=TARGET] VERB [OPTIONS] [ARGUMENTS]\n"
           "Run and watch jobs in an hbatch instance.\n\nVerbs:\n");
    cli_list_verbs(verbs, ARRAY_SIZE(verbs));
    putchar('\n');
    optparse_print_wrapped(more, 0);
    return 0;
}

bool cmd_is_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return true;
    return false;
}

int cmd_help_verb(struct cli *cli, const char *verb)
{
    char word[64], help[] = "--help";
    snprintf(word, sizeof(word), "%s", verb);
    char *argv[] = {word, help, NULL};
    return cli_dispatch(cli, verbs, ARRAY_SIZE(verbs), NULL, 2, argv);
}

/* --- options before the verb ------------------------------------------------------------- */

static void use_parent(struct cli *cli)
{
    struct error err;
    cleanup_free char *uri = target_parent(cli, &err);
    if (!uri)
        cli_die(cli, "--parent: %s", err.text);
    target_use(cli, uri);
}

/* What it names by ssh://HOST runs the REST of the line there. */
static void use_target(struct cli *cli, const char *option, const char *text, char **rest)
{
    struct target t = {.text = text};
    struct place at;
    struct error err;
    if (target_find(cli, &t, &at, &err) < 0)
        cli_die(cli, "%s: %s", option, err.text);
    if (at.host && strncmp(text, "ssh://", 6) == 0) {
        cleanup_free char *self = inside_self();
        int n = 0;
        while (rest[n])
            n++;
        cleanup_free char **words = xcalloc((size_t)n + 2, sizeof(*words));
        words[0] = self;
        memcpy(words + 1, rest, (size_t)n * sizeof(*words));
        int rc = sshrun(cli, &at, n + 1, words); /* it returns if it could not run */
        free(take(words));
        free(take(self));
        exit(rc);
    }
    if (target_enter(cli, &at, &err) < 0)
        cli_die(cli, "%s: %s", option, err.text);
}

/* --parent, --root and --uri, each of which may be given again. Return the number of words. */
static int take_globals(struct cli *cli, char **argv)
{
    int n = 0;
    for (;; n++) {
        const char *word = argv[n];
        if (!word)
            return n;
        if (strcmp(word, "--parent") == 0 || strcmp(word, "-p") == 0)
            use_parent(cli);
        else if (strcmp(word, "--root") == 0 || strcmp(word, "-r") == 0)
            use_target(cli, "--root", "/", argv + n + 1);
        else if (strncmp(word, "--uri=", 6) == 0)
            use_target(cli, "--uri", word + 6, argv + n + 1);
        else if (strcmp(word, "--uri") == 0 && argv[n + 1])
            n++, use_target(cli, "--uri", argv[n], argv + n + 1);
        else if (strcmp(word, "--uri") == 0)
            cli_die(cli, "option --uri needs a value: --uri=TARGET");
        else
            return n;
    }
}

/* The commands of compat become hbatch, and go on under their own names. */
static void take_name(struct cli *cli, const char *name)
{
    if (!name || !*name || strchr(name, '/') || strstr(name, "hbatch"))
        return;
    cli->program = name;
    cli->one_verb = strcmp(name, "flux") != 0;
}

int main(int argc, char **argv)
{
    struct cli cli = {.verb = ""};
    take_name(&cli, argv[0]);
    cli.utf8 = utf8_locale(utf8_getenv, NULL);
    cli.ascii = utf8_ascii_ids(utf8_getenv, NULL);
    char **words = argv + 1 + take_globals(&cli, argv + 1);
    int n = argc - (int)(words - argv);
    if (n < 1) {
        cli_error(&cli, "a verb is missing; see hbatch --help");
        return EXIT_USAGE;
    }
    if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0)
        return cli_finish(&cli, cmd_help_all());
    if (strcmp(*words, "--version") == 0 || strcmp(*words, "-V") == 0) {
        printf("hbatch %s\n", hbatch_version());
        return cli_finish(&cli, 0);
    }
    int rc = cli_dispatch(&cli, verbs, ARRAY_SIZE(verbs), NULL, n, words);
    client_close(cli.h);
    return cli_finish(&cli, rc);
}
