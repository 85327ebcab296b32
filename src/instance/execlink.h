/* SPDX-License-Identifier: BSD-3-Clause */
/* execlink: a rank's executor: started before MPI_Init, or found there by a rank that came back;
 * spoken to over its socket, started anew when it dies.
 *
 * An executor that was found is not our child: that it died is noticed by the end of its
 * connection, and made sure of by SIGKILL.  One that follows a dead one first kills what tasks that
 * left: LOST is called when it says hello, and none of those tasks runs any more. */
#ifndef HBATCH_INSTANCE_EXECLINK_H
#define HBATCH_INSTANCE_EXECLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"

struct execlink;

struct execlink_ops {
    void (*line)(char *line, size_t len, void *arg);
    /* The executor died, and with it all its tasks; a new one runs, and its hello is the next
     * LINE (or, RESTARTED false, it could not be started: this node can run nothing). */
    void (*lost)(bool restarted, void *arg);
};

/* Start hbatch-exec for RANK with its files in RUNDIR.  ATTACH: take over the one that answers at
 * RUNDIR/exec-RANK.sock; where none does, the new one kills what tasks of a former one are left
 * before its hello.  No loop needed yet. */
struct execlink *execlink_start(unsigned rank, const char *rundir, bool verbose,
                                bool attach, struct error *err);
/* Was it there already? */
bool execlink_attached(const struct execlink *x);
/* Connect; INIT (taken over) is the first message to this and every later executor. */
int execlink_connect(struct execlink *x, uv_loop_t *loop, json_object *init,
                     const struct execlink_ops *ops, void *arg, struct error *err);
void execlink_send(struct execlink *x, const char *line, size_t len);
pid_t execlink_pid(const struct execlink *x); /* 0: none runs */
/* The instance has another size: INIT, taken over, is for this executor and later ones. */
void execlink_describe(struct execlink *x, json_object *init);
/* The leader changed: the executor gets INIT again (NULL: the one it had; else taken over), and
 * then says hello and sends all events that were not acknowledged, as to a rank that came back.
 * Nothing that is on its way in either direction is lost. */
void execlink_renew(struct execlink *x, json_object *init);
/* SIGCHLD came: look whether the executor is among the dead. */
void execlink_reap(struct execlink *x);
/* Ask it to kill what runs and to leave; DONE is called when it has, or was killed because it
 * did not. */
void execlink_quit(struct execlink *x, void (*done)(void *arg), void *arg);
/* Let go of it, and free: it goes on, and waits for a rank that attaches. */
void execlink_leave(struct execlink *x);
void execlink_destroy(
    struct execlink *x); /* NULL is allowed; kills it if it still runs */

#endif
