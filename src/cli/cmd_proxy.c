/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include "src/cli/inside.h"
#include "src/cli/sshrun.h"
#include "src/cli/target.h"
#include "src/cli/verbs.h"

enum { NOHUP, IGNORED };

static const struct opt opts[] = {
    {NOHUP, 'n', "nohup", NULL, "Leave a shell alone when the instance ends"},
    {IGNORED, 0, "reconnect", NULL, NULL}, /* Flux's: clients do so anyhow */
    {IGNORED, 'f', "force", NULL, NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct target t = {.wait = true, .tell = true};
    struct place at;
    struct error err;
    bool nohup = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        nohup |= o->id == NOHUP;
    if (p.nargs == 0)
        cli_die(cli, "the TARGET is missing; see hbatch proxy --help");
    t.text = p.args[0];
    p.args[p.nargs] = NULL; /* a list for execve */
    if (target_find(cli, &t, &at, &err) < 0)
        cli_die(cli, "%s", err.text);
    bool remote = at.host && !t.local;
    bool by_ssh = remote && (strncmp(t.text, "ssh://", 6) == 0 || t.remote);
    struct hbatch *there = remote && !by_ssh ? target_open(&at, &err) : NULL;
    if (remote && !by_ssh && !there)
        cli_die(cli, "%s", err.text);
    if (by_ssh) {
        int code = sshrun(cli, &at, p.nargs - 1, p.args + 1);
        place_fini(&at);
        return code;
    }
    struct inside in;
    cleanup_free char *uri = there ? xstrdup(client_uri(there)) : place_uri(&at, false);
    client_close(there);
    place_fini(&at);
    if (inside_open(&in, uri, &err) < 0)
        cli_die(cli, "%s", err.text);
    if (inside_start(&in, p.nargs > 1 ? p.args + 1 : NULL, &err) < 0) {
        cli_error(cli, "%s", err.text);
        inside_close(&in);
        return err.code == ENOENT ? 127 : 126;
    }
    in.shell = in.shell && !nohup;
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
            "waits. COMMAND runs on this host, with HBATCH_URI for that instance; or, if "
            "TARGET is ssh://HOST/PATH or ends in ?remote, by ssh on the host where the "
            "instance is.",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
