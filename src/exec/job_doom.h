/* SPDX-License-Identifier: BSD-3-Clause */
/* job_doom: what the end of one task means for the others: the options exit-timeout and
 * exit-on-error.
 *
 * exit-timeout, when asked for, runs from the first task's exit on; its default (30 s) is for
 * jobs with PMI or PMIx, and runs from the first task that failed: a task that waits for a dead one would
 * wait forever. */
#ifndef HBATCH_EXEC_JOB_DOOM_H
#define HBATCH_EXEC_JOB_DOOM_H

#include <stddef.h>

struct exec;
struct job;
struct task;

/* "exited with exit code 3", "was killed by signal 11 (Segmentation fault), core dumped". */
void doom_describe(int status, char *buf, size_t size);
/* A task ended: start the timer where that is due. */
void doom_task_ended(struct job *job, const struct task *task, int status);
/* The job ends on this node while the timer runs: its tasks on other nodes still need it. */
void doom_outlive(struct job *job);
void doom_free_all(struct exec *x);

#endif
