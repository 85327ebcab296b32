/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include "src/cli/installed.h"
#include "src/cli/verbs.h"

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        optparse_init(&p, cli, cmd, argc, argv);
        optparse_next(&p);
    }
    if (argc == 2 && strcmp(argv[1], "--get-path") == 0) {
        installed_environment(cli); /* its directory is the first one now */
        const char *path = getenv("PYTHONPATH");
        printf("%.*s\n", (int)strcspn(path ? path : "", ":"), path ? path : "");
        return 0;
    }
    installed_environment(cli);
    char python3[] = "python3", *python = getenv("HBATCH_PYTHON");
    cleanup_free char **words = xcalloc((size_t)argc + 1, sizeof(*words));
    memcpy(words + 1, argv + 1, (size_t)(argc - 1) * sizeof(*words));
    words[0] = python && *python ? python : python3;
    return installed_exec(cli, words, "; HBATCH_PYTHON may name another Python");
}

const struct cmd cmd_python = {
    .name = "python",
    .args = "[ARG...]",
    .help = "Run Python with the package hbatch",
    .more = "All ARGs are Python's: hbatch python -c 'import hbatch; ...'. The Python is "
            "that of HBATCH_PYTHON, or python3. --get-path alone prints where the "
            "package is.",
    .flags = CMD_POSIX,
    .run = run,
};
