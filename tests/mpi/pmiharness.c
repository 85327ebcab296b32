/* SPDX-License-Identifier: BSD-3-Clause */
/* pmiharness: the smallest launcher there is over pmi.h, to test the PMI servers without an
 * instance.
 *
 *     pmiharness [-H NODES] [-k pmix|wire|both] [-r REPEAT] [-l] [-v]
 *                [-t SECONDS] -n TASKS PROGRAM [ARG...] [: -n TASKS PROGRAM [ARG...]]...
 *
 * Each job (":" separates them, they run at once) is placed in blocks over the nodes.  A node
 * is a forked process with a pmi of its own, since there is one PMIx server to a process; this
 * process plays the leader: it routes messages, starts jobs (those that are spawned too), and
 * ends a job when one of its tasks fails.  Exits with the greatest exit code of the jobs of
 * the command line.  -r runs all REPEAT times and prints the wall times; -l lets the others
 * live when a task fails. */
#include "config.h"
#include "config.h"
#include "pmi/pmi.h"
#include "src/common/util.h"
#include "tests/mpi/pmiharness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_JOBS = 1024 };

/* The PMIx library leaks a little per job. Known to the leak sanitizer by this name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpmix.so\n";
}

struct job {
    uint64_t id;
    json_object *apps;
    uint64_t parent;
    char *parent_nspace;
    unsigned parent_rank;
    bool root;
    unsigned size, nnodes, first; /* nodes first, first+1, ... */
    unsigned starting, running;
    int code; /* errno: could not start */
    char *error;
    json_object *token; /* of the spawn request, to be answered to FROM */
    unsigned from;
    bool ended, aborted;
    int status;
};

struct leader {
    uv_loop_t loop;
    uv_timer_t timer;
    unsigned nnodes, ready;
    struct lines **nodes;
    struct job *jobs[MAX_JOBS];
    unsigned njobs;
    json_object *roots; /* apps of the jobs of the command line */
    unsigned repeat, round, left;
    double began;
    double *walls;
    int status;
    bool verbose, live;
};

static struct job *job_find(struct leader *lead, json_object *msg)
{
    uint64_t id = json_object_get_uint64(get(msg, "id"));
    return id >= 1 && id <= lead->njobs ? lead->jobs[id - 1] : NULL;
}

static void job_start(struct leader *lead, struct job *job)
{
    job->id = ++lead->njobs;
    lead->jobs[job->id - 1] = job;
    job->size = 0;
    for (size_t a = 0; a < json_object_array_length(job->apps); a++)
        job->size += get_unsigned(json_object_array_get_idx(job->apps, a), "maxprocs");
    job->nnodes = MIN(job->size, lead->nnodes);
    job->first = (unsigned)((job->id - 1) % lead->nnodes);
    json_object *msg = message("start"), *place = json_object_new_array(),
                *ranks = json_object_new_array(), *hosts = json_object_new_array();
    for (unsigned t = 0; t < job->size; t++)
        json_object_array_add(place, json_object_new_int64(t * job->nnodes / job->size));
    char hostname[64];
    gethostname(hostname, sizeof(hostname));
    for (unsigned n = 0; n < job->nnodes; n++) {
        unsigned rank = (job->first + n) % lead->nnodes;
        json_object_array_add(ranks, json_object_new_int64(rank));
        if (lead->nnodes > 1)
            snprintf(hostname, sizeof(hostname), "node%u", rank);
        json_object_array_add(hosts, json_object_new_string(hostname));
    }
    cleanup_free char *nspace =
        xasprintf("hbatch.harness%d.%llu", (int)getpid(), (unsigned long long)job->id);
    json_object_object_add(msg, "id", json_object_new_uint64(job->id));
    json_object_object_add(msg, "nspace", json_object_new_string(nspace));
    json_object_object_add(msg, "apps", json_object_get(job->apps));
    json_object_object_add(msg, "place", place);
    json_object_object_add(msg, "ranks", ranks);
    json_object_object_add(msg, "hosts", hosts);
    if (job->parent) {
        json_object_object_add(msg, "parent", json_object_new_uint64(job->parent));
        json_object_object_add(msg, "parent_nspace",
                               json_object_new_string(job->parent_nspace));
        json_object_object_add(msg, "parent_rank",
                               json_object_new_int64(job->parent_rank));
    }
    job->starting = job->running = job->nnodes;
    for (unsigned n = 0; n < job->nnodes; n++)
        lines_send_json(lead->nodes[(job->first + n) % lead->nnodes], msg);
    json_object_put(msg);
}

static void round_start(struct leader *lead)
{
    lead->began = time_mono();
    for (size_t i = 0; i < json_object_array_length(lead->roots); i++) {
        struct job *job = xcalloc(1, sizeof(*job));
        job->apps = json_object_get(json_object_array_get_idx(lead->roots, i));
        job->root = true;
        lead->left++;
        job_start(lead, job);
    }
}

static void quit(struct leader *lead)
{
    for (unsigned n = 0; n < lead->nnodes; n++)
        lines_close(take(lead->nodes[n]));
    uv_close((uv_handle_t *)&lead->timer, NULL);
}

static void job_signal(struct leader *lead, struct job *job, int signum)
{
    json_object *msg = message("kill");
    json_object_object_add(msg, "id", json_object_new_uint64(job->id));
    json_object_object_add(msg, "signal", json_object_new_int(signum));
    for (unsigned n = 0; n < job->nnodes; n++)
        lines_send_json(lead->nodes[(job->first + n) % lead->nnodes], msg);
    json_object_put(msg);
}

static void leader_spawn(struct leader *lead, json_object *msg)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->apps = json_object_get(get(msg, "apps"));
    job->parent = json_object_get_uint64(get(msg, "parent"));
    job->parent_nspace = xstrdup(get_string(msg, "parent_nspace"));
    job->parent_rank = get_unsigned(msg, "parent_rank");
    job->token = json_object_get(get(msg, "token"));
    job->from = get_unsigned(msg, "from");
    lead->left++;
    job_start(lead, job);
}

static void spawn_answer(struct leader *lead, struct job *job)
{
    json_object *o = message("pmi"), *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("spawned"));
    json_object_object_add(msg, "token", take(job->token));
    json_object_object_add(msg, "status", json_object_new_int(job->code));
    json_object_object_add(msg, "id", json_object_new_uint64(job->id));
    if (job->error)
        json_object_object_add(msg, "error", json_object_new_string(job->error));
    json_object_object_add(o, "msg", msg);
    send_away(lead->nodes[job->from], o);
}

static void on_started(struct leader *lead, struct job *job, json_object *msg)
{
    if (get(msg, "code")) {
        job->code = json_object_get_int(get(msg, "code"));
        free(job->error);
        job->error = xstrdup(get_string(msg, "error"));
    }
    if (--job->starting > 0)
        return;
    if (job->token)
        spawn_answer(lead, job);
    else if (job->error)
        fprintf(stderr, "pmiharness: %s\n", job->error);
    if (job->code)
        job_signal(lead, job, SIGKILL);
}

static void on_finish(struct leader *lead, struct job *job, json_object *msg)
{
    if (!job->aborted)
        job->status = MAX(job->status, json_object_get_int(get(msg, "status")));
    if (--job->running > 0)
        return;
    job->ended = true;
    if (lead->verbose)
        fprintf(stderr, "pmiharness: job %llu ended with %d\n",
                (unsigned long long)job->id, job->status);
    if (job->root && job->status > lead->status)
        lead->status = job->status;
    if (--lead->left > 0)
        return;
    lead->walls[lead->round++] = 1e3 * (time_mono() - lead->began);
    if (lead->round < lead->repeat && lead->njobs + 16 < MAX_JOBS)
        round_start(lead);
    else
        quit(lead);
}

static void leader_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct leader *lead = arg;
    cleanup_json json_object *msg = json_tokener_parse(line);
    const char *m = get_string(msg, "m");
    struct job *job = job_find(lead, msg);
    (void)l;
    (void)len;
    if (strcmp(m, "ready") == 0) {
        if (++lead->ready == lead->nnodes)
            round_start(lead);
    } else if (strcmp(m, "pmi") == 0) {
        int to = json_object_get_int(get(msg, "to"));
        json_object *inner = get(msg, "msg");
        if (lead->verbose)
            fprintf(stderr, "pmiharness: to %d: %.300s\n", to,
                    json_object_to_json_string_ext(inner, JSON_C_TO_STRING_PLAIN));
        if (to >= 0 && to < (int)lead->nnodes)
            lines_send_json(lead->nodes[to], msg);
        else if (strcmp(get_string(inner, "pmi"), "spawn") == 0)
            leader_spawn(lead, inner);
    } else if (strcmp(m, "started") == 0) {
        on_started(lead, job, msg);
    } else if (strcmp(m, "finish") == 0) {
        on_finish(lead, job, msg);
    } else if (strcmp(m, "abort") == 0) {
        fprintf(stderr, "pmiharness: job %llu: task %u called abort(%d): %s\n",
                (unsigned long long)job->id, get_unsigned(msg, "task"),
                json_object_get_int(get(msg, "status")), get_string(msg, "text"));
        job->aborted = true; /* its exit code is the one that counts */
        job->status = json_object_get_int(get(msg, "status")) & 255;
        job_signal(lead, job, SIGKILL);
    } else if (strcmp(m, "failed") == 0) {
        if (lead->verbose || json_object_get_boolean(get(msg, "unclean")))
            fprintf(stderr, "pmiharness: job %llu: task %u ended with %d%s\n",
                    (unsigned long long)job->id, get_unsigned(msg, "task"),
                    json_object_get_int(get(msg, "code")),
                    json_object_get_boolean(get(msg, "unclean")) ? ", not finalized"
                                                                 : "");
        if (!lead->live)
            job_signal(lead, job, SIGKILL);
    } else if (strcmp(m, "signal") == 0) {
        job_signal(lead, job, json_object_get_int(get(msg, "signal")));
    }
}

static void leader_closed(struct lines *l, int status, void *arg)
{
    struct leader *lead = arg;
    (void)l;
    (void)status;
    fprintf(stderr, "pmiharness: a node has died\n");
    lead->status = 125;
    quit(lead);
}

static void on_timeout(uv_timer_t *timer)
{
    struct leader *lead = timer->data;
    fprintf(stderr, "pmiharness: time is over\n");
    lead->status = 124;
    quit(lead);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static json_object *parse_jobs(char **argv)
{
    json_object *roots = json_object_new_array();
    while (*argv) {
        json_object *apps = json_object_new_array(), *app = json_object_new_object(),
                    *words = json_object_new_array();
        int n = 1;
        if (strcmp(*argv, "-n") == 0 && argv[1]) {
            n = atoi(argv[1]);
            argv += 2;
        }
        for (; *argv && strcmp(*argv, ":") != 0; argv++)
            json_object_array_add(words, json_object_new_string(*argv));
        if (*argv)
            argv++;
        json_object_object_add(app, "argv", words);
        json_object_object_add(app, "maxprocs", json_object_new_int(MAX(n, 1)));
        json_object_array_add(apps, app);
        json_object_array_add(roots, apps);
    }
    return roots;
}

/* The options; false: a mistake. */
static bool parse(struct leader *lead, int argc, char **argv, unsigned *kinds,
                  int *timeout)
{
    int c;
    while ((c = getopt(argc, argv, "+H:k:r:t:lvn:")) != -1 && c != 'n')
        switch (c) {
        case 'H':
            lead->nnodes = (unsigned)MAX(1, atoi(optarg));
            break;
        case 'k':
            *kinds = *optarg == 'p'   ? PMI_PMIX
                     : *optarg == 'w' ? PMI_WIRE
                                      : PMI_PMIX | PMI_WIRE;
            break;
        case 'r':
            lead->repeat = (unsigned)MAX(1, atoi(optarg));
            break;
        case 't':
            *timeout = atoi(optarg);
            break;
        case 'l':
            lead->live = true;
            break;
        case 'v':
            lead->verbose = true;
            break;
        default:
            return false;
        }
    lead->roots = parse_jobs(argv + (c == 'n' ? optind - 2 : optind));
    if (json_object_array_length(lead->roots) > 0)
        return true;
    fprintf(stderr,
            "usage: pmiharness [-H NODES] [-k pmix|wire|both] [-r REPEAT] [-l] [-v] "
            "[-t SECONDS] -n TASKS PROGRAM [ARG...] [: -n TASKS PROGRAM...]...\n");
    return false;
}

/* FDS: what leads to them. */
static int start_nodes(const struct leader *lead, unsigned kinds, int *fds)
{
    for (unsigned n = 0; n < lead->nnodes; n++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return -1;
        pid_t pid = fork();
        if (pid == 0) {
            for (unsigned i = 0; i < n; i++)
                close(fds[i]);
            close(pair[0]);
            exit(node_run(n, lead->nnodes, pair[1], kinds, lead->verbose));
        }
        close(pair[1]);
        fds[n] = pair[0];
    }
    return 0;
}

static void lead_nodes(struct leader *lead, const int *fds, int timeout)
{
    static const struct lines_ops ops = {leader_line, leader_closed, NULL};
    uv_loop_init(&lead->loop);
    uv_timer_init(&lead->loop, &lead->timer);
    lead->timer.data = lead;
    uv_timer_start(&lead->timer, on_timeout, (uint64_t)timeout * 1000, 0);
    for (unsigned n = 0; n < lead->nnodes; n++)
        lead->nodes[n] = lines_create(&lead->loop, fds[n], &ops, lead);
    uv_run(&lead->loop, UV_RUN_DEFAULT);
    uv_loop_close(&lead->loop);
    int status;
    while (waitpid(-1, &status, 0) > 0)
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "pmiharness: a node ended with status 0x%x\n",
                    (unsigned)status);
            lead->status = MAX(lead->status, 125);
        }
}

int main(int argc, char **argv)
{
    struct leader lead = {.nnodes = 1, .repeat = 1};
    unsigned kinds = PMI_PMIX;
    int timeout = 60;
    if (!parse(&lead, argc, argv, &kinds, &timeout))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    lead.walls = xcalloc(lead.repeat, sizeof(double));
    lead.nodes = xcalloc(lead.nnodes, sizeof(*lead.nodes));
    cleanup_free int *fds = xcalloc(lead.nnodes, sizeof(int));
    if (start_nodes(&lead, kinds, fds) < 0)
        return 1;
    lead_nodes(&lead, fds, timeout);
    if (lead.repeat > 1 && lead.round > 0) {
        qsort(lead.walls, lead.round, sizeof(double), compare_double);
        printf("wall ms: min %.1f median %.1f max %.1f of %u\n", lead.walls[0],
               lead.walls[lead.round / 2], lead.walls[lead.round - 1], lead.round);
    }
    for (unsigned i = 0; i < lead.njobs; i++) {
        json_object_put(lead.jobs[i]->apps);
        free(lead.jobs[i]->parent_nspace);
        free(lead.jobs[i]->error);
        free(lead.jobs[i]);
    }
    json_object_put(lead.roots);
    free(lead.walls);
    free(lead.nodes);
    return lead.status;
}
