/* SPDX-License-Identifier: BSD-3-Clause */
/* poolmodel: a slow and obvious model of a pool: it looks at every node, each time, and keeps an owner for every core
 * and GPU, and counts the memory.  It has an obvious way of its own for each strategy of placement. */
#ifndef HBATCH_TESTS_POOLMODEL_H
#define HBATCH_TESTS_POOLMODEL_H

#include "src/sched/pool.h"

enum { NODES = 12, CORES = 12, GPUS = 20, JOBS = 40 };

struct job {
    int number; /* 0: none */
    struct placement *pl;
};

struct model_node {
    bool present;
    int ncores, ngpus;
    int core[CORES], gpu[GPUS]; /* number of the job that has it, 0: free */
    uint64_t memory, used;
    struct domains *domains; /* the pool's, or NULL */
    enum pool_node_state state;
};

struct model {
    struct model_node node[NODES];
    struct job job[JOBS];
    int last; /* job number */
};

/* How many of N things have no owner. */
int model_count_free(const int *owner, int n);
/* How many slots node N takes for S, by what is free, or (ALL) by what there is. */
int model_node_slots(const struct model_node *n, const struct job_shape *s, bool all);
/* Slots for each node into OUT; false if there is no place.  MATCH: which nodes are allowed; ALL: as if all were free. */
bool model_search(const struct model *m, const struct pool_request *req,
                  const bool *match, bool all, int *out);

#endif
