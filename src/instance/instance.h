/* SPDX-License-Identifier: BSD-3-Clause */
/* instance: what one rank of an instance consists of: shared by main.c, which runs it, and gather.c,
 * where the ranks find each other. */
#ifndef HBATCH_INSTANCE_INSTANCE_H
#define HBATCH_INSTANCE_INSTANCE_H

#include "src/instance/execlink.h"
#include "src/instance/journal.h"
#include "src/instance/leader.h"
#include "src/instance/logring.h"
#include "src/instance/options.h"
#include "src/instance/router.h"
#include "src/instance/statedir.h"
#include "src/instance/sub.h"

struct instance {
    struct options options;
    struct sub sub; /* it is a job of another instance */
    bool
        own_node; /* the node is described by options, for tests: it is not what the parent's job has */
    struct parent *parent;   /* leader of a sub-instance */
    struct spawner *spawner; /* leader of one that a program spawned */
    uv_loop_t loop;
    uv_signal_t signals[12];
    unsigned rank, size;        /* of the instance */
    unsigned world, world_size; /* as the launcher counts */
    bool by_mpirun;             /* or mpiexec; not by srun, nor alone */
    bool by_srun;
    char *rundir;
    bool own_rundir;
    char *uri;
    json_object *info;   /* instance.info's result */
    json_object **nodes; /* [size] */
    json_object
        *config; /* that the leader was started with (src/sched/config.h), or NULL */
    struct transport *transport; /* NULL: one rank */
    struct execlink *exec;
    struct archives *archives; /* files that all ranks have */
    struct logring *log;       /* the latest lines */
    struct journal *journal;   /* what happened to nodes */
    bool logging;              /* one is being added */
    struct leader *leader;     /* of the rank that leads */
    struct replica *replica;   /* of the others: the leader's tables */
    struct store *store;       /* until one of these has it */
    struct statedir *statedir; /* of the rank whose store is in it */
    unsigned life;             /* of the instance; 0: it has no state directory */
    struct members *members;   /* NULL: one rank */
    struct early *early;       /* while it comes up */
    struct turn *turn;         /* members are about to change, or NULL */
    struct grow *grow;         /* leader of a sub-instance that can take on ranks */
    struct shrink *shrink;     /* leader of one from which some are to leave */
    struct router *router;
    bool lost;           /* ranks were lost since that was looked at (shrink_lost) */
    bool resized;        /* ranks have joined or left */
    char *told_nodes;    /* where it has ranks, as the parent was told; NULL: not yet */
    unsigned generation; /* of leaders */
    uint64_t epoch;      /* of the state stream that the store has */
    pid_t program;       /* 0: none (yet, or any more) */
    int status;          /* exit code */
    bool told_to_end;    /* the program was, and did not end by itself */
    double told_at;      /* since then, monotonic */
    int told_to_leave;   /* the signal that came while another rank led, or 0 */
    bool exec_gone;
    uv_timer_t patience; /* with a program that was told to end */
    bool leaving;
    bool agreed; /* all ranks know why they cannot go on */
};

static inline void add_str(json_object *o, const char *key, const char *s)
{
    if (s)
        json_object_object_add(o, key, json_object_new_string(s));
}

/* The router's callback, and turn.h's: this rank ends, its executor first. */
void instance_quit(void *arg);

/* What this rank brings along: its run directory, node, executor and (where there are others) store.
 * NULL with err set: it cannot take part. */
json_object *gather_prepare(struct instance *in, struct error *err);
/* The configurations of the command line, as one: in->config, NULL: there are none. */
int gather_read_config(struct instance *in, struct error *err);
/* Collective: all nodes to all; who is who, and what there was before, where the instance is
 * started again; the leader's description to all.  NODE is taken over.  -1 with err set;
 * in->agreed tells whether all ranks know that. */
int gather(struct instance *in, json_object *node, struct error *err);
/* The store of a rank that joins is a copy: DATA, of LEN bytes. */
int gather_copy(struct instance *in, const unsigned char *data, size_t len,
                struct error *err);
/* The rank is here, and its instance may be started again from what it leaves. */
void gather_sign(const struct instance *in);
/* It ends: who loses its connection need not wait. */
void gather_sign_off(const struct instance *in);

/* What the executor is told of the instance: its message "init", a new one. */
json_object *instance_describe(const struct instance *in);

#endif
