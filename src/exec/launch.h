/* SPDX-License-Identifier: BSD-3-Clause */
/* launch: start one process with vfork: the child borrows our memory until it has exec'ed, so
 * nothing is copied, and an error comes back exactly, through that memory.
 *
 * What the executor arranges once so that the child need not do it each time: descriptor 0 is
 * /dev/null, all signals have their default action, and those that the executor waits for are
 * blocked (and read from a signalfd) rather than caught. */
#ifndef HBATCH_EXEC_LAUNCH_H
#define HBATCH_EXEC_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "src/job/rlimit.h"

enum launch_step {
    LAUNCH_FORK,
    LAUNCH_SESSION,
    LAUNCH_MEMORY,
    LAUNCH_CWD,
    LAUNCH_LIMIT,
    LAUNCH_AFFINITY,
    LAUNCH_FDS,
    LAUNCH_EXEC
};

struct launch {
    const char *path; /* the program; relative to cwd unless it starts with / */
    char **argv;      /* argv[-1] must be there: a script without #! needs the room */
    char **envp;
    const char *cwd;              /* NULL: stay */
    int in, out, err;             /* -1: keep the executor's own */
    int pass;                     /* stays open in the child under its number; -1: none */
    const struct rlimits *limits; /* NULL: none */
    const unsigned long *mask;    /* cpu mask; NULL: keep */
    size_t mask_size;             /* bytes */
    int group;                    /* cgroup.procs of its control group; -1: none */
    bool survives;                /* the executor; else it is killed when that dies */

    /* results */
    int error; /* errno of STEP, 0: the program runs */
    enum launch_step step;
};

/* To be called on a thread that lives as long as the process does: the executor's main one, or a lane's
 * (PR_SET_PDEATHSIG is about the thread).  Returns the process id, or -1 with the results set. */
pid_t launch(struct launch *l);

/* How a launch_step reads in a message: "working directory". */
const char *launch_step_name(enum launch_step step);

#endif
