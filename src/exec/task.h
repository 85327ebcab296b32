/* SPDX-License-Identifier: BSD-3-Clause */
/* task: one process of a job. */
#ifndef HBATCH_EXEC_TASK_H
#define HBATCH_EXEC_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <sys/types.h>
#include "src/common/error.h"
#include "src/exec/env.h"
#include "src/exec/io.h"
#include "src/exec/launch.h"

struct exec;
struct job;
struct task;

struct stream { /* a pipe from a task to us */
    struct io_watch w;
    struct task *task;
    char *part; /* the beginning of a line whose end has not come */
    uint32_t part_len, part_size;
};

/* What the child gets and the parent closes again once it runs. */
struct task_fds {
    int in, out, err, pass;
};

/* All that a task needs to be started, but the process. */
struct ready {
    struct launch l;
    struct envbuf env;
    struct task_fds fds;
    char **argv; /* argv[-1] is there */
    unsigned argc;
    char *path;
    hwloc_bitmap_t pus; /* what it is to be bound to; NULL: nothing */
};

struct task {
    struct job *job;
    unsigned index, rank;
    pid_t pid;    /* 0: not running */
    bool in_lane; /* started by a lane's thread */
    int status;
    bool group_left; /* ended, but its process group has members */
    struct stream out[2];
};

/* Start it. 0, or -1 with err set: the exit code a shell would give is in err->code's place
 * of *EXIT_CODE (126, 127). */
int task_start(struct task *task, int *exit_code, struct error *err);
/* What it is to be bound to, new; NULL: nothing. */
hwloc_bitmap_t task_mask(const struct task *task);
/* Make it ready, for another thread; false: it cannot be, or not now.  R is to be cleared in any case. */
bool task_make_ready(struct task *task, struct ready *r);
/* R was started, as process PID. */
void task_started(struct task *task, struct ready *r, pid_t pid);
/* It was not, for what R->l tells: as task_start, which is tried once more if the program may have moved. */
int task_start_failed(struct task *task, struct ready *r, int *exit_code,
                      struct error *err);
/* Close what the task has now: the next process of any thread would have copies until its program runs. */
void ready_close(struct ready *r);
void ready_clear(struct ready *r);
void task_signal(struct task *task, int signum);
/* Reap all children that have ended. */
void task_reap(struct exec *x);

/* Read what the pipes hold now, without waiting. */
void task_drain(struct task *task);
/* Read them as they fill from now on, not IO_LATER_MS later. */
void task_watch_streams(struct task *task);
/* Close the pipes, whoever holds their other ends. */
void task_close_streams(struct task *task);

#endif
