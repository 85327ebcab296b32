/* SPDX-License-Identifier: BSD-3-Clause */
/* verbs: the verbs that main.c's table and that of 'hbatch job' name, each defined in its file
 * cmd_VERB.c or job_*.c. */
#ifndef HBATCH_CLI_VERBS_H
#define HBATCH_CLI_VERBS_H

#include "src/cli/cli.h"

extern const struct cmd cmd_alloc, cmd_archive, cmd_attach, cmd_batch, cmd_bulksubmit,
    cmd_cancel, cmd_complete, cmd_dmesg, cmd_env, cmd_exec, cmd_export, cmd_getattr,
    cmd_help, cmd_hostlist, cmd_info, cmd_lsattr, cmd_job, cmd_jobs, cmd_multiprog,
    cmd_output, cmd_pgrep, cmd_pkill, cmd_proxy, cmd_pstree, cmd_python, cmd_report,
    cmd_resource, cmd_relay, cmd_run, cmd_setattr, cmd_shutdown, cmd_simulate, cmd_start,
    cmd_submit, cmd_taskpids, cmd_top, cmd_uptime, cmd_uri, cmd_version, cmd_waitevent,
    cmd_watch;

extern const struct cmd cmd_account, cmd_config, cmd_queue, cmd_update;

extern const struct cmd job_eventlog, job_id, job_info, job_kill, job_cancelall,
    job_hostpids, job_killall, job_last, job_list, job_memo, job_raise, job_raiseall,
    job_purge, job_resubmit, job_stats, job_status, job_taskmap, job_timeleft,
    job_urgency, job_wait;

extern const struct cmd cmd_all; /* the group of all verbs that are not in one */
extern const struct opt_group cmd_jobs_groups[];
int cmd_jobs_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv);
int cmd_help_all(void);
bool cmd_is_verb(const char *name);
int cmd_help_verb(struct cli *cli, const char *verb);

#endif
