/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/sshrun.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/launcher.h"
#include "src/lib/sshdest.h"

int sshrun(struct cli *cli, const struct place *at, int argc, char **argv)
{
    struct words there = {0};
    struct sshdest d;
    struct error err;
    cleanup_free char *uri = place_uri(at, true), *cwd = getcwd(NULL, 0),
                      *self = sshdest_hbatch();
    if (sshdest_decode(uri, &d, &err) < 0)
        cli_die(cli, "%s", err.text);
    words_add(&there, "%s", self);
    words_add(&there, "proxy");
    words_add(&there, "local://%s", at->path);
    for (int i = 0; i < argc; i++)
        words_add(&there, "%s", argv[i]);
    struct words dir = {0};
    words_add(&dir, "%s", cwd ? cwd : "/");
    cleanup_free char *dir_text = words_quote(&dir), *text = words_quote(&there),
                      *command = xasprintf("cd %s 2>/dev/null; exec %s", dir_text, text);
    cleanup_free char **words = sshdest_words(&d, isatty(STDIN_FILENO), command);
    fflush(NULL);
    execvp(words[0], words);
    int code = errno == ENOENT ? 127 : 126;
    cli_error(
        cli,
        "the instance is on host %s, and %s, which would go there, cannot be run: %s",
        d.host, words[0], strerror(errno));
    words_fini(&there);
    words_fini(&dir);
    sshdest_fini(&d);
    return code;
}
