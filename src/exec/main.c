/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch-exec: the process beside a rank that starts, watches and ends the tasks of its node. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "config.h"
#include "src/comm/lines.h"
#include "src/common/duration.h"
#include "src/common/launchenv.h"
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/util.h"
#include "src/exec/exec.h"

#ifdef __SANITIZE_ADDRESS__
/* What the PMIx library keeps until the process ends, and its plugins when they are unloaded. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpmix\nleak:libevent\nleak:<unknown module>\n";
}
#endif

#define BACKLOG 128
#define TEXT_(X) #X
#define TEXT(X) TEXT_(X)

static const char usage[] =
    "Usage: hbatch-exec --rundir=DIR [--rank=N] [--socket-fd=N | --socket=PATH]\n"
    "Started by hbatch-instance: runs the tasks of one node.\n"
    "  --rundir=DIR     directory of the instance on this node\n"
    "  --rank=N         the instance's rank here (default 0)\n"
    "  --socket-fd=N    a listening socket that was inherited\n"
    "  --socket=PATH    the socket to listen on (default DIR/exec-RANK.sock)\n"
    "  --sweep          first kill what tasks of a former executor of this rank are "
    "left\n"
    "  --verbose        say more on stderr\n"
    "Environment: HBATCH_EXEC_ORPHAN_TIMEOUT, how long jobs go on without a rank "
    "(" TEXT(EXEC_ORPHAN_TIMEOUT) "s)\n";

struct arguments {
    unsigned rank;
    int fd;
    const char *rundir, *socket;
    bool sweep, verbose;
};

static unsigned number(const char *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n > 0x7fffffff)
        log_exit(2, "--%s=%s: must be a non-negative integer", option, text);
    return (unsigned)n;
}

static void parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {{"rank", required_argument, NULL, 'r'},
                                            {"rundir", required_argument, NULL, 'd'},
                                            {"socket-fd", required_argument, NULL, 'f'},
                                            {"socket", required_argument, NULL, 's'},
                                            {"sweep", no_argument, NULL, 'w'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'r':
            a->rank = number("rank", optarg);
            break;
        case 'd':
            a->rundir = optarg;
            break;
        case 'f':
            a->fd = (int)number("socket-fd", optarg);
            break;
        case 's':
            a->socket = optarg;
            break;
        case 'w':
            a->sweep = true;
            break;
        case 'v':
            a->verbose = true;
            break;
        case 'V':
            puts("hbatch-exec " PACKAGE_VERSION);
            exit(0);
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    if (optind < argc || !a->rundir) {
        fputs(usage, stderr);
        exit(2);
    }
}

/* What tasks must find, arranged once here instead of in every child: no signal ignored or blocked,
 * descriptor 0 is /dev/null, 1 and 2 are open. */
static void settle(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (null >= 0 && null < 3)
        null = dup(null);
    if (null < 0)
        log_exit(1, "/dev/null: %s", strerror(errno));
    dup2(null, STDIN_FILENO);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            dup2(null, fd);
    close(null);
    setsid(); /* fails when hbatch-instance has done it */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        log_warning("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
}

static int open_socket(const struct arguments *a, struct error *err)
{
    if (a->fd >= 0) {
        int flags = fcntl(a->fd, F_GETFL);
        if (flags < 0)
            return error_set(err, errno, "--socket-fd=%d: %s", a->fd, strerror(errno));
        fcntl(a->fd, F_SETFD, FD_CLOEXEC);
        fcntl(a->fd, F_SETFL, flags | O_NONBLOCK);
        /* A rank that connects asks the kernel for the process that listens: that is us now. */
        if (listen(a->fd, BACKLOG) < 0)
            return error_set(err, errno, "--socket-fd=%d: %s", a->fd, strerror(errno));
        return a->fd;
    }
    cleanup_free char *path =
        a->socket ? xstrdup(a->socket) : xasprintf("%s/exec-%u.sock", a->rundir, a->rank);
    int fd = lines_listen(path, err);
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static void get_orphan_timeout(struct exec *x)
{
    struct error err;
    double seconds;
    const char *text = getenv("HBATCH_EXEC_ORPHAN_TIMEOUT");
    if (text && duration_decode(text, &seconds, &err) < 0) {
        log_warning("HBATCH_EXEC_ORPHAN_TIMEOUT: %s", err.text);
    } else if (text) {
        x->orphan_timeout = seconds;
        x->orphan_fixed = true;
    }
}

static char *get_env(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? xstrdup(text) : NULL;
}

int main(int argc, char **argv)
{
    struct arguments a = {.fd = -1};
    struct error err;
    log_init("hbatch-exec", LOG_L_WARNING);
    parse(argc, argv, &a);
    if (a.verbose)
        log_init("hbatch-exec", LOG_L_DEBUG);
    settle();
    char *rundir = realpath(a.rundir, NULL);
    if (!rundir)
        log_exit(1, "--rundir=%s: %s", a.rundir, strerror(errno));
    int fd = open_socket(&a, &err);
    if (fd < 0)
        log_exit(1, "%s", err.text);
    char *outer_path = get_env("HBATCH_JOB_PATH");
    char *outer_node = get_env("HBATCH_NODE_PATH");
    launchenv_clean();
    if (chdir("/") < 0)
        log_exit(1, "/: %s", strerror(errno));

    uv_loop_t loop;
    uv_loop_init(&loop);
    struct exec *x = exec_create(&loop, a.rank, rundir, fd, &err);
    free(rundir);
    if (!x)
        log_exit(1, "%s", err.text);
    x->outer_path = outer_path;
    x->instance_path = path_find_sibling("hbatch-instance", NULL);
    x->outer_node = outer_node;
    x->sweep = a.sweep;
    x->verbose = a.verbose;
    get_orphan_timeout(x);
    exec_detached(x);
    uv_run(&loop, UV_RUN_DEFAULT);
    conn_flush(x->conn);
    exec_destroy(x);
    uv_loop_close(&loop);
    return 0;
}
