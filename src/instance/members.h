/* SPDX-License-Identifier: BSD-3-Clause */
/* members: which ranks live.  MPI does not tell of a dead peer, so ranks tell the leader that
 * they live (and how far they have applied the state stream), and the leader tells them.
 *
 * The leader gives up a rank that was silent for too long.  It then asks the others whether they
 * are there, and when all have answered, all of them re-form the collectives without the dead
 * (transport_reform): the check keeps short the time in which another death could leave that
 * call waiting. */
#ifndef HBATCH_INSTANCE_MEMBERS_H
#define HBATCH_INSTANCE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "src/comm/transport.h"

/* Seconds of silence after which a rank is given up; HBATCH_LOSS_TIMEOUT says otherwise.  Ranks
 * wait for the leader three times as long. */
#define MEMBERS_TIMEOUT 4.0

struct members;

struct members_ops {
    void (*lost)(unsigned rank, void *arg); /* leader: RANK is dead */
    void (*leader_lost)(void *arg);         /* others */
    void (*expelled)(void *arg);            /* the leader has given up this rank */
};

/* TRANSPORT is started and must outlive it. */
struct members *members_create(uv_loop_t *loop, struct transport *transport,
                               const struct members_ops *ops, void *arg);
void members_destroy(
    struct members *m); /* NULL is allowed; the handle closes with the loop */

/* Rank SRC was heard; true if LINE was a message between members (of any kind). */
bool members_line(struct members *m, unsigned src, char *line, size_t len);
/* The epoch before which collectives were those of a former set of members. */
uint64_t members_since(const struct members *m);

#endif
