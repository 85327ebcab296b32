/* SPDX-License-Identifier: BSD-3-Clause */
/* joblog: the event logs of jobs, of which memory has only what the store may not have yet.
 *
 * The log of a job, and of an element that something happened to, is in the store (job_is_logged): with each commit
 * memory is given back, so a job that waits or runs has none, however long.  The log of another element is made up
 * from its times when somebody wants to know it (job_log). */
#ifndef HBATCH_INSTANCE_JOBLOG_H
#define HBATCH_INSTANCE_JOBLOG_H

#include "src/instance/job.h"
#include "src/store/store.h"

/* Jobs that have lines in memory which the store was told. */
struct joblog {
    jobid_t *ids;
    size_t n, size;
};

/* Whether the events of JOB are in the store. */
static inline bool job_is_logged(const struct job *job)
{
    return job->sub->count == 1 || job->logged;
}

void joblog_clear(struct joblog *l);
/* JOB, which is logged, has another line; it is in job->log, and the store is told. */
void joblog_add(struct joblog *l, struct job *job, struct store *store, const char *line);
/* The store has had all that it was told: the lines of T's jobs go. */
void joblog_flushed(struct joblog *l, struct jobtable *t);
/* All of JOB's log, a new text. */
char *joblog_get(struct store *store, struct job *job);
/* How often TEXT is in it, as far as it was written. */
unsigned joblog_count(struct store *store, struct job *job, const char *text);

#endif
