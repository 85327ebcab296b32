/* SPDX-License-Identifier: BSD-3-Clause */
/* join: a rank that joins a running instance: a task of a grant, hbatch-instance --join=ADDRESS.
 *
 * ADDRESS is what grow.h told the parent: SECRET@PORT,HOST,HOST... of the instance's leader. */
#ifndef HBATCH_INSTANCE_JOIN_H
#define HBATCH_INSTANCE_JOIN_H

#include "src/instance/instance.h"

/* The address for WHERE (tcpaddr.h), a new string. */
char *join_address(const char *secret, const char *where);
/* How long it takes does not tell how much of it was right. */
bool join_secret_is(const char *told, const char *secret);

/* Be ready, which NODE describes (taken over), wait for the others, and join: afterwards the rank has its
 * number, the instance's description, tables and members.  -1 with err set. */
int join_instance(struct instance *in, json_object *node, struct error *err);

#endif
