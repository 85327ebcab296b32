/* SPDX-License-Identifier: BSD-3-Clause */
/* jobs: the cluster's jobs, in Slurm's terms. */
#ifndef HBATCH_COMPAT_SLURM_JOBS_H
#define HBATCH_COMPAT_SLURM_JOBS_H

#include "compat/slurm/slurm.h"

struct sjob {
    json_object *o;     /* as job.list has it; borrowed of struct sjobs */
    uint64_t id, array; /* array: 0, or what the elements are called by */
    uint64_t
        head; /* the first job of the array of hbatch that it is of: array, but for arrays with a limit */
    int64_t task; /* of an array, -1: none */
    char *tasks;  /* several pending elements that stand in one line, or NULL */
};

/* An array with a limit, --array=0-9%2, is a row of arrays of that many elements, each of which begins when the one
 * before is over.  They are called by the id of the first; the attribute user.slurm of their specifications tells of it:
 * the first has "limit", the others "array", that id. */
struct sjobs {
    struct shead { /* what is known of arrays */
        uint64_t head, array;
        bool limited;
    } * heads;
    size_t nheads;
    json_object **lists;
    size_t nlists;
    struct sjob *v;
    size_t n;
};

/* Which ones; 0 and NULL: any. */
struct jobs_query {
    int states, results; /* RFC 21 masks */
    double since;        /* active, or ended since */
    const char *name, *queue;
};

/* Add those of QUERY. */
void jobs_fetch(struct slurm *s, struct sjobs *jobs, const struct jobs_query *query);
/* Add those that TEXT names: ID, ID_TASK, ID_[TASKS].  0, or -1 with err set: there is none. */
int jobs_fetch_id(struct slurm *s, struct sjobs *jobs, const char *text,
                  struct error *err);
/* Oldest first, elements of an array in their order. */
void jobs_sort(struct sjobs *jobs);
/* Pending elements of one array become one. */
void jobs_fold(struct sjobs *jobs);
void jobs_fini(struct sjobs *jobs);

/* States as Slurm names them. */
enum sstate {
    S_PENDING,
    S_RUNNING,
    S_COMPLETING,
    S_COMPLETED,
    S_CANCELLED,
    S_FAILED,
    S_TIMEOUT,
    S_NODE_FAIL,
    S_OUT_OF_MEMORY,
    S_STATES
};
enum sstate job_sstate(const struct sjob *j);
const char *sstate_name(enum sstate state, bool compact);
/* PENDING or PD, in any case; -1: there is no such state. */
int sstate_decode(const char *name, size_t len);
/* "PD,running" to a mask of 1 << state, or the end with a message. */
unsigned sstate_mask(const struct slurm *s, const char *names);
/* Why a job waits, as one of Slurm's reasons; of another one, "None". */
const char *job_reason(const struct sjob *j);
/* Whether J has one of NODES. */
struct hostlist;
bool job_is_on(const struct sjob *j, const struct hostlist *nodes);
/* Exit code and signal. */
void job_exit(const struct sjob *j, int *code, int *signum);

#endif
