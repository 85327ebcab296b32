/* SPDX-License-Identifier: BSD-3-Clause */
/* surroundings: where this rank came to life: which launcher started it, and which foreign
 * allocation the instance lives in, until when. */
#ifndef HBATCH_INSTANCE_SURROUNDINGS_H
#define HBATCH_INSTANCE_SURROUNDINGS_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/instance/options.h"

/* What a launcher says of a rank in its environment: before MPI_Init, or without it. */
struct launched {
    bool launched; /* by mpirun, mpiexec or srun; else rank 0 of 1 */
    bool by_srun;  /* directly, not by the daemons of an mpirun that srun started */
    unsigned rank, size;
};
struct launched surroundings_launcher(void);

/* Add what the instance lives in to its description INFO: "foreign", "foreign_id", and
 * "expiration", the earliest of all that is known (NOW: its start). */
void surroundings_describe(const struct options *o, json_object *info, double now);

#endif
