/* SPDX-License-Identifier: BSD-3-Clause */
/* nodes: the cluster's nodes, in Slurm's terms. */
#ifndef HBATCH_COMPAT_SLURM_NODES_H
#define HBATCH_COMPAT_SLURM_NODES_H

#include "compat/slurm/slurm.h"

enum nstate { N_IDLE, N_MIXED, N_ALLOCATED, N_DRAINING, N_DRAINED, N_DOWN, N_STATES };

struct snode {
    const char *host, *reason; /* reason: of a drained or lost one, else NULL */
    unsigned rank, cores, used, gpus;
    json_object *properties; /* array, or NULL */
    enum nstate state;
};

struct snodes {
    json_object *answer;
    struct snode *v;
    size_t n;
};

void nodes_fetch(struct slurm *s, struct snodes *nodes);
void nodes_fini(struct snodes *nodes);
/* "idle", COMPACT: as sinfo %t; else "IDLE" */
const char *nstate_name(enum nstate state, bool compact);
/* The node HOST, or NULL. */
const struct snode *nodes_find(const struct snodes *nodes, const char *host);
/* The memory of this machine in MiB, which stands for that of each node. */
unsigned long nodes_memory(void);

#endif
