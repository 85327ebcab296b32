/* SPDX-License-Identifier: BSD-3-Clause */
/* job kill, killall, raise, raiseall, memo, urgency. */
#include <string.h>
#include <unistd.h>
#include "src/cli/ids.h"
#include "src/cli/jobquery.h"
#include "src/cli/verbs.h"
#include "src/common/jobid.h"
#include "src/job/state.h"
#include "src/lib/build.h"

/* METHOD for each id; errors are told, and the rest goes on. */
static int call_each(struct cli *cli, const struct ids *ids, const char *method,
                     json_object *params)
{
    int rc = 0;
    for (size_t i = 0; i < ids->n; i++) {
        struct error err;
        json_object *one = cli_id_params(ids->v[i]);
        json_object_object_foreach(params, key, value)
        {
            json_object_object_add(one, key, json_object_get(value));
        }
        json_object *result = client_call(cli_connect(cli), method, one, &err);
        if (!result) {
            cli_job_error(cli, ids->v[i], err.text);
            rc = 1;
        }
        json_object_put(result);
    }
    return rc;
}

/* --- kill -------------------------------------------------------------------------------- */

static const struct opt kill_opts[] = {
    {0, 's', "signal", "SIG", "Signal by name or number (default TERM)"},
};
static const struct opt_group kill_groups[] = {OPTS(NULL, kill_opts), OPTS_END};

static int kill_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct ids ids = {0};
    struct optparse p;
    struct error err;
    int sig = 15;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p)) {
        sig = build_signal_number(p.value, &err);
        if (sig < 0)
            cli_die(cli, "--signal: %s", err.text);
    }
    if (p.nargs == 0)
        cli_die(cli, "which jobs? Give their ids");
    for (int i = 0; i < p.nargs; i++)
        ids_add(&ids, cli, p.args[i]);
    cleanup_json json_object *params = json_object_new_object();
    json_object_object_add(params, "signal", json_object_new_int(sig));
    int rc = call_each(cli, &ids, "job.kill", params);
    ids_fini(&ids);
    return rc;
}

const struct cmd job_kill = {
    .name = "kill",
    .args = "JOBID...",
    .help = "Send a signal to all tasks of jobs",
    .groups = kill_groups,
    .run = kill_run,
};

/* --- all of them ----------------------------------------------------------------------------- */

enum { FORCE = 100, ALL_USER };

/* METHOD with PARAMS, which are given up, for all jobs in STATES, if that is what is meant; WHAT is done to them. */
static int call_all(struct cli *cli, int states, const char *user, bool force,
                    const char *what, const char *method, json_object *params)
{
    struct ids ids = {0};
    struct jobquery q = {0};
    if (user)
        jobquery_user(&q, cli, user);
    if (!q.one_user || q.userid == (unsigned)geteuid()) /* an instance has one */
        ids_add_states(&ids, cli, states);
    int rc = ids.n > 0;
    if (ids_confirm(cli, ids.n, force, what))
        rc = call_each(cli, &ids, method, params);
    json_object_put(params);
    ids_fini(&ids);
    return rc;
}

static const struct opt killall_opts[] = {
    {FORCE, 'f', "force", NULL, "Do it"},
    {0, 's', "signal", "SIG", "Signal by name or number (default TERM)"},
    {ALL_USER, 'u', "user", "USER", "Jobs of this user (an instance has one), or all"},
};
static const struct opt_group killall_groups[] = {OPTS(NULL, killall_opts), OPTS_END};

static int killall_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    bool force = false;
    int sig = 15;
    const char *user = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == FORCE)
            force = true;
        else if (o->id == ALL_USER)
            user = p.value;
        else if ((sig = build_signal_number(p.value, &err)) < 0)
            cli_die(cli, "--signal: %s", err.text);
    }
    json_object *params = json_object_new_object();
    json_object_object_add(params, "signal", json_object_new_int(sig));
    return call_all(cli, JOB_RUN, user, force, "signal", "job.kill", params);
}

const struct cmd job_killall = {
    .name = "killall",
    .args = "",
    .help = "Send a signal to all tasks of all running jobs",
    .groups = killall_groups,
    .run = killall_run,
};

/* --- raise ------------------------------------------------------------------------------- */

enum { SEVERITY, TYPE, NOTE, STATES };

static const struct opt raise_opts[] = {
    {NOTE, 'm', "message", "NOTE", "The exception's note"},
    {SEVERITY, 's', "severity", "N", "0 (ends the job; default) to 7"},
    {TYPE, 't', "type", "TYPE", "Type of the exception (default cancel)"},
};
static const struct opt_group raise_groups[] = {OPTS(NULL, raise_opts), OPTS_END};

static json_object *exception_params(const char *type, int severity, const char *note)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "type", json_object_new_string(type));
    json_object_object_add(params, "severity", json_object_new_int(severity));
    json_object_object_add(params, "note", json_object_new_string(note));
    return params;
}

static int raise_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct ids ids = {0};
    struct optparse p;
    const char *type = "cancel", *message = NULL;
    int severity = 0, n = 0;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == TYPE)
            type = p.value;
        else if (o->id == NOTE)
            message = p.value;
        else
            severity = (int)cli_number(cli, "--severity", p.value, 0, 7);
    }
    if (p.nargs == 0)
        cli_die(cli, "which job? Give its id");
    for (; n < p.nargs && (n == 0 || jobid_decode(p.args[n], &(jobid_t){0}, NULL) == 0);
         n++)
        ids_add(&ids, cli, p.args[n]);
    if (message && n < p.nargs)
        cli_die(cli, "a note by --message, or after the ids ('%s'), not both", p.args[n]);
    cleanup_free char *note =
        message ? xstrdup(message) : cli_join(p.args + n, p.nargs - n);
    cleanup_json json_object *params = exception_params(type, severity, note);
    int rc = call_each(cli, &ids, "job.raise", params);
    ids_fini(&ids);
    return rc;
}

const struct cmd job_raise = {
    .name = "raise",
    .args = "JOBID... [NOTE...]",
    .help = "Raise an exception in jobs",
    .groups = raise_groups,
    .run = raise_run,
};

static const struct opt raiseall_opts[] = {
    {FORCE, 'f', "force", NULL, "Do it"},
    {SEVERITY, 's', "severity", "N", "0 (ends the job) to 7 (default)"},
    {STATES, 'S', "states", "STATES", "Jobs in these states (default: active)"},
    {ALL_USER, 'u', "user", "USER", "Jobs of this user (an instance has one), or all"},
};
static const struct opt_group raiseall_groups[] = {OPTS(NULL, raiseall_opts), OPTS_END};

static int raiseall_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct jobquery q = {0};
    struct optparse p;
    bool force = false;
    int severity = 7;
    const char *user = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == FORCE)
            force = true;
        else if (o->id == ALL_USER)
            user = p.value;
        else if (o->id == STATES)
            jobquery_filter(&q, cli, p.value);
        else
            severity = (int)cli_number(cli, "--severity", p.value, 0, 7);
    }
    if (p.nargs == 0)
        cli_die(cli, "which type of exception? As in hbatch job raiseall cancel");
    if (q.results || (q.states & JOB_INACTIVE))
        cli_die(cli, "--states: jobs that are over get no exceptions");
    cleanup_free char *note = cli_join(p.args + 1, p.nargs - 1);
    return call_all(cli, q.states ? q.states : JOB_ACTIVE, user, force,
                    "raise an exception in", "job.raise",
                    exception_params(p.args[0], severity, note));
}

const struct cmd job_raiseall = {
    .name = "raiseall",
    .args = "TYPE [NOTE...]",
    .help = "Raise an exception in all active jobs",
    .groups = raiseall_groups,
    .run = raiseall_run,
};

/* --- memo ------------------------------------------------------------------------------------ */

static const struct opt memo_opts[] = {
    {0, 0, "volatile", NULL,
     "Not in the job's log, and forgotten when the leader is lost"},
};
static const struct opt_group memo_groups[] = {OPTS(NULL, memo_opts), OPTS_END};

static int memo_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    const char *kind = "memo";
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        kind = "volatile";
    if (p.nargs < 2)
        cli_die(cli, "needs a JOBID and what to note, as in %s last step=3", cli->verb);
    uint64_t id = cli_jobid(cli, p.args[0]);
    json_object *memo = json_object_new_object();
    for (int i = 1; i < p.nargs; i++) {
        char *key;
        json_object *value;
        if (!strchr(p.args[i], '='))
            cli_die(cli, "'%s' must be KEY=VALUE; KEY=null takes it away", p.args[i]);
        if (build_keyval(p.args[i], &key, &value, &err) < 0)
            cli_die(cli, "%s", err.text);
        json_object_object_add(memo, key, value);
        free(key);
    }
    json_object *params = cli_id_params(id);
    json_object_object_add(params, kind, memo);
    json_object_put(cli_call(cli, "job.memo", params));
    return 0;
}

const struct cmd job_memo = {
    .name = "memo",
    .args = "JOBID KEY=VALUE...",
    .help = "Note something of an active job, for others to see",
    .groups = memo_groups,
    .run = memo_run,
};

/* --- urgency ----------------------------------------------------------------------------- */

static const struct opt urgency_opts[] = {
    {0, 'v', "verbose", NULL, "Print the old urgency on stderr"},
};
static const struct opt_group urgency_groups[] = {OPTS(NULL, urgency_opts), OPTS_END};

static int urgency_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool verbose = false;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        verbose = true;
    if (p.nargs != 2)
        cli_die(cli,
                "needs a JOBID (or a range of them) and an urgency; see hbatch %s --help",
                cli->verb);
    const char *text = p.args[1];
    long n = strcmp(text, "hold") == 0      ? 0
             : strcmp(text, "default") == 0 ? 16
             : strcmp(text, "expedite") == 0
                 ? 31
                 : cli_number(cli, "the urgency", text, 0, 31);
    json_object *ranges = ids_ranges(cli, p.args[0]);
    bool many = ranges != NULL;
    json_object *params =
        many ? json_object_new_object() : cli_id_params(cli_jobid(cli, p.args[0]));
    if (many)
        json_object_object_add(params, "ranges", ranges);
    json_object_object_add(params, "urgency", json_object_new_int64(n));
    cleanup_json json_object *result = cli_call(cli, "job.urgency", params);
    if (many) {
        if (verbose)
            fprintf(stderr, "changed: %ju\n",
                    (uintmax_t)cli_get_number(result, "changed", 0));
        return 0;
    }
    int old = (int)cli_get_number(result, "old", 0);
    if (verbose && old == 0)
        fprintf(stderr, "old urgency: job held\n");
    else if (verbose && old == 31)
        fprintf(stderr, "old urgency: job expedited\n");
    else if (verbose)
        fprintf(stderr, "old urgency: %d\n", old);
    return 0;
}

const struct cmd job_urgency = {
    .name = "urgency",
    .args = "JOBID N|hold|default|expedite",
    .help = "Change the urgency of a job that waits",
    .groups = urgency_groups,
    .run = urgency_run,
};
