/* SPDX-License-Identifier: BSD-3-Clause */
/* turn: the members of an instance change in order: ranks join it (grow.h, join.h), or leave
 * (shrink.h), while its jobs and clients go on.
 *
 * All ranks do it at the same point of the state stream, which the leader's line tells
 * (PROTOCOL, section 4, "turn").  They are blocked for as long as MPI takes to bring the processes
 * together, and not before all who are to come have said that they are ready. */
#ifndef HBATCH_INSTANCE_TURN_H
#define HBATCH_INSTANCE_TURN_H

#include "src/instance/instance.h"

struct turn_ops {
    /* Nothing is on its way: what the turn is, a new object {"grow":..} or {"shrink":IDSET}; NULL: it is
     * not wanted any more. */
    json_object *(*make)(struct instance *in, void *arg);
    /* It cannot be made now, as a rank was lost meanwhile, or the instance ends.  May be NULL. */
    void (*missed)(struct instance *in, void *arg);
    /* It was made; ERR: it could not be, and members are as before, less who was lost. */
    void (*done)(struct instance *in, const struct error *err, void *arg);
};

/* The description follows who is here: what a client of any rank asks for. */
void turn_count(struct instance *in);
/* Leader: whether a turn can be begun now. */
bool turn_possible(const struct instance *in);
void turn_begin(struct instance *in, const struct turn_ops *ops, void *arg);
/* Others: the router's callback for the leader's line. */
void turn_told(void *arg, const char *line, size_t len);

#endif
