/* SPDX-License-Identifier: BSD-3-Clause */
/* grow: the leader takes on ranks while the instance runs.  They are tasks of another job of the
 * parent, a grant: hbatch-instance --join=ADDRESS (join.h).  Each connects to the leader when it is
 * ready; when all of one grant are, they and the instance's ranks come together in a turn (turn.h).
 * PROTOCOL, section 6, tells what they say. */
#ifndef HBATCH_INSTANCE_GROW_H
#define HBATCH_INSTANCE_GROW_H

#include "src/instance/instance.h"

/* Listen, and tell the parent where, as "join" in the memo of its job; or why not, as "join_error".
 * PMIX: variables for MPI, of an instance of one rank, which loads MPI now; or NULL. */
void grow_prepare(struct instance *in, json_object *pmix);
/* Jobs or nodes have changed: where the instance has ranks now is told the parent, once its size has
 * changed. */
void grow_tell(struct instance *in);
void grow_destroy(struct instance *in);

#endif
