/* SPDX-License-Identifier: BSD-3-Clause */
/* gather_impl: what prepare.c and gather.c share. */
#ifndef HBATCH_INSTANCE_GATHER_IMPL_H
#define HBATCH_INSTANCE_GATHER_IMPL_H

#include "src/instance/instance.h"

/* Of the store of RANK in the run directory; the caller frees. */
char *gather_store_path(const struct instance *in, unsigned rank);
/* in->store is it; ANEW: what was there is removed first. */
int gather_open_store(struct instance *in, unsigned rank, bool anew, struct error *err);
/* Whether the leader's store is in a directory that outlives the instance. */
bool gather_has_state(const struct instance *in);
/* Its number is known: start its executor, or find the one of before. */
int gather_be_rank(struct instance *in, unsigned rank, struct error *err);

#endif
