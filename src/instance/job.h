/* SPDX-License-Identifier: BSD-3-Clause */
/* job: a job that is not over, as the leader keeps it, and the table of them by id. */
#ifndef HBATCH_INSTANCE_JOB_H
#define HBATCH_INSTANCE_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "src/common/jobid.h"
#include "src/common/strbuf.h"
#include "src/job/jobspec.h"
#include "src/job/state.h"
#include "src/job/taskmap.h"
#include "src/sched/sched.h"

struct array;       /* array.h */
struct text;        /* specs.h */
struct forms;       /* forms.h */
struct depend_wish; /* depend.h */
struct dependency;
struct site; /* site.h */
struct stream;
struct account;

/* What was submitted: shared by all elements of an array. */
struct submission {
    unsigned refs;
    struct jobspec *
        spec; /* its environment is the name of a text; the words of its command may be another's */
    struct constraint *constraint; /* or NULL */
    struct text *jobspec_text, *env_text;
    jobid_t first;
    uint64_t count;      /* elements; 1: a job by itself */
    uint64_t left;       /* elements not over */
    struct array *array; /* of an array: how far its elements are; else NULL */
    struct job *
        *rests; /* of an array, [ARRAY_GROUPS]: by urgency (element.h); else NULL */
    struct dependency *dependents; /* of jobs, on ranges of an array's elements */
    struct stream *watchers;       /* that attach to all elements of an array */
    unsigned flags;                /* enum job_flags */
    char *cc;                      /* the array's index set, or NULL */
    char *key;                     /* its client's (keys.h), or NULL */
    uint64_t parent; /* job whose task asked for it (MPI_Comm_spawn), or 0 */
    unsigned parent_rank;
    jobid_t
        grant; /* the job, an instance, that these are more nodes for (grant.c), or 0 */
    struct depend_wish *wishes; /* its dependencies, NULL: none */
    size_t nwishes;
    json_object *preput; /* PMI-1/2 spawn's first keys, or NULL */
    int spawn_from;      /* executor that waits for the answer, or -1 */
    int64_t spawn_token;
    struct account *bank; /* standing.h; NULL: not looked for yet */
    enum { LEASABLE_UNKNOWN, LEASABLE, LEASABLE_NOT } leasable; /* lease.h */
};

struct job_exception {
    char type[32];
    int severity;
    char *note;
};

struct job {
    struct sched_job sj; /* sj.id: the job's id */
    struct job *chain;   /* of the table's bucket */
    struct job *prev, *next;
    struct job *older, *newer; /* of the jobs that are no elements */
    struct submission *sub;
    int64_t cc; /* array index, or row (bulk.h); -1: not an element */
    enum job_state state;
    int urgency;
    int status;   /* greatest wait status of its nodes, -1: none yet */
    bool failed;  /* status is of a task that failed by itself */
    bool logged;  /* an element whose events are in the store */
    bool requeue; /* queue it again when its tasks have ended */
    unsigned run; /* how often that was done: which run the next, or present one, is */
    bool ending;  /* its executors were told to end it */
    bool expired; /* they do so by themselves, at its time limit */
    bool started; /* the start event was given */
    bool
        former; /* it ran in a former life of the instance: it has what it says no more */
    bool told;  /* its events go into the state stream */
    bool rest;  /* not a job: what its elements that wait have in common (element.h) */
    int ahead;  /* the rank in whose lease it waits, -1: in none (lease.h) */
    TAILQ_ENTRY(job) ahead_entry;
    LIST_ENTRY(job) run_entry;
    bool run_untold;  /* it is in such a list */
    bool slot;        /* where it runs, one of a lease may run when it has ended */
    bool handed;      /* and does: it has nothing to give back */
    struct job *heir; /* the one that does; NULL: it is not one of ours */
    double heir_since;
    double t_submit, t_depend, t_run, t_cleanup, t_inactive, expiration;
    double t_event;       /* of the last one in the log */
    struct placement *pl; /* from alloc to free */
    struct site
        *site; /* where it runs; PL and MAP are its own then; NULL: not asked for */
    struct rset *held; /* what is left of it since nodes were released; NULL: all */
    struct taskmap *map;
    char *unmapped; /* why the map that was asked for is not possible */
    unsigned ntasks;
    unsigned nodes_starting, nodes_running; /* reports still to come */
    struct job_node {
        bool started, done; /* was reported */
        bool released;      /* done, and others may have what the job had there */
    } one_node, *nodes;     /* [nnodes], or one_node */
    struct job_exception *exception; /* the worst one */
    json_object
        *output; /* [[rank, report], ...] what finish reports said of captured output */
    int64_t *input_taken;    /* [nnodes] bytes of stdin, NULL: none yet */
    struct dependency *deps; /* [ndeps] what it waits for, or waited */
    size_t ndeps, ndeps_left, deps_met_first;
    struct dependency *dependents; /* of other jobs, on this one */
    unsigned ngrants;              /* active jobs that are grants for it */
    double widowed; /* a grant whose base is over: when it is ended; 0: it is not */
    char *reason;   /* why it is in state DEPEND; in SCHED: why it can never run here */
    json_object *memo; /* what was noted of it (RFC 21, memo), or NULL */
    struct strbuf
        log;     /* RFC 18 lines; of an element empty until they are needed (job_log) */
    bool stored; /* and what the store has, which goes before them (joblog.h) */
    bool odd;    /* its times alone do not tell what is in it */
    struct stream *streams; /* that attach to it */
};

TAILQ_HEAD(ahead_jobs, job); /* of a lease, in order */
LIST_HEAD(run_jobs, job);    /* that run, as the store is to be told (record.h) */

struct jobtable;

struct jobtable *jobtable_create(void);
void jobtable_destroy(struct jobtable *t); /* frees the jobs */
void jobtable_add(struct jobtable *t, struct job *job);
struct job *jobtable_find(const struct jobtable *t, jobid_t id); /* or NULL */
void jobtable_remove(struct jobtable *t, struct job *job);
size_t jobtable_count(const struct jobtable *t);
struct job *jobtable_first(const struct jobtable *t); /* in the order of jobtable_add */
/* The last submitted one of those that are no elements of arrays; then ->older. */
struct job *jobtable_newest(const struct jobtable *t);

/* Arrays, by id: whether there is a job for each element or not.  The table has a reference to those
 * that it has. */
void jobtable_add_array(struct jobtable *t, struct submission *sub);
void jobtable_remove_array(struct jobtable *t, struct submission *sub);
size_t jobtable_narrays(const struct jobtable *t);
struct submission *jobtable_array(const struct jobtable *t, size_t i);
/* The array that ID is an element of, and its position; or NULL. */
struct submission *jobtable_array_of(const struct jobtable *t, jobid_t id,
                                     uint64_t *position);
/* Elements of arrays that wait without a job of their own. */
uint64_t jobtable_rest(const struct jobtable *t);
/* Neither jobs nor arrays. */
bool jobtable_is_empty(const struct jobtable *t);

/* Element I of SUB (index CC in its array, or -1), in state SCHED; takes a reference. */
struct job *job_create(struct submission *sub, uint64_t i, int64_t cc, int urgency,
                       double when);
/* Note an exception; the worst one stays. */
void job_except(struct job *job, const char *type, int severity, const char *note);
/* Add MEMO, an object, to what is noted of the job; null takes a key away. */
void job_note(struct job *job, json_object *memo);
/* The scheduler's priority of an urgency: 31 goes before everything, 0 is held. */
uint64_t job_priority(int urgency);
/* The store need not be told that it runs any more: it was, or will not. */
void job_run_told(struct job *job);
/* As if it had not been placed: state SCHED, without resources and exception; its log stays. */
void job_reset(struct job *job);
/* Whether it, which is to be queued, can ever run on what POOL has: else the reason says why, and the
 * scheduler must not see it. */
bool job_check(struct job *job, struct pool *pool);
/* It has its placement: reports of all of its nodes are to come. */
void job_await_nodes(struct job *job);
/* Its node INDEX is done, with the greatest wait STATUS of its tasks; REPORT: the finish event's
 * context, or NULL. */
void job_node_done(struct job *job, unsigned index, int status, json_object *report);
/* Its log: of an element of which nobody wanted to know it so far, and to which nothing else happened, it is made up from
 * its times, as it is for one that is over. */
const struct strbuf *job_log(struct job *job);
/* The store has it. */
void job_log_stored(struct job *job);
/* Whether the job's times tell of event NAME. */
bool job_event_is_plain(const char *name);
/* Where it runs, which is its own, or that of those before it; NULL: it does not, or cannot. */
struct site *job_site(struct job *job);
/* It is to run where PREV does, which is about to be over; false: PREV does not. */
bool job_take_over(struct job *job, struct job *prev);
/* What it has now, of its placement; NULL: nothing. */
const struct rset *job_held(const struct job *job);
/* Those nodes of RANKS that are done are no longer its: what it had there, a new set, or NULL if
 * there is none. */
struct rset *job_release(struct job *job, hwloc_const_bitmap_t ranks);
/* The nodes that it means to give back as soon as its tasks there have ended (job.return), a new
 * set of ranks. */
hwloc_bitmap_t job_returned(const struct job *job);
/* The job that SPEC says to be a grant for, or 0. */
jobid_t job_grant_of(const struct jobspec *spec);
/* Which node of its placement is RANK, or -1. */
int job_node_index(const struct job *job, unsigned rank);
/* The same, where its tasks have not ended; -1 as well if it does not run. */
int job_node_open(const struct job *job, unsigned rank);
enum job_result job_result_of(const struct job *job);
void job_free(
    struct job *job); /* drops its reference to the submission; NULL is allowed */
void submission_drop(struct submission *sub); /* NULL is allowed */
/* A submission's specification, from its text: without rows (bulk.h); all of it, or as jobs that wait have it (forms.h). */
struct jobspec *submission_decode(const struct text *text, struct error *err);
struct jobspec *submission_form(struct forms *forms, const struct text *text,
                                struct error *err);

static inline struct job *job_of(struct sched_job *sj)
{
    return (struct job *)sj;
}

/* Its index in an array that is one to its user, or -1. */
static inline int64_t job_cc(const struct job *job)
{
    return job->sub->flags & JOB_BULK ? -1 : job->cc;
}

static inline const struct job_shape *job_shape_of(const struct job *job)
{
    return &job->sj.req.shape;
}

#endif
