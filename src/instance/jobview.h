/* SPDX-License-Identifier: BSD-3-Clause */
/* jobview: a job as job.list tells it (PROTOCOL, section 1), and a node as resource.list does. */
#ifndef HBATCH_INSTANCE_JOBVIEW_H
#define HBATCH_INSTANCE_JOBVIEW_H

#include <json-c/json.h>
#include "src/instance/job.h"
#include "src/instance/journal.h"
#include "src/instance/queues.h"
#include "src/store/store.h"

/* All return new objects. */
/* LEFT: seconds to the end of the instance, INFINITY if there is none.  SCHED: may tell when the job starts, or
 * NULL.  KEYS: an object that has the keys that are wanted, NULL: all. */
json_object *jobview_active(const struct job *job, double left,
                            const struct queues *queues, struct sched *sched,
                            json_object *keys);
/* The user's name; NULL: it has none. */
const char *jobview_username(unsigned userid);
/* {"nodes":[...]}: resource.list's result; JOURNAL, or NULL, knows since when nodes are drained. */
json_object *jobview_nodes(const struct pool *pool, const struct journal *journal);
/* {"all":{"nnodes","ncores","ngpus","memory"},"up":..,"allocated":..,"free":..} */
json_object *jobview_totals(const struct pool *pool);

#endif
