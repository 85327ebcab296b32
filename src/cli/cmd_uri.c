/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <unistd.h>
#include "src/cli/verbs.h"

enum { REMOTE, LOCAL };

static const struct opt opts[] = {
    {LOCAL, 0, "local", NULL, "As local://PATH (default)"},
    {REMOTE, 0, "remote", NULL, "As ssh://HOST/PATH"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static char *uri_of_job(struct cli *cli, uint64_t id)
{
    char buf[CLI_ID_SIZE];
    json_object *q = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(q, "ids", ids);
    cleanup_json json_object *result = cli_call(cli, "job.list", q);
    json_object *jobs = cli_list(cli, result, "jobs");
    if (json_object_array_length(jobs) == 0)
        cli_die(cli, "there is no job %s", cli_id(cli, id, buf));
    const char *uri = cli_get_string(json_object_array_get_idx(jobs, 0), "uri", NULL);
    if (!uri)
        cli_die(cli, "job %s is no instance, or its instance has not told its URI",
                cli_id(cli, id, buf));
    return xstrdup(uri);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool remote = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        remote = o->id == REMOTE;
    const char *what = cli_operand(cli, &p, "", true);
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    cleanup_free char *uri =
        what ? uri_of_job(cli, cli_jobid(cli, what))
             : xstrdup(cli_get_string(info, "uri", client_uri(cli->h)));
    if (remote && strncmp(uri, "local://", 8) == 0)
        printf("ssh://%s%s\n", cli_get_string(info, "hostname", "localhost"), uri + 8);
    else
        puts(uri);
    return 0;
}

const struct cmd cmd_uri = {
    .name = "uri",
    .args = "[JOBID]",
    .help = "Print the URI of this instance, or of one that runs as a job",
    .groups = groups,
    .run = run,
};
