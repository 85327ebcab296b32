/* SPDX-License-Identifier: BSD-3-Clause */
/* target: what names an instance on the command line:
 *
 *     local://PATH, ssh://[USER@]HOST[:PORT]/PATH      its socket
 *     [jobid:]ID[/ID...]               the instance that runs as this job, as that job's job, ...;
 *                                      from the outermost one if it begins with a '/';
 *                                      "." is the instance that is asked, ".." its parent
 *     pid:PID                          the instance that a process is in, or serves
 *     slurm:JOBID                      the instance in this job of Slurm
 *
 * Each may end in "?local", "?remote" or "?wait" (or several, as in "?wait&local"). */
#ifndef HBATCH_CLI_TARGET_H
#define HBATCH_CLI_TARGET_H

#include "src/cli/cli.h"
#include "src/cli/place.h"

struct target {
    const char *text;
    bool wait; /* for the instance of a job that does not run yet; set by "?wait" too */
    bool tell; /* ... and say on stderr what is waited for */
    bool local, remote; /* "?local", "?remote" */
};

/* -1 with err set: one sentence. */
int target_find(struct cli *cli, struct target *t, struct place *p, struct error *err);

/* Connect to what was found at P: on another host through its parent where that is known, else by ssh.  NULL with err
 * set. */
struct hbatch *target_open(const struct place *p, struct error *err);

/* The job that TEXT names: its id, or a path to it as above, and then from now on the instance is talked to that it is a job
 * of.  Dies with a sentence. */
uint64_t target_job(struct cli *cli, const char *text);
/* From now on talk to the instance at P, which is taken over; -1 with err set as for target_open. */
int target_enter(struct cli *cli, struct place *p, struct error *err);
/* From now on talk to the instance at URI: HBATCH_URI and what belongs to it are set. */
void target_use(struct cli *cli, const char *uri);
/* The URI of the parent of the instance that is talked to, new; NULL with err set: it has none. */
char *target_parent(struct cli *cli, struct error *err);

#endif
