/* SPDX-License-Identifier: BSD-3-Clause */
/* state: job states and events, RFC 21: a job's state is what replaying its events gives.
 * Pure: this file knows no clock; times come in with the events.
 *
 * Event log entries are RFC 18: {"timestamp":F,"name":S,"context":{...}?}.
 *
 * Two things go beyond the RFC's state diagram:
 * - A job is validated before its first event is logged, so submit leads from NEW to DEPEND by
 *   itself; a validate that follows it is accepted and changes nothing.
 * - The event "restart" is flux-restart by another name.
 * As in the diagram, urgency, jobspec-update and flux-restart take a job back from SCHED to
 * PRIORITY: a priority event must follow before alloc. */
#ifndef HBATCH_JOB_STATE_H
#define HBATCH_JOB_STATE_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"

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

/* What replaying a job's events gives. */
struct job_replay {
    enum job_state state;
    double t_submit; /* each: when that state was entered; 0: not yet */
    double t_depend, t_run, t_cleanup, t_inactive;
    bool started;  /* start was logged */
    int urgency;   /* 0..31 */
    long priority; /* -1: not yet */
    unsigned userid;
    unsigned flags;
    bool have_resources; /* between alloc and free */
    bool exception;      /* an exception of severity 0 happened */
    bool interrupted;    /* and it came before finish: it decides the result */
    /* the first of the most severe exceptions; texts too long for this are cut */
    char exception_type[32];
    char exception_note[256];
    int exception_severity; /* -1: there was none */
    int status;             /* wait status from finish, -1 before */
    int ndependencies;      /* not yet released */
};

void job_replay_init(struct job_replay *jr);
/* Apply one event (an RFC 18 object). Events that are not known are ignored, as RFC 21 says;
 * one that its state forbids, or one without what it must carry, gives -1 with err set and
 * changes nothing. */
int job_replay_event(struct job_replay *jr, json_object *event, struct error *err);
/* JOB_NO_RESULT before INACTIVE; then by the type of the exception that interrupted the job
 * ("cancel"; "timeout" or "timelimit"; others are failures), else by its status. */
enum job_result job_replay_result(const struct job_replay *jr);
/* The exit code to report for wait status: exit code, or 128 + signal; 1 for a job that has no
 * status (-1). */
int job_exit_code(int status);

#endif
