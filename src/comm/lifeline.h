/* SPDX-License-Identifier: BSD-3-Clause */
/* lifeline: what MPI does not tell: that a message waits, and that a process is gone.
 *
 * The ranks of an instance talk over MPI, which has no descriptor to sleep on and does not tell
 * of dead peers.  Beside it lies a star of TCP connections: every rank listens on a port of its
 * own from the start (all interfaces, IPv4, and IPv6 where there is any), every rank but the
 * leader connects to the leader.  They carry two things:
 *   - wake-ups: "look into MPI now".  Those that come together make one call;
 *   - the end of file, or the reset, that the kernel sends when a process was killed.
 * Silence is never reported: a peer that is stopped, or a host without power, is for heartbeats to
 * find.  Nor is a connection that cannot be had: it is tried again every LIFELINE_LIMIT_MS as
 * long as the leader is followed, and log_debug tells of the first time.
 *
 * On the wire: the rank that connects sends a line (greeting.h): the instance's secret, its rank, and
 * whom it looks for; a leader that takes it answers with a first wake-up, and only then the
 * connection counts for the other end: who is at a port that a dead process left, or at the same
 * address on another host, is not mistaken for the leader.
 * Then both send single bytes: 'W' wakes; 'B' (bye) says that the connection will be closed and
 * that this is no loss.  Anything else ends the connection, without a report.  The secret keeps
 * strangers out who find the port; it does not hide from those who read the network.
 *
 * The callbacks come from the loop, never from within a call, and may call everything here.  All
 * calls but lifeline_create allow NULL for the lifeline and then do nothing, so that a caller
 * for whom no socket could be had does without. */
#ifndef HBATCH_COMM_LIFELINE_H
#define HBATCH_COMM_LIFELINE_H

#include <stdbool.h>
#include <uv.h>
#include "src/common/error.h"

#define LIFELINE_LIMIT_MS 5000 /* for a greeting, for an address; and between two tries */

struct lifeline;

struct lifeline_ops {
    /* A peer has something to say.  Also called once when a connection comes up, on both ends:
     * what was sent before woke nobody. */
    void (*wake)(void *arg);
    /* The connection with RANK was closed or reset by its end without a farewell: its process is
     * gone.  Told once: that process is not heard again (see lifeline_peers). */
    void (*lost)(unsigned rank, void *arg);
};

/* Listen as rank RANK. OPS is kept by reference. NULL with err: no socket could be had. */
struct lifeline *lifeline_create(uv_loop_t *loop, unsigned rank,
                                 const struct lifeline_ops *ops, void *arg,
                                 struct error *err);
/* Say bye to all and close; the memory is freed when libuv has closed the handles. */
void lifeline_close(struct lifeline *l);

/* How the others reach this rank, a new string: "PORT ADDRESS ..." (tcpaddr.h tells which
 * addresses). Empty for no lifeline. */
char *lifeline_address(const struct lifeline *l);

/* It is that of RANK: one that joins knows it late, but before lifeline_peers. */
void lifeline_number(struct lifeline *l, unsigned rank);

/* The addresses of all SIZE ranks (copied; NULL or empty: that rank has none), and the
 * instance's secret, the same on all: 1 to GREETING_SECRET_MAX printable characters without
 * blanks.  Until this call nobody is followed, and who connects waits.  It may be called again,
 * with more ranks or with other addresses: a lost or forgotten rank whose address has changed
 * is a new process, which is welcome again.  -1 with err for a secret or size that will not do. */
int lifeline_peers(struct lifeline *l, char *const *addresses, unsigned size,
                   const char *secret, struct error *err);

/* LEADER leads from now on: connect to it, unless it is this rank; its addresses are tried in
 * turn.  The connection to a former leader is closed with a farewell.  Those of ranks that follow
 * this one stay until they follow another: they may know before this rank that it leads. */
void lifeline_follow(struct lifeline *l, unsigned leader);

/* Wake RANK, or all that are connected.  Without a connection nothing happens; when the
 * connection takes no more, wake-ups are pending there anyway. */
void lifeline_wake(struct lifeline *l, unsigned rank);
void lifeline_wake_all(struct lifeline *l);

/* RANK has been given up: close its connections without a report, take no others from it. */
void lifeline_forget(struct lifeline *l, unsigned rank);

/* Whether there is a connection with RANK that is up, in either direction. */
bool lifeline_connected(const struct lifeline *l, unsigned rank);

/* Another limit than LIFELINE_LIMIT_MS from now on, for tests. */
void lifeline_limit(struct lifeline *l, unsigned ms);

#endif
