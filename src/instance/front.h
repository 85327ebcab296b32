/* SPDX-License-Identifier: BSD-3-Clause */
/* front: the instance's initial program, and its end with it: the program is run by the leader, or by
 * hbatch start, which is then told that all is ready. */
#ifndef HBATCH_INSTANCE_FRONT_H
#define HBATCH_INSTANCE_FRONT_H

#include "src/instance/instance.h"

/* The rank on the host of hbatch start, which is told that all is ready and runs the program itself.
 * -1: nobody watches over the instance, or from a host without a rank; then rank 0 runs it. */
int front_home(const struct instance *in);
void front_start(struct instance *in);
/* It ran beside the rank that started it, and nobody knows how it ends. */
void front_lost(struct instance *in);
/* Tell it to end. */
void front_tell(struct instance *in, int signum);
/* SIGCHLD came: if it has ended, so does the instance. */
void front_reap(struct instance *in);
/* Whether mpirun started us, which sends SIGKILL to its ranks a second after SIGTERM. */
bool front_in_a_hurry(const struct instance *in);
/* The executor is gone: leave as soon as the program lets us. */
void front_leave(struct instance *in);

#endif
