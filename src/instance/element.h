/* SPDX-License-Identifier: BSD-3-Clause */
/* element: the elements of an array as jobs, in any table: the leader's or a replica's.
 *
 * Those of the array's rest have no job.  What they have in common (state, urgency, what they wait for, log, their
 * place in the scheduler's queue, sj.count of them) is in a struct job that is in no table, and is none: a *rest*
 * (job->rest), one for each urgency that elements have; the array's groups are urgencies.  An element that starts,
 * or becomes different in another way than by its urgency, gets a job of its own, which begins as a copy. */
#ifndef HBATCH_INSTANCE_ELEMENT_H
#define HBATCH_INSTANCE_ELEMENT_H

#include "src/instance/array.h"
#include "src/instance/job.h"

/* How elements end that never had a job: by an exception of severity 0. */
struct element_end {
    double when, t_depend;
    const char *type, *note;
};

/* Make SUB the array of the index set CC; count and left are set.  A set of one element is no array: *INDEX is its
 * index then, else -1.  -1 with err set: CC is no such set. */
int element_array(struct submission *sub, const char *cc, int urgency, int64_t *index,
                  struct error *err);
/* The rest of SUB's elements that have URGENCY; NULL: there never was one. */
struct job *element_rest(const struct submission *sub, int urgency);
/* The same, made if there is none: as LIKE (which may be NULL), submitted at WHEN. */
struct job *element_rest_make(struct submission *sub, int urgency, const struct job *like,
                              double when);
/* The rest that the element at POSITION is in, or NULL. */
struct job *element_rest_at(const struct submission *sub, uint64_t position);
/* Any that has elements, or else any. */
struct job *element_rest_any(const struct submission *sub);
/* The element at POSITION, which was taken from REST, gets a job, which is added to T. */
struct job *element_create(struct jobtable *t, const struct job *rest, uint64_t position);
/* The job with ID, which is made if it is an element of a rest; NULL: there is none. */
struct job *element_find(struct jobtable *t, jobid_t id);
/* The element at POSITION, as a job to look at while REST is as it is. */
struct job element_view(const struct job *rest, uint64_t position);
enum job_result element_result(const struct element_end *end);
/* The position of JOB in its array. */
uint64_t element_position(const struct job *job);
/* The elements of SUB with FIRST <= id <= LAST. */
struct array_run element_between(const struct submission *sub, jobid_t first,
                                 jobid_t last);

#endif
