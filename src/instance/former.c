/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/former.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/orphans.h"
#include "src/common/procid.h"
#include "src/common/util.h"

/* Looks that found nobody, one after the other: a process that was about to start another one. */
enum { CLEAN_SCANS = 3 };

/* hbatch-exec ... --rundir=RUNDIR */
static bool is_executor(pid_t pid, const char *rundir)
{
    static const char name[] = "hbatch-exec", option[] = "--rundir=";
    char path[64];
    size_t len = 0;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    cleanup_free char *text = read_file(path, &len);
    const char *slash = text ? strrchr(text, '/') : NULL;
    if (!text || strcmp(slash ? slash + 1 : text, name) != 0)
        return false;
    for (const char *p = text; p < text + len; p += strlen(p) + 1)
        if (strncmp(p, option, sizeof(option) - 1) == 0)
            return strcmp(p + sizeof(option) - 1, rundir) == 0;
    return false;
}

/* One look at all processes: those found, which are killed. */
static unsigned scan(const char *instance, const char *rundir)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        struct procid id;
        if (pid <= 1 || pid == getpid() || !procid_get(&id, pid) ||
            (!is_executor(pid, rundir) &&
             !orphans_is_of(pid, "HBATCH_NODE_PATH", instance)))
            continue;
        log_info("process %d of a former life of this instance is killed", (int)pid);
        procid_kill(&id, SIGKILL);
        count++;
    }
    if (proc)
        closedir(proc);
    return count;
}

unsigned former_end(const char *instance, const char *rundir, double seconds)
{
    double until = time_mono() + seconds;
    unsigned left = 0;
    for (int clean = 0; clean < CLEAN_SCANS; poll(NULL, 0, 1)) {
        left = scan(instance, rundir);
        clean = left == 0 ? clean + 1 : 0;
        if (left > 0 && time_mono() > until)
            break;
    }
    return left;
}
