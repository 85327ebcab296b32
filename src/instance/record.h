/* SPDX-License-Identifier: BSD-3-Clause */
/* record: what the store is told of jobs, made from the job table's entries: by the leader, and by
 * the other ranks that keep a store of their own. */
#ifndef HBATCH_INSTANCE_RECORD_H
#define HBATCH_INSTANCE_RECORD_H

#include "src/instance/element.h"
#include "src/store/store.h"

void record_submission(struct store *store, const struct submission *sub, double when,
                       int urgency);
/* JOB has got its resources, or some of its nodes are done. */
void record_run(struct store *store, struct job *job);
/* The same, before the next commit: a short job may be over by then, and is written once. */
void record_run_later(struct run_jobs *jobs, struct job *job);
void record_runs(struct store *store, struct run_jobs *jobs); /* that is now */
/* JOB is over (and sub->left counts it no more). */
void record_end(struct store *store, struct job *job);

/* The elements of SUB in RUN are over (and sub->left counts them no more). */
void record_elements_end(struct store *store, const struct submission *sub,
                         struct array_run run, const struct element_end *end);

/* LINE of the state stream tells what state a node is in. */
void record_node(struct store *store, unsigned rank, const char *line);
/* LINE of the state stream tells which executor a node has. */
/* The jobs that wait in the lease of RANK, and [ID, ...], new, of them as it was last written; or NULL. */
void record_lease(struct store *store, unsigned rank, const struct ahead_jobs *jobs);
json_object *record_lease_last(struct store *store, unsigned rank);
void record_exec(struct store *store, unsigned rank, const char *line);
/* The last ones, new; NULL: none. */
char *record_node_last(struct store *store, unsigned rank);
char *record_exec_last(struct store *store, unsigned rank);

/* How far the store is: the newest one counts when ranks are started again. */
void record_state(struct store *store, unsigned generation, uint64_t epoch);
/* 0, 0: none was recorded. */
void record_state_last(struct store *store, unsigned *generation, uint64_t *epoch);

/* Another life of the instance begins, at WHEN.  In which one, counted from 1, something was at WHEN. */
void record_life(struct store *store, double when);
unsigned record_life_at(struct store *store, double when);

#endif
