/* SPDX-License-Identifier: BSD-3-Clause */
/* request: the options of sbatch, srun and salloc that describe a job, and what they are for hbatch. */
#ifndef HBATCH_COMPAT_SLURM_REQUEST_H
#define HBATCH_COMPAT_SLURM_REQUEST_H

#include "compat/slurm/options.h"

enum { /* ids of options; what is not said here is in struct request under that name */
       R_PASS = 1, /* hbatch has it as sopt.to */
       R_ARRAY,
       R_BEGIN,
       R_CONSTRAINT,
       R_CPU_BIND,
       R_CPUS,
       R_CHDIR,
       R_DEPENDENCY,
       R_DISTRIBUTION,
       R_ERROR,
       R_EXCLUDE,
       R_EXCLUSIVE,
       R_EXPORT,
       R_GPUS,
       R_GPUS_PER_NODE,
       R_GPUS_PER_TASK,
       R_GRES,
       R_HOLD,
       R_INPUT,
       R_JOBID,
       R_JOB_NAME,
       R_KILL_ON_BAD_EXIT,
       R_LABEL,
       R_MEM,
       R_MPI,
       R_MULTI_PROG,
       R_NO_REQUEUE,
       R_NO_SHELL,
       R_NODEFILE,
       R_NODELIST,
       R_NODES,
       R_NTASKS,
       R_OPEN_MODE,
       R_OUTPUT,
       R_PARSABLE,
       R_PARTITION,
       R_PTY,
       R_QUIET,
       R_REQUEUE,
       R_SIGNAL,
       R_TASKS_PER_NODE,
       R_TEST_ONLY,
       R_TIME,
       R_UNBUFFERED,
       R_VERBOSE,
       R_WAIT,
       R_WRAP,
};

struct request {
    struct slurm *s;
    /* options of hbatch, by their long names; a value may be NULL */
    struct request_set {
        char *name, *value;
    } * sets;
    size_t nsets;
    long nodes, max_nodes, ntasks, cpus, tasks_per_node; /* 0: not given */
    long gpus, gpus_per_node, gpus_per_task;
    bool exclusive, hold, parsable, quiet, wait, test_only, append, pty, no_shell,
        multi_prog;
    char *array, *name, *output, *error, *input, *partition, *chdir, *wrap, *export,
        *jobid;
    const char *mem_option; /* of hbatch: mem, mem-per-core; or NULL */
    char *mem;
};

/* The options of each command. */
extern const struct sopt request_sbatch[], request_srun[], request_salloc[];
extern const size_t request_nsbatch, request_nsrun, request_nsalloc;

/* Take what P returned; wrong values are the end, with a message. */
void request_take(struct request *r, const struct sparse *p, const struct sopt *o);
/* An option of hbatch. VALUE may be NULL. */
void request_set(struct request *r, const char *name, const char *value);
void request_setf(struct request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Numbers of tasks, nodes, GPUs against each other: as options of hbatch. INSTANCE: of a job that is one. */
void request_sizes(struct request *r, bool instance);
/* --mem, --mem-per-cpu, where nodes say how much they have; elsewhere they mean nothing. */
void request_memory(struct request *r);
/* --export: rules for the environment of the job. */
void request_environment(struct request *r);
void request_fini(struct request *r);

#endif
