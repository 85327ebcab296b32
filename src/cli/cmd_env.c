/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/installed.h"
#include "src/cli/verbs.h"
#include "src/common/compatenv.h"

enum { COMPAT };

static const struct opt opts[] = {
    {COMPAT, 0, "compat", "NAME,...",
     "Also what programs for other systems look for: flux, slurm; see hbatch-compat(7)"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

/* What there is for programs of the system NAME comes first in PATH and PYTHONPATH. */
static void add_compat(struct cli *cli, const char *name)
{
    static const struct {
        const char *folder, *variable;
    } parts[] = {{"bin", "PATH"}, {"python", "PYTHONPATH"}};
    bool any = false;
    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz")])
        cli_die(cli, "--compat=%s: must be names as in --compat=flux", name);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        cleanup_free char *file = xasprintf("%s/%s", name, parts[i].folder);
        cleanup_free char *dir = installed_dir("compat", file, COMPATDIR);
        if (!dir)
            continue;
        cleanup_free char *path = xasprintf("%s/%s", dir, file);
        installed_prepend(parts[i].variable, path);
        any = true;
    }
    if (!any)
        cli_die(cli, "--compat=%s: hbatch has nothing for programs of that system", name);
}

/* HBATCH_COMPAT, by which jobs are told more, too; and what it says of this process. */
static void tell_compat(const char *name)
{
    size_t n;
    const char *old = getenv(COMPATENV_NAME);
    if (!compatenv_has(old, name)) {
        cleanup_free char *all =
            old && *old ? xasprintf("%s,%s", old, name) : xstrdup(name);
        setenv(COMPATENV_NAME, all, 1);
    }
    const struct compat_variable *v = compatenv_variables(name, &n);
    for (size_t i = 0; i < n; i++)
        if (getenv(v[i].ours))
            setenv(v[i].theirs, getenv(v[i].ours), 1);
}

static void add_all(struct cli *cli, const char *names)
{
    cleanup_free char *copy = xstrdup(names);
    for (char *next, *name = copy; name; name = next) {
        next = strchr(name, ',');
        if (next)
            *next++ = '\0';
        add_compat(cli, name);
        tell_compat(name);
    }
}

/* NAME='VALUE', as a shell reads it. */
static void print_export(const char *name)
{
    if (!getenv(name))
        return;
    printf("export %s='", name);
    for (const char *c = getenv(name); *c; c++)
        if (*c == '\'')
            printf("'\\''");
        else
            putchar(*c);
    puts("'");
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    size_t n;
    optparse_init(&p, cli, cmd, argc, argv);
    installed_environment(cli);
    while (optparse_next(&p))
        add_all(cli, p.value);
    if (p.nargs == 0) {
        print_export("PATH");
        print_export("PYTHONPATH");
        print_export(COMPATENV_NAME);
        const struct compat_variable *v = compatenv_variables(getenv(COMPATENV_NAME), &n);
        for (size_t i = 0; i < n; i++)
            print_export(v[i].theirs);
        return 0;
    }
    p.args[p.nargs] = NULL; /* a list for execve */
    return installed_exec(cli, p.args, "");
}

const struct cmd cmd_env = {
    .name = "env",
    .args = "[COMMAND [ARG...]]",
    .help = "Run COMMAND with this hbatch and its Python package in its environment",
    .more = "Without a COMMAND, print shell commands that set the environment: eval "
            "\"$(hbatch env --compat=flux)\".",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
