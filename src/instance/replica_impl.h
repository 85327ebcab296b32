/* SPDX-License-Identifier: BSD-3-Clause */
/* replica_impl: what a replica consists of: for the files that apply the stream's lines to it (replica_jobs.c,
 * replica_instance.c), load it from a store (restore.c), and make a leader of it (adopt.c). */
#ifndef HBATCH_INSTANCE_REPLICA_IMPL_H
#define HBATCH_INSTANCE_REPLICA_IMPL_H

#include "src/instance/joblog.h"
#include "src/instance/keys.h"
#include "src/instance/queues.h"
#include "src/instance/replica.h"
#include "src/instance/specs.h"

struct replica {
    struct pool *pool;
    struct jobtable *jobs;
    struct specs *specs;
    struct forms *forms; /* of submissions */
    struct keys *keys;   /* of submissions, as the leader has them */
    struct queues *queues;
    struct archives *archives; /* the instance's, or NULL */
    struct journal *journal;   /* of what happens to nodes, or NULL */
    struct rset *all;          /* the instance's resources, for the hosts of ranks */
    json_object *info;
    struct store *store;
    struct replica_exec { /* [size] which executors the nodes have; pid 0: not known */
        int64_t pid;
        double since;
        struct ahead_jobs *ahead; /* that wait in its lease */
    } * execs;
    char **
        drained; /* [size] why a node that is down will be drained when it is up, or NULL */
    unsigned size;
    unsigned nahead;             /* jobs in leases, of which the leader may know more */
    bool anew;                   /* replica_restore: another life begins */
    int exit_code;               /* leader_end_with */
    char *shutdown;              /* why the instance is shutting down, NULL: it is not */
    double flushed;              /* monotonic time of the last commit */
    struct joblog joblog;        /* what the next commit takes */
    struct run_jobs untold_runs; /* for the store, with the next commit */
};

/* The jobs of IDS are in the lease of RANK, or JOB is in none. */
void replica_lease(struct replica *rp, unsigned rank, json_object *ids);
void replica_unlease(struct replica *rp, struct job *job);
/* The job that IDS[I] names, or NULL: it may be over. */
struct job *replica_lease_job(struct replica *rp, json_object *ids, size_t i);

/* Drop a job, with the texts of its submission if it is no element; an array of which nothing is left. */
void replica_forget(struct replica *rp, struct job *job);
void replica_forget_array(struct replica *rp, struct submission *sub);

/* How a kind of lines is applied: as replica_apply.  The tables end with a kind of NULL. */
struct replica_kind {
    const char *kind;
    int (*apply)(struct replica *rp, json_object *o, struct error *err);
};
extern const struct replica_kind replica_job_kinds[], replica_instance_kinds[];

/* Members of a line: MISSING or 0 if KEY is not there.  The length of an array, 0: it is none. */
int64_t replica_number(json_object *o, const char *key, int64_t missing);
double replica_seconds(json_object *o, const char *key);
size_t replica_count(json_object *array);

#endif
