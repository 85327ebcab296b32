/* SPDX-License-Identifier: BSD-3-Clause */
/* launcher: ways to start the ranks of an instance: one file launch_NAME.c and one entry of
 * cmd_start.c's table for each kind of surroundings.  The first whose usable() says yes makes
 * the command line; hbatch start then becomes that command, or runs it by the launcher's run(). */
#ifndef HBATCH_CLI_LAUNCHER_H
#define HBATCH_CLI_LAUNCHER_H

#include "src/cli/cli.h"
#include "src/common/strbuf.h"

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
    const char *topology, *hostfile, *hosts, *mpirun, *uri_file;
    double time_limit;     /* seconds, 0: none */
    struct words mpi_args; /* --mpirun-options */
    char *instance;        /* path of hbatch-instance */
    int argc;              /* the command, may be empty */
    char **argv;
};

struct launcher {
    const char *name;
    bool (*usable)(const struct start *s);
    void (*command)(const struct start *s, struct words *w);
    /* NULL: execvp.  Its exit code, or -1 with err set. */
    int (*run)(char *const *argv, struct error *err);
};

extern const struct launcher launch_standalone, launch_mpirun;

/* "hbatch-instance OPTIONS COMMAND", which ends each launcher's command. */
void start_instance(const struct start *s, struct words *w);

#endif
