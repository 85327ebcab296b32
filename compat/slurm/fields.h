/* SPDX-License-Identifier: BSD-3-Clause */
/* fields: what squeue and sacct print of jobs. */
#ifndef HBATCH_COMPAT_SLURM_FIELDS_H
#define HBATCH_COMPAT_SLURM_FIELDS_H

#include "compat/slurm/jobs.h"

enum field {
    F_NONE, /* hbatch does not know it */
    F_ACCOUNT,
    F_ANY, /* "*", "*:*:*": as it comes, which jobs of hbatch take it always */
    F_ANY3,
    F_ARRAY_JOB,
    F_ARRAY_TASK,
    F_CLUSTER,
    F_COMMAND,
    F_CPUS,
    F_CPUTIME,
    F_CPUTIME_RAW,
    F_ELAPSED,
    F_ELAPSED_RAW,
    F_END,
    F_EXIT,
    F_EXIT_DERIVED,
    F_FIRST_NODE,
    F_GROUP,
    F_GID,
    F_ID,     /* 12_3 */
    F_ID_RAW, /* 15 */
    F_LEFT,
    F_LIMIT,
    F_LIMIT_RAW,
    F_MINUTES_LEFT,
    F_NAME,
    F_NODELIST,
    F_NODES,
    F_NULL, /* (null), N/A: what a job of hbatch never has */
    F_NA,
    F_SHARED,
    F_ONE,
    F_PARTITION,
    F_PLACE, /* nodes, or the reason in parentheses */
    F_PRIORITY,
    F_QOS,
    F_REASON,
    F_START,
    F_STATE,
    F_STATE_COMPACT,
    F_SUBMIT,
    F_TASKS,
    F_TIME,
    F_TRES,
    F_UID,
    F_USER,
    F_WORKDIR,
    F_ZERO,
};

/* What J has there. ACCOUNTING: as sacct puts it. */
void field_add(struct strbuf *out, const struct sjob *j, enum field f, bool accounting);

#endif
