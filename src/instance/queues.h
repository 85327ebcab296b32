/* SPDX-License-Identifier: BSD-3-Clause */
/* queues: the instance's configuration (src/sched/config.h) and its queues, in any table: the leader's or a
 * replica's.
 *
 * Without queues that are configured there is one, which has no name.  A queue that is *disabled* takes no jobs; of one
 * that is *stopped* no job starts. */
#ifndef HBATCH_INSTANCE_QUEUES_H
#define HBATCH_INSTANCE_QUEUES_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/job/jobspec.h"
#include "src/sched/config.h"
#include "src/sched/fairshare.h"
#include "src/sched/pool.h"

struct store;

struct queue_state {
    const char *name; /* the configuration's; NULL: the anonymous one */
    bool disabled, stopped;
    char *why_disabled, *why_stopped; /* or NULL */
    bool fleeting;            /* what was set last is not for the instance's next life */
    uint64_t active, running; /* jobs; the leader counts them */
    struct account *account;  /* the same; NULL: not looked for yet */
};

struct queues {
    struct config *config;
    char *path;            /* the file it is from, or NULL */
    struct queue_state *v; /* [n] in the order of the configuration */
    size_t n;              /* >= 1 */
    struct accounts *accounts;
};

/* INFO: of the instance, with the configuration that it was started with ("config", "config_path"), if any. */
struct queues *queues_create(json_object *info);
void queues_destroy(struct queues *q); /* NULL is allowed */
/* CONFIG is taken over; queues that there were keep their state. PATH may be NULL. */
void queues_configure(struct queues *q, struct config *config, const char *path);

/* {"config","path"?,"states"}: all of it, a new object; and back.  ANEW: another life of the instance begins, without
 * what is fleeting; CONFIGURED: with a configuration of its own, which stays. */
json_object *queues_to_json(const struct queues *q);
int queues_from_json(struct queues *q, json_object *o, bool anew, bool configured,
                     struct error *err);

/* The queue of a job; the first one, if it has none that there is. */
struct queue_state *queues_of(const struct queues *q, const struct jobspec *spec);
struct queue_state *queues_find(const struct queues *q, const char *name); /* or NULL */
/* The queue whose nodes S has: itself, or its parent. */
struct queue_state *queues_parent(const struct queues *q, const struct queue_state *s);
/* Why its jobs do not start, in TEXT, or NULL. */
const char *queues_why_stopped(const struct queues *q, const struct queue_state *s,
                               char *text, size_t size);
const struct config_limits *queues_limits(const struct queues *q,
                                          const struct queue_state *s);

/* JOBSPEC, which is valid but for this, gets what the configuration says of jobs that do not say: queue, duration, bank; and the
 * constraint of its queue.  -1 with err set: its queue does not take it. */
int queues_admit(const struct queues *q, json_object *jobspec, struct error *err);
/* Whether a job of SHAPE may be in queue S. -1 with err set. */
int queues_check_size(const struct queues *q, const struct queue_state *s,
                      const struct job_shape *shape, struct error *err);
/* COUNT more of them: whether there is room. */
int queues_check_room(const struct queues *q, const struct queue_state *s, uint64_t count,
                      struct error *err);
/* Whether as many of its jobs run as may, and why no other one starts in TEXT; the leader knows. */
bool queues_is_full(const struct queues *q, const struct queue_state *s, char *text,
                    size_t size);
/* A new jobspec: JOBSPEC in queue NAME. NULL with err set. */
json_object *queues_move(const struct queues *q, json_object *jobspec, const char *name,
                         struct error *err);
/* queue.list's result (PROTOCOL). */
json_object *queues_describe(const struct queues *q, const struct pool *pool);

#endif
