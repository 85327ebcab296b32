/* SPDX-License-Identifier: BSD-3-Clause */
/* program: the instance's initial program: a shell, or what was given; the instance ends with
 * it, and with its exit code.  hbatch-instance starts it, or hbatch start. */
#ifndef HBATCH_COMMON_PROGRAM_H
#define HBATCH_COMMON_PROGRAM_H

#include <sys/types.h>
#include "src/common/error.h"

#define PROGRAM_ENCLOSING "HBATCH_ENCLOSING_ID"

/* Which instance it is in. */
struct program_where {
    const char *uri;        /* HBATCH_URI */
    const char *parent_uri; /* HBATCH_PARENT_URI, or NULL */
    int level;              /* HBATCH_INSTANCE_LEVEL */
    const char
        *enclosing;     /* PROGRAM_ENCLOSING: the job of the parent that it is; or NULL */
    const char *tmpdir; /* HBATCH_JOB_TMPDIR: of that job; or NULL */
};

/* Start ARGV (NULL: the user's shell) with these variables, hbatch in its PATH, and without
 * what an MPI launcher and an outer job left in the environment.  Return its pid; on error -1 with err
 * set and its code ENOENT or EACCES for what a shell reports as 127 and 126. */
pid_t program_start(char **argv, const struct program_where *where, struct error *err);

/* The same, for a process that has no memory that must not be forked: the program is told by
 * SIGHUP when this process is killed.  It keeps this process's terminal and process group. */
pid_t program_start_below(char **argv, const struct program_where *where,
                          struct error *err);

/* To be called when it has ended: a terminal that it was given goes back. */
void program_ended(void);

#endif
