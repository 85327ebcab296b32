/* SPDX-License-Identifier: BSD-3-Clause */
/* config: what of an instance can be configured while it runs: the scheduler's policy, queues with their limits (RFC 33),
 * the priority's factors, banks, preemption.  Pure: a text in, a struct that is not changed any more out.
 *
 * policy.scheduler   policy, queue-depth, and other settings of setup.h; "policy" alone may be the name
 * policy.jobspec.defaults.system   duration, queue, bank, mem-per-core: of jobs that do not say
 * policy.limits      duration, job-size.{max,min}.{nnodes,ncores,ngpus}, max-jobs, max-running
 * policy.access      allow-user, allow-group
 * queues.NAME        requires (properties) or hosts; policy (as above, goes over that one); parent
 * priority           weights urgency, age, size, fairshare; age-max, small-first, half-life
 * banks.NAME         shares
 * preemption         enabled, grace
 * job-manager        inactive-age-limit, inactive-num-limit
 *
 * Settings that only count at an instance's start (--conf) may be there, too, and are passed over. */
#ifndef HBATCH_SCHED_CONFIG_H
#define HBATCH_SCHED_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/sched/priority.h"
#include "src/sched/setup.h"

enum { CONFIG_NNODES, CONFIG_NCORES, CONFIG_NGPUS, CONFIG_SIZES };
extern const char *const config_size_names[CONFIG_SIZES]; /* "nnodes", ... */

struct config_limits {
    double duration;                              /* s; 0: none */
    int64_t max[CONFIG_SIZES], min[CONFIG_SIZES]; /* -1: none */
    int64_t max_jobs, max_running;                /* active ones; -1: no limit */
    json_object *allow_user, *allow_group;        /* lists of names; NULL: all */
};

/* What a job gets that does not say. */
struct config_defaults {
    double duration;          /* s; 0: none */
    const char *queue, *bank; /* or NULL */
    uint64_t mem_per_core;    /* bytes; 0: none */
};

struct config_queue {
    const char *name;
    int parent;              /* index of the queue that it is another name for, or -1 */
    json_object *constraint; /* RFC 31: its nodes; NULL: all */
    struct config_limits limits;
    struct config_defaults defaults;
};

struct config_bank {
    const char *name;
    double shares; /* > 0 */
};

struct config {
    json_object *json;        /* all of it, as it was given */
    struct sched_setup setup; /* policy NULL: it is not set here */
    struct config_queue *queues;
    size_t nqueues;
    struct config_limits
        limits; /* of the anonymous queue: where there are none with names */
    struct config_defaults defaults;
    bool multifactor; /* there is a table priority, or banks: else urgency is all */
    struct priority_weights weights;
    double half_life; /* s, of usage */
    struct config_bank *banks;
    size_t nbanks;
    bool preemption;
    double grace;         /* s, from the warning of a job that is preempted to its end */
    double inactive_age;  /* s, after which a job that is over is forgotten; 0: never */
    int64_t inactive_num; /* of those only the newest are kept; -1: all */
};

/* TEXT: TOML or JSON (conf.h).  NULL with err set: names the line and the key. */
struct config *config_decode(const char *text, struct error *err);
/* O is kept by reference.  LINES: of conf_decode, or NULL. */
struct config *config_from_json(json_object *o, json_object *lines, struct error *err);
void config_destroy(struct config *c); /* NULL is allowed */

/* Index of the queue or bank NAME, or -1. */
int config_queue_find(const struct config *c, const char *name);
int config_bank_find(const struct config *c, const char *name);

/* What O says goes over what is in BASE, table by table. */
void config_merge(json_object *base, json_object *o);

#endif
