/* SPDX-License-Identifier: BSD-3-Clause */
/* task: one process of a job. */
#ifndef HBATCH_EXEC_TASK_H
#define HBATCH_EXEC_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "src/common/error.h"
#include "src/exec/io.h"

struct exec;
struct job;
struct task;

struct stream { /* a pipe from a task to us */
    struct io_watch w;
    struct task *task;
    char *part; /* the beginning of a line whose end has not come */
    uint32_t part_len, part_size;
};

struct task {
    struct job *job;
    unsigned index, rank;
    pid_t pid; /* 0: not running */
    int status;
    bool group_left; /* ended, but its process group has members */
    struct stream out[2];
};

/* Start it. 0, or -1 with err set: the exit code a shell would give is in err->code's place
 * of *EXIT_CODE (126, 127). */
int task_start(struct task *task, int *exit_code, struct error *err);
void task_signal(const struct task *task, int signum);
/* Reap all children that have ended. */
void task_reap(struct exec *x);

/* Read what the pipes hold now, without waiting. */
void task_drain(struct task *task);
/* Read them as they fill from now on, not IO_LATER_MS later. */
void task_watch_streams(struct task *task);
/* Close the pipes, whoever holds their other ends. */
void task_close_streams(struct task *task);

#endif
