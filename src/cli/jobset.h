/* SPDX-License-Identifier: BSD-3-Clause */
/* jobset: many jobs waited for or watched at once: output, ends, a progress bar. */
#ifndef HBATCH_CLI_JOBSET_H
#define HBATCH_CLI_JOBSET_H

#include "src/cli/cli.h"
#include "src/cli/output.h"

struct jobset {
    struct cli *cli;
    bool watch;             /* show output */
    bool progress, jps;     /* a bar; with jobs per second */
    int verbose;            /* 1: tell each job's end, 2: events, too */
    const char *wait_event; /* a job is done with this event; NULL: with its end */
    struct output out;
    uint64_t total, done, complete, failed;
    double start;      /* monotonic */
    double drawn;      /* when the bar was */
    json_object *seen; /* ids that are done by wait_event */
    int exit_code;     /* the greatest */
};

void jobset_init(struct jobset *set, struct cli *cli, bool watch, bool label);
void jobset_fini(struct jobset *set);
/* Submit SPEC (taken over) and add what it becomes; -1 with err set. */
int jobset_submit(struct jobset *set, json_object *spec,
                  const struct hbatch_submit *submit, uint64_t *id, struct error *err);
/* Add a job that exists. */
int jobset_add(struct jobset *set, uint64_t id, struct error *err);
/* Process until all are done; the exit code. */
int jobset_wait(struct jobset *set);

#endif
