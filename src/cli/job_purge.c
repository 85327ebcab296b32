/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/ids.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"

enum { AGE, NUM, FORCE, JSON, BATCH };

static const struct opt opts[] = {
    {AGE, 0, "age-limit", "FSD", "Jobs that ended longer ago than this"},
    {NUM, 0, "num-limit", "COUNT", "The oldest jobs, until COUNT are left"},
    {FORCE, 'f', "force", NULL, "Do it"},
    {JSON, 'j', "json", NULL, "Print the numbers as JSON"},
    {BATCH, 0, "batch", "COUNT", NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct purge {
    struct cli *cli;
    json_object *params; /* of the next request */
    double purged, inactive;
    bool failed; /* of one of the ids */
};

static void add_operands(struct purge *p, char *const *args, int n)
{
    json_object *ids = json_object_new_array(), *ranges = json_object_new_array();
    for (int i = 0; i < n; i++) {
        cleanup_json json_object *list = ids_ranges(p->cli, args[i]);
        for (size_t k = 0; list && k < json_object_array_length(list); k++)
            json_object_array_add(ranges,
                                  json_object_get(json_object_array_get_idx(list, k)));
        if (!list)
            json_object_array_add(ids,
                                  json_object_new_uint64(cli_jobid(p->cli, args[i])));
    }
    json_object_object_add(p->params, "ids", ids);
    json_object_object_add(p->params, "ranges", ranges);
}

static void tell_errors(struct purge *p, json_object *errors)
{
    size_t n = json_object_array_length(errors);
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(errors, i);
        cli_job_error(p->cli, json_object_get_uint64(cli_get(o, "id")),
                      cli_get_string(o, "message", "it cannot be purged"));
        p->failed = true;
    }
}

/* One request; whether there is more. */
static bool ask(struct purge *p)
{
    cleanup_json json_object *result =
        cli_call(p->cli, "job.purge", json_object_get(p->params));
    json_object *next = cli_get(result, "next");
    p->purged += cli_get_number(result, "purged", 0);
    p->inactive = cli_get_number(result, "inactive", 0);
    tell_errors(p, cli_list(p->cli, result, "errors"));
    if (!next)
        return false;
    json_object_object_add(p->params, "cut", json_object_get(cli_get(result, "cut")));
    json_object_object_add(p->params, "from", json_object_get(next));
    return true;
}

static void print(const struct purge *p, bool force, bool json)
{
    if (json)
        printf("{\"purged\":%.0f,\"inactive\":%.0f,\"done\":%s}\n", p->purged,
               p->inactive, force ? "true" : "false");
    else if (force)
        printf("purged %.0f inactive jobs, %.0f remaining\n", p->purged, p->inactive);
    else
        printf("use --force to purge %.0f of %.0f inactive jobs\n", p->purged,
               p->inactive);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct purge p = {.cli = cli, .params = json_object_new_object()};
    struct optparse op;
    struct error err;
    double age;
    bool force = false, json = false, limit = false;
    optparse_init(&op, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&op));) {
        switch (o->id) {
        case AGE:
            if (duration_decode(op.value, &age, &err) < 0)
                cli_die(cli, "--age-limit: %s", err.text);
            json_object_object_add(p.params, "age", json_object_new_double(age));
            limit = true;
            break;
        case NUM:
            json_object_object_add(p.params, "num",
                                   json_object_new_int64(cli_number(
                                       cli, "--num-limit", op.value, 0, 1000000000)));
            limit = true;
            break;
        case FORCE:
            force = true;
            break;
        case JSON:
            json = true;
            break;
        }
    }
    if (limit && op.nargs)
        cli_die(cli, "ids and limits cannot be used together: '%s'", op.args[0]);
    if (!limit && op.nargs == 0)
        cli_die(cli, "which jobs? Give ids, --age-limit or --num-limit");
    if (op.nargs)
        add_operands(&p, op.args, op.nargs);
    json_object_object_add(p.params, "dry", json_object_new_boolean(!force));
    while (ask(&p))
        ;
    json_object_put(p.params);
    if (json || !p.failed || p.purged > 0)
        print(&p, force, json);
    return p.failed ? 1 : 0;
}

const struct cmd job_purge = {
    .name = "purge",
    .args = "[JOBID...]",
    .help = "Forget jobs that are over, with their output",
    .groups = groups,
    .run = run,
};
