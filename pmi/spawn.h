/* SPDX-License-Identifier: BSD-3-Clause */
/* spawn: requests to the leader to start jobs on behalf of tasks (PMIx_Spawn, PMI-1 and PMI-2
 * spawn), by token, until their answer comes. */
#ifndef HBATCH_PMI_SPAWN_H
#define HBATCH_PMI_SPAWN_H

#include <stdint.h>
#include <json-c/json.h>
#include <uv.h>

struct spawner;

/* STATUS 0: job ID runs on all its nodes, its namespace is NSPACE.  Otherwise an errno value
 * (ETIMEDOUT: no answer in time; the leader was told to cancel it) and ERROR, a sentence. */
typedef void (*spawn_f)(int status, uint64_t id, const char *nspace, const char *error,
                        void *arg);

/* SEND as pmi_ops.send, SELF is this executor's instance rank. */
struct spawner *spawner_create(uv_loop_t *loop, unsigned self,
                               void (*send)(void *arg, int rank, json_object *msg),
                               void *arg);
void spawner_destroy(struct spawner *s); /* NULL is allowed; pending calls are dropped */

/* Ask for APPS (taken over; the array of the "spawn" message in pmi.h) to be started as one
 * job, child of task RANK of job PARENT with namespace NSPACE.  INFO (taken over, or NULL): more keys
 * of the request, strings.  TIMEOUT seconds, 0: none. CB fires once, from the loop. */
void spawner_request(struct spawner *s, uint64_t parent, const char *nspace,
                     unsigned rank, json_object *apps, json_object *info, double timeout,
                     spawn_f cb, void *cbarg);
/* Another leader has come: ask it for all that was not answered, as the former one may be gone with
 * it.  Requests have the same tokens as before. */
void spawner_ask_again(struct spawner *s);
/* The parent's tasks are gone: drop the callbacks of its requests. */
void spawner_job_ended(struct spawner *s, const char *nspace);

/* A message {"pmi":"spawned",...} arrived. */
void spawner_deliver(struct spawner *s, json_object *msg);

#endif
