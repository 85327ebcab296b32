/* SPDX-License-Identifier: BSD-3-Clause */
/* lane: a place where short jobs of a lease follow each other (lease.h), with a thread of its own that starts them.
 *
 * While one runs there, the executor makes the next one *ready*: all that it needs is worked out and opened, but its
 * process.  The thread, which is bound to the cores of the place, waits in the kernel for the end of the one, and starts
 * the other at once, on the core that has become free: so no core waits for the executor's loop, which runs on another one,
 * and one place does not wait while a program is loaded in another.  All that is decided is decided by the loop; what the
 * thread has begun is *adopted* by it when the end of the job before is worked off.
 *
 * A job that is ready and has not begun can be taken back.  Jobs whose output goes to files, that read stdin, are of
 * several tasks or programs, want PMI, or are bound otherwise, are started by the loop, as all others are. */
#ifndef HBATCH_EXEC_LANE_H
#define HBATCH_EXEC_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct exec;
struct job;
struct lane;
struct lanes;
struct task;

#define LANE_SHORT 0.1 /* s; after a job that took no longer, its place gets a lane */
#define LANE_PATIENCE                                                                    \
    0.02 /* s; who is ready for longer begins where a place is free first */

struct lanes *lanes_create(struct exec *x);
void lanes_destroy(struct lanes *l); /* NULL is allowed */

/* JOB, which runs, was started by the loop where PREV ended, and goes on in its lane; a new one if it had none. */
void lane_follow(struct job *prev, struct job *job);
/* Make the next one of the lease ready for each lane that has none. */
void lane_prepare_all(struct exec *x);
/* The job that has begun, or will at once, where JOB is over; NULL: none is ready there. */
struct job *lane_heir(struct job *job);
/* It has its place now: it counts as one that runs.  PREV has not ended as far as the loop knows: then its end waits for
 * that of PREV. */
void lane_adopt(struct job *prev);
/* JOB is over, and nobody follows in its lane. */
void lane_leave(struct job *job);
/* Take back the first job of the lease that is ready, has not begun, and was made ready SECONDS ago or earlier; false:
 * there is none. */
bool lane_take_back(struct exec *x, double seconds);
/* The same of all of them; those that have begun are adopted. */
void lane_take_back_all(struct exec *x);

/* A child PID has ended that is in no table: the task that it is, if it was started in a lane. */
struct task *lane_task(struct exec *x, pid_t pid);
/* Wait until TASK, of a job that was adopted, has been started, if it was not yet. */
void lane_settle(struct task *task);
/* The same, waiting only with WAIT; false: it has not been, or could not be, which is told soon. */
bool lane_try_settle(struct job *job, bool wait);
/* Wait for those that are being started, which have copies of our descriptors until their programs run. */
void lane_await_starts(struct exec *x);
/* So many tasks that run are children of lanes' threads. */
unsigned lane_count_tasks(const struct exec *x);
/* JOB is freed. */
void lane_forget(struct job *job);

#endif
