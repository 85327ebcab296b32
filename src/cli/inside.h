/* SPDX-License-Identifier: BSD-3-Clause */
/* inside: a program that runs here, inside of an instance: alloc, proxy.
 *
 * It has this process's terminal and process group: ctrl-C and ctrl-Z reach it from the terminal.
 * SIGINT and SIGQUIT are the program's alone; SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed on. */
#ifndef HBATCH_CLI_INSIDE_H
#define HBATCH_CLI_INSIDE_H

#include "src/cli/cli.h"

struct inside {
    struct hbatch *h; /* connection to the instance */
    char *parent_uri; /* or NULL */
    char *job;        /* that the instance is in its parent, or NULL */
    int level;
    pid_t pid;      /* of the program; 0: none */
    bool shell;     /* it is the user's */
    int signal_fd;  /* readable: inside_signals; -1: none */
    double killing; /* when it is killed, since it does not end (monotonic); 0: never */
};

/* Connect to the instance at URI, and ask what the program is told of it. */
int inside_open(struct inside *in, const char *uri, struct error *err);
/* Start ARGV (NULL: the user's shell); errors as program_start's. */
int inside_start(struct inside *in, char **argv, struct error *err);
/* Signals have come. Whether the program has ended: then *CODE is its exit code. */
bool inside_signals(struct inside *in, int *code);
/* Signals that came after its end: whether there were any but SIGCHLD. */
bool inside_late_signals(struct inside *in);
/* The instance is gone: SIGHUP and SIGCONT, and SIGKILL after 5 s. */
void inside_hang_up(struct inside *in);
/* Milliseconds for poll(2) until inside_signals must be called anyhow; -1: never. */
int inside_patience(const struct inside *in);
/* Until the program has ended; a shell is hung up on when the instance ends. Return its exit code. */
int inside_wait(struct inside *in, struct cli *cli);
void inside_close(struct inside *in);
/* The path of this program, new. */
char *inside_self(void);

#endif
