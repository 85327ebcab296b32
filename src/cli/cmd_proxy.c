/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/inside.h"
#include "src/cli/launcher.h"
#include "src/cli/target.h"
#include "src/cli/verbs.h"

/* The instance is on another host: there, by ssh, in the same directory if there is one. */
static int run_there(struct cli *cli, const struct place *at, int argc, char **argv)
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

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct target t = {.wait = true, .tell = true};
    struct place at;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    if (p.nargs == 0)
        cli_die(cli, "the TARGET is missing; see hbatch proxy --help");
    t.text = p.args[0];
    p.args[p.nargs] = NULL; /* a list for execve */
    if (target_find(cli, &t, &at, &err) < 0)
        cli_die(cli, "%s", err.text);
    bool remote = at.host && !t.local;
    if (remote && strncmp(t.text, "ssh://", 6) != 0 && !t.remote)
        cli_die(
            cli,
            "the instance is on host %s, not on this one; 'hbatch proxy ssh://%s%s ...' "
            "goes there by ssh",
            at.host, at.host, at.path);
    if (remote)
        return run_there(cli, &at, p.nargs - 1, p.args + 1);
    struct inside in;
    cleanup_free char *uri = place_uri(&at, false);
    place_fini(&at);
    if (inside_open(&in, uri, &err) < 0)
        cli_die(cli, "%s", err.text);
    if (inside_start(&in, p.nargs > 1 ? p.args + 1 : NULL, &err) < 0) {
        cli_error(cli, "%s", err.text);
        inside_close(&in);
        return err.code == ENOENT ? 127 : 126;
    }
    int rc = inside_wait(&in, cli);
    inside_close(&in);
    return rc;
}

const struct cmd cmd_proxy = {
    .name = "proxy",
    .args = "TARGET [COMMAND [ARG...]]",
    .help = "Run COMMAND (default: a shell) inside of another instance",
    .more = "TARGET is that of 'hbatch uri'. For the instance of a job that is not ready "
            "yet, proxy "
            "waits. COMMAND runs on this host, with HBATCH_URI for that instance; one on "
            "another host "
            "is gone to by ssh, if TARGET is ssh://HOST/PATH or ends in ?remote.",
    .flags = CMD_POSIX,
    .run = run,
};
