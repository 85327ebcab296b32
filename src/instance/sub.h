/* SPDX-License-Identifier: BSD-3-Clause */
/* sub: this instance as a job of another one, its parent: what the parent's executor told in
 * HBATCH_SUB_INSTANCE (src/exec/sub.h), and what the leader tells the parent: its URI, and how many jobs it has.  When
 * the parent is gone for good, the instance ends. */
#ifndef HBATCH_INSTANCE_SUB_H
#define HBATCH_INSTANCE_SUB_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"

struct sub {
    json_object *told;  /* all of it; NULL: this is no sub-instance */
    int64_t id;         /* of the job in the parent */
    const char *name;   /* the same in F58 */
    const char *uri;    /* the parent's, on this node */
    const char *tmpdir; /* of the job, on this node; NULL: not told */
    const char
        *rundir; /* where a run directory may be made; NULL: its path is too long */
    unsigned level, rank, size;
    unsigned node; /* the parent's rank here */
    bool isvirtual;
    bool spawned; /* by a task of the parent's (MPI_Comm_spawn) */
    bool plain;   /* the job is a plain one, whose tasks have started this: enclosed.h */
    double expiration;
    double
        grace; /* s, from the limit to SIGKILL for what is in it; INFINITY: there is none */
};

/* Read it, and take it and the outer job's variables out of the environment; where there is none and ASK, ask for it
 * (enclosed.h).  -1 with err set: the variable is there and makes no sense. */
int sub_read(struct sub *sub, bool ask, struct error *err);
/* The part of a node (node_discover) that was told: host, cores, gpus, memory, bind, virtual. */
json_object *sub_node(const struct sub *sub);

struct parent;

struct parent_ops {
    json_object *(*stats)(void *arg); /* what runs and waits here; a new object */
    void (*gone)(void *arg,
                 const char *why); /* the parent has ended; once; WHY: a sentence */
    /* The parent orders something: {"order":"prepare"|"shrink"|"drain"|..., ...}, see PROTOCOL,
     * job.orders; not kept.  What still holds is said again on each new connection, so the same
     * order may come twice.  NULL: this instance takes none. */
    void (*order)(void *arg, json_object *order);
};

/* Tell the parent that this instance is at URI, and keep in touch. OPS is kept by reference. */
struct parent *parent_create(uv_loop_t *loop, const struct sub *sub, const char *uri,
                             const struct parent_ops *ops, void *arg);
/* Jobs have changed: what is different is told within a second. NULL is allowed. */
void parent_touch(struct parent *p);
/* The instance ends: its last numbers are for the event log of its job. NULL is allowed. */
void parent_farewell(struct parent *p);
/* Note VALUE (taken over; NULL: nothing) under KEY in the parent's job, now and on each new
 * connection. */
void parent_note(struct parent *p, const char *key, json_object *value);
/* NODES, the parent's ranks of nodes that the job itself was given, are given back: the parent
 * has them again as soon as the tasks there have ended.  Repeated until it has heard it. */
void parent_return(struct parent *p, hwloc_const_bitmap_t nodes);
void parent_destroy(struct parent *p); /* NULL is allowed; handles close with the loop */

#endif
