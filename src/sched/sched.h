/* SPDX-License-Identifier: BSD-3-Clause */
/* sched: the queue of pending jobs and the policy that picks from it.  Pure: no I/O, no clock
 * of its own (times come in as arguments), no sockets: the same code runs live, in unit tests
 * and in simulation.
 *
 * A *sched* has a pool and a queue. The owner adds jobs as they become ready (state SCHED),
 * removes them when they are canceled, tells when running jobs end, and calls sched_run,
 * which asks the policy for placements until it has none.
 *
 * What a policy sees and returns: struct sched_policy below.  In its pass it sees the queue
 * in order (priority, then id) through sched_first and sched_next, the pool, and the time; it
 * takes resources with pool_alloc and hands each placement to sched_start.  Held jobs it does not
 * see.  For a policy that plans ahead the scheduler keeps a book of what runs until when (book.h),
 * and the queue by what jobs ask for (kinds.h).  Private state goes into *sched_priv.  It never
 * blocks and never looks at wall clock. */
#ifndef HBATCH_SCHED_SCHED_H
#define HBATCH_SCHED_SCHED_H

#include <stdint.h>
#include "src/sched/pool.h"
#include "src/sched/tree.h"

struct sched;
struct book;
struct sched_kind;
struct kinds;

/* A job as the scheduler knows it. The owner allocates it inside its own job (container_of),
 * fills the first part, and keeps it alive from sched_add to sched_remove or, once started,
 * to sched_end. Arrays: one sched_job may stand for COUNT identical elements; each start
 * takes one of them, and the entry leaves the queue when none is left. */
struct sched_job {
    /* set by the owner */
    uint64_t id;       /* ties in priority go to the smaller id */
    uint64_t priority; /* greater first; 0: held, never started */
    struct pool_request req;
    double duration; /* seconds, 0: unlimited */
    uint64_t count;  /* elements left to start, >= 1; 1 for a plain job */
    unsigned lane;   /* sched_set_lane; does not change while it is queued */
    /* set by the scheduler; zero before sched_add */
    struct tree_node in_queue, in_kind;
    size_t size;     /* of the part of the queue below it */
    double shortest; /* duration in the part of its kind below it */
    struct sched_kind *kind;
    int queued; /* 0: no; or which of the scheduler's queues it is in */
    uint64_t
        ticket; /* which sched_add it was: tells a job from a later one in its place */
};

struct sched_policy {
    const char *name; /* "fcfs" */
    const char *summary;
    bool plans;                    /* it uses sched_book and sched_kinds */
    int (*init)(struct sched *s);  /* may be NULL */
    void (*fini)(struct sched *s); /* may be NULL */
    /* An element of JOB starts, with R, at NOW; what R holds comes back.  May be NULL. */
    void (*started)(struct sched *s, const struct sched_job *job, const struct rset *r,
                    double now);
    void (*ended)(struct sched *s, const struct rset *r);
    /* Start what can start at NOW: for each, pool_alloc and sched_start. */
    void (*pass)(struct sched *s, double now);
    /* sched_estimate; may be NULL. */
    double (*estimate)(struct sched *s, const struct sched_job *job);
};

/* Known policies, ended by NULL; the first, "fcfs", is the default: first come first served in
 * priority order, no overtaking of a job that does not fit. */
extern const struct sched_policy *const sched_policies[];
const struct sched_policy *sched_policy_find(const char *name); /* or NULL */

/* Called from sched_run for every start; takes the placement over. The element's number is
 * counted by the owner (job->count has already been decremented; at 0 the job has left the
 * queue).  It may add, remove and reprioritize jobs and give resources back. */
typedef void (*sched_start_f)(struct sched_job *job, struct placement *pl, void *arg);

/* The pool stays the caller's and must outlive the sched.  NULL: the policy's init failed. */
struct sched *sched_create(struct pool *pool, const struct sched_policy *policy,
                           sched_start_f start, void *arg);
void sched_destroy(struct sched *s); /* NULL is allowed; jobs are not touched */

struct pool *sched_pool(struct sched *s);

/* Queue a job; remove one (nothing happens if it is not queued); change its priority, queued
 * or not. O(log n).  What a job asks for does not change while it is queued: remove it, change
 * it, add it again. */
void sched_add(struct sched *s, struct sched_job *job);
void sched_remove(struct sched *s, struct sched_job *job);
void sched_reprioritize(struct sched *s, struct sched_job *job, uint64_t priority);

/* JOB stands for COUNT elements now, the first of which is ID: its count and id, queued or not; without
 * elements it leaves the queue. */
void sched_recount(struct sched *s, struct sched_job *job, uint64_t count, uint64_t id);

/* A job is in a *lane*, 0 unless its owner says otherwise.  Jobs of one that is closed are not shown to policies.  Lanes
 * are in groups, 0 at first: with a policy without overtaking, a job that waits holds up those of its own group only.
 * What is queued in a lane moves: that costs as much as the queue is long. */
enum { SCHED_LANES = 65 };
void sched_set_lane(struct sched *s, unsigned lane, unsigned group, bool closed);
/* Not more than ROOM elements of its jobs are to start before this is called again (UINT64_MAX, at first: any number): the
 * owner calls it when one has started, or ended.  Of its jobs, policies see as many of the first ones as that may be, but
 * not more than SCHED_SHOWN.  O(log n + SCHED_SHOWN). */
enum { SCHED_SHOWN = 1000 };
void sched_set_room(struct sched *s, unsigned lane, uint64_t room);
/* The first job of a lane with a limited room, shown or not, that is not held; NULL: there is none, or the lane has no limit. */
struct sched_job *sched_lane_first(struct sched *s, unsigned lane);
/* Nothing starts while it is halted, at no cost. */
void sched_halt(struct sched *s, bool halted);
/* Something that the scheduler does not see has changed: the next sched_run is to make a pass. */
void sched_kick(struct sched *s);

/* All that runs ends at END (0: never): a job whose duration reaches beyond it is not shown to
 * policies, and stands in nobody's way. */
void sched_set_end(struct sched *s, double end);
/* When the first job of the queue will be too late for END, and others may get their turn: call
 * sched_run then, even if nothing changed.  0: never. */
double sched_next_late(const struct sched *s);

/* What R holds was of a job that has ended, and JOB, which is not queued, runs there now: the pool does not
 * change. */
void sched_hand_over(struct sched *s, const struct sched_job *job, const struct rset *r,
                     double now);

/* Resources come back (a job or element ended). */
void sched_end(struct sched *s, const struct rset *r);
/* R, which the pool regards as taken, runs until END (0: nobody knows): jobs that were not started by
 * this scheduler. */
void sched_adopt(struct sched *s, const struct rset *r, double end);

/* Policies that plan look at the first DEPTH entries of the queue only (an array is one); 0: at all, or as many as the
 * policy thinks fit. */
void sched_set_depth(struct sched *s, size_t depth);
size_t sched_depth(const struct sched *s);

/* When a waiting job starts by the last pass's plan, if all that runs and goes before it takes its time;
 * INFINITY: nobody knows; 0: that is not planned, as others go before it. */
double sched_estimate(struct sched *s, const struct sched_job *job);

/* Start what can be started at time NOW (seconds). Return the number started. Costs next to
 * nothing when nothing changed since the last call: no job came, left, moved or became too late,
 * and pool_gains says the same. */
size_t sched_run(struct sched *s, double now);

/* For policies.  First and next job in order, NULL at the end; jobs that are held, or too
 * late, are not shown.
 * sched_start takes one element of JOB (which leaves the queue with its last one). */
struct sched_job *sched_first(struct sched *s);
struct sched_job *sched_next(struct sched *s, struct sched_job *job);
void sched_start(struct sched *s, struct sched_job *job, struct placement *pl);
/* The groups of lanes: their number (1: sched_first is all there is), and the first job of one. */
unsigned sched_ngroups(const struct sched *s);
struct sched_job *sched_group_first(struct sched *s, unsigned group);
void **sched_priv(struct sched *s);
struct book *sched_book(struct sched *s);
struct kinds *sched_kinds(struct sched *s);
/* JOB is one of those that are not looked at: too late (then it leaves its kind), or too far behind. */
bool sched_too_late(struct sched *s, struct sched_job *job);
bool sched_too_deep(const struct sched *s, struct sched_job *job);
/* Since the pass began, or since the last call, the queue was changed by others. */
bool sched_disturbed(struct sched *s);

/* Jobs in the queue, elements of arrays counted, held ones included. */
size_t sched_queued(const struct sched *s);

#endif
