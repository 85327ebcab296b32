/* SPDX-License-Identifier: BSD-3-Clause */
/* absent: nodes of an instance that have no rank, asked again and again whether their host answers:
 * each 2 s for the first 10 s, then each 10 s.  What is on this machine answers at once; one that
 * is lost again soon waits twice as long each time. */
#ifndef HBATCH_CLI_ABSENT_H
#define HBATCH_CLI_ABSENT_H

#include <stdbool.h>
#include <sys/types.h>

struct absent;

/* COMMAND asks, as reach.h has it; NULL: none can be asked, and all are taken to answer. */
struct absent *absent_create(const char *command);
void absent_destroy(struct absent *a); /* NULL is allowed */
/* NAME, known to mpirun and the command by that, has no rank any more; HERE: on this machine. */
void absent_add(struct absent *a, const char *name, bool here);
/* It is to have one again, or is not to be asked any more; NULL: all. */
void absent_remove(struct absent *a, const char *name);
bool absent_reaped(struct absent *a, pid_t pid, int status);
/* One that answers, or NULL; call it again after *WAIT seconds (negative: no matter). */
const char *absent_step(struct absent *a, double *wait);

#endif
