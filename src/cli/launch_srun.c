/* SPDX-License-Identifier: BSD-3-Clause */
/* Several ranks by Slurm's srun, whose PMIx plugin serves Open MPI: no mpirun, no daemons of it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "config.h"
#include "src/cli/launcher.h"
#include "src/foreign/query.h"

/* Only when it is asked for: not every Slurm has the plugin. */
static bool usable(const struct start *s)
{
    (void)s;
    return false;
}

static int check(const struct start *s, struct error *err)
{
    if (strcmp(s->alloc->kind->name, "slurm") != 0)
        return error_set(err, EINVAL,
                         "--launcher=srun: this is no Slurm job (SLURM_JOB_ID and "
                         "SLURM_JOB_NODELIST are not in the environment)");
    if (!query_in_path("srun"))
        return error_set(err, ENOENT, "--launcher=srun: srun is not in PATH");
    return 0;
}

static void command(const struct start *s, struct words *w)
{
    /* MPI_Init has two barriers.  Slurm's plugin makes them with two different algorithms by default, and on a busy machine
     * a rank was seen to be through the second one while another was in the first: Open MPI 4.1 there crashes on the
     * first message. */
    setenv("SLURM_PMIX_FENCE", "tree", 0);
    unsigned n = start_nhosts(s);
    cleanup_free char *list = hostlist_encode(s->alloc->hosts);
    words_add(w, "srun");
    words_add(w, "--nodes=%u", n);
    words_add(w, "--ntasks=%u", n);
    words_add(w, "--ntasks-per-node=1");
    words_add(w, "--nodelist=%s", list);
    words_add(w, strcmp(MPI_FLAVOUR, "mpich") == 0 ? "--mpi=pmi2" : "--mpi=pmix");
    /* all that the allocation has of a node, not as much as one task would get */
    words_add(w, "--cpu-bind=none");
    words_add(w, "--kill-on-bad-exit=1");
    if (isatty(STDIN_FILENO) && s->argc == 0)
        words_add(w, "--pty"); /* of the leader */
    else
        words_add(w, "--input=0");
    for (size_t i = 0; i < s->mpi_args.n; i++)
        words_add(w, "%s", s->mpi_args.v[i]);
    start_instance(s, w);
}

const struct launcher launch_srun = {"srun", usable, check, command, NULL};
