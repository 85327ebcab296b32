/* SPDX-License-Identifier: BSD-3-Clause */
/* jobfields: the fields of a job in a format line: those of job.list and what follows from
 * them. */
#ifndef HBATCH_CLI_JOBFIELDS_H
#define HBATCH_CLI_JOBFIELDS_H

#include <stddef.h>
#include <json-c/json.h>
#include "src/cli/format.h"

/* An item is a struct jobitem. */
struct jobitem {
    json_object *job; /* of job.list */
    bool ascii;       /* ids with a plain f */
    double now;
};

extern const struct format_field jobfields[];
extern const size_t jobfields_n;

/* The keys of job.list that F's fields are made of, a new array; NULL: all are needed. */
json_object *jobfields_keys(const struct format *f);
/* {"id","jobid",...}: the job as --json shows it; new. */
json_object *jobfields_json(const struct jobitem *item);
/* The same of the item's own job, without state and result in one (status), which is for people. */
void jobfields_complete(const struct jobitem *item);

#endif
