/* SPDX-License-Identifier: BSD-3-Clause */
/* memcg: control groups that keep jobs to the memory that they asked for.
 *
 * With cgroups v2 a group of our own is made beside or above the group that this process is in, where the memory controller
 * is enabled and we may write (a delegated subtree), but never beyond a group that is limited itself; with v1,
 * below it.  Each job with a limit has a group in that one.  Where none can be made, limits are counted only. */
#ifndef HBATCH_EXEC_MEMCG_H
#define HBATCH_EXEC_MEMCG_H

#include <stdbool.h>
#include <stdint.h>
#include "src/common/error.h"

struct memcg;       /* the group of this executor */
struct memcg_group; /* that of a job */

/* NAME: of the group.  MEMBERSHIP and MOUNT are /proc/self/cgroup and /sys/fs/cgroup but in tests.  NULL with err
 * set: none can be made, and why. */
struct memcg *memcg_create(const char *membership, const char *mount, const char *name,
                           struct error *err);
/* The group goes, too, unless there is something in it. */
void memcg_destroy(struct memcg *m); /* NULL is allowed */

/* A group of LIMIT bytes.  HOST: processes in it will make groups below it, with the same rules. */
struct memcg_group *memcg_add(struct memcg *m, uint64_t id, uint64_t limit, bool host,
                              struct error *err);
void memcg_remove(struct memcg_group *g); /* NULL is allowed */

/* The descriptor to which a process writes "0" to be in the group. */
int memcg_procs(const struct memcg_group *g);
/* How many processes the kernel has killed for want of memory since the last call. */
unsigned memcg_killed(struct memcg_group *g);

#endif
