/* SPDX-License-Identifier: BSD-3-Clause */
/* launcher: ways to start the ranks of an instance: one file launch_NAME.c and one entry of
 * cmd_start.c's table for each kind of surroundings.  The first whose usable() says yes makes
 * the command line; hbatch start then becomes that command, or runs it by the launcher's run(). */
#ifndef HBATCH_CLI_LAUNCHER_H
#define HBATCH_CLI_LAUNCHER_H

#include <string.h>
#include "src/cli/cli.h"
#include "src/common/strbuf.h"
#include "src/foreign/foreign.h"

/* A command line under construction. */
struct words {
    char **v; /* NULL terminated once anything was added */
    size_t n;
};

void words_add(struct words *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void words_fini(struct words *w);
/* As a shell would need it; new. */
char *words_quote(const struct words *w);

struct start {
    struct cli *cli;
    unsigned test_nodes, test_gpus; /* 0: not given */
    bool tell_status;               /* the launcher hides the instance's exit code */
    const char *topology, *mpirun, *uri_file;
    /* For hbatch-instance, when hbatch start goes on beside it (supervise.h). */
    const char *rundir, *supervised; /* NULL: not */
    bool recover;
    char *statedir;
    const char *durability; /* NULL: none, the default */
    bool salvage, take_lock;
    double time_limit;       /* seconds, 0: none */
    struct foreign *alloc;   /* what it lives in, with hosts and end */
    bool foreign_named;      /* --foreign: it is not to be found out again */
    double expiration;       /* alloc's, for the instance; 0: none */
    struct words mpi_args;   /* --mpirun-options */
    struct words properties; /* --property, --policy ..., as hbatch-instance takes it */
    char *instance;          /* path of hbatch-instance */
    int argc;                /* the command, may be empty */
    char **argv;
};

struct launcher {
    const char *name;
    /* Whether it is the one to take when none was named. */
    bool (*usable)(const struct start *s);
    /* Whether it can do it at all; NULL: it can. -1 with err set. */
    int (*check)(const struct start *s, struct error *err);
    void (*command)(const struct start *s, struct words *w);
    /* NULL: execvp.  Its exit code, or -1 with err set. */
    int (*run)(const struct start *s, char *const *argv, struct error *err);
};

extern const struct launcher launch_standalone, launch_mpirun, launch_srun;

/* A rank on each of so many hosts; 0: virtual nodes, or the one of this machine. */
static inline unsigned start_nhosts(const struct start *s)
{
    bool none =
        !foreign_is_batch(s->alloc->kind) && strcmp(s->alloc->kind->name, "hosts");
    return none ? 0 : (unsigned)hostlist_count(s->alloc->hosts);
}

/* "hbatch-instance OPTIONS COMMAND", which ends each launcher's command. */
void start_instance(const struct start *s, struct words *w);

#endif
