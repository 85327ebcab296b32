/* SPDX-License-Identifier: BSD-3-Clause */
/* supervise: keep an instance of several ranks alive beside its initial program.
 *
 * hbatch start chooses the run directory, starts mpirun, and, as soon as the ranks are ready, the
 * program, which gets its standard files, terminal and process group.  When mpirun or all ranks
 * die, mpirun is started again, with hbatch-instance --recover, on the hosts that answer; so it is,
 * once the ranks have left for that, when a host whose rank was lost answers again.  The instance
 * ends with the program, the program with the instance. */
#ifndef HBATCH_CLI_SUPERVISE_H
#define HBATCH_CLI_SUPERVISE_H

#include "src/cli/launcher.h"

struct supervise {
    const struct start *start;
    /* The command line of mpirun for S: with its rundir, supervised and recover. */
    void (*command)(const struct start *s, struct words *w);
    /* What asks a host whether it is there (reach.h); NULL: nobody needs to be asked. */
    const char *ask;
    /* Tell what keeps ranks from starting on hosts of S; how many.  May block, for it is called in
     * a process of its own where the ranks are long not ready. */
    size_t (*diagnose)(const struct start *s);
    /* Programs of this name are not killed with a dead mpirun: they end with what they had started
     * on other hosts.  Or NULL. */
    const char *spare;
    /* A rank on each host of start->alloc; else all are on this machine. */
    bool hosts;
    /* Result: mpirun has failed before the ranks were ready. */
    bool failed;
    char *kept; /* what mpirun then had to say on it; the caller frees */
};

/* The exit code, or -1 with err set: mpirun cannot be run, or there is no run directory. */
int supervise(struct supervise *config, struct error *err);

#endif
