/* SPDX-License-Identifier: BSD-3-Clause */
/* job id, last, stats, taskmap, timeleft. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/jobquery.h"
#include "src/cli/verbs.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/job/taskmap.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* KEY of job ID as text, or NULL with err. */
static char *info(struct cli *cli, uint64_t id, const char *key, struct hbatch_error *err)
{
    return hbatch_info(cli_connect(cli), id, key, err);
}

/* --- id ---------------------------------------------------------------------------------- */

static const struct opt id_opts[] = {
    {0, 't', "to", "FORM", "dec, hex, dothex, kvs, f58, f58plain, words or emoji"},
};
static const struct opt_group id_groups[] = {OPTS(NULL, id_opts), OPTS_END};

static void print_id(struct cli *cli, const char *text, const char *form)
{
    struct hbatch_error err;
    cleanup_free char *out = hbatch_jobid_encode(cli_jobid(cli, text), form, &err);
    if (!out)
        cli_die(cli, "--to: %s", err.text);
    puts(out);
}

static int id_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const char *form = "dec";
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        form = p.value;
    for (int i = 0; i < p.nargs; i++)
        print_id(cli, p.args[i], form);
    char line[256];
    while (p.nargs == 0 && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        print_id(cli, line, form);
    }
    return 0;
}

const struct cmd job_id = {
    .name = "id",
    .args = "[JOBID...]",
    .help = "Convert job ids (of standard input, if none is given)",
    .groups = id_groups,
    .run = id_run,
};

/* --- last -------------------------------------------------------------------------------- */

/* Python's [start:stop:step] over N things. */
struct slice {
    long start, stop, step;
};

static bool parse_slice(const char *text, long n, struct slice *s)
{
    long part[3];
    bool given[3] = {false, false, false};
    const char *at = text + 1;
    int i = 0;
    for (;;) {
        char *end;
        part[i] = strtol(at, &end, 10);
        given[i] = end != at;
        at = end;
        if (*at != ':' || i == 2)
            break;
        at++;
        i++;
    }
    if (strcmp(at, "]") != 0)
        return false;
    s->step = given[2] ? part[2] : 1;
    if (s->step == 0)
        return false;
    if (i == 0) { /* [N]: one */
        s->start = part[0] < 0 ? part[0] + n : part[0];
        s->stop = s->start + 1;
        return given[0];
    }
    long low = s->step > 0 ? 0 : -1, high = s->step > 0 ? n : n - 1;
    s->start = given[0] ? part[0] + (part[0] < 0 ? n : 0) : s->step > 0 ? low : high;
    s->stop = given[1] ? part[1] + (part[1] < 0 ? n : 0) : s->step > 0 ? high : low;
    s->start = MIN(MAX(s->start, low), high);
    s->stop = MIN(MAX(s->stop, low), high);
    return true;
}

static json_object *ask_list(void *arg, json_object *params)
{
    return cli_call(arg, "job.list", params);
}

static int last_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    const char *what = cli_operand(cli, &p, "", true);
    bool is_slice = what && *what == '[';
    long max = what && !is_slice ? cli_number(cli, "N", what, 1, INT_MAX)
               : is_slice        ? 0
                                 : 1;
    bool more;
    struct jobquery q = {.all = true, .count = max, .keys = json_object_new_array()};
    cleanup_json json_object *jobs = jobquery_fetch(&q, ask_list, cli, &more);
    jobquery_fini(&q);
    if (!jobs)
        cli_die(cli, "the instance answered without a list of jobs");
    long n = (long)json_object_array_length(jobs);
    struct slice s = {0, n, 1};
    if (is_slice && !parse_slice(what, n, &s))
        cli_die(cli, "'%s' is not a slice: must be [START:STOP] or [START:STOP:STEP]",
                what);
    if (n == 0)
        cli_die(cli, "this instance has had no job yet");
    for (long i = s.start; s.step > 0 ? i < s.stop : i > s.stop; i += s.step) {
        char buf[CLI_ID_SIZE];
        if (i < 0 || i >= n)
            continue;
        json_object *job = json_object_array_get_idx(jobs, (size_t)i);
        puts(cli_id(cli, json_object_get_uint64(cli_get(job, "id")), buf));
    }
    return 0;
}

const struct cmd job_last = {
    .name = "last",
    .args = "[N|SLICE]",
    .help =
        "Print the id of the newest job, of the newest N, or of a slice [0:4], [::-1]",
    .run = last_run,
};

/* --- stats ------------------------------------------------------------------------------- */

static int stats_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    json_object *params = json_object_new_object();
    json_object_object_add(params, "states", json_object_new_boolean(true));
    cleanup_json json_object *o = cli_call(cli, "job.stats", params);
    json_object_object_add(o, "successful", json_object_get(cli_get(o, "completed")));
    puts(json_object_to_json_string_ext(o, PLAIN));
    return 0;
}

const struct cmd job_stats = {
    .name = "stats",
    .args = "",
    .help = "Print numbers of jobs as JSON",
    .run = stats_run,
};

/* --- timeleft ---------------------------------------------------------------------------- */

static const struct opt timeleft_opts[] = {
    {0, 'H', "human", NULL, "As a duration with a unit"},
};
static const struct opt_group timeleft_groups[] = {OPTS(NULL, timeleft_opts), OPTS_END};

static json_object *list_one(struct cli *cli, uint64_t id)
{
    json_object *q = json_object_new_object(), *ids = json_object_new_array(),
                *job = NULL;
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(q, "ids", ids);
    json_object_object_add(q, "states", json_object_new_int(127));
    cleanup_json json_object *result = cli_call(cli, "job.list", q);
    json_object *jobs = cli_list(cli, result, "jobs");
    if (json_object_array_length(jobs))
        job = json_object_get(json_object_array_get_idx(jobs, 0));
    char buf[CLI_ID_SIZE];
    if (!job)
        cli_die(cli, "there is no job %s", cli_id(cli, id, buf));
    return job;
}

static double left_until(double expiration)
{
    return expiration > 0 ? MAX(expiration - time_now(), 0.0) : INFINITY;
}

/* Of the instance: it is what ends what is not inside a job. */
static double instance_timeleft(struct cli *cli)
{
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    return left_until(cli_get_number(info, "expiration", 0));
}

static double job_timeleft_of(struct cli *cli, const char *text)
{
    cleanup_json json_object *job = list_one(cli, cli_jobid(cli, text));
    const char *state = cli_get_string(job, "state", "");
    if (strcmp(state, "INACTIVE") == 0)
        return 0;
    if (strcmp(state, "RUN") != 0 && strcmp(state, "CLEANUP") != 0)
        cli_die(cli, "the job has not started");
    return left_until(cli_get_number(job, "expiration", 0));
}

static int timeleft_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool human = false;
    char buf[64];
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        human = true;
    const char *text = cli_operand(cli, &p, "", true);
    if (!text)
        text = getenv("HBATCH_JOB_ID");
    double left = text ? job_timeleft_of(cli, text) : instance_timeleft(cli);
    if (human)
        puts(format_duration(left, buf, sizeof(buf)));
    else
        printf("%lld\n", isinf(left)            ? (long long)UINT_MAX
                         : left > 0 && left < 1 ? 1 /* 0 is what is over */
                                                : (long long)left);
    return 0;
}

const struct cmd job_timeleft = {
    .name = "timeleft",
    .args = "[JOBID]",
    .help =
        "Print how many seconds a job may still run (default: this job, or the instance)",
    .groups = timeleft_groups,
    .run = timeleft_run,
};

/* --- taskmap ----------------------------------------------------------------------------- */

enum { TASKIDS, NTASKS, NODEID, HOSTNAME, TO };

static const struct opt taskmap_opts[] = {
    {TASKIDS, 0, "taskids", "NODEID", "Print the tasks on this node of the job"},
    {NTASKS, 0, "ntasks", "NODEID", "Print how many they are"},
    {NODEID, 0, "nodeid", "TASKID", "Print the node of this task"},
    {HOSTNAME, 0, "hostname", "TASKID", "Print the host of this task"},
    {TO, 0, "to", "FORM", "raw, pmi, multiline or hosts (default: RFC 34 JSON)"},
};
static const struct opt_group taskmap_groups[] = {OPTS(NULL, taskmap_opts), OPTS_END};

static struct taskmap *get_map(struct cli *cli, const char *text, uint64_t *id)
{
    struct error err;
    struct hbatch_error e;
    jobid_t job;
    *id = 0;
    if (strcmp(text, "last") != 0 && jobid_decode(text, &job, NULL) < 0) {
        struct taskmap *map = taskmap_decode(text, &err);
        if (!map)
            cli_die(cli, "'%s' is neither a job id nor a task map: %s", text, err.text);
        return map;
    }
    *id = cli_jobid(cli, text);
    cleanup_free char *encoded = info(cli, *id, "taskmap", &e);
    if (!encoded)
        cli_die(cli, "%s", e.text);
    struct taskmap *map = taskmap_decode(encoded, &err);
    if (!map)
        cli_die(cli, "%s", err.text);
    return map;
}

static struct hostlist *get_hosts(struct cli *cli, uint64_t id)
{
    struct error err;
    if (!id)
        cli_die(cli, "hosts are known of a job only: give its id");
    cleanup_json json_object *job = list_one(cli, id);
    struct hostlist *hl = hostlist_decode(cli_get_string(job, "nodelist", ""), &err);
    if (!hl)
        cli_die(cli, "%s", err.text);
    return hl;
}

static const char *host_of(struct cli *cli, const struct hostlist *hl, unsigned node)
{
    const char *host = hostlist_nth(hl, node);
    if (!host)
        cli_die(cli, "the job has no node %u", node);
    return host;
}

static void print_form(struct cli *cli, const struct taskmap *map, const char *form,
                       uint64_t id)
{
    char *text = NULL;
    if (!form)
        text = taskmap_encode(map);
    else if (strcmp(form, "raw") == 0)
        text = taskmap_encode_raw(map);
    else if (strcmp(form, "pmi") == 0)
        text = taskmap_encode_pmi(map);
    if (text) {
        puts(text);
        free(text);
    } else if (strcmp(form, "multiline") == 0) {
        for (unsigned i = 0; i < taskmap_ntasks(map); i++)
            printf("%u: %d\n", i, taskmap_node(map, i));
    } else if (strcmp(form, "hosts") == 0) {
        struct hostlist *hl = get_hosts(cli, id);
        for (unsigned i = 0; i < taskmap_nnodes(map); i++) {
            cleanup_free char *ids = idset_encode(taskmap_tasks(map, i), 0);
            printf("%s: %s\n", host_of(cli, hl, i), ids);
        }
        hostlist_destroy(hl);
    } else {
        cli_die(cli, "--to: '%s' must be raw, pmi, multiline or hosts", form);
    }
}

static int taskmap_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const struct opt *what = NULL;
    const char *value = NULL;
    uint64_t id;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        what = o;
        value = p.value;
    }
    struct taskmap *map = get_map(cli, cli_operand(cli, &p, "the JOBID", false), &id);
    long n = what && what->id != TO ? cli_number(cli, what->name, value, 0, INT_MAX) : 0;
    bool by_node = what && (what->id == TASKIDS || what->id == NTASKS);
    if (by_node && (unsigned)n >= taskmap_nnodes(map))
        cli_die(cli, "--%s: there is no node %ld: the job has %u", what->name, n,
                taskmap_nnodes(map));
    if (what && !by_node && what->id != TO && (unsigned)n >= taskmap_ntasks(map))
        cli_die(cli, "--%s: there is no task %ld: the job has %u", what->name, n,
                taskmap_ntasks(map));
    if (!what || what->id == TO) {
        print_form(cli, map, value, id);
    } else if (what->id == TASKIDS) {
        cleanup_free char *ids = idset_encode(taskmap_tasks(map, (unsigned)n), 0);
        puts(ids);
    } else if (what->id == NTASKS) {
        printf("%d\n", hwloc_bitmap_weight(taskmap_tasks(map, (unsigned)n)));
    } else if (what->id == NODEID) {
        printf("%d\n", taskmap_node(map, (unsigned)n));
    } else {
        struct hostlist *hl = get_hosts(cli, id);
        puts(host_of(cli, hl, (unsigned)taskmap_node(map, (unsigned)n)));
        hostlist_destroy(hl);
    }
    taskmap_destroy(map);
    return 0;
}

const struct cmd job_taskmap = {
    .name = "taskmap",
    .args = "JOBID|TASKMAP",
    .help = "Show which tasks are on which node",
    .groups = taskmap_groups,
    .run = taskmap_run,
};
