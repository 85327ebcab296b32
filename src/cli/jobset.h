/* SPDX-License-Identifier: BSD-3-Clause */
/* jobset: many jobs waited for or watched at once: output, ends, how far they are. */
#ifndef HBATCH_CLI_JOBSET_H
#define HBATCH_CLI_JOBSET_H

#include "src/cli/cli.h"
#include "src/cli/meter.h"
#include "src/cli/output.h"

struct jobset {
    struct cli *cli;
    bool watch;             /* show output */
    int verbose;            /* 1: tell each job's end, 2: events, too */
    const char *wait_event; /* a job is done with this event; NULL: with its end */
    bool many; /* submissions of one job each: ends are asked for by job.wait, which costs
                             * the instance less than so many streams */
    struct meter meter; /* of the jobs that are done, if it is on */
    struct output out;
    uint64_t total, done;
    json_object *seen; /* ids that are done by wait_event */
    int exit_code;     /* the greatest */
    unsigned told;     /* exceptions, otherwise */
};
#define JOBSET_TELL_MAX 8 /* so many, the last of them a note that there are more */

void jobset_init(struct jobset *set, struct cli *cli, bool watch, bool label);
void jobset_fini(struct jobset *set);
/* Submit SPEC (taken over) and add what it becomes; -1 with err set. */
int jobset_submit(struct jobset *set, json_object *spec,
                  const struct hbatch_submit *submit, uint64_t *id, struct error *err);
/* The same without waiting: REPLY gets job.submit's reply. */
void jobset_send(struct jobset *set, json_object *spec,
                 const struct hbatch_submit *submit, client_reply_f reply, void *arg);
/* Add COUNT jobs, which exist, from FIRST on (ids_neighbours). */
int jobset_add(struct jobset *set, uint64_t first, uint64_t count, struct error *err);
/* What came for the jobs is shown now, not when there is more of it. */
void jobset_flush(struct jobset *set);
/* Process until all are done; the exit code. */
int jobset_wait(struct jobset *set);

#endif
