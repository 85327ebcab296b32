/* SPDX-License-Identifier: BSD-3-Clause */
/* One rank on this machine: it needs no mpirun. */
#include <errno.h>
#include "src/cli/launcher.h"

static bool here(const struct start *s)
{
    return s->test_nodes <= 1 && (start_nhosts(s) == 0 || foreign_is_here(s->alloc));
}

/* A host that was named gets mpirun, as mpirun's own options do. */
static bool usable(const struct start *s)
{
    return here(s) && strcmp(s->alloc->kind->name, "hosts") != 0 && !s->mpirun &&
           s->mpi_args.n == 0;
}

static int check(const struct start *s, struct error *err)
{
    if (here(s))
        return 0;
    return error_set(err, EINVAL,
                     "--launcher=standalone: there is more than this machine; for an "
                     "instance of it alone use --foreign=none");
}

const struct launcher launch_standalone = {"standalone", usable, check, start_instance,
                                           NULL};
