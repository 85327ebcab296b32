/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/procid.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "src/common/util.h"

enum { FIELD_STATE = 3, FIELD_START = 22 }; /* of /proc/PID/stat, proc(5) */

bool procid_get(struct procid *p, pid_t pid)
{
    char path[64];
    *p = (struct procid){0};
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    cleanup_free char *text = pid > 0 ? read_file(path, NULL) : NULL;
    /* the second field is the program's name, which may hold anything */
    char *s = text ? strrchr(text, ')') : NULL;
    if (!s || s[1] != ' ' || s[2] == 'Z' || s[2] == 'X')
        return false;
    s += 2;
    for (int field = FIELD_STATE; field < FIELD_START; field++) {
        s = strchr(s, ' ');
        if (!s)
            return false;
        s++;
    }
    *p = (struct procid){pid, strtoull(s, NULL, 10)};
    return true;
}

bool procid_alive(const struct procid *p)
{
    struct procid now;
    return procid_get(&now, p->pid) && now.start == p->start;
}

void procid_kill(const struct procid *p, int signum)
{
    /* The descriptor stays with the process that it was opened for, also when the number is given
     * to another one between the look and the signal. */
    cleanup_close int fd = -1;
    if (p->pid <= 0)
        return;
#ifdef SYS_pidfd_open
    fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
#endif
    if (!procid_alive(p))
        return;
#ifdef SYS_pidfd_send_signal
    if (fd >= 0) {
        syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0);
        return;
    }
#endif
    kill(p->pid, signum);
}
