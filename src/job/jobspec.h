/* SPDX-License-Identifier: BSD-3-Clause */
/* jobspec: what a user asks for: RFC 14 and RFC 25 (V1), read-only once decoded.
 *
 * resources  V1: node > slot > core, gpu; or slot > core, gpu; counts are integers or, as
 *            RFC 14 and RFC 45 allow, ranges for nodes ({"min","max",...}, "2-4"), without
 *            steps or gaps.  Beyond V1: memory, with a unit of bytes.h ("GiB"), in a slot for each slot, or beside
 *            it for each node: {"type":"memory","count":4,"unit":"GiB"}. "exclusive":true on node or slot: whole nodes.
 * tasks      one entry: command, slot, count: per_slot (any positive number) or total (at
 *            least one task a node; more than there are slots share them)
 * attributes system.{duration, cwd, environment, dependencies, constraints, job.name, queue,
 *            bank, placement, shell.options.*}, user.*; unknown keys in attributes are kept. Those that
 *            are known are checked; all are optional (no duration: 0).
 * Other unknown keys are errors.
 *
 * Multi-program jobs are an extension: attributes.system.shell.options.apps is an array of
 * {"command":[...], "ntasks":N, "environment":{...}?, "cwd":"..."?}; task ranks are given to
 * the apps in order, and the sum of ntasks equals the number of tasks.  An app may have a "path", where its
 * program is looked for before the PATH of its environment.
 *
 * Another one is attributes.system.bulk, which stands for many jobs: bulk.h. */
#ifndef HBATCH_JOB_JOBSPEC_H
#define HBATCH_JOB_JOBSPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"

/* The resources asked for, reduced to numbers: what the scheduler works with. */
struct job_shape {
    unsigned nnodes_min;     /* 0: the job does not ask for nodes, only for slots */
    unsigned nnodes_max;     /* >= nnodes_min; UINT_MAX: no upper limit */
    unsigned nslots;         /* per node if nnodes_min > 0, else in all */
    unsigned cores_per_slot; /* >= 1 */
    unsigned gpus_per_slot;
    unsigned tasks_per_slot; /* >= 1; 1 when ntasks is given */
    unsigned ntasks;         /* total, when the tasks' count is "total"; else 0 */
    bool exclusive;          /* whole nodes */
    double duration;         /* seconds; 0: no limit of its own */
    uint64_t mem_per_slot, mem_per_node; /* bytes; both are added up */
};

struct jobspec;

/* Decode and validate; the object is kept by reference (the jobspec takes its own count) and
 * must not be changed any more.
 * Return NULL with err set: the text names the offending key by its path and says why
 * ("jobspec: resources[0].with[0].count: must be a positive integer, not \"x\""). */
struct jobspec *jobspec_from_json(json_object *o, struct error *err);
struct jobspec *jobspec_decode(const char *text, size_t len, struct error *err);

/* Reference counting: jobs of one array share one jobspec. destroy drops one, takes NULL. */
struct jobspec *jobspec_ref(struct jobspec *js);
void jobspec_destroy(struct jobspec *js);

/* Another one with the same JSON, but called NAME. */
struct jobspec *jobspec_named(const struct jobspec *js, const char *name);

/* All that is returned below is owned by the jobspec. */
json_object *jobspec_json(const struct jobspec *js);
const struct job_shape *jobspec_shape(const struct jobspec *js);
/* Number of tasks in all when the job gets NNODES nodes (ignored when it asks for none). */
unsigned jobspec_ntasks(const struct jobspec *js, unsigned nnodes);
const char *
jobspec_name(const struct jobspec *js); /* job.name, or the program's basename */
const char *jobspec_cwd(const struct jobspec *js);       /* or NULL */
const char *jobspec_queue(const struct jobspec *js);     /* or NULL */
const char *jobspec_placement(const struct jobspec *js); /* system.placement, or NULL */
json_object *jobspec_command(const struct jobspec *js);  /* array of strings */
json_object *jobspec_environment(const struct jobspec *js); /* object, or NULL */
/* Instead of an object, attributes.system.environment may be a string: the hash of one that
 * was sent earlier (src/comm/PROTOCOL, "env"). That string, or NULL. */
const char *jobspec_environment_hash(const struct jobspec *js);
json_object *jobspec_constraints(const struct jobspec *js);  /* RFC 31, or NULL */
json_object *jobspec_dependencies(const struct jobspec *js); /* RFC 26 array, or NULL */
/* attributes.PATH with dots ("system.shell.options.output"), or NULL. */
json_object *jobspec_attr(const struct jobspec *js, const char *path);
/* shell option NAME as attributes.system.shell.options.NAME, or NULL. */
json_object *jobspec_option(const struct jobspec *js, const char *name);
/* attributes.system.files (RFC 37), or NULL. */
json_object *jobspec_files(const struct jobspec *js);

#endif
