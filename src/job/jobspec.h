/* SPDX-License-Identifier: BSD-3-Clause */
/* jobspec: what a user asks for: RFC 14 and RFC 25 (V1), read-only once decoded.
 *
 * resources  V1: node > slot > core, gpu; or slot > core, gpu; counts are integers or, as
 *            RFC 14 and RFC 45 allow, ranges for nodes ({"min","max",...}, "2-4"), without
 *            steps or gaps.  Beyond V1: memory, with a unit of bytes.h ("GiB"), in a slot for each slot, or beside
 *            it for each node: {"type":"memory","count":4,"unit":"GiB"}. "exclusive":true on node or slot: whole nodes.
 * tasks      one entry: command, slot, count: per_slot (any positive number) or total (at
 *            least one task a node; more than there are slots share them)
 *            Beyond V1, as RFC 14 allows: several entries, each of which names a slot of its own, in an array of
 *            slots (each in all), or within a node (each on each node; a fixed number of nodes): the programs of one
 *            job that ask for different things.  Their counts are per_slot; task ranks go on from one to the next.
 *            An entry's attributes may have an "environment" and a "cwd", over the job's.
 * attributes system.{duration, cwd, environment, dependencies, constraints, job.name, queue,
 *            bank, placement, shell.options.*}, user.*; unknown keys in attributes are kept. Those that
 *            are known are checked; all are optional (no duration: 0).
 * Other unknown keys are errors.
 *
 * Programs that share slots of one kind are an extension: attributes.system.shell.options.apps is an array of
 * {"command":[...], "ntasks":N, "environment":{...}?, "cwd":"..."?}; task ranks are given to
 * the apps in order, and the sum of ntasks equals the number of tasks.  An app may have a "path", where its
 * program is looked for before the PATH of its environment.
 *
 * attributes.system.contiguous, true or false: the job's nodes have adjacent ranks.
 *
 * Another one is attributes.system.bulk, which stands for many jobs: bulk.h. */
#ifndef HBATCH_JOB_JOBSPEC_H
#define HBATCH_JOB_JOBSPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"

#define JOBSPEC_PROGRAMS_MAX 1024 /* of one job */

/* The slots of one program of several. */
struct job_part {
    unsigned nslots; /* per node if the job asks for nodes, else in all */
    unsigned cores;  /* of each; >= 1 */
    unsigned gpus;
    unsigned tasks_per_slot;
    uint64_t memory; /* bytes, of each */
    unsigned
        hardest; /* of the Kth in an array: which one is the Kth that is to be placed; job_parts_order sets it */
};

/* Those with the most GPUs first, then those with the most cores, the most memory, the first of equals: what needs much
 * finds its place before what fits anywhere. */
void job_parts_order(struct job_part *parts, unsigned n);

/* The resources asked for, reduced to numbers: what the scheduler works with.  Where there are parts, all of them
 * together are its one slot (of each node): so what it adds up to is what any job adds up to, and ntasks is given. */
struct job_shape {
    unsigned nnodes_min;     /* 0: the job does not ask for nodes, only for slots */
    unsigned nnodes_max;     /* >= nnodes_min; UINT_MAX: no upper limit */
    unsigned nslots;         /* per node if nnodes_min > 0, else in all */
    unsigned cores_per_slot; /* >= 1 */
    unsigned gpus_per_slot;
    unsigned tasks_per_slot; /* >= 1; 1 when ntasks is given */
    unsigned ntasks;         /* total, when the tasks' count is "total"; else 0 */
    bool exclusive;          /* whole nodes */
    bool contiguous;         /* of adjacent ranks */
    double duration;         /* seconds; 0: no limit of its own */
    uint64_t mem_per_slot, mem_per_node; /* bytes; both are added up */
    const struct job_part
        *parts; /* or NULL; the jobspec's, and lasts as long as that does */
    unsigned nparts;
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

/* What jobs of one form have by themselves. */
struct jobspec_own {
    double duration;
    const char *cwd; /* or NULL */
    char name[];     /* the directory is behind it */
};
/* That of the JSON of a jobspec with one command, new; freed by free. */
struct jobspec_own *jobspec_own_of(json_object *o);
bool jobspec_has(const struct jobspec *js, const struct jobspec_own *own);
/* Another one with all of JS, but OWN. */
struct jobspec *jobspec_variant(struct jobspec *js, const struct jobspec_own *own);

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
json_object *
jobspec_command(const struct jobspec *js); /* array of strings; the first program's */
/* The programs of a job of several, as the option apps has them, wherever they are; or NULL. */
json_object *jobspec_programs(const struct jobspec *js);
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
/* Whether its tasks are the ranks of an instance: the shell option "instance" says so, or its one program is
 * hbatch-instance, or hbatch start. */
bool jobspec_is_instance(const struct jobspec *js);
/* The same of the JSON of a jobspec. */
bool jobspec_json_is_instance(json_object *jobspec);
/* Whether the program WORD, a name or a path, is hbatch-instance. */
bool jobspec_names_instance(const char *word);
/* attributes.system.files (RFC 37), or NULL. */
json_object *jobspec_files(const struct jobspec *js);

#endif
