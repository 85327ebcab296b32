/* SPDX-License-Identifier: BSD-3-Clause */
/* joblist: the answer to a job.list request, from any table of jobs. */
#ifndef HBATCH_INSTANCE_JOBLIST_H
#define HBATCH_INSTANCE_JOBLIST_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/instance/job.h"
#include "src/instance/queues.h"
#include "src/store/store.h"

/* At most so many in an answer: a million would be gigabytes, and nobody else served meanwhile. */
#define JOBLIST_MAX 10000u

struct joblist {
    json_object *jobs;
    struct store_filter filter;
    int states; /* mask, never 0 */
    size_t max;
    bool fold; /* what waits of an array is one entry (fold.h) */
    jobid_t *ids;
    uint64_t stored_keys; /* the same for storedview.h; 0: not looked for yet */
    json_object *keys;    /* an object that has those that are asked for, NULL: all */
};

/* From the request's parameters, which must outlive it. -1 with err set; clear in any case. */
int joblist_init(struct joblist *l, json_object *params, struct error *err);
void joblist_clear(struct joblist *l);
/* Whether jobs that are over are asked for: what only the leader's store knows. */
bool joblist_wants_history(const struct joblist *l);
/* Add O (taken over). */
void joblist_add(struct joblist *l, json_object *o);
/* Add one that the store has, with a run. */
void joblist_add_stored(struct joblist *l, const struct store_entry *entry);
/* Add the active jobs of TABLE that match; of more than fit, the newest, and one more. INFO: instance.info's
 * result.  QUEUES: which it has.  SCHED: whose queue they are in, NULL: that is elsewhere. */
void joblist_add_active(struct joblist *l, const struct jobtable *table,
                        json_object *info, const struct queues *queues,
                        struct sched *sched);
/* {"jobs","more"}, the newest ones first; a new object, the list is empty after that. */
json_object *joblist_result(struct joblist *l);

#endif
