/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/sshrun.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/inside.h"
#include "src/cli/launcher.h"

int sshrun(struct cli *cli, const struct place *at, int argc, char **argv)
{
    struct words there = {0}, w = {0};
    const char *ssh = getenv("HBATCH_SSH");
    cleanup_free char *cwd = getcwd(NULL, 0), *self = inside_self();
    words_add(&there, "%s", self);
    words_add(&there, "proxy");
    words_add(&there, "local://%s", at->path);
    for (int i = 0; i < argc; i++)
        words_add(&there, "%s", argv[i]);
    struct words dir = {0};
    words_add(&dir, "%s", cwd ? cwd : "/");
    cleanup_free char *dir_text = words_quote(&dir), *text = words_quote(&there);
    words_add(&w, "%s", ssh && *ssh ? ssh : "ssh");
    if (isatty(STDIN_FILENO))
        words_add(&w, "-t");
    words_add(&w, "%s", at->host);
    words_add(&w, "cd %s 2>/dev/null; exec %s", dir_text, text);
    fflush(NULL);
    execvp(w.v[0], w.v);
    int code = errno == ENOENT ? 127 : 126;
    cli_error(
        cli,
        "the instance is on host %s, and %s, which would go there, cannot be run: %s",
        at->host, w.v[0], strerror(errno));
    words_fini(&there);
    words_fini(&dir);
    words_fini(&w);
    return code;
}
