/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/job.h"

#define SWEEP_PAUSE 0.1 /* seconds between sweeps while jobs end */
#define DEPTH_MAX 64
#define CLEAN_SCANS                                                                      \
    2 /* a process between fork and the end of exec shows no environment */

/* Call F for each child of process PID. */
static void each_child(pid_t pid,
                       void (*f)(struct exec *x, pid_t child, int depth, uint64_t only),
                       struct exec *x, int depth, uint64_t only)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    cleanup_free char *text = read_file(path, NULL);
    for (char *p = text; p && *p;) {
        char *end;
        long child = strtol(p, &end, 10);
        if (end == p)
            break;
        if (child > 1)
            f(x, (pid_t)child, depth, only);
        p = end;
    }
}

/* The value of variable NAME= in a process's environment, or NULL; *ENV is for the caller to free. */
static const char *variable_of(pid_t pid, const char *name, char **env)
{
    char path[64];
    size_t len = 0, n = strlen(name);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    *env = read_file(path, &len);
    for (const char *p = *env; p && p < *env + len; p += strlen(p) + 1)
        if (strncmp(p, name, n) == 0)
            return p + n;
    return NULL;
}

/* The job, of those that this executor started, that process PID belongs to; 0: unknown. */
static uint64_t job_of(const struct exec *x, pid_t pid)
{
    cleanup_free char *env = NULL;
    const char *p = x->node ? variable_of(pid, "HBATCH_JOB_PATH=", &env) : NULL;
    if (p && x->outer_path) {
        size_t n = strlen(x->outer_path);
        if (strncmp(p, x->outer_path, n) != 0 || p[n] != '/')
            return 0;
        p += n + 1;
    }
    size_t n = p ? strlen(x->node->instance) : 0;
    if (!p || strncmp(p, x->node->instance, n) != 0 || p[n] != '.')
        return 0;
    return strtoull(p + n + 1, NULL, 10);
}

/* ONLY: kill what belongs to this job; 0: to any job that does not run. */
static void visit(struct exec *x, pid_t pid, int depth, uint64_t only)
{
    if (idmap_get(&x->tasks, (uint64_t)pid))
        return; /* what is below a task that runs is its own affair */
    uint64_t id = job_of(x, pid);
    bool kill_it = only ? id == only : (id ? !job_find(x, id) : x->jobs.used == 0);
    if (depth < DEPTH_MAX)
        each_child(pid, visit, x, depth + 1, only);
    if (kill_it) {
        log_debug("process %d of job %llu was left behind: killed", (int)pid,
                  (unsigned long long)id);
        kill(pid, SIGKILL);
    }
}

void sweep_job(struct exec *x, uint64_t id)
{
    each_child(getpid(), visit, x, 0, id);
}

static void on_sweep(void *arg)
{
    struct exec *x = arg;
    char path[64];
    x->last_sweep = time_mono();
    /* Usually all children are tasks, and this is all there is to do. */
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    cleanup_free char *text = read_file(path, NULL);
    size_t count = 0;
    for (const char *p = text; p && *p; p++)
        count += *p == ' ';
    if (count + lane_count_tasks(x) > x->tasks.used) {
        each_child(getpid(), visit, x, 0, 0);
        sweep_later(x); /* what a killed process left is ours now */
    }
}

void sweep_later(struct exec *x)
{
    if (!x->sweep_timer)
        timer_start(&x->sweep_timer, x->loop, x->last_sweep + SWEEP_PAUSE - time_mono(),
                    on_sweep, x);
}

static void kill_child(struct exec *x, pid_t pid, int depth, uint64_t only)
{
    if (depth < DEPTH_MAX)
        each_child(pid, kill_child, x, depth + 1, only);
    kill(pid, SIGKILL);
}

/* A task's process, or one of an instance that runs within a task. */
static bool is_former(const struct exec *x, pid_t pid)
{
    cleanup_free char *env = NULL;
    const char *p = variable_of(pid, "HBATCH_NODE_PATH=", &env);
    size_t n = strlen(x->node_path);
    return p && strncmp(p, x->node_path, n) == 0 && (p[n] == '\0' || p[n] == '/');
}

/* One look at all processes: the number of those killed. */
static unsigned scan(struct exec *x)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid() || !is_former(x, pid))
            continue;
        log_info("process %d of the former executor's tasks is killed", (int)pid);
        kill_child(x, pid, 0, 0);
        count++;
    }
    if (proc)
        closedir(proc);
    return count;
}

void sweep_former(struct exec *x, double seconds)
{
    double until = time_mono() + seconds;
    for (int clean = 0; clean < CLEAN_SCANS; poll(NULL, 0, 1)) {
        clean = scan(x) == 0 ? clean + 1 : 0;
        if (clean == 0 && time_mono() > until) {
            log_error("some processes of the former executor's tasks could not be killed "
                      "in %.0f s",
                      seconds);
            return;
        }
    }
}
