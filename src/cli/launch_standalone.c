/* SPDX-License-Identifier: BSD-3-Clause */
/* One rank on this machine: it needs no mpirun. */
#include "src/cli/launcher.h"

static bool usable(const struct start *s)
{
    return s->test_nodes <= 1 && !s->hostfile && !s->hosts && !s->mpirun &&
           s->mpi_args.n == 0;
}

const struct launcher launch_standalone = {"standalone", usable, start_instance, NULL};
