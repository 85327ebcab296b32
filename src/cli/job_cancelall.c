/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <unistd.h>
#include "src/cli/ids.h"
#include "src/cli/jobquery.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum { FORCE, QUIET, STATES, USER };

static const struct opt opts[] = {
    {FORCE, 'f', "force", NULL, "Do it"},
    {QUIET, 'q', "quiet", NULL, "Do not tell how many jobs there were"},
    {STATES, 'S', "states", "STATES", "Jobs in these states (default: active)"},
    {USER, 'u', "user", "USER", "Jobs of this user (an instance has one), or all"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static json_object *state_names(int states)
{
    json_object *list = json_object_new_array();
    for (int one = JOB_NEW; one < JOB_INACTIVE; one <<= 1)
        if (states & one)
            json_object_array_add(
                list, json_object_new_string(job_state_name((enum job_state)one, false)));
    return list;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct jobquery q = {0};
    struct optparse p;
    bool force = false, quiet = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == FORCE)
            force = true;
        else if (o->id == QUIET)
            quiet = true;
        else if (o->id == USER)
            jobquery_user(&q, cli, p.value);
        else
            jobquery_filter(&q, cli, p.value);
    }
    if (q.results || (q.states & JOB_INACTIVE))
        cli_die(cli, "--states: jobs that are over cannot be canceled");
    if (q.one_user && q.userid != geteuid()) {
        cli_error(cli, "no job matches"); /* an instance has one user */
        return 0;
    }
    json_object *params = json_object_new_object();
    json_object_object_add(params, "states",
                           state_names(q.states ? q.states : JOB_ACTIVE));
    json_object_object_add(params, "dry", json_object_new_boolean(!force));
    if (p.nargs) {
        cleanup_free char *note = cli_join(p.args, p.nargs);
        json_object_object_add(params, "note", json_object_new_string(note));
    }
    cleanup_json json_object *result = cli_call(cli, "job.cancel", params);
    size_t n = (size_t)cli_get_number(result, "canceled", 0);
    bool done = (n > 0 || !quiet) && ids_confirm(cli, n, force, "cancel");
    if (done && !quiet)
        cli_error(cli, "canceled %zu job%s", n, n == 1 ? "" : "s");
    return n > 0 && !force ? 1 : 0;
}

const struct cmd job_cancelall = {
    .name = "cancelall",
    .args = "[NOTE...]",
    .help = "Cancel all active jobs",
    .groups = groups,
    .run = run,
};
