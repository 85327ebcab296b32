/* SPDX-License-Identifier: BSD-3-Clause */
/* timeit: how long commands take, measured in turns (A B, B A, ...) so that what else the
 * machine does at the moment hits all of them alike.  Each run is posix_spawnp and wait4 with
 * the monotonic clock around them: no shell in between.  One JSON object on stdout. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/util.h"

extern char **environ;

static const char usage[] =
    "usage: timeit [-r ROUNDS] [-w WARMUP] [-t SECONDS] [-v] COMMAND [ARG...] "
    "[::: COMMAND [ARG...]]...\n"
    "  -r  rounds that count, each runs every command once (30)\n"
    "  -w  rounds before, that do not (2)\n"
    "  -t  a command that takes longer is killed, and is a failure (60)\n"
    "  -v  commands write to stderr, instead of nowhere\n"
    "The exit status is 1 if a command failed.\n";

struct command {
    char **argv;
    double *wall; /* seconds, one per round; sorted at the end */
    double user, sys;
    unsigned failures;
    int status; /* wait status of the last failure */
};

struct options {
    unsigned rounds, warmup;
    double limit;
    bool verbose;
};

static int spawn(const struct command *c, const struct options *o, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    if (o->verbose)
        posix_spawn_file_actions_adddup2(&fa, 2, 1);
    else
        posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(pid, c->argv[0], &fa, NULL, c->argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    return rc;
}

/* Kill PID unless it ends in time: its end makes the descriptor readable. */
static void limit_wait(pid_t pid, double seconds)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    double end = time_mono() + seconds;
    for (;;) {
        double left = end - time_mono();
        int n = poll(&p, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
        if (n > 0 || (n < 0 && errno != EINTR))
            break;
        if (left <= 0) {
            kill(pid, SIGKILL);
            break;
        }
    }
    close(fd);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

/* One run; ROUND < 0: it does not count. */
static void run(struct command *c, const struct options *o, int round)
{
    struct rusage ru;
    pid_t pid;
    int status;
    double start = time_mono();
    int rc = spawn(c, o, &pid);
    if (rc != 0) {
        fprintf(stderr, "timeit: cannot run %s: %s\n", c->argv[0], strerror(rc));
        exit(2);
    }
    limit_wait(pid, o->limit);
    while (wait4(pid, &status, 0, &ru) < 0) {
        if (errno != EINTR) {
            fprintf(stderr, "timeit: wait4: %s\n", strerror(errno));
            exit(2);
        }
    }
    double wall = time_mono() - start;
    if (status != 0) {
        c->failures++;
        c->status = status;
    }
    if (round < 0)
        return;
    c->wall[round] = wall;
    c->user += seconds(ru.ru_utime);
    c->sys += seconds(ru.ru_stime);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, unsigned n, double q)
{
    double at = q * (n - 1);
    unsigned i = (unsigned)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

static void report(struct command *c, unsigned n, bool more)
{
    double sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += c->wall[i];
    qsort(c->wall, n, sizeof(double), compare);
    printf(" {\"median\":%.9f,\"p10\":%.9f,\"p90\":%.9f,\"min\":%.9f,\"max\":%.9f,"
           "\"mean\":%.9f,\"user\":%.9f,\"sys\":%.9f,\"failures\":%u,\"status\":%d}%s\n",
           quantile(c->wall, n, 0.5), quantile(c->wall, n, 0.1),
           quantile(c->wall, n, 0.9), c->wall[0], c->wall[n - 1], sum / n, c->user / n,
           c->sys / n, c->failures, c->status, more ? "," : "");
}

static void parse(struct options *o, int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "+r:w:t:v")) != -1) {
        switch (c) {
        case 'r':
            o->rounds = (unsigned)atoi(optarg);
            break;
        case 'w':
            o->warmup = (unsigned)atoi(optarg);
            break;
        case 't':
            o->limit = atof(optarg);
            break;
        case 'v':
            o->verbose = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind >= argc || o->rounds == 0 || o->rounds > 1000000 || o->warmup > 1000000) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.rounds = 30, .warmup = 2, .limit = 60};
    parse(&o, argc, argv);

    struct command *commands = xcalloc((size_t)argc, sizeof(*commands));
    size_t n = 0;
    bool fresh = true;
    for (int i = optind; i < argc; i++) {
        if (strcmp(argv[i], ":::") == 0) {
            argv[i] = NULL;
            fresh = true;
        } else if (fresh) {
            commands[n].argv = argv + i;
            commands[n++].wall = xcalloc(o.rounds, sizeof(double));
            fresh = false;
        }
    }
    if (fresh) {
        fputs(usage, stderr);
        return 2;
    }

    for (unsigned i = 0; i < o.warmup; i++)
        for (size_t k = 0; k < n; k++)
            run(&commands[k], &o, -1);
    for (unsigned i = 0; i < o.rounds; i++)
        for (size_t k = 0; k < n; k++)
            run(&commands[i % 2 ? n - 1 - k : k], &o, (int)i);

    bool failed = false;
    printf("{\"rounds\":%u,\"commands\":[\n", o.rounds);
    for (size_t k = 0; k < n; k++) {
        failed |= commands[k].failures > 0;
        report(&commands[k], o.rounds, k + 1 < n);
        free(commands[k].wall);
    }
    printf("]}\n");
    free(commands);
    return failed;
}
