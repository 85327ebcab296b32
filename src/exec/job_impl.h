/* SPDX-License-Identifier: BSD-3-Clause */
/* job_impl: steps of a job's beginning and end, for job.c, job_start.c, job_next.c and job_end.c. */
#ifndef HBATCH_EXEC_JOB_IMPL_H
#define HBATCH_EXEC_JOB_IMPL_H

#include "src/exec/job.h"

struct job *job_create(struct exec *x, uint64_t id, int64_t run, json_object *start);
/* Which tasks are this node's: O is the start message's entry. */
int job_get_tasks(struct job *job, json_object *o, struct error *err);
/* Its own words, where many jobs are in one. */
int job_take_row(struct job *job, struct error *err);
/* What it needs of the machine before its tasks can start. */
int job_prepare(struct job *job, struct error *err);
/* Of its time limit; stop: all that it has. */
void job_set_timers(struct job *job);
void job_stop_timers(struct job *job);
void job_start_tasks(struct job *job);
/* It is over before it began; it is freed at the end of the turn. */
void job_not_started(struct job *job, const char *why);
/* It is over if nothing of it is left. */
void job_check_finished(struct job *job);
void job_free(struct job *job);

#endif
