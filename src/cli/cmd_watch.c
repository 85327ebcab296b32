/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/jobquery.h"
#include "src/cli/jobset.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum { ACTIVE, FILTER, VERBOSE, LABEL, PROGRESS, JPS, ALL, COUNT, SINCE };

static const struct opt opts[] = {
    {ACTIVE, 'a', "active", NULL, "All active jobs"},
    {ALL, 'A', "all", NULL, "All jobs, also those that are over"},
    {FILTER, 'f', "filter", "STATE|RESULT",
     "Jobs in these states or with these results: pending, running, failed, ..."},
    {COUNT, 'c', "count", "N", "At most N jobs, the newest ones (default 1000; 0: all)"},
    {SINCE, 0, "since", "WHEN", "Jobs that have not ended before WHEN: -1h, 14:30"},
    {LABEL, 'l', "label-io", NULL, "Put job id and task rank before each line"},
    {PROGRESS, 0, "progress", NULL,
     "Show how many jobs are done: a bar on a terminal, else lines on stderr"},
    {JPS, 0, "jps", NULL, "With --progress, show jobs per second"},
    {VERBOSE, 'v', "verbose", NULL, "Tell each job's end; -vv: each event"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static json_object *ask(void *arg, json_object *params)
{
    return cli_call(arg, "job.list", params);
}

static void add_matching(struct ids *ids, struct cli *cli, struct jobquery *q)
{
    bool more;
    q->keys = json_object_new_array();
    cleanup_json json_object *jobs = jobquery_fetch(q, ask, cli, &more);
    size_t n = jobs ? json_object_array_length(jobs) : 0;
    ids->v = xrealloc(ids->v, (ids->n + n + 1) * sizeof(*ids->v));
    for (size_t i = 0; i < n; i++)
        ids->v[ids->n++] =
            json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, i), "id"));
    if (more && !q->count_given)
        cli_error(cli, "there are more jobs than these %ld: see --count and --filter",
                  q->count);
}

/* Each once, and neighbours by one request, which fails if there is no first one of them: then the others are asked for.
 * The exit code. */
static int add_jobs(struct jobset *set, struct ids *ids)
{
    int rc = 0;
    struct error err;
    ids_unique(ids);
    for (size_t i = 0; i < ids->n;) {
        size_t n = ids_neighbours(ids, i);
        for (; n > 0 && jobset_add(set, ids->v[i], n, &err) < 0; i++, n--) {
            cli_error(set->cli, "%s", err.text);
            rc = 1;
        }
        i += n;
    }
    return rc;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct ids ids = {0};
    struct jobset set;
    struct optparse p;
    struct jobquery q = {.count = 1000};
    int verbose = 0;
    bool which = false;
    bool label = false, progress = false, jps = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ACTIVE:
            q.states |= JOB_ACTIVE;
            which = true;
            break;
        case ALL:
            q.all = which = true;
            break;
        case FILTER:
            jobquery_filter(&q, cli, p.value);
            which = true;
            break;
        case COUNT:
            q.count = cli_number(cli, "--count", p.value, 0, 1000000000);
            q.count_given = true;
            break;
        case SINCE:
            q.since = jobquery_since(cli, p.value);
            which = true;
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
    if (!p.nargs && !which)
        cli_die(cli, "which jobs? Give ids, --active, --all, --filter or --since");
    for (int i = 0; i < p.nargs; i++)
        ids_add(&ids, cli, p.args[i]);
    if (which)
        add_matching(&ids, cli, &q);
    jobquery_fini(&q);
    jobset_init(&set, cli, true, label);
    if (progress)
        meter_init(&set.meter, cli, jps);
    set.verbose = verbose;
    int rc = add_jobs(&set, &ids);
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
