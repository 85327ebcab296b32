/* SPDX-License-Identifier: BSD-3-Clause */
/* job resubmit: what is over, or the elements of an array that are, once more. */
#include <errno.h>
#include <string.h>
#include "src/cli/jobquery.h"
#include "src/cli/submitting.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/job/state.h"
#include "src/lib/build.h"

enum { FAILED = SUBMITTING_END, FILTER, URGENCY, QUIET, DRY_RUN, LABEL };

enum { PAGE = 5000 };

static const struct opt opts[] = {
    {FAILED, 0, "failed", NULL, "Only those that failed or ran out of time"},
    {FILTER, 'f', "filter", "RESULT",
     "Only those with these results: failed, canceled, ..."},
    {URGENCY, 0, "urgency", "N", "0 (hold) to 31 (expedite); default: as before"},
    {SUBMITTING_WAIT, 0, "wait", NULL,
     "Wait until all jobs have ended; exit with the greatest exit code"},
    {SUBMITTING_WATCH, 0, "watch", NULL,
     "Show the output of all jobs (and wait for them)"},
    {LABEL, 'l', "label-io", NULL, "Put job id and task rank before each line"},
    {SUBMITTING_PROGRESS, 0, "progress", NULL,
     "With --wait, show how many jobs are done"},
    {SUBMITTING_JPS, 0, "jps", NULL, "With --progress, show jobs per second"},
    {QUIET, 0, "quiet", NULL, "Do not print job ids"},
    {DRY_RUN, 0, "dry-run", NULL,
     "Print what would be submitted: ids, or job and elements"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct resubmit {
    struct cli *cli;
    int results; /* RFC 21 mask; 0: all */
    int urgency; /* -1: as before */
    struct submitting out;
    struct specopts options;
};

/* What is to be submitted again of one job or array. */
struct again {
    uint64_t id;
    hwloc_bitmap_t cc; /* elements */
    uint64_t jobs;
    bool is_array;
    int urgency;
};

/* A page of the jobs that ID stands for, in STATES (a mask), below BEFORE unless it is 0. */
static json_object *list(struct resubmit *r, uint64_t id, int states, uint64_t before,
                         int max)
{
    json_object *q = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(q, "ids", ids);
    json_object_object_add(q, "states", json_object_new_int(states));
    if (states == JOB_INACTIVE && r->results)
        json_object_object_add(q, "results", json_object_new_int(r->results));
    if (before)
        json_object_object_add(q, "before", json_object_new_uint64(before));
    json_object_object_add(q, "max", json_object_new_int(max));
    return cli_call(r->cli, "job.list", q);
}

static void take_job(struct again *a, json_object *job)
{
    json_object *cc = cli_get(job, "cc");
    a->jobs++;
    a->urgency = (int)cli_get_number(job, "urgency", 16);
    if (a->urgency == 0 && cli_get(job, "t_run")) /* it was released before it ran */
        a->urgency = 16;
    a->is_array = cc != NULL;
    if (cc)
        hwloc_bitmap_set(a->cc, (unsigned)json_object_get_int(cc));
}

static void collect(struct resubmit *r, struct again *a)
{
    for (uint64_t before = 0;;) {
        cleanup_json json_object *result = list(r, a->id, JOB_INACTIVE, before, PAGE);
        json_object *jobs = cli_list(r->cli, result, "jobs");
        size_t n = json_object_array_length(jobs);
        for (size_t i = 0; i < n; i++)
            take_job(a, json_object_array_get_idx(jobs, i));
        if (n == 0 || !json_object_get_boolean(cli_get(result, "more")))
            return;
        before =
            json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, n - 1), "id"));
    }
}

static bool exists(struct resubmit *r, uint64_t id, int states)
{
    cleanup_json json_object *result = list(r, id, states, 0, 1);
    return json_object_array_length(cli_list(r->cli, result, "jobs")) > 0;
}

/* The specification of job ID, with a note of where it is from; NULL with err. */
static json_object *specification(struct resubmit *r, uint64_t id, struct error *err)
{
    char buf[JOBID_BUFSIZE];
    json_object *params = cli_id_params(id), *keys = json_object_new_array();
    json_object_array_add(keys, json_object_new_string("jobspec"));
    json_object_object_add(params, "keys", keys);
    cleanup_json json_object *result =
        client_call(cli_connect(r->cli), "job.info", params, err);
    json_object *spec = json_object_get(cli_get(result, "jobspec"));
    if (!result)
        return NULL;
    if (!spec)
        return error_null(err, ENODATA, "its specification is not there");
    jobid_encode(id, JOBID_F58_PLAIN, buf, sizeof(buf));
    if (build_path_set(spec, "attributes.user.resubmitted", json_object_new_string(buf),
                       err) == 0)
        return spec;
    json_object_put(spec);
    return NULL;
}

static void tell(struct resubmit *r, uint64_t id, const char *why)
{
    char buf[CLI_ID_SIZE];
    struct error err;
    error_set(&err, EINVAL, "%s", why);
    submitting_refuse(&r->out, cli_id(r->cli, id, buf), &err);
}

static void submit_again(struct resubmit *r, struct again *a)
{
    struct error err;
    char buf[CLI_ID_SIZE];
    cleanup_free char *cc = a->is_array ? idset_encode(a->cc, 0) : NULL;
    const struct submitting_texts texts = {.cc = cc};
    cli_id(r->cli, a->id, buf);
    if (r->out.dry_run) {
        printf("%s%s%s\n", buf, cc ? " --cc=" : "", cc ? cc : "");
        return;
    }
    json_object *spec = specification(r, a->id, &err);
    if (!spec) {
        submitting_refuse(&r->out, buf, &err);
        return;
    }
    r->options.urgency = r->urgency >= 0 ? r->urgency : a->urgency;
    submitting_add_spec(&r->out, spec, &r->options, &texts, buf);
}

static void resubmit(struct resubmit *r, uint64_t id)
{
    struct again a = {.id = id, .cc = hwloc_bitmap_alloc()};
    if (!r->results && exists(r, id, JOB_ACTIVE))
        tell(r, id,
             "it is not over: cancel it before, or choose what is over of an array "
             "by --failed or --filter");
    else
        collect(r, &a);
    if (a.jobs)
        submit_again(r, &a);
    else if (!exists(r, id, JOB_ACTIVE | JOB_INACTIVE))
        tell(r, id, "there is no such job");
    hwloc_bitmap_free(a.cc);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct resubmit r = {.cli = cli,
                         .urgency = -1,
                         .out = {.cli = cli, .cmd = cmd},
                         .options = {.urgency = -1}};
    struct jobquery q = {0};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        static const struct opt urgency = {SPECOPT_URGENCY, 0, "urgency", "N", NULL};
        switch (o->id) {
        case FAILED:
            r.results |= JOB_FAILED | JOB_TIMEOUT;
            break;
        case FILTER:
            jobquery_filter(&q, cli, p.value);
            if (q.states)
                cli_die(cli, "--filter=%s: only results are told apart here", p.value);
            r.results |= q.results;
            break;
        case URGENCY:
            specopts_take(&r.options, cli, &urgency, p.value);
            r.urgency = r.options.urgency;
            break;
        case QUIET:
            r.options.quiet = true;
            break;
        case DRY_RUN:
            r.options.dry_run = true;
            break;
        case LABEL:
            r.options.label_io = true;
            break;
        default:
            submitting_take(&r.out, o, p.value);
        }
    }
    if (p.nargs == 0)
        cli_die(cli, "which jobs? Give their ids");
    submitting_begin(&r.out, &r.options, false);
    for (int i = 0; i < p.nargs; i++)
        resubmit(&r, cli_jobid(cli, p.args[i]));
    int rc = submitting_finish(&r.out);
    specopts_fini(&r.options);
    return rc;
}

const struct cmd job_resubmit = {
    .name = "resubmit",
    .args = "JOBID...",
    .help = "Submit jobs that are over, or elements of arrays, again",
    .groups = groups,
    .run = run,
};
