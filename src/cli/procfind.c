/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/procfind.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

/* The last component of the program's path, or "". */
static void program_name(pid_t pid, char *name, size_t size)
{
    char path[64], exe[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(exe, '/');
    snprintf(name, size, "%.*s", (int)size - 1, slash ? slash + 1 : exe);
    name[strcspn(name, " ")] = '\0'; /* " (deleted)" */
    if (strncmp(name, "lt-", 3) == 0)
        memmove(name, name + 3, strlen(name + 3) + 1);
}

/* The value of variable NAME in the environment of PID, new; NULL with errno 0: not there. */
static char *variable(pid_t pid, const char *name)
{
    char path[64];
    size_t len, n = strlen(name);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    errno = 0;
    cleanup_free char *text = read_file(path, &len);
    if (!text)
        return NULL;
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        if (strncmp(text + at, name, n) == 0 && text[at + n] == '=')
            return xstrdup(text + at + n + 1);
    }
    errno = 0;
    return NULL;
}

/* --- ranks and executors: by the socket at which they listen ------------------------------------ */

/* Whether PID has a descriptor of the socket INODE. */
static bool has_socket(pid_t pid, const char *inode)
{
    char path[64], link[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    cleanup_free char *wanted = xasprintf("socket:[%s]", inode);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
        link[n > 0 ? n : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (dir)
        closedir(dir);
    return found;
}

/* RUNDIR/sock-RANK for what may also be RUNDIR/exec-RANK.sock; NULL: neither. */
static char *socket_of_rank(const char *path)
{
    const char *name = strrchr(path, '/');
    unsigned rank;
    int end = -1;
    if (!name)
        return NULL;
    if (sscanf(name, "/sock-%u%n", &rank, &end) != 1 || end < 0 || name[end]) {
        end = -1;
        if (sscanf(name, "/exec-%u.sock%n", &rank, &end) != 1 || end < 0 || name[end])
            return NULL;
    }
    return xasprintf("%.*s/sock-%u", (int)(name - path), path, rank);
}

/* /proc/PID/net/unix: "Num: RefCount Protocol Flags Type St Inode Path"; bit 16 of the flags: listens. */
static char *served(pid_t pid)
{
    char path[64], *save = NULL;
    snprintf(path, sizeof(path), "/proc/%d/net/unix", (int)pid);
    cleanup_free char *text = read_file(path, NULL);
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned long flags;
        char inode[32];
        int at = -1;
        if (sscanf(line, "%*s %*s %*s %lx %*s %*s %31s %n", &flags, inode, &at) != 2 ||
            at < 0 || !(flags & 0x10000))
            continue;
        cleanup_free char *sock = socket_of_rank(line + at);
        if (sock && has_socket(pid, inode))
            return xasprintf("local://%s", sock);
    }
    return NULL;
}

/* --- any process ------------------------------------------------------------------------------- */

char *procfind_uri(pid_t pid, struct error *err)
{
    char name[NAME_MAX], dir[64];
    snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
    if (pid <= 0 || access(dir, F_OK) < 0)
        return error_null(err, ESRCH, "there is no process %d on this host", (int)pid);
    program_name(pid, name, sizeof(name));
    if (strcmp(name, "hbatch-instance") == 0 || strcmp(name, "hbatch-exec") == 0) {
        char *uri = served(pid);
        return uri ? uri
                   : error_null(err, ENOENT, "process %d is a %s that serves nobody yet",
                                (int)pid, name);
    }
    char *uri = variable(pid, "HBATCH_URI");
    if (uri)
        return uri;
    if (errno == EACCES || errno == EPERM)
        return error_null(err, EACCES, "process %d is another user's", (int)pid);
    return error_null(err, ENOENT,
                      "process %d%s%s%s is in no instance: HBATCH_URI is not in its "
                      "environment",
                      (int)pid, *name ? " (" : "", name, *name ? ")" : "");
}

char *procfind_slurm(const char *jobid, struct error *err)
{
    char *uri = NULL, name[NAME_MAX];
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir && !uri && (e = readdir(dir));) {
        pid_t pid = isdigit((unsigned char)*e->d_name) ? atoi(e->d_name) : 0;
        if (pid <= 0)
            continue;
        program_name(pid, name, sizeof(name));
        if (strcmp(name, "hbatch-instance") != 0)
            continue;
        cleanup_free char *job = variable(pid, "SLURM_JOB_ID");
        cleanup_free char *outer = variable(pid, "HBATCH_URI");
        if (job && !outer && strcmp(job, jobid) == 0) /* not one inside of it */
            uri = served(pid);
    }
    if (dir)
        closedir(dir);
    return uri ? uri
               : error_null(err, ENOENT, "there is no instance of Slurm job %s here",
                            jobid);
}
