/* SPDX-License-Identifier: BSD-3-Clause */
/* sim: a load on a machine, in virtual time, through the scheduler that instances have. */
#ifndef HBATCH_SIM_SIM_H
#define HBATCH_SIM_SIM_H

#include <stddef.h>
#include "src/sched/setup.h"
#include "src/sim/load.h"

struct sim_machine {
    unsigned nodes, cores, gpus; /* cores and GPUs: of each node */
    uint64_t memory;             /* bytes, likewise; 0: there is always enough */
};

/* What the machine was like from TIME on. */
struct sim_sample {
    double time;
    unsigned long long busy; /* cores */
    size_t queued;           /* jobs */
};

struct sim_result {
    size_t njobs;     /* that ran */
    size_t too_large; /* that this machine can never run, and which were left out */
    unsigned first_too_large; /* the line of the first one */
    double makespan;          /* from the first submission to the last end */
    double utilization;       /* share of the cores' time that was used in it */
    double wait_mean, wait_median, wait_p95, wait_max;
    double slowdown_mean,
        slowdown_p95; /* bounded: (wait + run) / max(run, 10 s), at least 1 */
    /* Of the time of free cores, the share that was on nodes of which others were in use. */
    double fragmentation;
    size_t queue_max;
    size_t passes;
    double decide_total, decide_max; /* wall time in the scheduler */
    struct sim_sample *samples;      /* one for each time at which something changed */
    size_t nsamples;
};

/* Run L on M as SETUP says, from the first submission to the last end. */
struct sim_result *sim_run(const struct load *l, const struct sim_machine *m,
                           const struct sched_setup *setup);
void sim_result_destroy(struct sim_result *r); /* NULL is allowed */

#endif
