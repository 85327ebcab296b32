/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/format.h"
#include "src/cli/verbs.h"
#include "src/common/bytes.h"
#include "src/common/strbuf.h"
#include "src/sim/plot.h"
#include "src/sim/sim.h"

enum {
    NODES,
    CORES,
    GPUS,
    MEMORY,
    POLICY,
    QUEUE_DEPTH,
    PLACEMENT,
    COMPARE,
    EXACT,
    MODEL,
    WRITE,
    PLOT,
    JSON
};
enum { EXIT_LEFT_OUT = 2, JOBS_MAX = 100000000, NODES_MAX = 1000000 };

static const struct opt opts[] = {
    {NODES, 'N', "nodes", "N", "The machine has N nodes (default: as the trace says)"},
    {CORES, 'c', "cores", "N", "... with N cores each (default: 1)"},
    {GPUS, 'g', "gpus", "N", "... and N GPUs (default: 0)"},
    {MEMORY, 0, "memory", "SIZE", "... and so much memory, as in 64G (default: enough)"},
    {POLICY, 0, "policy", "NAME",
     "Scheduling policy: fcfs (the default), easy or conservative"},
    {QUEUE_DEPTH, 0, "queue-depth", "N", "Jobs overtake at most the first N that wait"},
    {PLACEMENT, 0, "placement", "NAME",
     "How nodes are chosen: first (the default), best or spread; all: side by side"},
    {COMPARE, 0, "compare", NULL, "All policies, side by side"},
    {EXACT, 0, "exact", NULL,
     "Jobs take as long as their limits say: policies know how long they run"},
    {MODEL, 0, "model", "lublin:JOBS[,NODES[,SEED]]",
     "No trace, but so many jobs by the model of Lublin and Feitelson (default: for "
     "256 nodes, seed 1)"},
    {WRITE, 0, "write-swf", "FILE",
     "Write the model's jobs to FILE ('-': standard output)"},
    {PLOT, 0, "plot", "FILE", "Draw utilization and queue over time (SVG)"},
    {JSON, 0, "json", NULL, "Print JSON"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static const char more[] =
    "A trace is of the Standard Workload Format, or has lines of JSON: "
    "{\"submit\":SECONDS, "
    "\"runtime\":SECONDS, \"jobspec\":{...}}; '-' is standard input. Exit code 2: lines "
    "of "
    "it made no sense, or jobs are larger than the machine; they were left out.";

struct simulate {
    struct cli *cli;
    struct sim_machine machine;
    const char *policy, *depth, *placement, *model, *write, *plot;
    bool compare, exact, json;
    struct load *load;
    size_t n;
    struct sched_setup setups[16];
    struct sim_result *results[16];
};

/* --- what is simulated ---------------------------------------------------------------------- */

static struct load *make_model(struct simulate *s)
{
    static const char name[] = "lublin:";
    const uint64_t least[] = {1, 1, 0}, most[] = {JOBS_MAX, NODES_MAX, INT64_MAX};
    uint64_t v[] = {0, 256, 1};
    const char *at = s->model + strlen(name);
    bool ok = strncmp(s->model, name, strlen(name)) == 0;
    for (size_t i = 0; ok && i < ARRAY_SIZE(v); i++) {
        char *end;
        errno = 0;
        v[i] = strtoull(at, &end, 10);
        ok = *at >= '0' && *at <= '9' && !errno && v[i] >= least[i] && v[i] <= most[i] &&
             (!*end || (*end == ',' && i + 1 < ARRAY_SIZE(v)));
        if (!*end)
            break;
        at = end + 1;
    }
    if (!ok)
        cli_die(
            s->cli,
            "--model=%s: must be lublin:JOBS[,NODES[,SEED]], with at most %d jobs and "
            "%d nodes",
            s->model, JOBS_MAX, NODES_MAX);
    return load_lublin(v[0], (unsigned)v[1], v[2]);
}

static struct load *read_trace(struct simulate *s, const char *path)
{
    size_t len;
    cleanup_free char *text =
        read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &len);
    if (!text)
        cli_die(s->cli, "cannot read %s: %s", path, strerror(errno));
    if (strlen(text) != len)
        cli_die(s->cli, "%s is no text: it has a byte 0; is it compressed?", path);
    return load_text(text);
}

static void choose_machine(struct simulate *s)
{
    const struct load *l = s->load;
    if (s->machine.cores == 0)
        s->machine.cores = 1;
    if (s->machine.nodes == 0)
        s->machine.nodes =
            MIN(l->max_procs ? (l->max_procs + s->machine.cores - 1) / s->machine.cores
                             : l->max_nodes,
                (unsigned)NODES_MAX);
    if (s->machine.nodes == 0)
        cli_die(s->cli, "how large is the machine? The trace does not say it: "
                        "use --nodes=N");
}

static void choose_policies(struct simulate *s)
{
    struct error err;
    bool all = s->placement && strcmp(s->placement, "all") == 0;
    const struct place_strategy *only =
        all || !s->placement ? NULL : sched_setup_place(s->placement, &err);
    if (s->placement && !all && !only)
        cli_die(s->cli, "--placement=%s: %s", s->placement, err.text);
    for (size_t i = 0; s->compare ? sched_policies[i] != NULL : i < 1; i++) {
        struct sched_setup setup;
        cleanup_free char *text =
            xasprintf("%s%s%s", s->compare ? sched_policies[i]->name : s->policy,
                      s->depth ? ",depth=" : "", s->depth ? s->depth : "");
        if (sched_setup_parse(&setup, text, &err) < 0)
            cli_die(s->cli, "--policy=%s: %s", text, err.text);
        for (size_t k = 0; all ? place_strategies[k] != NULL : k < 1; k++) {
            setup.place = all ? place_strategies[k] : only ? only : setup.place;
            s->setups[s->n++] = setup;
        }
    }
}

/* "easy", or "easy,best" where it is not the usual placement. */
static char *name_of(const struct sched_setup *setup)
{
    bool usual = setup->place == place_strategies[0];
    return xasprintf("%s%s%s", setup->policy->name, usual ? "" : ",",
                     usual ? "" : setup->place->name);
}

static void write_text(struct simulate *s, const char *option, const char *path,
                       const char *text)
{
    cleanup_close int fd =
        strcmp(path, "-") == 0
            ? dup(STDOUT_FILENO)
            : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
        cli_die(s->cli, "--%s: cannot write %s: %s", option, path, strerror(errno));
}

/* --- what came of it ------------------------------------------------------------------------ */

static void tell_left_out(const struct simulate *s)
{
    const struct load *l = s->load;
    for (size_t i = 0; i < l->nbroken && i < LOAD_BROKEN_SHOWN; i++)
        cli_error(s->cli, "line %u is left out: %s", l->broken[i].line, l->broken[i].why);
    if (l->nbroken > LOAD_BROKEN_SHOWN)
        cli_error(s->cli, "and so are %zu more", l->nbroken - LOAD_BROKEN_SHOWN);
    if (s->results[0]->too_large > 0)
        cli_error(
            s->cli,
            "%zu jobs are larger than the machine and left out; the first is in line "
            "%u",
            s->results[0]->too_large, s->results[0]->first_too_large);
}

static void print_table(const struct simulate *s)
{
    printf("%zu jobs, %u nodes of %u core%s", s->results[0]->njobs, s->machine.nodes,
           s->machine.cores, s->machine.cores == 1 ? "" : "s");
    if (s->machine.gpus)
        printf(" and %u GPU%s", s->machine.gpus, s->machine.gpus == 1 ? "" : "s");
    if (s->load->unused)
        printf("; %zu record%s of jobs that never ran", s->load->unused,
               s->load->unused == 1 ? "" : "s");
    if (s->load->overran)
        printf("; %zu jobs ran longer than their limits, which were raised",
               s->load->overran);
    printf("\n\n%-19s %6s %6s %9s %9s %9s %9s %9s %9s %10s %7s %9s %9s\n", "POLICY",
           "UTIL", "FRAG", "WAIT", "MEDIAN", "P95", "MAX", "SLOWDOWN", "P95", "MAKESPAN",
           "QUEUE", "US/JOB", "MS/MAX");
    for (size_t i = 0; i < s->n; i++) {
        const struct sim_result *r = s->results[i];
        char t[5][64];
        cleanup_free char *name = name_of(&s->setups[i]);
        const double times[] = {r->wait_mean, r->wait_median, r->wait_p95, r->wait_max,
                                r->makespan};
        for (size_t k = 0; k < ARRAY_SIZE(times); k++)
            format_duration(times[k], t[k], sizeof(t[k]));
        printf(
            "%-19s %5.1f%% %5.1f%% %9s %9s %9s %9s %9.2f %9.2f %10s %7zu %9.2f %9.3f\n",
            name, 100 * r->utilization, 100 * r->fragmentation, t[0], t[1], t[2], t[3],
            r->slowdown_mean, r->slowdown_p95, t[4], r->queue_max,
            r->njobs ? r->decide_total / (double)r->njobs * 1e6 : 0, r->decide_max * 1e3);
    }
}

static json_object *number(double v)
{
    return json_object_new_double(v);
}

static json_object *describe(const struct sched_setup *setup, const struct sim_result *r)
{
    json_object *o = json_object_new_object();
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"makespan", r->makespan},
                   {"utilization", r->utilization},
                   {"fragmentation", r->fragmentation},
                   {"wait_mean", r->wait_mean},
                   {"wait_median", r->wait_median},
                   {"wait_p95", r->wait_p95},
                   {"wait_max", r->wait_max},
                   {"bounded_slowdown_mean", r->slowdown_mean},
                   {"bounded_slowdown_p95", r->slowdown_p95},
                   {"decision_seconds", r->decide_total},
                   {"decision_seconds_max", r->decide_max}};
    json_object_object_add(o, "policy", json_object_new_string(setup->policy->name));
    json_object_object_add(o, "placement", json_object_new_string(setup->place->name));
    json_object_object_add(o, "queue_depth", json_object_new_uint64(setup->depth));
    json_object_object_add(o, "jobs", json_object_new_uint64(r->njobs));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        json_object_object_add(o, numbers[i].key, number(numbers[i].value));
    json_object_object_add(o, "queue_max", json_object_new_uint64(r->queue_max));
    json_object_object_add(o, "passes", json_object_new_uint64(r->passes));
    return o;
}

static void print_json(const struct simulate *s)
{
    const struct load *l = s->load;
    cleanup_json json_object *o = json_object_new_object();
    json_object *machine = json_object_new_object(), *list = json_object_new_array(),
                *broken = json_object_new_array();
    json_object_object_add(machine, "nodes", json_object_new_int64(s->machine.nodes));
    json_object_object_add(machine, "cores", json_object_new_int64(s->machine.cores));
    json_object_object_add(machine, "gpus", json_object_new_int64(s->machine.gpus));
    json_object_object_add(o, "machine", machine);
    for (size_t i = 0; i < l->nbroken && i < LOAD_BROKEN_SHOWN; i++) {
        json_object *b = json_object_new_object();
        json_object_object_add(b, "line", json_object_new_int64(l->broken[i].line));
        json_object_object_add(b, "reason", json_object_new_string(l->broken[i].why));
        json_object_array_add(broken, b);
    }
    json_object_object_add(o, "broken_lines", json_object_new_uint64(l->nbroken));
    json_object_object_add(o, "broken", broken);
    json_object_object_add(o, "too_large",
                           json_object_new_uint64(s->results[0]->too_large));
    json_object_object_add(o, "never_ran", json_object_new_uint64(l->unused));
    json_object_object_add(o, "limits_raised", json_object_new_uint64(l->overran));
    for (size_t i = 0; i < s->n; i++)
        json_object_array_add(list, describe(&s->setups[i], s->results[i]));
    json_object_object_add(o, "results", list);
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
}

static void draw(struct simulate *s)
{
    const struct sim_result *results[ARRAY_SIZE(s->results)];
    const char *names[ARRAY_SIZE(s->results)];
    char *texts[ARRAY_SIZE(s->results)];
    for (size_t i = 0; i < s->n; i++) {
        results[i] = s->results[i];
        names[i] = texts[i] = name_of(&s->setups[i]);
    }
    cleanup_free char *svg =
        plot_svg(results, names, s->n, (double)s->machine.nodes * s->machine.cores);
    for (size_t i = 0; i < s->n; i++)
        free(texts[i]);
    write_text(s, "plot", s->plot, svg);
}

static void parse(struct simulate *s, const struct cmd *cmd, int argc, char **argv,
                  const char **trace)
{
    struct optparse p;
    struct error err;
    optparse_init(&p, s->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case NODES:
            s->machine.nodes =
                (unsigned)cli_number(s->cli, "--nodes", p.value, 1, NODES_MAX);
            break;
        case CORES:
            s->machine.cores = (unsigned)cli_number(s->cli, "--cores", p.value, 1, 65536);
            break;
        case GPUS:
            s->machine.gpus = (unsigned)cli_number(s->cli, "--gpus", p.value, 0, 1024);
            break;
        case MEMORY:
            if (bytes_decode(p.value, 1 << 20, &s->machine.memory, &err) < 0 ||
                !s->machine.memory)
                cli_die(s->cli, "--memory=%s: must be an amount of memory, as in 64G",
                        p.value);
            break;
        case POLICY:
            s->policy = p.value;
            break;
        case QUEUE_DEPTH:
            s->depth = p.value;
            break;
        case PLACEMENT:
            s->placement = p.value;
            break;
        case COMPARE:
            s->compare = true;
            break;
        case EXACT:
            s->exact = true;
            break;
        case MODEL:
            s->model = p.value;
            break;
        case WRITE:
            s->write = p.value;
            break;
        case PLOT:
            s->plot = p.value;
            break;
        case JSON:
            s->json = true;
            break;
        }
    }
    *trace = s->model ? NULL : cli_operand(s->cli, &p, "the trace, a file", false);
    if (s->model && p.nargs > 0)
        cli_die(s->cli, "there is a trace (%s) and a --model: which of them?", p.args[0]);
    if (s->write && !s->model)
        cli_die(s->cli, "--write-swf is for the jobs of a --model");
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct simulate s = {.cli = cli, .policy = "fcfs"};
    const char *trace;
    parse(&s, cmd, argc, argv, &trace);
    choose_policies(&s);
    s.load = trace ? read_trace(&s, trace) : make_model(&s);
    if (s.write) {
        cleanup_free char *swf = load_to_swf(s.load);
        write_text(&s, "write-swf", s.write, swf);
        load_destroy(s.load);
        return 0;
    }
    choose_machine(&s);
    for (size_t i = 0; s.exact && i < s.load->njobs; i++)
        s.load->jobs[i].limit = MAX(s.load->jobs[i].run, 1.0);
    for (size_t i = 0; i < s.n; i++)
        s.results[i] = sim_run(s.load, &s.machine, &s.setups[i]);
    tell_left_out(&s);
    if (s.json)
        print_json(&s);
    else
        print_table(&s);
    if (s.plot)
        draw(&s);
    bool left_out = s.load->nbroken > 0 || s.results[0]->too_large > 0;
    for (size_t i = 0; i < s.n; i++)
        sim_result_destroy(s.results[i]);
    load_destroy(s.load);
    return left_out ? EXIT_LEFT_OUT : 0;
}

const struct cmd cmd_simulate = {
    .name = "simulate",
    .args = "TRACE",
    .help = "Replay a trace of jobs in virtual time, by one or all scheduling policies",
    .more = more,
    .groups = groups,
    .run = run,
};
