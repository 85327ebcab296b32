/* SPDX-License-Identifier: BSD-3-Clause */
/* router: a rank's switch of messages between its clients, its executor, the leader and the
 * other ranks.  Lines between ranks carry one letter in front that says whose they are
 * (PROTOCOL, section 3), so that a rank that only passes a line on does not parse it. */
#ifndef HBATCH_INSTANCE_ROUTER_H
#define HBATCH_INSTANCE_ROUTER_H

#include <json-c/json.h>
#include <uv.h>
#include "src/comm/transport.h"
#include "src/common/error.h"
#include "src/instance/execlink.h"
#include "src/instance/leader.h"
#include "src/instance/members.h"
#include "src/instance/replica.h"
#include "src/instance/usage.h"

struct router;

struct router_config {
    uv_loop_t *loop;
    unsigned rank, size;
    struct transport *transport; /* NULL: this rank is alone */
    struct execlink *exec;
    struct leader *leader;   /* NULL: another rank has it */
    struct replica *replica; /* NULL: this rank leads */
    struct members *members; /* NULL: this rank is alone */
    uint64_t epoch;          /* of the state stream that the replica has */
    /* Leader: what a reduction of all ranks' usage gave. */
    void (*usage)(void *arg, const struct usage *u);
    const char *socket;         /* where clients of this rank connect */
    json_object *init;          /* the executor's first message; taken over */
    void (*quit)(void *arg);    /* the leader told this rank to end */
    void (*restart)(void *arg); /* ... to leave, and be started again */
    /* A line of the state stream by which members change in order (turn.h). */
    void (*turn)(void *arg, const char *line, size_t len);
    void (*recall)(void *arg, unsigned rank); /* leader: RANK was told to leave */
    void *arg;
};

/* Start to serve clients and to carry messages. */
struct router *router_create(const struct router_config *config, struct error *err);
/* Closes clients; handles close with the loop. NULL is allowed. */
void router_destroy(struct router *r);

/* On the leader's rank: carry LINE to the executor of RANK; tell all ranks to end. */
void router_to_exec(struct router *r, unsigned rank, const char *line, size_t len);
void router_quit_all(struct router *r);
/* All ranks are to leave, with their executors going on. */
void router_restart_all(struct router *r);

/* There are SIZE ranks. */
void router_grow(struct router *r, unsigned size);
/* The rank was alone, and is not any more. */
void router_connect(struct router *r, struct transport *transport,
                    struct members *members);
/* This rank, which does not lead, was told to leave: the leader is to let it. */
void router_recall(struct router *r);

/* The former leader is gone.  This rank leads, by LEADER: the replica that it had is gone; or
 * (NULL) another one does.  Clients' connections are closed: they ask again.  The executor says
 * anew what it has. */
void router_new_leader(struct router *r, struct leader *leader);
/* This rank, which does not lead, has a line for the log. */
void router_log(struct router *r, double t, const char *level, const char *text);
/* The executor is a new one, in place of one that died while there was no rank. */
void router_exec_replaced(struct router *r);
/* Leader: RANK is gone, and its clients with it. */
void router_rank_lost(struct router *r, unsigned rank);

#endif
