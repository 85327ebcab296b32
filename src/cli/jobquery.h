/* SPDX-License-Identifier: BSD-3-Clause */
/* jobquery: which jobs are asked for: jobs, pstree. */
#ifndef HBATCH_CLI_JOBQUERY_H
#define HBATCH_CLI_JOBQUERY_H

#include "src/cli/cli.h"

struct jobquery {
    bool all;            /* in all states */
    int states, results; /* RFC 21 masks, of --filter */
    long count;          /* 0: no limit */
    const char *name, *queue;
    double since;
    size_t nids; /* these jobs whatever their state */
    uint64_t *ids;
};

/* "STATE|RESULT,...", of --filter; a wrong one is the end. */
void jobquery_filter(struct jobquery *q, const struct cli *cli, const char *text);
/* The time of "-DURATION", HH:MM, YYYY-MM-DD HH:MM, of --since; a wrong one is the end. */
double jobquery_since(const struct cli *cli, const char *text);
/* Append the job that WORD names. */
void jobquery_add_id(struct jobquery *q, struct cli *cli, const char *word);
void jobquery_fini(struct jobquery *q);
/* The parameters of job.list. */
json_object *jobquery_params(const struct jobquery *q);
/* Whether JOB is one of them: job.list gives more where states and results are asked for together. */
bool jobquery_selects(const struct jobquery *q, json_object *job);
/* Say of each id that is not in LIST (of job.list) that there is no such job. Whether there was one. */
bool jobquery_missing(const struct jobquery *q, const struct cli *cli, json_object *list);

#endif
