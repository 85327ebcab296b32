/* SPDX-License-Identifier: BSD-3-Clause */
/* leader: rank 0's job manager: requests of clients and reports of executors in, decisions
 * out.  It owns the job table, the queue, the store, and the streams to clients.
 *
 * One turn of the loop does its work once for all that came in: one scheduling pass, one
 * start message per node, one commit of the store, then the replies that waited for it.
 *
 *   job.c      the job table            specs.c    texts that go to executors once
 *   submission.c  what was submitted
 *   manager*.c a job's life             launch.c   start, kill: messages to executors
 *   lease.c    jobs that executors have ahead of room for them
 *   elements.c arrays: their elements that wait
 *   depend.c   jobs that wait for others
 *   report.c   executors' reports       stream*.c  attach, follow, wait: what clients watch
 *   rpc*.c     requests of clients      spawn.c    jobs that tasks ask for (MPI_Comm_spawn)
 *   tie.c      jobs of a connection     watch.c    who is told that something has changed
 *   grant.c    more nodes for jobs      orders.c   what sub-instances are told to do
 */
#ifndef HBATCH_INSTANCE_LEADER_H
#define HBATCH_INSTANCE_LEADER_H

#include <stdbool.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"
#include "src/instance/server.h"

struct leader;

struct leader_config {
    uv_loop_t *loop;
    json_object *info;   /* instance.info's result, kept by reference */
    json_object **nodes; /* [size] node_discover's result of each rank */
    unsigned size;
    const char *policy;
    const char *store;       /* path of the store, if there is no replica and: */
    struct store *own_store; /* an open one, taken over; NULL: there is none */
    struct replica *replica; /* whose tables are taken over (and it is freed), or NULL */
    double starttime, expiration; /* of the instance; 0: never ends */
    unsigned level;
    double
        grace; /* s, from the instance's limit to SIGKILL for what is in it (subend.h) */
    double
        epoch; /* what ids of jobs count from: the start of its first life; 0: starttime */
    const char
        *statedir; /* where output is captured, in one file for each life; or NULL */
    unsigned life; /* of the instance */
    bool keeps;    /* the store outlives the instance: what waits at its end is kept */
    unsigned
        generation; /* of leaders and sets of members: each leader begins with another one */
    /* Carry LINE to the executor of RANK. */
    void (*to_exec)(void *arg, unsigned rank, const char *line, size_t len);
    /* Add a line (with its newline) to the state stream; NULL: nobody to tell. */
    void (*publish)(void *arg, const char *text, size_t len);
    /* The epoch that carries what was published so far, and the last one that would survive this
     * rank: what depends on it waits for that.  NULL with publish. */
    uint64_t (*published)(void *arg);
    uint64_t (*safe)(void *arg);
    /* Bring info up to date, before a client gets it; NULL: it is. */
    void (*describe)(void *arg);
    struct archives *archives; /* or NULL */
    struct logring *log;       /* what instance.log tells, or NULL */
    struct journal *journal;   /* what resource.journal tells, or NULL */
    /* Jobs have changed: leader_stats may tell something else. NULL: nobody wants to know. */
    void (*changed)(void *arg);
    /* All ranks are to leave, and to be started again. */
    void (*restart)(void *arg, const char *reason);
    /* A shutdown was asked for, by a client or leader_shutdown, and no job is active any more. */
    void (*quiet)(void *arg);
    void *arg;
};

struct leader *leader_create(const struct leader_config *config, struct error *err);
void leader_destroy(struct leader *ld); /* NULL is allowed */

void leader_client_line(struct leader *ld, struct client *c, char *line, size_t len);
/* MAY_RETURN: its rank is lost, and it may come back by another one. */
void leader_client_gone(struct leader *ld, struct client *c, bool may_return);
void leader_exec_line(struct leader *ld, unsigned rank, char *line, size_t len);
void leader_exec_lost(struct leader *ld, unsigned rank, bool restarted);
/* Rank RANK is dead, or not heard any more.  Its tasks may live on, and it may come back with
 * them, for WAIT seconds. */
void leader_rank_lost(struct leader *ld, unsigned rank, double wait);
/* The ranks that are left are another set of members, with this GENERATION. */
void leader_set_generation(struct leader *ld, unsigned generation);
/* The instance ends when its jobs have; WHY: a sentence. */
void leader_finish(struct leader *ld, const char *why);
/* RANK is there, but its node is not used, as WHY says; its jobs end. */
void leader_refuse(struct leader *ld, unsigned rank, const char *why);
/* RANK is not there from the beginning; or it is, and its executor will say what it has. */
void leader_await(struct leader *ld, unsigned rank);
/* Ranks come and go in order (turn.h).  NODES, [SIZE]: some have joined, by the end of it; they get no
 * job before their executors have said hello.  RANK has left, which nobody used. */
void leader_grow(struct leader *ld, json_object **nodes, unsigned size);
void leader_shrink(struct leader *ld, unsigned rank);
/* RANK is lost for good: it is forgotten as one that has left, as soon as nothing has resources there. Whether it is. */
bool leader_forget(struct leader *ld, unsigned rank);
enum leader_use { LEADER_GONE, LEADER_LOST, LEADER_BUSY, LEADER_IDLE };
enum leader_use leader_use_of(const struct leader *ld, unsigned rank);
bool leader_has_queue(const struct leader *ld);
bool leader_is_ending(const struct leader *ld);
/* Why RANK is drained, NULL: it is not. */
const char *leader_drained(const struct leader *ld, unsigned rank);
void leader_drain(struct leader *ld, unsigned rank, bool drained, const char *reason);
/* What has tasks on RANK ends soon, or is queued again; WHY: a sentence. */
void leader_clear(struct leader *ld, unsigned rank, const char *why);
/* All that was decided, for a rank that joins: a store as bytes, to be freed. */
int leader_snapshot(struct leader *ld, unsigned char **data, size_t *len,
                    struct error *err);
/* The instance had one rank and may have others now: publish, published, safe and describe of
 * CONFIG count from now on. */
void leader_connect(struct leader *ld, const struct leader_config *config);
/* The instance ends at WHEN, another time than that of config. */
void leader_expire_at(struct leader *ld, double when);
/* How many jobs are in which state, as job.stats tells it; a new object. */
json_object *leader_stats(struct leader *ld);
/* The same with "resources" (jobview_totals): what an instance tells its parent. */
json_object *leader_summary(struct leader *ld);
/* All jobs for others to read (store_dump). */
int leader_dump(struct leader *ld, const char *path, struct error *err);
/* config.safe has changed. */
void leader_confirmed(struct leader *ld);
/* Commit all that was decided, for a restart. */
void leader_settle(struct leader *ld);

/* Jobs that are ended, also those being ended now, get only GRACE seconds from SIGTERM to SIGKILL. */
void leader_hurry(struct leader *ld, double grace);

/* The instance's time limit was reached before anything else ended it. */
bool leader_expired(const struct leader *ld);
/* It is reached now if it is not far (subend.h), as who starts this instance says: whether it is. */
bool leader_expire(struct leader *ld);
/* Jobs that run get signal SIGNUM, a warning. */
void leader_warn(struct leader *ld, int signum);

/* Accept no more jobs; cancel what is queued and running, with REASON as the note; then
 * config.quiet.  Once: a second call changes nothing.  Where the store outlives the instance, what is
 * queued stays so, and what runs and may be queued again is: for the next one that goes on with it. */
void leader_shutdown(struct leader *ld, const char *reason);
/* Before leader_shutdown: the exit code that the instance is to have; -1: that of its program. */
void leader_end_with(struct leader *ld, int code);
int leader_exit_code(const struct leader *ld);
/* Cancel what would be kept. */
void leader_keep_nothing(struct leader *ld);
/* Jobs that are kept. */
size_t leader_kept(const struct leader *ld);

#endif
