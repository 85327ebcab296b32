/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/verbs.h"

const struct cmd job_list = {
    .name = "list",
    .args = "[JOBID...]",
    .help = "List jobs (the same as hbatch jobs)",
    .groups = cmd_jobs_groups,
    .run = cmd_jobs_run,
};

static const struct cmd *const verbs[] = {
    &cmd_attach,   &job_wait,      &job_status,   &cmd_waitevent, &job_info,
    &job_eventlog, &job_kill,      &job_killall,  &job_raise,     &job_raiseall,
    &cmd_cancel,   &job_cancelall, &job_hostpids, &job_memo,      &job_urgency,
    &job_id,       &job_last,      &job_list,     &job_resubmit,  &job_stats,
    &job_taskmap,  &job_timeleft,  &job_purge,
};

const struct cmd cmd_job = {
    .name = "job",
    .args = "VERB",
    .help = "Ask about and act on jobs: attach, wait, info, eventlog, kill, ...",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
