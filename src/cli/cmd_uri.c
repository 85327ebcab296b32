/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/target.h"
#include "src/cli/verbs.h"
#include "src/lib/sshdest.h"

enum { REMOTE, LOCAL, WAIT };

static const struct opt opts[] = {
    {LOCAL, 0, "local", NULL, "As local://PATH, also when it is on another host"},
    {REMOTE, 0, "remote", NULL, "As ssh://HOST/PATH, also when it is on this host"},
    {WAIT, 0, "wait", NULL, "Wait for the instance of a job that is not ready yet"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

/* Of the instance that is talked to: its leader's. */
static void print_own(struct cli *cli, bool remote, bool local)
{
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    const char *here = client_uri(cli->h);
    const char *uri = cli_get_string(info, "uri", here);
    if (strncmp(here, SSHDEST_SCHEME, strlen(SSHDEST_SCHEME)) == 0 && !local) {
        puts(here); /* a path of its host's would be none here */
        return;
    }
    if (remote && strncmp(uri, "local://", 8) == 0)
        printf("ssh://%s%s\n", cli_get_string(info, "hostname", "localhost"), uri + 8);
    else
        puts(uri);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct target t = {0};
    struct place at;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == WAIT) {
            t.wait = true;
        } else {
            t.remote = o->id == REMOTE;
            t.local = o->id == LOCAL;
        }
    }
    bool remote = t.remote, local = t.local; /* what is said last counts */
    t.text = cli_operand(cli, &p, "", true);
    if (!t.text) {
        print_own(cli, t.remote, t.local);
        return 0;
    }
    t.remote = t.local = false;
    if (target_find(cli, &t, &at, &err) < 0)
        cli_die(cli, "%s", err.text);
    if (!remote && !local) {
        remote = t.remote || (at.host && !t.local);
    }
    cleanup_free char *uri = place_uri(&at, remote);
    puts(uri);
    place_fini(&at);
    return 0;
}

const struct cmd cmd_uri = {
    .name = "uri",
    .args = "[TARGET]",
    .help = "Print the URI of this instance, or of the one that TARGET names",
    .more =
        "TARGET: [jobid:]JOBID[/JOBID...], with / the outermost instance, . this one and "
        ".. its "
        "parent; pid:PID; slurm:JOBID; or a URI. It may end in ?local, ?remote or ?wait.",
    .groups = groups,
    .run = run,
};
