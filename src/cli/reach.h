/* SPDX-License-Identifier: BSD-3-Clause */
/* reach: which hosts answer, asked by a command for each, all at once: "ssh %h true", where %h is
 * the host and blanks separate the words.  Nothing blocks. */
#ifndef HBATCH_CLI_REACH_H
#define HBATCH_CLI_REACH_H

#include <stdbool.h>
#include <sys/types.h>
#include "src/common/hostlist.h"

/* TEXT with the host for each %h; new. */
char *reach_fill_in(const char *text, const char *host);
/* Start COMMAND, in a process group of its own, with nothing to read, and output to nowhere but errors to STDERR_FD
 * (-1: neither).  0: it cannot be started. */
pid_t reach_spawn(const char *command, int stderr_fd);

struct reach;

/* Ask HOSTS; each has PATIENCE seconds. */
struct reach *reach_start(const struct hostlist *hosts, const char *command,
                          double patience);
void reach_destroy(struct reach *r); /* what still runs is killed; NULL is allowed */
/* Whether PID was one of its commands, which has ended with STATUS. */
bool reach_reaped(struct reach *r, pid_t pid, int status);
/* Kill what is too late.  True: all is known; else call it again after *WAIT seconds, or when one
 * was reaped. */
bool reach_step(struct reach *r, double *wait);
/* Of the Ith host, in the end. */
enum reach_answer { REACH_GOOD, REACH_FAILED, REACH_SILENT, REACH_UNKNOWN };
enum reach_answer reach_answer(const struct reach *r, size_t i);

#endif
