/* SPDX-License-Identifier: BSD-3-Clause */
/* procid: one process, told from a later one that got its number: for processes that are not our
 * children, of which the number alone is no proof. */
#ifndef HBATCH_COMMON_PROCID_H
#define HBATCH_COMMON_PROCID_H

#include <stdbool.h>
#include <sys/types.h>

struct procid {
    pid_t pid;                /* 0: none */
    unsigned long long start; /* when it began, clock ticks since boot */
};

/* The process that has number PID now; false: there is none (a zombie is none). */
bool procid_get(struct procid *p, pid_t pid);
/* Is it still there, and not a zombie? */
bool procid_alive(const struct procid *p);
/* Send it SIGNUM; a later process with its number is never hit. */
void procid_kill(const struct procid *p, int signum);

#endif
