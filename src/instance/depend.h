/* SPDX-License-Identifier: BSD-3-Clause */
/* depend: jobs that wait for other jobs or for a time: RFC 26 dependencies.
 *
 *   after:ID, afterstart:ID   ID has started
 *   afterany:ID               ID is over
 *   afterok:ID                ID is over, with success
 *   afternotok:ID             ID has run, without success
 *   afterexcept:ID            ID has run, and an exception ended it
 *   begin-time:T              it is T, seconds since the epoch
 *   singleton                 all jobs of this name that were submitted before are over (singles.h)
 *
 * Instead of ID there may be a range A-B of elements of one array, but for after: all of them are meant.
 *
 * A job with a dependency that is not met is in state DEPEND.  Each dependency is in one list: of the
 * job that it waits for, or of those that can never be met, or in a heap by time; so what
 * happens to a job costs as much as it has dependents.  A job whose dependency can never be met
 * ends with an exception; it does so from depend_run, not from the end of the other job, or a
 * chain of jobs would be as deep in the stack.  Those that are met are released there as well, a thousand in a turn of
 * the loop, so that the instance does other things beside. */
#ifndef HBATCH_INSTANCE_DEPEND_H
#define HBATCH_INSTANCE_DEPEND_H

#include "src/instance/array.h"
#include "src/instance/job.h"

struct leader;
struct depends; /* what the leader keeps: the heap and the jobs to end */

struct depends *depends_create(void);
void depend_wishes_free(struct depend_wish *wishes, size_t n); /* a submission's */
void depends_destroy(struct depends *ds);                      /* NULL is allowed */

/* Look up what SUB's jobspec depends on, into SUB.  -1 with err set: a scheme that is not known, or a
 * job that does not exist. */
int depend_lookup(struct leader *ld, struct submission *sub, struct error *err);
/* Have JOB wait for what SUB depends on; false: all of it is met. */
bool depend_wait(struct leader *ld, struct job *job);
/* JOB waits for what LIKE waits for; without events of it. */
void depend_inherit(struct leader *ld, const struct job *like, struct job *job);
/* SUB, which has its id, is about to be queued; it had the name OLD. */
void depend_submitted(struct leader *ld, const struct submission *sub);
void depend_renamed(struct leader *ld, const struct submission *sub, const char *old);
/* JOB started; is over: what depends on it goes on. */
void depend_started(struct leader *ld, struct job *job);
void depend_over(struct leader *ld, struct job *job);
/* The elements of SUB in RUN, which never ran, are over, with RESULT. */
void depend_elements_over(struct leader *ld, struct submission *sub, struct array_run run,
                          enum job_result result);
/* All elements of SUB are over. */
void depend_array_over(struct leader *ld, struct submission *sub);
/* JOB waits no more: it is about to be over itself. */
void depend_forget(struct leader *ld, struct job *job);
/* Release what waited for a time up to NOW, end what can never be met. */
void depend_run(struct leader *ld, double now);
/* The next time that a job waits for, 0: none. */
double depend_next(const struct leader *ld);

#endif
