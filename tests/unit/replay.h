/* SPDX-License-Identifier: BSD-3-Clause */
/* replay: RFC 21 to the letter: a job's state is what replaying its events gives.  Logs that hbatch writes are held
 * against it.
 *
 * Event log entries are RFC 18: {"timestamp":F,"name":S,"context":{...}?}.
 *
 * Two things go beyond the RFC's state diagram:
 * - A job is validated before its first event is logged, so submit leads from NEW to DEPEND by
 *   itself; a validate that follows it is accepted and changes nothing.
 * - The event "restart" is flux-restart by another name.
 * As in the diagram, urgency, jobspec-update and flux-restart take a job back from SCHED to
 * PRIORITY: a priority event must follow before alloc. */
#ifndef HBATCH_TESTS_REPLAY_H
#define HBATCH_TESTS_REPLAY_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/job/state.h"

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
#endif
