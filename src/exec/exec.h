/* SPDX-License-Identifier: BSD-3-Clause */
/* exec: the executor's context: what all its parts share, and its life. */
#ifndef HBATCH_EXEC_EXEC_H
#define HBATCH_EXEC_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "pmi/pmi.h"
#include "src/exec/conn.h"
#include "src/exec/env.h"
#include "src/common/idmap.h"
#include "src/exec/io.h"
#include "src/exec/lane.h"
#include "src/exec/lease.h"
#include "src/exec/node.h"
#include "src/exec/spec.h"
#include "src/exec/spool.h"
#include "src/exec/timer.h"
#include "src/exec/tmpdir.h"

/* Seconds without a rank before the executor gives up; HBATCH_EXEC_ORPHAN_TIMEOUT says otherwise. */
#define EXEC_ORPHAN_TIMEOUT 30

struct exec {
    uv_loop_t *loop;
    pid_t pid; /* ours */
    unsigned rank;
    unsigned number; /* in the names of its files */
    char *rundir;

    struct node *node; /* NULL until the first init */
    struct conn *conn;
    struct specs *specs;
    struct spool *spool;
    struct tmpdirs *tmpdirs;
    struct io *io;
    struct memcg *memcg; /* NULL until a job needs it, or it cannot be had */
    bool no_memcg;       /* which was told */
    struct pmi *pmi;     /* NULL until a job needs it */
    struct detect *detect;
    struct reader *readers;
    struct remembered *remembered, *remembered_last;
    struct idmap ended_jobs; /* id to struct remembered */

    struct idmap jobs;  /* id to struct job */
    struct idmap tasks; /* pid to struct task */
    struct job *ended;  /* finished jobs, freed when the turn of the loop is over */
    struct doom *dooms; /* see job_doom.c */

    struct lanes *lanes;
    struct lease lease; /* jobs that will begin when others have ended */
    struct envbuf env;  /* of the task being started */
    char *scratch;      /* EXEC_SCRATCH bytes, for reads */
    char *
        instance_path; /* hbatch-instance, for jobs that are instances; NULL: not found */
    char *outer_path;  /* HBATCH_JOB_PATH of the executor itself, or NULL */
    char *outer_node;  /* the same for HBATCH_NODE_PATH */
    char *node_path;   /* what tasks get as HBATCH_NODE_PATH; NULL until the first init */
    char *job_path;    /* the same as HBATCH_JOB_PATH, but for the job's number */
    unsigned long long launched;

    uv_prepare_t prepare;
    uv_check_t check;
    bool reap;           /* children have ended */
    int64_t news;        /* all is to be told now, and then this number; 0: it is not */
    uv_timer_t watchdog; /* looks after the rundir and after strays */
    int signals;         /* signalfd */
    uv_poll_t signals_poll;
    struct timer *warm;   /* see on_warm */
    struct timer *orphan; /* runs while no rank is attached */
    struct timer *let_go; /* likewise */
    double orphan_timeout;
    bool orphan_fixed; /* by the environment: the rank's "orphan" does not count */
    bool deserted;     /* that time is over: what is ours goes with us */
    char *socket_path; /* what we listen on, or NULL */
    struct timer *quit_timer;
    bool overdue; /* it fired */
    bool quitting, verbose;
    bool sweep; /* a former executor's tasks may be left: see sweep_former */
    struct timer *sweep_timer;
    double last_sweep;
    bool drop_readers; /* the connection that they belong to is gone */
};

#define EXEC_SCRATCH (64u << 10)

/* RANK's executor in RUNDIR, serving the listening socket LISTEN. */
struct exec *exec_create(uv_loop_t *loop, unsigned rank, const char *rundir, int listen,
                         struct error *err);
/* Kill what runs and stop the loop once nothing is left. */
void exec_quit(struct exec *x, const char *why);
void exec_destroy(struct exec *x);

/* A job is no longer among exec.jobs. */
void exec_job_finished(struct exec *x);

/* The rank's message "init": what the node is, and what its jobs get. */
void exec_init(struct exec *x, json_object *msg);
/* A rank is attached / is gone. */
void exec_attached(struct exec *x);
void exec_detached(struct exec *x);

/* The PMI servers, created at the first need; NULL with err set. */
struct pmi *exec_pmi(struct exec *x, struct error *err);
/* MSG to the pmi layer of RANK's executor, or to PMI_LEADER. */
void exec_pmi_send(struct exec *x, int rank, json_object *msg);

#endif
