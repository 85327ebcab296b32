/* SPDX-License-Identifier: BSD-3-Clause */
/* execlink: a rank's executor: started before MPI_Init, spoken to over its socket, started anew
 * when it dies. */
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
    /* The executor died, and with it all its tasks; a new one runs (or, RESTARTED false, could
     * not be started: this node can run nothing). */
    void (*lost)(bool restarted, void *arg);
};

/* Start hbatch-exec for RANK with its files in RUNDIR. No loop needed yet. */
struct execlink *execlink_start(unsigned rank, const char *rundir, bool verbose,
                                struct error *err);
/* Connect; INIT (taken over) is the first message to this and every later executor. */
int execlink_connect(struct execlink *x, uv_loop_t *loop, json_object *init,
                     const struct execlink_ops *ops, void *arg, struct error *err);
void execlink_send(struct execlink *x, const char *line, size_t len);
void execlink_send_json(struct execlink *x, json_object *o);
pid_t execlink_pid(const struct execlink *x); /* 0: none runs */
/* SIGCHLD came: look whether the executor is among the dead. */
void execlink_reap(struct execlink *x);
/* Ask it to kill what runs and to leave; DONE is called when it has, or was killed because it
 * did not. */
void execlink_quit(struct execlink *x, void (*done)(void *arg), void *arg);
void execlink_destroy(
    struct execlink *x); /* NULL is allowed; kills it if it still runs */

#endif
