/* SPDX-License-Identifier: BSD-3-Clause */
/* spawner: the MPI program that started this instance by MPI_Comm_spawn.  Its processes are clients that send their
 * requests over the intercommunicator (PROTOCOL, section 7; src/mpi/hbatch_mpi.h is the other side), all of them to
 * rank 0, which leads as long as it lives. */
#ifndef HBATCH_INSTANCE_SPAWNER_H
#define HBATCH_INSTANCE_SPAWNER_H

#include <uv.h>
#include "src/comm/transport.h"
#include "src/instance/server.h"

struct spawner;

struct spawner_ops {
    /* As those of a server. */
    void (*line)(struct client *c, char *line, size_t len, void *arg);
    void (*gone)(struct client *c, void *arg);
    /* It wants the instance to end, with this reason; it will not be heard of again, and the instance goes on.  Each
     * may be called again. */
    void (*end)(const char *reason, void *arg);
    void (*let_go)(void *arg);
};

/* Begin to serve its processes. OPS is kept by reference. */
struct spawner *spawner_create(uv_loop_t *loop, struct transport *t,
                               const struct spawner_ops *ops, void *arg);
/* Tell all processes that nothing comes any more, and why. */
void spawner_farewell(struct transport *t, const char *why);
/* NULL is allowed; handles close with the loop. */
void spawner_destroy(struct spawner *s);

#endif
