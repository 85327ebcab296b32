/* SPDX-License-Identifier: BSD-3-Clause */
/* output: where a job's stdout and stderr go: the spool, or files.
 *
 * A file whose path differs for each task, and any file of a job with one task here, is written by
 * the task itself.  A file shared by tasks is written by the executor, in whole lines; it is
 * opened for appending, so that executors of several nodes may share it too (the first node of the
 * job truncates it). */
#ifndef HBATCH_EXEC_OUTPUT_H
#define HBATCH_EXEC_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include "src/common/error.h"

struct job;
struct task;

struct outputs {
    int fd[2]; /* shared files for stdout, stderr; -1: none */
};

/* Open the shared files, if any. */
int outputs_open(struct job *job, struct error *err);
void outputs_close(struct job *job);

/* What task gets as stdout (WHICH 0) or stderr (1): *FD >= 0 to be closed by the caller, a file that
 * the task writes; -1: a pipe is needed; -2: the same as its stdout. */
int output_for_task(struct job *job, const struct task *task, int which, int *fd,
                    struct error *err);

/* Captured data of a task: whole lines, unless unbuffered. */
void output_write(struct job *job, const struct task *task, int which, const char *data,
                  size_t len);

#endif
