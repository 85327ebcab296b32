/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/verbs.h"

/* Where the package hbatch is: in the build tree beside bin/, or where it was installed. */
static char *find_package(struct cli *cli)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    char *built = xasprintf("%s/../python", self);
    const char *const dirs[] = {built, PYTHONDIR};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        cleanup_free char *package = xasprintf("%s/hbatch/__init__.py", dirs[i]);
        if (access(package, R_OK) != 0)
            continue;
        char *found = realpath(dirs[i], NULL);
        free(built);
        return found;
    }
    cli_die(cli,
            "the Python package hbatch is neither in %s nor in %s: is hbatch installed "
            "whole?",
            built, PYTHONDIR);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        optparse_init(&p, cli, cmd, argc, argv);
        optparse_next(&p);
    }
    const char *python = getenv("HBATCH_PYTHON"), *path = getenv("PYTHONPATH");
    cleanup_free char *dir = find_package(cli);
    cleanup_free char *joined =
        path && *path ? xasprintf("%s:%s", dir, path) : xstrdup(dir);
    setenv("PYTHONPATH", joined, 1);
    if (!python || !*python)
        python = "python3";
    cleanup_free char **words = xcalloc((size_t)argc + 1, sizeof(*words));
    memcpy(words + 1, argv + 1, (size_t)(argc - 1) * sizeof(*words));
    words[0] = xstrdup(python);
    execvp(python, words);
    int code = errno == ENOENT ? 127 : 126;
    cli_error(cli, "cannot run %s: %s; HBATCH_PYTHON may name another Python", python,
              strerror(errno));
    free(words[0]);
    return code;
}

const struct cmd cmd_python = {
    .name = "python",
    .args = "[ARG...]",
    .help = "Run Python with the package hbatch",
    .more = "All ARGs are Python's: hbatch python -c 'import hbatch; ...'. The Python is "
            "that of HBATCH_PYTHON, or python3.",
    .flags = CMD_POSIX,
    .run = run,
};
