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

/* A partition is a queue of the instance; an instance without queues has one, SLURM_PARTITION. */
struct spartition {
    const char *name;
    bool is_default, up;
    double limit;       /* seconds, 0: none */
    json_object *ranks; /* of its nodes, an array; NULL: all */
};

struct spartitions {
    json_object *answer;
    struct spartition *v;
    size_t n;
};

void partitions_fetch(struct slurm *s, struct spartitions *partitions);
void partitions_fini(struct spartitions *partitions);
/* The queue that a job in PARTITION goes to; NULL: the instance has none, so scripts made for a cluster run there. */
const char *partition_queue(struct slurm *s, const char *partition);
bool partition_has(const struct spartition *partition, const struct snode *node);

void nodes_fetch(struct slurm *s, struct snodes *nodes);
void nodes_fini(struct snodes *nodes);
/* "idle", COMPACT: as sinfo %t; else "IDLE" */
const char *nstate_name(enum nstate state, bool compact);
/* The node HOST, or NULL. */
const struct snode *nodes_find(const struct snodes *nodes, const char *host);
/* The memory of this machine in MiB, which stands for that of each node. */
unsigned long nodes_memory(void);

#endif
