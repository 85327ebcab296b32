/* SPDX-License-Identifier: BSD-3-Clause */
/* change: the leader's decisions as lines of the state stream, which every other rank applies
 * to its own copy of the tables (replica.h).  PROTOCOL, section 4, tells the lines.  An
 * instance of one rank has nobody to tell: each call returns at once. */
#ifndef HBATCH_INSTANCE_CHANGE_H
#define HBATCH_INSTANCE_CHANGE_H

#include "src/instance/element.h"

struct leader;

/* No job uses T any more, and it is about to be forgotten. */
void change_text_dropped(struct leader *ld, const struct text *t);
void change_submitted(struct leader *ld, const struct submission *sub, double when,
                      int urgency);
/* What is told between these two is in one epoch: a successor knows all of it or nothing.  Nothing that the gate is
 * asked for may come between them. */
void change_hold(struct leader *ld);
void change_let_go(struct leader *ld);
/* The jobs that the lease of RANK got last; these, IDS or one, are in it no more, without having begun. */
void change_lease(struct leader *ld, unsigned rank);
void change_unlease(struct leader *ld, unsigned rank, json_object *ids);
void change_unlease_one(struct leader *ld, unsigned rank, jobid_t id);
void change_placed(struct leader *ld, const struct job *job);
void change_started(struct leader *ld, const struct job *job);
/* The configuration and the states of queues; in this rank's store, too. */
void change_config(struct leader *ld);
void change_attrs(struct leader *ld);
/* What was used, accounts_to_json's; as above. */
void change_account(struct leader *ld, json_object *o);
/* What the job waits for, or that it waits no more. */
void change_depends(struct leader *ld, const struct job *job);
void change_excepted(struct leader *ld, const struct job *job);
void change_memo(struct leader *ld, const struct job *job, json_object *memo);
void change_urgency(struct leader *ld, const struct job *job);
/* Elements of RUN that wait are over; have the urgency of REST. */
void change_elements_ended(struct leader *ld, const struct submission *sub,
                           struct array_run run, const struct element_end *end);
void change_elements_urgency(struct leader *ld, const struct submission *sub,
                             struct array_run run, const struct job *rest);
/* LINE as it is. */
void change_archive(struct leader *ld, json_object *line);
/* RANGES: [[FIRST,LAST,1?],...] were purged; SWEEP: and the texts that nobody needs. */
void change_purged(struct leader *ld, json_object *ranges, bool sweep);
/* JOB's duration, or end, is another one; SPEC: its jobspec, too. */
void change_update(struct leader *ld, const struct job *job, bool spec);
void change_requeued(struct leader *ld, const struct job *job);
void change_ended(struct leader *ld, const struct job *job);
/* The same, and HEIR runs where JOB did. */
void change_followed(struct leader *ld, const struct job *job, const struct job *heir);
/* Node INDEX of a job of several is done, others are not. */
void change_node_done(struct leader *ld, const struct job *job, unsigned index,
                      int status, json_object *report);
/* R is no longer the job's. */
void change_released(struct leader *ld, const struct job *job, const struct rset *r);
/* LINE (RFC 18, with its newline) was added to the job's log; all of the log was. */
void change_event(struct leader *ld, const struct job *job, const char *line);
void change_log(struct leader *ld, const struct job *job);
void change_node(struct leader *ld, unsigned rank);
/* The same of one that was drained, or is not any more, because of WHY (or NULL). */
void change_drained(struct leader *ld, unsigned rank, const char *why);
/* RANK is lost for good, and no node of the instance any more. */
void change_gone(struct leader *ld, unsigned rank);
/* Another executor said hello on RANK. */
void change_exec(struct leader *ld, unsigned rank);
void change_shutdown(struct leader *ld);

#endif
