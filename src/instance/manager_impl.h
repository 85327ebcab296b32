/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_impl: steps of a job's life, for the files that tell it: manager.c, manager_run.c, manager_end.c,
 * manager_requeue.c. */
#ifndef HBATCH_INSTANCE_MANAGER_IMPL_H
#define HBATCH_INSTANCE_MANAGER_IMPL_H

#include "src/instance/leader_impl.h"

enum { MANAGER_RETRY_MAX = 1000 }; /* of the option retry */

/* JOB gets PL, which is taken over, at WHEN; -1 with err set: its tasks cannot be mapped. */
int manager_place(struct leader *ld, struct job *job, struct placement *pl, double when,
                  struct error *err);
/* Node INDEX runs all of its tasks.  TELL: the other ranks, which will not hear in the same moment that it is over. */
void manager_node_ready(struct leader *ld, struct job *job, unsigned index, double when,
                        bool tell);
/* The event release.  R was the job's; NULL: all that it ever had. */
void manager_tell_released(struct leader *ld, struct job *job, const struct rset *r,
                           bool final);
/* What JOB had is its heir's at the moment in which JOB is over, or queued again; the other ranks hear of it by TELL. */
void manager_pass_on(struct leader *ld, struct job *job,
                     void (*tell)(struct leader *, const struct job *));
/* All nodes have ended their tasks, or none has begun: JOB is over, and freed, or queued again. */
void manager_cleanup(struct leader *ld, struct job *job, double when);

/* Whether what is not over at the instance's end is for the next one. */
bool manager_keeps_jobs(const struct leader *ld);
/* The end of the allocation, not a limit of its own, ends a job that the next one may run again. */
bool manager_is_cut_short(const struct leader *ld, const struct job *job,
                          const char *type);
/* Whether it is to be tried again, as its tasks failed by themselves; then there is an event of it. */
bool manager_retry(struct leader *ld, struct job *job, double when);
/* Back to the queue, as if it had never started: what remains of the try is in its log. */
void manager_requeue(struct leader *ld, struct job *job);

#endif
