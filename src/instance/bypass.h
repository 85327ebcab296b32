/* SPDX-License-Identifier: BSD-3-Clause */
/* bypass: jobs that pass the scheduler by: what 'hbatch exec' runs on ranks.
 *
 * Their specification has attributes.system.alloc-bypass = {"ranks":IDSET}: they are started there at once,
 * on drained nodes, too, a slot on each rank, and take nothing: their R has no core.  In all else they are jobs. */
#ifndef HBATCH_INSTANCE_BYPASS_H
#define HBATCH_INSTANCE_BYPASS_H

#include "src/instance/job.h"

struct leader;

bool bypass_is(const struct jobspec *spec);
/* Whether such a job can be started; -1 with err set. */
int bypass_check(const struct leader *ld, const struct submission *sub,
                 struct error *err);
/* Start those that wait. */
void bypass_turn(struct leader *ld);

#endif
