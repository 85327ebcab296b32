/* SPDX-License-Identifier: BSD-3-Clause */
/* state: job states, results and flags, RFC 21. */
#ifndef HBATCH_JOB_STATE_H
#define HBATCH_JOB_STATE_H

#include <stdbool.h>

enum job_state { /* RFC 21's bits, so that masks work */
                 JOB_NEW = 1,
                 JOB_DEPEND = 2,
                 JOB_PRIORITY = 4,
                 JOB_SCHED = 8,
                 JOB_RUN = 16,
                 JOB_CLEANUP = 32,
                 JOB_INACTIVE = 64,
};
#define JOB_PENDING (JOB_DEPEND | JOB_PRIORITY | JOB_SCHED)
#define JOB_RUNNING (JOB_RUN | JOB_CLEANUP)
#define JOB_ACTIVE (JOB_PENDING | JOB_RUNNING)

enum job_result { /* RFC 24/21 results of an inactive job */
                  JOB_NO_RESULT = 0,
                  JOB_COMPLETED = 1,
                  JOB_FAILED = 2,
                  JOB_CANCELED = 4,
                  JOB_TIMEOUT = 8,
};

enum job_flags { /* of the submit and set-flags events, a mask */
                 JOB_DEBUG = 1,
                 JOB_WAITABLE = 2,
                 JOB_TIED = 4, /* it ends with its submitter's connection */
                 JOB_BULK = 8, /* not in events: one of many jobs in one (bulk.h) */
};

enum { JOB_ARRAY_MAX = 10000000 }; /* elements of an array */

/* "SCHED" or "S", "COMPLETED" or "CD"; "?" for what has no name. */
const char *job_state_name(enum job_state s, bool single);
const char *job_result_name(enum job_result r, bool single);
/* Name (any case, long or single; also the virtual "pending", "running", "active") to a
 * mask of states, or 0. */
int job_state_decode(const char *name);
/* Result name ("completed", "CD", ...) to a mask, or 0. */
int job_result_decode(const char *name);

/* The exit code to report for wait status: exit code, or 128 + signal; 1 for a job that has no
 * status (-1). */
int job_exit_code(int status);

#endif
