/* SPDX-License-Identifier: BSD-3-Clause */
#include <sysexits.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/attach.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"

enum {
    LABEL,
    NO_INPUT,
    DIR,
    RANKS,
    EXCLUDE,
    JOB,
    VERBOSE,
    QUIET,
    BACKGROUND,
    WAITABLE,
    ATTACH,
    NAME
};

static const struct opt opts[] = {
    {RANKS, 'r', "rank", "IDSET", "Run on these ranks, or all (default)"},
    {EXCLUDE, 'x', "exclude", "IDSET", "But not on these"},
    {JOB, 'j', "jobid", "JOBID",
     "Run on the nodes of this job; -r and -x then count them from 0"},
    {DIR, 'd', "dir", "DIR", "Run in directory DIR (default: this one)"},
    {LABEL, 'l', "label-io", NULL, "Put the rank before each line of output"},
    {NO_INPUT, 'n', "noinput", NULL, "No standard input"},
    {BACKGROUND, 0, "bg", NULL, "Print the job's id, and do not wait for it"},
    {WAITABLE, 0, "waitable", NULL, "With --bg: hbatch job wait tells how it ended"},
    {NAME, 0, "label", "LABEL", "Name of the job, for --attach and pkill"},
    {ATTACH, 0, "attach", NULL,
     "Attach to a job of --bg: the operand is its id, or its label"},
    {QUIET, 'q', "quiet", NULL, "Do not tell of exit codes"},
    {VERBOSE, 'v', "verbose", NULL, "Print the job's id and events on stderr"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct exec {
    struct cli *cli;
    const char *ranks, *exclude, *job, *dir, *name;
    bool no_input, background, waitable, attach_to;
    bool no_host; /* a rank does not exist, which was told */
    struct attach_options attach;
    hwloc_bitmap_t where;
};

static hwloc_bitmap_t decode(const struct cli *cli, const char *option, const char *text)
{
    struct error err;
    hwloc_bitmap_t set = idset_decode(text, &err);
    if (!set)
        cli_die(cli, "%s: %s", option, err.text);
    return set;
}

/* All ranks there are, in ascending order; of those of the instance, all that are not down. */
static hwloc_bitmap_t all_ranks(const struct exec *e, hwloc_bitmap_t up)
{
    cleanup_json json_object *result = cli_call(e->cli, "resource.list", NULL);
    json_object *nodes = cli_list(e->cli, result, "nodes");
    hwloc_bitmap_t all = hwloc_bitmap_alloc();
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        unsigned rank = (unsigned)cli_get_number(node, "rank", 0);
        hwloc_bitmap_set(all, rank);
        if (strcmp(cli_get_string(node, "state", "up"), "down") != 0)
            hwloc_bitmap_set(up, rank);
    }
    return all;
}

static hwloc_bitmap_t job_ranks(const struct exec *e)
{
    uint64_t id = cli_jobid(e->cli, e->job);
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "states", json_object_new_int(127));
    cleanup_json json_object *result = cli_call(e->cli, "job.list", params);
    json_object *job = json_object_array_get_idx(cli_list(e->cli, result, "jobs"), 0);
    if (!job)
        cli_die(e->cli, "there is no job %s", e->job);
    if (strcmp(cli_get_string(job, "state", ""), "RUN") != 0)
        cli_die(e->cli, "job %s does not run: its state is %s", e->job,
                cli_get_string(job, "state", "unknown"));
    return decode(e->cli, "--jobid", cli_get_string(job, "ranks", ""));
}

/* The members of ALL at the places in IDS, from 0. MUST_EXIST: it is an error that there are not so many. */
static hwloc_bitmap_t members(struct exec *e, hwloc_const_bitmap_t all,
                              hwloc_const_bitmap_t ids, bool must_exist)
{
    hwloc_bitmap_t result = hwloc_bitmap_alloc();
    int n = hwloc_bitmap_weight(all), rank, place = 0;
    hwloc_bitmap_foreach_begin(rank, all)
    {
        if (hwloc_bitmap_isset(ids, (unsigned)place++))
            hwloc_bitmap_set(result, (unsigned)rank);
    }
    hwloc_bitmap_foreach_end();
    if (must_exist && hwloc_bitmap_last(ids) >= n) {
        cli_error(e->cli, "--rank: job %s has %d node%s, counted from 0", e->job, n,
                  n == 1 ? "" : "s");
        e->no_host = true;
    }
    return result;
}

static void choose_instance_ranks(struct exec *e, bool every)
{
    cleanup_bitmap hwloc_bitmap_t up = hwloc_bitmap_alloc();
    cleanup_bitmap hwloc_bitmap_t all = all_ranks(e, up);
    e->where = every ? hwloc_bitmap_dup(up) : decode(e->cli, "--rank", e->ranks);
    cleanup_bitmap hwloc_bitmap_t rest = hwloc_bitmap_dup(e->where);
    hwloc_bitmap_andnot(rest, rest, all);
    if (hwloc_bitmap_iszero(rest))
        return;
    cleanup_free char *missing = idset_encode(rest, 0), *there = idset_encode(all, 0);
    cli_error(e->cli, "--rank: this instance has no rank %s; it has %s", missing, there);
    e->no_host = true;
}

static void choose_ranks(struct exec *e)
{
    bool every = !e->ranks || strcmp(e->ranks, "all") == 0;
    cleanup_bitmap hwloc_bitmap_t not =
        e->exclude ? decode(e->cli, "--exclude", e->exclude) : hwloc_bitmap_alloc();
    if (!e->job) {
        choose_instance_ranks(e, every);
        hwloc_bitmap_andnot(e->where, e->where, not );
    } else {
        cleanup_bitmap hwloc_bitmap_t all = job_ranks(e);
        cleanup_bitmap hwloc_bitmap_t ids =
            every ? NULL : decode(e->cli, "--rank", e->ranks);
        cleanup_bitmap hwloc_bitmap_t out = members(e, all, not, false);
        e->where = every ? hwloc_bitmap_dup(all) : members(e, all, ids, true);
        hwloc_bitmap_andnot(e->where, e->where, out);
    }
    if (!e->no_host && hwloc_bitmap_iszero(e->where))
        cli_die(e->cli, "no rank is left to run on");
}

static void set(const struct exec *e, struct hbatch_jobspec *js, const char *option,
                const char *value)
{
    struct hbatch_error err;
    if (value && hbatch_jobspec_set(js, option, value, &err) < 0)
        cli_die(e->cli, "%s", err.text);
}

static json_object *make_spec(struct exec *e, int argc, char **argv)
{
    struct hbatch_error err;
    int n = hwloc_bitmap_weight(e->where);
    cleanup_free char *ranks = idset_encode(e->where, 0);
    cleanup_free char *bypass = xasprintf("system.alloc-bypass.ranks=\"%s\"", ranks);
    cleanup_free char *count = xasprintf("%d", n), *tasks = xasprintf("0-%d", n - 1);
    struct hbatch_jobspec *js = hbatch_jobspec_create(argc, (const char *const *)argv);
    set(e, js, "nodes", count);
    set(e, js, "ntasks", count);
    set(e, js, "setattr", bypass);
    set(e, js, "setopt", "cpu-affinity=off");
    set(e, js, "setopt", "gpu-affinity=off");
    set(e, js, "setopt", "pmi=none");
    set(e, js, "cwd", e->dir);
    set(e, js, "job-name", e->name);
    e->attach.no_stdin = e->no_input || e->background || attach_stdin_is_empty();
    if (!e->attach.no_stdin && n > 1)
        set(e, js, "input", tasks);
    cleanup_free char *text = hbatch_jobspec_encode(js, &err);
    if (!text)
        cli_die(e->cli, "%s", err.text);
    hbatch_jobspec_destroy(js);
    return json_tokener_parse(text);
}

/* [n] the ranks in order: the tasks of the job are called so. */
static unsigned *make_names(const struct exec *e)
{
    int rank;
    size_t n = 0;
    unsigned *names = xcalloc((size_t)hwloc_bitmap_weight(e->where), sizeof(*names));
    hwloc_bitmap_foreach_begin(rank, e->where) names[n++] = (unsigned)rank;
    hwloc_bitmap_foreach_end();
    return names;
}

static int submit(struct exec *e, json_object *spec)
{
    char buf[CLI_ID_SIZE];
    struct hbatch_error err;
    struct hbatch_submit how = {.urgency = -1, .flags = e->waitable ? "waitable" : NULL};
    hbatch_jobid id;
    if (!e->background) {
        if (!e->attach.no_stdin)
            attach_add_stdin(spec);
        return attach_submit(e->cli, &e->attach, spec, &how);
    }
    if (hbatch_submit_text(cli_connect(e->cli), json_object_to_json_string(spec), &how,
                           &id, &err) < 0)
        cli_die(e->cli, "%s", err.text);
    json_object_put(spec);
    puts(cli_id(e->cli, id, buf));
    return 0;
}

/* The job of an id, or the newest one of that name. */
static uint64_t find_labelled(struct cli *cli, const char *text)
{
    jobid_t id;
    if (strcmp(text, "last") == 0 || jobid_decode(text, &id, NULL) == 0)
        return cli_jobid(cli, text);
    json_object *params = json_object_new_object();
    json_object_object_add(params, "name", json_object_new_string(text));
    json_object_object_add(params, "states", json_object_new_int(127));
    json_object_object_add(params, "max", json_object_new_int(1));
    cleanup_json json_object *result = cli_call(cli, "job.list", params);
    json_object *job = json_object_array_get_idx(cli_list(cli, result, "jobs"), 0);
    if (!job)
        cli_die(cli, "'%s' is neither a job's id nor the label of one", text);
    return json_object_get_uint64(cli_get(job, "id"));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct exec e = {.cli = cli, .attach.owner = true, .attach.pass_interrupt = true};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        bool *flags[] = {[LABEL] = &e.attach.label,
                         [NO_INPUT] = &e.no_input,
                         [VERBOSE] = &e.attach.show_events,
                         [QUIET] = &e.attach.quiet,
                         [BACKGROUND] = &e.background,
                         [WAITABLE] = &e.waitable,
                         [ATTACH] = &e.attach_to};
        const char **texts[] = {[DIR] = &e.dir,
                                [RANKS] = &e.ranks,
                                [EXCLUDE] = &e.exclude,
                                [JOB] = &e.job,
                                [NAME] = &e.name};
        if ((size_t)o->id < ARRAY_SIZE(texts) && texts[o->id])
            *texts[o->id] = p.value;
        else
            *flags[o->id] = true;
    }
    e.attach.show_id = e.attach.show_events;
    if (e.attach_to) {
        e.attach.read_only = e.no_input;
        return attach_job(cli, &e.attach,
                          find_labelled(cli, cli_operand(cli, &p, "the job", false)));
    }
    if (p.nargs == 0)
        cli_die(cli, "the COMMAND is missing; see hbatch exec --help");
    if (e.waitable && !e.background)
        cli_die(cli, "--waitable is for --bg");
    choose_ranks(&e);
    cleanup_free unsigned *names = make_names(&e);
    e.attach.names = names;
    int rc = e.no_host ? EX_NOHOST : submit(&e, make_spec(&e, p.nargs, p.args));
    hwloc_bitmap_free(e.where);
    return rc;
}

const struct cmd cmd_exec = {
    .name = "exec",
    .args = "COMMAND [ARG...]",
    .help = "Run a command on ranks directly, beside what jobs have there",
    .more = "It does not wait for resources, and takes none. Exit code: the greatest "
            "one, 128 + N after "
            "signal N; 68: there is no such rank.",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
