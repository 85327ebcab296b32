/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/supervise_impl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/cli/absent.h"
#include "src/cli/ranks.h"
#include "src/cli/reach.h"
#include "src/cli/request.h"
#include "src/common/orphans.h"
#include "src/common/path.h"
#include "src/common/program.h"
#include "src/common/util.h"

#define EXIT_EXPIRED 124
#define PROGRAM_PATIENCE 5.0 /* s, from SIGHUP to SIGKILL */
#define END_PATIENCE 60.0    /* s, for an instance that is told to end; if told twice: */
#define HURRIED_PATIENCE 10.0
#define DEAF_PATIENCE 3.0    /* s, for ranks that are to leave, and cannot be told */
#define MPIRUN_PATIENCE 10.0 /* s, for mpirun to end after its ranks; with a host lost: */
#define LOST_PATIENCE 3.0

void __attribute__((format(printf, 1, 2))) supervisor_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    fprintf(stderr, "hbatch start: %s\n", text);
}

static double sooner(double a, double b) /* negative: never */
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static double left(double at)
{
    return at > 0 ? MAX(at - time_mono(), 0) : -1;
}

void supervisor_why(struct supervisor *sv, char *why)
{
    free(sv->why);
    sv->why = why;
}

void supervisor_phase(struct supervisor *sv, enum phase phase, double seconds)
{
    sv->phase = phase;
    sv->until = seconds > 0 ? time_mono() + seconds : 0;
}

void supervisor_drop_request(struct supervisor *sv)
{
    request_destroy(take(sv->request));
}

/* --- the program --------------------------------------------------------------------------- */

/* The instance is to end; the first reason counts. */
static void shut_down(struct supervisor *sv, const char *reason)
{
    if (sv->reason)
        return;
    sv->reason = reason;
    sv->force_at = time_mono() + END_PATIENCE;
}

/* In a job of another instance it is in that one, too. */
static json_object *ask_enclosing(const struct supervisor *sv)
{
    struct error ignored;
    if (!getenv("HBATCH_JOB_ID"))
        return NULL;
    struct hbatch *h = client_open(sv->uri, &ignored);
    json_object *info = h ? client_call(h, "instance.info", NULL, &ignored) : NULL;
    client_close(h);
    return info;
}

static void start_program(struct supervisor *sv)
{
    struct error err;
    const struct start *s = sv->config->start;
    struct words argv = {0};
    for (int i = 0; i < s->argc; i++)
        words_add(&argv, "%s", s->argv[i]);
    cleanup_json json_object *info = ask_enclosing(sv);
    const struct program_where where = {.uri = sv->uri,
                                        .parent_uri =
                                            cli_get_string(info, "parent_uri", NULL),
                                        .level = (int)cli_get_number(info, "level", 0),
                                        .enclosing = cli_get_string(info, "jobid", NULL)};
    sv->program = program_start_below(argv.v, &where, &err);
    words_fini(&argv);
    if (sv->program > 0)
        return;
    supervisor_say("%s", err.text);
    sv->program = 0;
    sv->status = err.code == ENOENT ? 127 : 126;
    shut_down(sv, "the initial program could not be started");
}

static void tell_program(struct supervisor *sv, int signum)
{
    if (sv->program <= 0)
        return;
    orphans_signal(sv->program, signum);
    if (sv->told_at <= 0)
        sv->told_at = time_mono();
}

static void program_over(struct supervisor *sv, int status)
{
    sv->program = 0;
    sv->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    shut_down(sv, "the instance's program has ended");
}

/* --- what the ranks say -------------------------------------------------------------------- */

/* As the allocation names it, or NULL. */
static const char *host_name(const struct supervisor *sv, const char *host)
{
    const struct hostlist *hosts = sv->config->start->alloc->hosts;
    if (!sv->config->hosts)
        return host;
    for (size_t i = 0; i < hostlist_count(hosts); i++)
        if (foreign_same_host(hostlist_nth(hosts, i), host))
            return hostlist_nth(hosts, i);
    return NULL;
}

bool supervisor_is_here(const struct supervisor *sv, const char *host)
{
    return !sv->config->hosts || foreign_same_host(host, sv->self);
}

static void on_ready(struct supervisor *sv, const char *uri)
{
    bool first = !sv->uri && !sv->remote;
    sv->failures = 0;
    supervisor_phase(sv, READY, 0);
    if (strcmp(uri, "remote") == 0)
        sv->remote = true;
    if (sv->remote || !first)
        return;
    sv->uri = xstrdup(uri);
    sv->took = time_mono() - sv->starts[(sv->nstarts - 1) % MAX_STARTS];
    if (!sv->reason)
        start_program(sv);
}

void supervisor_said(void *arg, enum noise_word word, const char *rest)
{
    struct supervisor *sv = arg;
    switch (word) {
    case NOISE_READY:
        if (sv->phase == STARTING && !sv->late &&
            (strncmp(rest, "local:///", 9) == 0 || strcmp(rest, "remote") == 0))
            on_ready(sv, rest);
        break;
    case NOISE_ENDED:
        if (sv->late) /* they were told to, by us */
            break;
        sv->ended = atoi(rest);
        if (sv->told_at <= 0)
            tell_program(sv, SIGHUP);
        if (sv->ranks)
            ranks_end(sv->ranks, sv->lost || (!sv->uri && !sv->remote) ? LOST_PATIENCE
                                                                       : MPIRUN_PATIENCE);
        break;
    case NOISE_LOST:
        sv->lost = true;
        if (sv->uri && host_name(sv, rest))
            absent_add(sv->absent, host_name(sv, rest), supervisor_is_here(sv, rest));
        break;
    case NOISE_RESTART:
        sv->leaving = true;
        if (sv->ranks)
            ranks_leave(sv->ranks);
        break;
    }
}

/* --- requests ------------------------------------------------------------------------------ */

static void ask_to_shut_down(struct supervisor *sv)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "reason", json_object_new_string(sv->reason));
    if (sv->hurried)
        json_object_object_add(o, "now", json_object_new_boolean(true));
    sv->request = request_create(sv->uri, "instance.shutdown", o);
    sv->restarting = false;
}

static void ask_to_restart(struct supervisor *sv, const char *host)
{
    json_object *o = json_object_new_object();
    supervisor_why(sv, xasprintf("%s answers again", host));
    json_object_object_add(o, "reason", json_object_new_string(sv->why));
    sv->request = request_create(sv->uri, "instance.restart", o);
    sv->restarting = true;
}

static void request_over(struct supervisor *sv, enum request_state state,
                         const struct error *err)
{
    supervisor_drop_request(sv);
    if (!sv->restarting) {
        sv->acknowledged = state == REQUEST_DONE;
        if (sv->acknowledged && !sv->told_by)
            sv->force_at = 0;
        return;
    }
    if (state == REQUEST_DONE) {
        ranks_end(sv->ranks, MPIRUN_PATIENCE);
        return;
    }
    supervisor_say("%s, but its rank is not started again: %s", sv->why, err->text);
    absent_remove(sv->absent, NULL);
}

/* Seconds until it should be called again; negative: no matter. */
static double step_requests(struct supervisor *sv)
{
    double wait = -1, later;
    struct error err;
    const char *host = absent_step(sv->absent, &wait);
    bool useless = sv->phase != READY || !sv->uri || sv->ended >= 0 || sv->leaving;
    if (useless || (sv->reason && sv->restarting))
        supervisor_drop_request(sv);
    if (useless)
        return wait;
    if (!sv->request && sv->reason && !sv->acknowledged)
        ask_to_shut_down(sv);
    else if (!sv->request && !sv->reason && host)
        ask_to_restart(sv, host);
    if (!sv->request)
        return wait;
    enum request_state state = request_step(sv->request, &later, &err);
    if (state != REQUEST_WAITS)
        request_over(sv, state, &err);
    else if (request_deaf(sv->request) > DEAF_PATIENCE) {
        supervisor_drop_request(sv);
        sv->leaving = true; /* not in order: they are started again */
        ranks_end(sv->ranks, 0);
    }
    return sooner(wait, later);
}

/* --- signals ------------------------------------------------------------------------------- */

static void terminate(struct supervisor *sv, int signum)
{
    sv->hurried = sv->told_by != 0; /* the second time */
    sv->told_by = signum;
    if (sv->remote) {
        ranks_signal(sv->ranks, SIGTERM);
        return;
    }
    if (!sv->uri && sv->ranks) { /* nothing is there yet */
        sv->forced = true;
        ranks_end(sv->ranks, 0);
        return;
    }
    tell_program(sv, signum);
    shut_down(sv, signum == SIGHUP ? "the instance was hung up"
                                   : "the instance was terminated");
    sv->force_at = time_mono() + (sv->hurried ? HURRIED_PATIENCE : END_PATIENCE);
    if (sv->hurried) {
        supervisor_drop_request(sv);
        sv->acknowledged = false;
    }
}

static void reap(struct supervisor *sv)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == sv->program)
            program_over(sv, status);
        else if (pid == sv->doctor)
            starts_doctor_over(sv, status);
        else if (sv->ranks && ranks_reaped(sv->ranks, pid, status))
            continue;
        else if (!sv->asked || !reach_reaped(sv->asked, pid, status))
            absent_reaped(sv->absent, pid, status);
    }
}

static void on_signal(struct supervisor *sv, const struct signalfd_siginfo *info)
{
    int signum = (int)info->ssi_signo;
    if (signum == SIGCHLD)
        reap(sv);
    else if (signum == SIGTERM || signum == SIGHUP || (!sv->uri && !sv->remote))
        terminate(sv, signum);
    else if (info->ssi_code <= 0 &&
             sv->program > 0) /* a terminal's, the program has got, too */
        kill(sv->program, signum);
    else if (info->ssi_code <= 0 && sv->remote)
        ranks_signal(sv->ranks, signum);
}

static const int handled[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT,
                              SIGQUIT, SIGUSR1, SIGUSR2};

static int open_signals(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
        sigaddset(&set, handled[i]);
    sigprocmask(SIG_BLOCK, &set, before);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- the loop ------------------------------------------------------------------------------ */

/* Do what is due; seconds until there is more. */
static double step(struct supervisor *sv)
{
    double wait = -1, later;
    int status;
    if (sv->ranks)
        ranks_step(sv->ranks);
    if (sv->ranks && ranks_ended(sv->ranks, &status))
        starts_over(sv, status);
    if (sv->phase == STARTING && sv->until > 0 && left(sv->until) <= 0) {
        sv->until = 0;
        if (sv->uri || sv->examined)
            starts_late(sv);
        else
            starts_ask_doctor(sv);
    }
    if (sv->phase == PAUSING && left(sv->until) <= 0)
        starts_ask_hosts(sv);
    if (sv->phase == ASKING && reach_step(sv->asked, &later))
        starts_again(sv);
    else if (sv->phase == ASKING)
        wait = later;
    wait = sooner(wait, step_requests(sv));
    if (sv->force_at > 0 && left(sv->force_at) <= 0 && sv->phase != OVER) {
        supervisor_say("the instance does not end: its ranks are killed");
        sv->force_at = 0;
        sv->forced = true;
        reach_destroy(take(sv->asked));
        if (sv->ranks)
            ranks_end(sv->ranks, 0);
        else
            supervisor_phase(sv, OVER, 0);
    }
    if (sv->ranks)
        wait = sooner(wait, ranks_wait(sv->ranks));
    wait = sooner(wait, left(sv->force_at));
    return sooner(wait, left(sv->until));
}

/* Without ranks the program has no instance; true: it has ended. */
static bool end_program(struct supervisor *sv, double *wait)
{
    if (sv->program > 0 && sv->told_at <= 0)
        tell_program(sv, SIGHUP);
    if (sv->program <= 0)
        return true;
    *wait = left(sv->told_at + PROGRAM_PATIENCE);
    if (*wait > 0)
        return false;
    sv->status = 128 + SIGKILL;
    return true;
}

static void loop(struct supervisor *sv, int signals)
{
    for (;;) {
        double wait = step(sv);
        if (sv->phase == OVER && end_program(sv, &wait))
            return;
        struct pollfd fds[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = sv->ranks ? ranks_fd(sv->ranks) : -1, .events = POLLIN},
            {.fd = sv->request ? request_fd(sv->request) : -1, .events = POLLIN},
        };
        poll(fds, ARRAY_SIZE(fds), wait < 0 ? -1 : (int)(MIN(wait, 3600) * 1000) + 1);
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof(info)) == sizeof(info))
            on_signal(sv, &info);
    }
}

static int exit_code(const struct supervisor *sv)
{
    if (sv->given_up)
        return 1;
    if (sv->ended == EXIT_EXPIRED)
        return EXIT_EXPIRED;
    if (sv->told_by)
        return 128 + sv->told_by;
    return sv->status != 0 || sv->ended < 0 ? sv->status : sv->ended;
}

/* --- from beginning to end ----------------------------------------------------------------- */

/* The terminal, if we have it: a program that is killed does not give it back. */
static int find_terminal(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (tcgetpgrp(fd) == getpgrp())
            return fd;
    return -1;
}

static void take_terminal_back(int fd)
{
    if (fd < 0 || tcgetpgrp(fd) == getpgrp())
        return;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_BLOCK, &set, &before);
    tcsetpgrp(fd, getpgrp());
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void list_others(struct supervisor *sv)
{
    const struct hostlist *all = sv->config->start->alloc->hosts;
    sv->others = hostlist_create();
    for (size_t i = 0; sv->config->hosts && i < hostlist_count(all); i++)
        if (!supervisor_is_here(sv, hostlist_nth(all, i)))
            hostlist_append_name(sv->others, hostlist_nth(all, i));
}

static void clean_up(struct supervisor *sv)
{
    reach_destroy(sv->asked);
    if (sv->doctor > 0) {
        kill(sv->doctor, SIGKILL);
        waitpid(sv->doctor, NULL, 0);
    }
    absent_destroy(sv->absent);
    supervisor_drop_request(sv);
    ranks_destroy(sv->ranks);
    /* else what the program has left behind stays, as it does after any program */
    if (sv->told_at > 0 || sv->given_up || sv->forced)
        orphans_kill(1);
    if (sv->rundir)
        path_remove_tree(sv->rundir);
    take_terminal_back(sv->terminal);
    hostlist_destroy(sv->others);
    free(sv->rundir);
    free(sv->mark);
    free(sv->uri);
    free(sv->why);
}

/* One path for all hosts: not relative to a directory here. */
int supervisor_make_rundir(struct supervisor *sv, struct error *err)
{
    cleanup_free char *dir = path_make_tmpdir("hbatch-", err);
    char *path = !dir ? NULL : *dir == '/' ? xstrdup(dir) : realpath(dir, NULL);
    if (dir && !path)
        error_set(err, errno, "%s: %s", dir, strerror(errno));
    free(sv->rundir);
    free(sv->mark);
    sv->rundir = path;
    sv->mark = path ? xasprintf("HBATCH_RANKS_OF=%s", path) : NULL;
    return path ? 0 : -1;
}

/* This host, as its rank calls itself: by the short name. */
static void get_host(char *name, size_t size)
{
    name[0] = name[size - 1] = '\0';
    gethostname(name, size - 1);
    name[strcspn(name, ".")] = '\0';
}

int supervise(struct supervise *config, struct error *err)
{
    struct supervisor sv = {.config = config, .ended = -1, .began = time_now()};
    sigset_t before;
    get_host(sv.self, sizeof(sv.self));
    if (supervisor_make_rundir(&sv, err) < 0)
        return -1;
    sv.absent = absent_create(config->ask);
    sv.terminal = find_terminal();
    list_others(&sv);
    orphans_adopt();
    int rc = -1, signals = open_signals(&before);
    if (signals < 0)
        error_set(err, errno, "signalfd: %s", strerror(errno));
    else if (starts_begin(&sv, NULL, err) == 0) {
        loop(&sv, signals);
        rc = exit_code(&sv);
    }
    clean_up(&sv);
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
