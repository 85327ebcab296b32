/* SPDX-License-Identifier: BSD-3-Clause */
/* tmpdir: a directory for each running job, RUNDIR/jobtmp-RANK/N, empty at its start and emptied
 * at its end.
 *
 * Making and removing a directory for each job would cost more than all else that is done for a
 * short job, where RUNDIR is on a disk.  Most jobs never use theirs: an untouched directory, told by
 * the time stamp it was given, goes to the next job as it is. */
#ifndef HBATCH_EXEC_TMPDIR_H
#define HBATCH_EXEC_TMPDIR_H

#include <stdbool.h>
#include "src/common/error.h"

struct tmpdirs;
struct tmpdir;

/* What an earlier executor left there is removed. */
struct tmpdirs *tmpdirs_create(const char *rundir, unsigned rank);
/* Removes all directories. NULL is allowed. */
void tmpdirs_destroy(struct tmpdirs *t);

struct tmpdir *tmpdir_get(struct tmpdirs *t, struct error *err);
void tmpdir_put(struct tmpdirs *t, struct tmpdir *d); /* NULL is allowed */
/* What a process that was being killed has left in such directories is removed: whether all is. */
bool tmpdirs_clean(struct tmpdirs *t);
const char *tmpdir_path(const struct tmpdir *d);

#endif
