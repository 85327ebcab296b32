/* SPDX-License-Identifier: BSD-3-Clause */
/* statedir: a directory that outlives the instance: the next one that is started with it goes on where
 * this one stopped, whatever stopped it and wherever the next one is.
 *
 *   DIR/lock              who has it: "HOST PID START RANK INSTANCE RUNDIR"; empty after an
 *                         orderly end
 *   DIR/store.sqlite      the leader's store (store.h); the other ranks' copies are in their run directories
 *   DIR/output-LIFE-RANK.spool  captured output (spool.h)
 *
 * From one start to the end of the last rank is a *life*; they are counted from 1, and all are one
 * instance: its id, the ids of jobs, and its history go through.  A start of ranks by hbatch start within
 * one allocation (--recover) is the same life.
 *
 * The lock is a lock of the kernel on DIR/lock, which ends with its process, on network file systems
 * with its host as far as the server knows.  What is written there is for people, and for a leader that
 * succeeds another one. */
#ifndef HBATCH_INSTANCE_STATEDIR_H
#define HBATCH_INSTANCE_STATEDIR_H

#include <stdbool.h>
#include "src/common/error.h"
#include "src/store/store.h"

struct statedir;

struct statedir_options {
    const char *dir;
    enum store_sync sync;
    bool salvage; /* make a new store of what can be read of a damaged one */
    bool steal;   /* the lock is that of a dead host: take it */
};

/* Take the directory, which is made if it is not there.  Refused where another instance has it, and where
 * its file system has no locks. */
struct statedir *statedir_take(const struct statedir_options *o, struct error *err);
/* Write who has it.  RUNDIR is that of the life's first leader, and tells this life from others. */
void statedir_sign(struct statedir *sd, const char *instance, unsigned rank,
                   const char *rundir);
/* The rank that had the directory DIR last, in the life of RUNDIR; -1: there is none. */
int statedir_last_rank(const char *dir, const char *rundir);
/* Whether the one before left in order: what it ran has ended, then. */
bool statedir_was_left(const struct statedir *sd);
/* When the one before was seen alive for the last time; 0: never. */
double statedir_last_seen(const struct statedir *sd);
/* Open its store, or make it. */
struct store *statedir_open_store(struct statedir *sd, struct error *err);
/* Make *STORE, which is elsewhere, its store: it is copied there and opened anew.  What was there goes.
 * With an error, *STORE is what it was. */
int statedir_bring_store(struct statedir *sd, struct store **store, struct error *err);
/* Where the output of RANK in life LIFE is captured; new. */
char *statedir_spool(const char *dir, unsigned life, unsigned rank);
/* Another rank of this life takes it, or has: free. */
void statedir_drop(struct statedir *sd);
/* Let go of it, in order, and free. Takes NULL. */
void statedir_leave(struct statedir *sd);

#endif
