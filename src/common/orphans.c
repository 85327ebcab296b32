/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/orphans.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"

enum { DEPTH_MAX = 64 };

void orphans_adopt(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        log_warning("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
}

/* The text of /proc/PID/task/PID/children, ids with a blank after each; free it. */
static char *children_of(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return read_file(path, NULL);
}

/* The next id of such a text, 0 at its end. */
static pid_t next_child(char **p)
{
    char *end;
    long pid = *p ? strtol(*p, &end, 10) : 0;
    if (pid > 0)
        *p = end;
    return (pid_t)pid;
}

static void signal_tree(pid_t pid, int signum, int depth)
{
    cleanup_free char *text = depth < DEPTH_MAX ? children_of(pid) : NULL;
    /* parents first: a shell would go on with its next command */
    kill(pid, signum);
    char *p = text;
    for (pid_t child; (child = next_child(&p)) > 0;)
        signal_tree(child, signum, depth + 1);
}

void orphans_signal(pid_t pid, int signum)
{
    signal_tree(pid, signum, 0);
}

static bool is_named(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    cleanup_free char *comm = name ? read_file(path, NULL) : NULL;
    return comm && strncmp(comm, name, strlen(name)) == 0 &&
           strcmp(comm + strlen(name), "\n") == 0;
}

static void kill_session(pid_t pid, pid_t session, const char *spare, int depth)
{
    if (getsid(pid) != session || is_named(pid, spare))
        return;
    cleanup_free char *text = depth < DEPTH_MAX ? children_of(pid) : NULL;
    kill(pid, SIGKILL);
    char *p = text;
    for (pid_t child; (child = next_child(&p)) > 0;)
        kill_session(child, session, spare, depth + 1);
}

void orphans_kill_session(pid_t pid, const char *spare)
{
    kill_session(pid, getsid(0), spare, 0);
}

static bool is_marked(pid_t pid, const char *entry)
{
    char path[64];
    size_t len = 0;
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    cleanup_free char *env = read_file(path, &len);
    for (const char *p = env; p && p < env + len; p += strlen(p) + 1)
        if (strcmp(p, entry) == 0)
            return true;
    return false;
}

void orphans_kill_marked(const char *entry, const char *spare, double seconds)
{
    double until = time_mono() + seconds;
    for (bool any = true; any && time_mono() < until;) {
        cleanup_free char *text = children_of(getpid());
        char *p = text;
        any = false;
        for (pid_t child; (child = next_child(&p)) > 0;) {
            if (getsid(child) != getsid(0) || is_named(child, spare) ||
                !is_marked(child, entry))
                continue;
            kill_session(child, getsid(0), spare, 0);
            any = waitpid(child, NULL, WNOHANG) != child || any;
        }
        if (any)
            poll(NULL, 0, 2);
    }
}

bool orphans_is_of(pid_t pid, const char *name, const char *instance)
{
    char path[64];
    size_t len = 0, n = strlen(instance), k = strlen(name);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    cleanup_free char *env = read_file(path, &len);
    for (const char *p = env; p && p < env + len; p += strlen(p) + 1) {
        if (strncmp(p, name, k) != 0 || p[k] != '=')
            continue;
        for (p += k + 1; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
            if (strncmp(p, instance, n) == 0 && p[n] == '.')
                return true;
        return false;
    }
    return false;
}

void orphans_reap(const char *instance, pid_t executor, pid_t program)
{
    cleanup_free char *text = children_of(getpid());
    char *p = text;
    for (pid_t child; (child = next_child(&p)) > 0;) {
        if (child == executor || child == program ||
            waitpid(child, NULL, WNOHANG) == child)
            continue;
        if (orphans_is_of(child, "HBATCH_JOB_PATH", instance))
            signal_tree(child, SIGKILL, 0);
    }
}

bool orphans_kill(double seconds)
{
    double until = time_mono() + seconds;
    do {
        cleanup_free char *text = children_of(getpid());
        char *p = text;
        for (pid_t child; (child = next_child(&p)) > 0;)
            signal_tree(child, SIGKILL, 0);
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return true;
        poll(NULL, 0, 2);
    } while (time_mono() < until);
    return false;
}
