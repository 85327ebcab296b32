/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

enum { ALL, DRY_RUN, MESSAGE, STATES, QUIET, USER };

static const struct opt opts[] = {
    {ALL, 0, "all", NULL, "All active jobs"},
    {STATES, 'S', "states", "STATES",
     "All jobs in these states: pending, running, sched, ..."},
    {MESSAGE, 'm', "message", "NOTE", "Say why"},
    {DRY_RUN, 'n', "dry-run", NULL, "Only say how many jobs would be canceled"},
    {QUIET, 'q', "quiet", NULL, "Say nothing when no job matches"},
    {USER, 'u', "user", "USER", NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct cancel {
    struct cli *cli;
    bool dry_run, quiet;
    int states;
    const char *note;
    struct ids ids;
    json_object *ranges;
};

static int parse_states(struct cli *cli, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    int mask = 0;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        int one = job_state_decode(w);
        if (!one || (one & JOB_INACTIVE))
            cli_die(
                cli,
                "--states: '%s' must be depend, priority, sched, run, cleanup, pending, "
                "running or active",
                w);
        mask |= one;
    }
    return mask;
}

static void tell_count(const struct cli *cli, const char *what, size_t n)
{
    cli_error(cli, "%s %zu job%s", what, n, n == 1 ? "" : "s");
}

static int report(struct cancel *c, json_object *result)
{
    json_object *errors = cli_list(c->cli, result, "errors");
    size_t n = json_object_array_length(errors);
    for (size_t i = 0; i < n; i++) {
        json_object *e = json_object_array_get_idx(errors, i);
        cli_job_error(c->cli, json_object_get_uint64(cli_get(e, "id")),
                      cli_get_string(e, "message", "failed"));
    }
    return n ? 1 : 0;
}

/* Jobs by their state are chosen by the leader: what is over by then is not missed.  Else those ids from FROM on, up to
 * TO. */
static json_object *which(const struct cancel *c, size_t from, size_t to)
{
    json_object *list = json_object_new_array();
    for (size_t i = from; i < to; i++)
        json_object_array_add(list, json_object_new_uint64(c->ids.v[i]));
    for (int one = JOB_NEW; one < JOB_INACTIVE; one <<= 1)
        if (c->states & one)
            json_object_array_add(list,
                                  json_object_new_string(job_state_name(one, false)));
    return list;
}

static json_object *ask(struct cancel *c, json_object *ranges, size_t from, size_t to)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, c->states ? "states" : "ids", which(c, from, to));
    if (ranges)
        json_object_object_add(params, "ranges", json_object_get(ranges));
    if (c->dry_run)
        json_object_object_add(params, "dry", json_object_new_boolean(true));
    if (c->note)
        json_object_object_add(params, "note", json_object_new_string(c->note));
    return cli_call(c->cli, "job.cancel", params);
}

/* Many ids are told in parts, so that others are served meanwhile; the last ones first, as these wait, and would start
 * when the first ones end. */
static int cancel(struct cancel *c)
{
    enum { AT_ONCE = 1000 };
    size_t n = 0, to = c->ids.n;
    int rc = 0;
    json_object *ranges = c->ranges;
    do {
        size_t from = to > AT_ONCE ? to - AT_ONCE : 0;
        cleanup_json json_object *result = ask(c, ranges, from, to);
        n += (size_t)cli_get_number(result, "canceled", 0);
        rc |= report(c, result);
        ranges = NULL;
        to = from;
    } while (to > 0);
    if (c->dry_run) {
        tell_count(c->cli, "would cancel", n);
    } else if (c->states && !c->quiet) {
        if (n)
            tell_count(c->cli, "canceled", n);
        else
            cli_error(c->cli, "no job matches");
    }
    return rc;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct cancel c = {.cli = cli};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            c.states |= JOB_ACTIVE;
            break;
        case STATES:
            c.states |= parse_states(cli, p.value);
            break;
        case MESSAGE:
            c.note = p.value;
            break;
        case DRY_RUN:
            c.dry_run = true;
            break;
        case QUIET:
            c.quiet = true;
            break;
        }
    }
    if (p.nargs && c.states)
        cli_die(cli, "give job ids, or --all or --states, not both");
    if (!p.nargs && !c.states)
        cli_die(cli, "which jobs? Give ids, --all or --states");
    c.ranges = json_object_new_array();
    for (int i = 0; i < p.nargs; i++) {
        cleanup_json json_object *ranges = ids_ranges(cli, p.args[i]);
        for (size_t k = 0; ranges && k < json_object_array_length(ranges); k++)
            json_object_array_add(c.ranges,
                                  json_object_get(json_object_array_get_idx(ranges, k)));
        if (!ranges)
            ids_add(&c.ids, cli, p.args[i]);
    }
    int rc = cancel(&c);
    json_object_put(c.ranges);
    ids_fini(&c.ids);
    return rc;
}

const struct cmd cmd_cancel = {
    .name = "cancel",
    .args = "[JOBID...]",
    .help = "Cancel jobs: ids, ranges of ids (A-B), or all in some states",
    .groups = groups,
    .run = run,
};
