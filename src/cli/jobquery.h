/* SPDX-License-Identifier: BSD-3-Clause */
/* jobquery: which jobs are asked for: jobs, pstree. */
#ifndef HBATCH_CLI_JOBQUERY_H
#define HBATCH_CLI_JOBQUERY_H

#include <hwloc/bitmap.h>
#include "src/cli/cli.h"
#include "src/common/hostlist.h"

struct jobquery {
    bool all;            /* in all states */
    int states, results; /* RFC 21 masks, of --filter */
    long count;          /* 0: no limit */
    bool count_given;    /* by the user: then it is no news that there are more */
    const char *name;
    char *queues; /* "A,B"; NULL: all */
    double since;
    bool one_user; /* only those of userid */
    unsigned userid;
    struct hostlist *hosts; /* jobs that have one of these or, NULL: */
    hwloc_bitmap_t ranks;   /* of these ranks, NULL: anywhere */
    bool fold;              /* what waits of an array is one entry */
    json_object *keys;      /* of job.list, that are to be told; NULL: all */
    size_t nids;            /* these jobs whatever their state */
    uint64_t *ids;          /* in ascending order */
    bool
        elements; /* ... and no others: that of an array's first job does not stand for all of it */
};

/* "STATE|RESULT,...", of --filter; a wrong one is the end. */
void jobquery_filter(struct jobquery *q, const struct cli *cli, const char *text);
/* The time of --since (since.h); a wrong one is the end. */
double jobquery_since(const struct cli *cli, const char *text);
/* "A,B", of --queue, which may be given again. */
void jobquery_queue(struct jobquery *q, const char *text);
/* The virtual queues (RFC 33) of those that were named are meant, too. */
void jobquery_expand_queues(struct jobquery *q, struct cli *cli);
/* A name, a number or "all", of --user; an unknown one is the end. */
void jobquery_user(struct jobquery *q, const struct cli *cli, const char *text);
/* An id set of ranks or a list of hosts, of --include; a wrong one is the end. */
void jobquery_include(struct jobquery *q, const struct cli *cli, const char *text);
/* Append the job that WORD names; after the last one, sort them. */
void jobquery_add_id(struct jobquery *q, struct cli *cli, const char *word);
void jobquery_sort_ids(struct jobquery *q);
void jobquery_forget_ids(struct jobquery *q);
void jobquery_fini(struct jobquery *q);
/* The parameters of job.list. */
json_object *jobquery_params(const struct jobquery *q);
/* Whether JOB is one of them: job.list gives more where it cannot be told all that is asked for. */
bool jobquery_selects(const struct jobquery *q, json_object *job);
/* The answer to job.list with PARAMS, which it takes over; NULL: there is none. */
typedef json_object *(*jobquery_ask)(void *arg, json_object *params);
/* The jobs, a new array, asked for page by page where more than them are told; *MORE: there are more
 * than the count.  NULL: ask gave none. */
json_object *jobquery_fetch(const struct jobquery *q, jobquery_ask ask, void *arg,
                            bool *more);
/* Say of each id that is not in LIST (of job.list) that there is no such job. Whether there was one. */
bool jobquery_missing(const struct jobquery *q, const struct cli *cli, json_object *list);

#endif
