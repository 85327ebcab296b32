/* SPDX-License-Identifier: BSD-3-Clause */
/* lead: how a rank comes to lead the instance, at its start or when the rank that led is lost, and what
 * the leader has the rank do: messages to executors, the state stream, losses, the parent instance. */
#ifndef HBATCH_INSTANCE_LEAD_H
#define HBATCH_INSTANCE_LEAD_H

#include "src/instance/instance.h"

/* How long an executor waits for a new rank: where hbatch start sees to it that there will be one,
 * and where nobody does. */
#define ORPHAN_S 20.0
#define ORPHAN_ALONE_S 0.5
/* From SIGTERM to SIGKILL for the jobs of a sub-instance whose parent, or the program that it is for, is gone. */
#define ALONE_GRACE_S 2.0
/* What it takes an executor to end its tasks, and one to kill all that a task has left. */
#define EXEC_END_S 6.0
#define SUB_LOST_S 1.0

/* Tables, from the store where the instance was started again, or has a former life. */
int lead_tables(struct instance *in, struct error *err);
/* Collective, for an instance of several ranks: tables, from the store where it was started again, and
 * members. */
int lead_join(struct instance *in, struct error *err);
/* A rank that joins: tables, from the copy of the leader's store, and members, as DESCRIBED. */
int lead_joined(struct instance *in, json_object *described, struct error *err);
/* The leader, until now alone, is to have company: load MPI, with PMIX, variables for its environment,
 * or NULL. */
int lead_connect(struct instance *in, json_object *pmix, struct error *err);
/* This rank leads, from the tables that it has, or from none. */
int lead_start(struct instance *in, struct error *err);
/* Leader of a sub-instance: be in touch with the parent. */
void lead_tell_parent(struct instance *in);
/* Leader of an instance that a program spawned: serve that. */
void lead_serve_spawner(struct instance *in);
/* Leader of an instance that was started again: who is not here, and who is and has not told what it has. */
void lead_await_ranks(struct instance *in);
/* Leader: the instance was told to end by SIGNUM. */
void lead_end(struct instance *in, int signum, bool in_a_hurry);
/* The signals that are warnings, from the parent's time limit or a user; ends with 0. */
extern const int lead_warnings[];
bool lead_is_warning(int signum);
/* The router's callback. */
void lead_usage(void *arg, const struct usage *u);

#endif
