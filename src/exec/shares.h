/* SPDX-License-Identifier: BSD-3-Clause */
/* shares: what each of several programs of a job has of this node, where each has slots of its own. */
#ifndef HBATCH_EXEC_SHARES_H
#define HBATCH_EXEC_SHARES_H

#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct job;
struct task;
struct shares;

/* Of JOB, whose tasks are known, by the PARTS of its start message: [[SLOTS,"CORES","GPUS"],...]. */
struct shares *shares_create(const struct job *job, json_object *parts,
                             struct error *err);
void shares_destroy(struct shares *s); /* NULL is allowed */

/* What a task has together with N - 1 others, and its number among them; owned by the job. */
struct task_share {
    hwloc_const_bitmap_t cores, gpus;
    unsigned index, n;
};
/* Without shares, all that the job has here. */
struct task_share shares_of(const struct task *task);

#endif
