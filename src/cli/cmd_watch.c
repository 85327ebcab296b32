/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/jobset.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum { ACTIVE, FILTER, VERBOSE, LABEL, PROGRESS, JPS, ALL };

static const struct opt opts[] = {
    {ACTIVE, 'a', "active", NULL, "All active jobs"},
    {ALL, 'A', "all", NULL, "All jobs, also those that are over"},
    {FILTER, 'f', "filter", "STATES", "Jobs in these states: pending, running, ..."},
    {LABEL, 'l', "label-io", NULL, "Put job id and task rank before each line"},
    {PROGRESS, 0, "progress", NULL,
     "Show how many jobs are done: a bar on a terminal, else lines on stderr"},
    {JPS, 0, "jps", NULL, "With --progress, show jobs per second"},
    {VERBOSE, 'v', "verbose", NULL, "Tell each job's end; -vv: each event"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static int parse_filter(struct cli *cli, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    int mask = 0;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        int one = job_state_decode(w);
        if (!one)
            cli_die(cli, "--filter: there is no job state '%s'", w);
        mask |= one;
    }
    return mask;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct ids ids = {0};
    struct jobset set;
    struct optparse p;
    struct error err;
    int states = 0, verbose = 0;
    bool label = false, progress = false, jps = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ACTIVE:
            states |= JOB_ACTIVE;
            break;
        case ALL:
            states |= JOB_ACTIVE | JOB_INACTIVE;
            break;
        case FILTER:
            states |= parse_filter(cli, p.value);
            break;
        case LABEL:
            label = true;
            break;
        case PROGRESS:
            progress = true;
            break;
        case JPS:
            jps = true;
            break;
        case VERBOSE:
            verbose++;
            break;
        }
    }
    if (!p.nargs && !states)
        cli_die(cli, "which jobs? Give ids, --active, --all or --filter");
    for (int i = 0; i < p.nargs; i++)
        ids_add(&ids, cli, p.args[i]);
    if (states)
        ids_add_states(&ids, cli, states);
    jobset_init(&set, cli, true, label);
    if (progress)
        meter_init(&set.meter, cli, jps);
    set.verbose = verbose;
    int rc = 0;
    for (size_t i = 0; i < ids.n; i++) {
        if (jobset_add(&set, ids.v[i], &err) < 0) {
            cli_error(cli, "%s", err.text);
            rc = 1;
        }
    }
    int code = jobset_wait(&set);
    jobset_fini(&set);
    ids_fini(&ids);
    return MAX(rc, code);
}

const struct cmd cmd_watch = {
    .name = "watch",
    .args = "[JOBID...]",
    .help = "Show the output of several jobs until they end",
    .groups = groups,
    .run = run,
};
