/* SPDX-License-Identifier: BSD-3-Clause */
/* shrink: ranks leave the instance while it goes on.  A rank that is to leave is drained; when nobody
 * uses its node any more it leaves in a turn (turn.h), its executor ends, and it exits with code 0.
 * The leader's own node never leaves. */
#ifndef HBATCH_INSTANCE_SHRINK_H
#define HBATCH_INSTANCE_SHRINK_H

#include <hwloc/bitmap.h>
#include "src/instance/instance.h"

/* COUNT nodes more are to leave: idle ones first, then those with the highest ranks.  Return how many. */
unsigned shrink_count(struct instance *in, unsigned count);
/* These ranks are to; WHY: the reason of their drain, NULL: that they are given back. */
unsigned shrink_ranks(struct instance *in, hwloc_const_bitmap_t ranks, const char *why);
/* The router's callback: the parent takes RANK's node back, and what runs there ends. */
void shrink_recall(void *arg, unsigned rank);
/* Leader: ranks of grants that were lost never come back, their nodes are the parent's again: they are forgotten. */
void shrink_lost(struct instance *in);
/* Leader: the jobs have changed; let go who can. */
void shrink_look(struct instance *in);
/* Leader: nodes that are idle for options.idle_return are given back. */
void shrink_watch(struct instance *in);
void shrink_destroy(struct instance *in);

#endif
