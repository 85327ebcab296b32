/* SPDX-License-Identifier: BSD-3-Clause */
/* lease: jobs that wait here for what running ones have.  The leader gives the executor a list of jobs of
 * one *class*, which ask for the same; where a job of that class ends (its start said so), the first of the
 * list takes over its cores at once, without a word from the leader.  The finish event tells which one
 * it was, may be told a little later (conn.h), and so many ends go in one message.  The start of such a job
 * is told when it still runs by then.
 *
 * What has not begun goes back to the leader when it asks for that, or when nothing runs here any more that it
 * could follow.  It is forgotten when a rank attaches, or another leader comes: then the hello tells what
 * has begun, and the rest was never here. */
#ifndef HBATCH_EXEC_LEASE_H
#define HBATCH_EXEC_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

struct exec;
struct job;
struct leased;

struct leased {
    struct leased *next;
    uint64_t id, seq;  /* seq: in the order of the list */
    json_object *hash; /* of its specification */
    char cc[16];       /* its index in an array, or "" */
    bool prompt;       /* its end is told at once: somebody waits for it */
    double duration;   /* its time limit, 0: it has the end of the one before it */
    double end;        /* what that must not go beyond, 0: nothing */
    struct job *prev;  /* whose place it takes */
};

struct lease {                   /* zeroed at first */
    struct leased *first, **end; /* in order */
    struct leased *pending; /* that start as soon as the one before them is done with */
    uint64_t seq;
    unsigned n, low; /* at so many the leader is told at once, for more */
    int64_t class;
    double duration, latest; /* of jobs that are added */
    bool running;            /* in lease_hand_over */
};

/* Messages "lease" and "recall". */
void lease_message(struct exec *x, json_object *msg);
void lease_recall(struct exec *x);
void lease_drop(struct exec *x);

/* JOB is over: who takes its place, taken from the list, or NULL. */
struct leased *lease_next(const struct job *job);
/* The first of the list, if that is of CLASS, or NULL; it is put back there, or freed. */
struct leased *lease_take(struct exec *x, int64_t class);
void lease_put_back(struct exec *x, struct leased *l);
void lease_free(struct leased *l); /* NULL is allowed */
/* Start it; PREV is freed at the end of the turn. */
void lease_hand_over(struct job *prev, struct leased *next);
/* Tell of the jobs that began here and run; WAIT: for those that are just being started, too. */
void lease_tell(struct exec *x, bool wait);

#endif
