/* SPDX-License-Identifier: BSD-3-Clause */
/* lease: jobs that an executor has before there is room for them, and starts by itself where others end: the
 * end of a job of a burst then costs no round trip, and many ends come in one message.
 *
 * A lease belongs to a node.  It has a *class*, what its jobs ask for (and their queue, if it limits how many run), and *slots*: the jobs of that class that run on the
 * node, each on a part of it.  The jobs *ahead* were taken from the head of the queue, in its order, when no
 * room was left in the pool.  They have no resources yet, and are in state SCHED; where a slot's job ends, its
 * finish event says which of them has taken over its place (lease_began).  So what a lease has of the pool is always
 * what its running jobs have.
 *
 * How many are ahead is about LEASE_HORIZON seconds of work, as jobs took lately, and not more than a share of
 * what is queued.  They are taken back, all of them, as soon as somebody else should go first: a job that
 * would not fit behind them is at the head of the queue; there is room in the pool that one of them could have; one of
 * them is canceled, or gets another urgency; the node is drained.  Until the executor has said which had not
 * begun, nothing is decided for them.
 *
 * Loss: a lease is in the state stream, and in the store, before the executor has it.  A rank that attaches to an
 * executor, or another leader, finds only what has begun (exec/lease.h): the others are queued again.
 * Of an executor that died with some ahead nobody knows how many had begun and ended in the last CONN_LAZY_MS: those go
 * the way of jobs that ran there (manager_node_lost), which is why jobs that must not run twice are few in a lease. */
#ifndef HBATCH_INSTANCE_LEASE_H
#define HBATCH_INSTANCE_LEASE_H

#include <sys/queue.h>
#include "src/instance/job.h"

struct leader;

struct lease { /* of a node */
    struct pool_request req;
    char *
        queue; /* which limits how many of its jobs run, "": the one without a name; NULL: no limit */
    int64_t class; /* 0: none yet */
    unsigned
        slots; /* jobs of the class that run here, and whose place can be taken over */
    struct ahead_jobs ahead;
    unsigned n;      /* of them */
    unsigned unsent; /* the last so many of them */
    unsigned ended;  /* jobs of the class, up to LEASE_MAX */
    double mean;     /* s, how long these ran: of late */
    double recalled; /* when; monotonic */
    bool recalling;  /* the answer is still to come */
    double
        stranded; /* since when its jobs have nobody to follow, monotonic; 0: they have */
    bool check;   /* room was looked for too early after that */
    int64_t greet; /* number of the executor's hello */
};

#define LEASE_HORIZON 0.25
#define LEASE_LATEST 10 /* s, within which all that is ahead has begun, or is back */
#define LEASE_MAX 256   /* jobs ahead for a slot */
#define LEASE_UNSAFE 16 /* ... of those that must not run twice */

struct lease *lease_create(void);
void lease_destroy(struct lease *lease); /* NULL is allowed */
/* JOB, which is placed, is about to be started: its class, 0: its place is given to nobody. */
int64_t lease_slot(struct leader *ld, struct job *job);
/* JOB, which ran in a slot, gives its place back. */
void lease_slot_over(struct leader *ld, struct job *job);

/* JOB of RANK has ended at WHEN, and NEXT, of its finish event, says who took its place over: this becomes its heir,
 * and manager_began is to be called for it when JOB is over.  NULL: that is known, or none of ours.  JOB NULL: an
 * end that is told again. */
struct job *lease_take_over(struct leader *ld, struct job *job, unsigned rank,
                            json_object *next, double when);
/* The event "returned" of RANK. */
void lease_returned(struct leader *ld, unsigned rank, json_object *context);
/* Ask for what has not begun. */
void lease_recall(struct leader *ld, unsigned rank);
void lease_recall_all(struct leader *ld);

/* The scheduler is to wait for jobs that come back. */
bool lease_blocks(struct leader *ld);
/* Once a turn, after the pass of the scheduler: jobs for those who have few, back from those who have too
 * many; what was decided is sent by lease_flush. */
void lease_turn(struct leader *ld);
bool lease_pending(const struct leader *ld);
void lease_flush(struct leader *ld);
double
lease_next(const struct leader *ld); /* when lease_turn should be called; 0: never */

/* The executor of RANK says what it has (adopt.c); its jobs are gone, because of WHY; the instance ends without its
 * answer. */
void lease_hello(struct leader *ld, unsigned rank, json_object *hello);
void lease_lost(struct leader *ld, unsigned rank, const char *why);
void lease_give_up(struct leader *ld);
/* JOB of the tables is in the lease of RANK. */
void lease_adopt(struct leader *ld, struct job *job, unsigned rank);
#endif
