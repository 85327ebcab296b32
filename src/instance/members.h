/* SPDX-License-Identifier: BSD-3-Clause */
/* members: which ranks live, and who leads.
 *
 * MPI does not tell of a dead peer.  A killed process is told by the lifeline (lifeline.h) at once;
 * what falls silent (a host without power, a cut cable) by heartbeats: the others tell the leader
 * each second that they live and how far they have applied the state stream, and the leader tells
 * them how far all are.
 *
 * The leader gives up a rank that was killed, or silent for MEMBERS_TIMEOUT.  It then asks the
 * others whether they are there, and when all have answered, all of them re-form the collectives
 * without the dead (transport_reform): the question keeps short the time in which another death
 * could leave that call waiting.
 *
 * When the leader is lost, the lowest rank that lives asks the others whether they have lost it,
 * too, and how far they are; takes over what another one has that it has not (epochs are kept
 * until all have them); has all re-form; and leads.
 *
 * Two halves of a cut network must not both go on.  Where hbatch start watches over the instance,
 * the side with its host (HOME) goes on; else the side with more than half of the ranks, or half
 * of them and the leader.  The other ranks end, with their tasks, before the leader's side takes
 * their tasks for gone. */
#ifndef HBATCH_INSTANCE_MEMBERS_H
#define HBATCH_INSTANCE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/comm/transport.h"
#include "src/instance/node.h"

/* Seconds of silence after which a rank is given up; HBATCH_LOSS_TIMEOUT says otherwise.  Ranks
 * that hear no leader wait three quarters of it for another one. */
#define MEMBERS_TIMEOUT 4.0

struct members;

struct members_ops {
    /* Leader: RANK is gone; SURE: its process is, else it may be that it is only not heard. */
    void (*lost)(unsigned rank, bool sure, void *arg);
    /* This rank leads from now on; RANK leads from now on. */
    void (*lead)(void *arg);
    void (*led)(unsigned rank, void *arg);
    /* Leader: transport_safe has changed, perhaps. */
    void (*confirmed)(void *arg);
    /* What RANK is called in messages. */
    struct node_name (*name)(unsigned rank, void *arg);
    /* This rank cannot go on; WHY: a sentence. */
    void (*alone)(const char *why, void *arg);
};

/* TRANSPORT is numbered, not started yet, and must outlive it: all ranks call this together.
 * HOME: the rank on the host of hbatch start, or -1.  GENERATION: of the leader. */
struct members *members_create(uv_loop_t *loop, struct transport *transport,
                               unsigned generation, int home,
                               const struct members_ops *ops, void *arg);
/* A rank that joins later: it listens, and can tell ADDRESS (a new string), before it is one; then it is
 * DESCRIBED by another one's members_describe, made when it was already among the addresses. */
struct members *members_listen(uv_loop_t *loop);
char *members_address(const struct members *m);
json_object *members_describe(const struct members *m);
void members_join(struct members *m, struct transport *transport, json_object *described,
                  const struct members_ops *ops, void *arg);

/* After transport_grow: the new ranks' ADDRESSES.  Before transport_shrink: RANKS are not missed. */
void members_grow(struct members *m, json_object *addresses);
void members_leave(struct members *m, hwloc_const_bitmap_t ranks);
/* Members have changed in order, on all ranks: this is another set, with another GENERATION. */
void members_turned(struct members *m, unsigned generation);
/* Leader: nobody is being given up, so that members may change in order. */
bool members_settled(const struct members *m);

void members_start(struct members *m);
/* The instance ends: nobody is missed from now on. */
void members_stop(struct members *m);
void members_destroy(
    struct members *m); /* NULL is allowed; the handles close with the loop */

/* Rank SRC was heard; true if LINE was a message between members (of any kind). */
bool members_line(struct members *m, unsigned src, char *line, size_t len);
/* An epoch was applied. */
void members_applied(struct members *m);
/* The epoch before which collectives were those of a former set of members. */
uint64_t members_since(const struct members *m);
/* How many leaders and sets of members there have been. */
unsigned members_generation(const struct members *m);
/* Seconds after which a rank that was lost without certainty has ended its tasks, if it lives. */
double members_fence(const struct members *m);

#endif
