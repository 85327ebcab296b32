/* SPDX-License-Identifier: BSD-3-Clause */
/* job hostpids: the processes of a job's tasks.  They are looked for on its nodes by 'hbatch __taskpids', which
 * runs there as what 'hbatch exec' runs does. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/inside.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/common/strbuf.h"
#include "src/job/taskmap.h"

/* --- on a node ------------------------------------------------------------------------------- */

/* NAME's value in the environment ENV of LEN bytes, or NULL. */
static const char *find_variable(const char *env, size_t len, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = env; s < env + len; s += strlen(s) + 1)
        if (strncmp(s, name, n) == 0 && s[n] == '=')
            return s + n + 1;
    return NULL;
}

/* The rank of the task of job ID that PID is of, or -1. */
static long task_of(long pid, uint64_t id)
{
    size_t len;
    jobid_t job;
    cleanup_free char *path = xasprintf("/proc/%ld/environ", pid);
    cleanup_free char *env = read_file(path, &len);
    const char *text = env ? find_variable(env, len, "HBATCH_JOB_ID") : NULL;
    const char *rank = text ? find_variable(env, len, "HBATCH_TASK_RANK") : NULL;
    if (!rank || jobid_decode(text, &job, NULL) < 0 || job != id)
        return -1;
    return strtol(rank, NULL, 10);
}

static long parent_of(long pid)
{
    cleanup_free char *path = xasprintf("/proc/%ld/stat", pid);
    cleanup_free char *text = read_file(path, NULL);
    const char *s = text ? strrchr(text, ')') : NULL;
    long parent = 0;
    if (s)
        sscanf(s + 1, " %*c %ld", &parent);
    return parent;
}

/* A line "TASK HOST:PID" for each task: for its first process, whose parent is none of it. */
static int taskpids_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    char host[256] = "?";
    (void)cmd;
    if (argc != 2)
        return EXIT_USAGE;
    uint64_t id = cli_jobid(cli, argv[1]);
    gethostname(host, sizeof(host) - 1);
    DIR *dir = opendir("/proc");
    for (struct dirent *d; dir && (d = readdir(dir));) {
        long pid = strtol(d->d_name, NULL, 10);
        long task = isdigit((unsigned char)d->d_name[0]) ? task_of(pid, id) : -1;
        if (task >= 0 && task_of(parent_of(pid), id) != task)
            printf("%ld %s:%ld\n", task, host, pid);
    }
    if (dir)
        closedir(dir);
    return 0;
}

const struct cmd cmd_taskpids = {
    .name = "__taskpids",
    .args = "JOBID",
    .help = "Print the processes of a job on this host",
    .flags = CMD_HIDDEN,
    .run = taskpids_run,
};

/* --- all of them ----------------------------------------------------------------------------- */

enum { DELIMITER, RANKS, TIMEOUT, JSON };

static const struct opt opts[] = {
    {DELIMITER, 'd', "delimiter", "STRING",
     "What is between two of them (default: a comma)"},
    {RANKS, 'r', "ranks", "IDSET", "Only these tasks"},
    {TIMEOUT, 't', "timeout", "DURATION", "Wait at most so long for the job to run"},
    {JSON, 0, "json", NULL, "Print JSON"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct pids {
    struct cli *cli;
    bool started, over;
    struct strbuf text; /* lines of all nodes */
    char **of;          /* [n] by task */
    size_t n;
};

static void on_start(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct pids *p = arg;
    (void)id, (void)time, (void)context;
    p->started |= strcmp(name, "start") == 0;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct pids *p = arg;
    (void)id, (void)task, (void)eof;
    if (strcmp(stream, "stdout") == 0)
        strbuf_addn(&p->text, data, len);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct pids *p = arg;
    (void)left;
    cli_check_end(p->cli, result);
    p->over = true;
}

static void wait_until(struct pids *p, const bool *what, double timeout)
{
    struct error err;
    double end = time_mono() + timeout;
    while (!*what && !p->over) {
        double left = end - time_mono();
        if (left <= 0)
            cli_die(p->cli, "the job did not run within the time given");
        if (client_process(p->cli->h, isinf(left) ? -1 : (int)(left * 1000) + 1, &err) <
                0 &&
            !*what && !p->over)
            cli_die(p->cli, "%s", err.text);
    }
}

/* What runs on the nodes of job ID. */
static char *make_spec(struct pids *p, uint64_t id)
{
    struct hbatch_error err;
    char text[CLI_ID_SIZE];
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(params, "ids", ids);
    cleanup_json json_object *result = cli_call(p->cli, "job.list", params);
    json_object *job = json_object_array_get_idx(cli_list(p->cli, result, "jobs"), 0);
    const char *ranks = cli_get_string(job, "ranks", NULL);
    if (!ranks || strcmp(cli_get_string(job, "state", ""), "RUN") != 0)
        cli_die(p->cli, "the job does not run any more");
    cleanup_free char *self = inside_self(),
                      *nodes = xasprintf("%u", cli_get_count(job, "ranks")),
                      *where = xasprintf("system.alloc-bypass.ranks=\"%s\"", ranks);
    const char *argv[] = {self, "__taskpids",
                          jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text))};
    const char *const options[][2] = {
        {"nodes", nodes},       {"ntasks", nodes},
        {"setattr", where},     {"setopt", "cpu-affinity=off"},
        {"setopt", "pmi=none"}, {"job-name", "hostpids"}};
    struct hbatch_jobspec *js = hbatch_jobspec_create(ARRAY_SIZE(argv), argv);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (hbatch_jobspec_set(js, options[i][0], options[i][1], &err) < 0)
            cli_die(p->cli, "%s", err.text);
    char *spec = hbatch_jobspec_encode(js, &err);
    if (!spec)
        cli_die(p->cli, "%s", err.text);
    hbatch_jobspec_destroy(js);
    return spec;
}

static void sort_lines(struct pids *p, unsigned ntasks)
{
    p->n = ntasks;
    p->of = xcalloc(p->n + 1, sizeof(*p->of));
    for (char *save = NULL, *line = strtok_r(p->text.s, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *blank = strchr(line, ' ');
        unsigned long task = strtoul(line, NULL, 10);
        if (blank && task < p->n && !p->of[task])
            p->of[task] = blank + 1;
    }
}

/* TEXT: "HOST:PID". */
static void print_task(size_t rank, const char *text, const char *before, bool json)
{
    const char *colon = strrchr(text, ':');
    if (!json || !colon) {
        printf("%s%s", before, text);
        return;
    }
    printf("%s{\"rank\":%zu,\"host\":\"%.*s\",\"pid\":%s}", *before ? "," : "[", rank,
           (int)(colon - text), text, colon + 1);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct hbatch_stream_ops ops = {
        .event = on_start, .output = on_output, .end = on_end};
    struct pids p = {.cli = cli};
    struct optparse o;
    struct hbatch_error err;
    struct error e;
    const char *delimiter = ",";
    bool json = false;
    double timeout = INFINITY;
    hbatch_jobid helper;
    cleanup_bitmap hwloc_bitmap_t only = NULL;
    optparse_init(&o, cli, cmd, argc, argv);
    for (const struct opt *opt; (opt = optparse_next(&o));) {
        if (opt->id == DELIMITER) {
            delimiter = o.value;
        } else if (opt->id == TIMEOUT) {
            if (duration_decode(o.value, &timeout, &e) < 0)
                cli_die(cli, "--timeout: %s", e.text);
        } else if (opt->id == JSON) {
            json = true;
        } else if (!(only = idset_decode(o.value, &e))) {
            cli_die(cli, "--ranks: %s", e.text);
        }
    }
    uint64_t id = cli_jobid(cli, cli_operand(cli, &o, "the JOBID", false));
    if (hbatch_attach(cli_connect(cli), id, &ops, &p, &err) < 0)
        cli_die(cli, "%s", err.text);
    wait_until(&p, &p.started, timeout);
    if (p.over)
        cli_die(cli, "the job is over");
    cleanup_free char *map = hbatch_info(cli->h, id, "taskmap", &err);
    if (!map)
        cli_die(cli, "%s", err.text);
    client_close(take(cli->h)); /* no more of that job */
    strbuf_cleanup(&p.text);
    p.text = (struct strbuf){0};
    cli_connect(cli);
    cleanup_free char *spec = make_spec(&p, id);
    struct hbatch_submit how = {.urgency = -1};
    if (hbatch_submit_stream(cli->h, spec, &how, &helper, &ops, &p, &err) < 0)
        cli_die(cli, "%s", err.text);
    wait_until(&p, &p.over, INFINITY);
    struct taskmap *tasks = taskmap_decode(map, &e);
    if (!tasks)
        cli_die(cli, "%s", e.text);
    sort_lines(&p, taskmap_ntasks(tasks));
    taskmap_destroy(tasks);
    size_t n = 0;
    for (size_t i = 0; i < p.n; i++) {
        if (p.of[i] && (!only || hwloc_bitmap_isset(only, (unsigned)i)))
            print_task(i, p.of[i], n++ == 0 ? "" : json ? "," : delimiter, json);
    }
    puts(json ? n ? "]" : "[]" : "");
    free(p.of);
    strbuf_cleanup(&p.text);
    return n > 0 ? 0 : 1;
}

const struct cmd job_hostpids = {
    .name = "hostpids",
    .args = "JOBID",
    .help = "Print HOST:PID of the tasks of a job, once they run",
    .groups = groups,
    .run = run,
};
