/* SPDX-License-Identifier: BSD-3-Clause */
/* history: jobs that are over, page by page, newest first: any number of them in bounded memory. */
#ifndef HBATCH_CLI_HISTORY_H
#define HBATCH_CLI_HISTORY_H

#include "src/cli/cli.h"
#include "src/cli/gauge.h"
#include "src/cli/jobquery.h"

struct history {
    struct cli *cli;
    const struct jobquery
        *query;          /* its results, name, queue, since and count are obeyed */
    struct gauge *gauge; /* shows how far it is, or NULL */
    double total;        /* for that; 0: it is not known */
    uint64_t before, given;
    bool over;
    bool asked;        /* the next page is on its way */
    json_object *page; /* which is here, or NULL */
    struct error failed;
};

/* The next jobs as job.list tells them, a new array; NULL after the last ones. */
json_object *history_next(struct history *h);

#endif
