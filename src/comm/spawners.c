/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of transport.h for the program that spawned this instance. */
#include "src/comm/transport_impl.h"

#include <string.h>
#include "src/common/util.h"

#define LAST_S 0.3 /* for the last message: the program may be dead */

unsigned transport_spawners(const struct transport *t)
{
    return (unsigned)t->mpi->spawners();
}

void transport_hear_spawners(struct transport *t,
                             void (*recv)(unsigned src, char *data, size_t len,
                                          void *arg),
                             void *arg)
{
    t->hear = recv;
    t->hear_arg = arg;
}

void spawner_said(int src, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    if (!t->started || !t->hear)
        return;
    t->last = time_mono();
    t->hear((unsigned)src, data, len, t->hear_arg);
}

void transport_tell_spawner(struct transport *t, unsigned dst, const char *data,
                            size_t len)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, data, len);
    t->mpi->send_spawner((int)dst, copy, len);
    t->last = time_mono();
    if (t->started)
        transport_set_pace(t, 0);
}

void transport_leave_spawners(struct transport *t, const char *data, size_t len)
{
    for (unsigned i = 0; i < transport_spawners(t); i++)
        transport_tell_spawner(t, i, data, len);
    if (transport_spawners(t) > 0)
        transport_drain(t, LAST_S);
    t->mpi->forget_spawner();
}
