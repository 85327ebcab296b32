/* SPDX-License-Identifier: BSD-3-Clause */
/* job: a job on this node: from the start message (job_start.c) to the finish event (job_end.c). */
#ifndef HBATCH_EXEC_JOB_H
#define HBATCH_EXEC_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/jobid.h"
#include "src/exec/exec.h"
#include "src/exec/input.h"
#include "src/exec/output.h"
#include "src/exec/task.h"
#include "src/job/taskmap.h"

struct job {
    struct exec *x;
    uint64_t id;
    int64_t run; /* which one of the job, from 0: it may have been queued again */
    char f58[40];
    struct spec *spec;
    json_object *start; /* the start message's entry */
    const char *cc;     /* or NULL; borrowed from the message, or cc_text */
    char cc_text[16];
    const char
        *row; /* of many jobs in one: its own words (bulk.h), NROW of them; or NULL */
    unsigned nrow;
    int64_t class
        ; /* of the jobs that may take its place when it is over (lease.h), 0: none */
    double since; /* when it was started, monotonic */
    double
        begun; /* it was such a one: since then it runs, and the leader has yet to hear of it */
    unsigned ntasks, nnodes, node;
    hwloc_bitmap_t cores, gpus; /* on this node */
    struct shares *shares;     /* of its programs (shares.h), or NULL: it is all tasks' */
    uint64_t memory;           /* the same, in bytes; 0: it has none of its own */
    bool limited;              /* to that */
    struct memcg_group *memcg; /* which does it, or NULL */
    double expiration;
    double duration, latest; /* of a lease with a time limit: that, and leased.end */
    struct tmpdir *tmpdir;
    char *nodelist;      /* made when a template wants it */
    struct taskmap *map; /* NULL when there is one node */
    struct pmi_job *pmi; /* or NULL */
    unsigned pmi_kinds;

    unsigned nlocal;    /* tasks of this node */
    unsigned nrunning;  /* started and not reaped */
    unsigned nstreams;  /* pipes that are still open */
    struct task *tasks; /* [nlocal] */
    struct outputs outputs;
    struct input *input; /* or NULL */
    struct spool_job spool;
    uint64_t bytes[2];
    unsigned nreaders;

    bool prompt;        /* of a lease: its end is told at once */
    bool starting;      /* tasks are being started */
    bool started;       /* the start event was sent */
    uint64_t start_seq; /* in this batch */
    bool ending;        /* it must end: nothing more is told of why */
    bool expired;       /* that was its time limit */
    bool lost;          /* output could not be kept */
    bool doomed;        /* the timer of exit-timeout was started, because of */
    unsigned doom_task;
    double doom_time; /* when it fires, monotonic clock */
    bool lingering;   /* tasks are gone, a pipe is held open by somebody */
    bool finished;
    unsigned lingered;
    int status;       /* the greatest wait status of tasks that ended by themselves */
    int ended_status; /* of tasks that ended after the job was told to: not the cause */
    struct timer *expire_timer, *warn_timer, *kill_timer, *doom_timer, *linger_timer;
    struct lane *lane; /* its place's thread (lane.h), or NULL */
    struct prep *prep; /* what is not known yet of its start there, or NULL */
    struct job *heir;  /* began there after it, as far as is known before its own end */
    struct job *after; /* whose end is to be told before its own, or NULL */
    struct job *next;  /* in exec.ended */
};

static inline uint64_t job_id(const struct job *job)
{
    return job->id;
}

/* So many more, or less, want its output as it comes. */
void job_count_reader(struct job *job, int n);

/* One entry of a start message. */
void job_start(struct exec *x, json_object *o);
/* The next one of a lease begins where PREV, which is over, ran. */
void job_start_next(struct job *prev, const struct leased *l);
/* The same, all but the beginning, while PREV still runs: NULL if a lane cannot begin it. */
struct job *job_make_next(struct job *prev, const struct leased *l);
void job_drop(struct job *job); /* it will not begin */
/* It begins, in its lane; it could not, with an exit CODE as of a shell. */
void job_adopt(struct job *job);
void job_start_failed(struct job *job, int code, const struct error *err);
/* It ends at WHEN, 0: not by itself, instead of when it was to. */
void job_set_expiration(struct job *job, double when);
/* The start event of such a job, if it was not given and the job runs. WAIT: see lane_try_settle. */
void job_tell_started(struct job *job, bool wait);
struct job *job_find(const struct exec *x, uint64_t id); /* or NULL */

/* Send SIGNUM to all local tasks with their process groups. */
void job_signal(struct job *job, int signum);
/* TERM, and KILL after GRACE seconds. */
void job_end(struct job *job, double grace);
/* GRACE, and for an instance what it needs besides. */
double job_grace(const struct job *job, double grace);
/* KILL at once. */
void job_kill(struct job *job);
/* Tell of an exception; severity 0 ends the job. */
void job_exception(struct job *job, const char *type, int severity, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A task was reaped with wait status STATUS. */
void job_task_ended(struct job *job, struct task *task, int status);
/* One of its pipes has ended. */
void job_stream_ended(struct job *job);
/* A chunk of captured output. */
void job_output(struct job *job, unsigned rank, unsigned stream, const char *data,
                size_t len);
/* Its output could not be kept. */
void job_output_lost(struct job *job, const char *where, int error);
/* Free the jobs that have ended; called at the end of a turn. */
void job_free_ended(struct exec *x);
/* The executor leaves: free everything. */
void job_free_all(struct exec *x);

/* Create the job's PMI servers if its programs want some (job_pmi.c). */
int job_start_pmi(struct job *job, struct error *err);
/* Of an instance with one task that runs, and was started without: it is about to load MPI, and is to
 * set the variables of ENV, an object that is filled here. */
int job_late_pmi(struct job *job, json_object *env, struct error *err);
extern const struct pmi_ops job_pmi_ops;
/* Values for templates; TASK may be NULL. */
void job_template_vars(struct job *job, const struct task *task,
                       struct template_vars *vars);
/* TEXT rendered for the job, or for TASK; the caller frees. */
char *job_render(struct job *job, const struct task *task, const char *text);
/* The words of APP, and the job's own, as they are: a new array, ended by NULL, with room for one before it: free it - 1. */
char **job_words(const struct job *job, const struct app *app);

#endif
