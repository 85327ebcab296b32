/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/rundir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/path.h"
#include "src/common/util.h"

#define LISTENS 0x10000ul /* __SO_ACCEPTCON */

static bool is_in(const char *path, const struct stat *dir)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    cleanup_free char *parent =
        slash ? xstrndup(path, MAX((size_t)(slash - path), (size_t)1)) : NULL;
    return parent && stat(parent, &st) == 0 && st.st_dev == dir->st_dev &&
           st.st_ino == dir->st_ino;
}

/* Is there a listening socket SOCKET, or (NULL) any in directory RUNDIR?  Told by the kernel's list: to
 * connect would do harm, an executor gives up the rank it has for whoever comes. */
static bool somebody_listens(const char *rundir, const char *socket)
{
    struct stat dir;
    char *rest;
    cleanup_free char *list = read_file("/proc/net/unix", NULL);
    if (!list)
        return true; /* nobody knows */
    if (stat(rundir, &dir) < 0)
        return false;
    for (char *line = strtok_r(list, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        unsigned long flags;
        int at = 0;
        if (sscanf(line, "%*s %*s %*s %lx %*s %*s %*s %n", &flags, &at) < 1 || at == 0 ||
            !(flags & LISTENS) || line[at] != '/')
            continue;
        if (socket ? strcmp(line + at, socket) == 0 : is_in(line + at, &dir))
            return true;
    }
    return false;
}

/* Ranks of virtual nodes share the directory.  Each executor has closed its own socket before it looks
 * for others: of two that leave at the same time at least the later one finds nobody. */
void rundir_leave(const char *rundir, unsigned rank, const char *socket, bool all)
{
    if (socket && somebody_listens(rundir, socket))
        return;
    cleanup_free char *spool = xasprintf("%s/output-%u.spool", rundir, rank);
    unlink(spool);
    if (socket)
        unlink(socket);
    if (all && !somebody_listens(rundir, NULL))
        path_remove_tree(rundir);
}
