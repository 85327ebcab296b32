/* SPDX-License-Identifier: BSD-3-Clause */
/* nameserv: publish, lookup and unpublish for the whole instance, shared by PMIx, PMI-1 and
 * PMI-2.
 *
 * The table lives in the executor of rank 0; the others send it {"pmi":"ns",...} requests
 * and keep the callbacks until the reply comes.  A lookup may wait: it is parked in the table until its
 * keys are published or its time is over.
 *
 * A key is unique within its range (two jobs may each have "port" for themselves).  Names
 * whose publisher has ended may be replaced by anyone; how long they are found otherwise is
 * their persistence.  Names are per task: who published is known, and only he unpublishes. */
#ifndef HBATCH_PMI_NAMESERV_H
#define HBATCH_PMI_NAMESERV_H

#include <stdbool.h>
#include <json-c/json.h>
#include <uv.h>

struct nameserv;

enum nameserv_range { /* who may see a name; in a lookup: whose names are wanted */
                      NAMESERV_ALL,  /* every job of the instance */
                      NAMESERV_JOB,  /* the publisher's job */
                      NAMESERV_NODE, /* tasks of all jobs on the publisher's node */
                      NAMESERV_TASK, /* the publisher alone */
};

enum nameserv_persist {                    /* how long a name is kept */
                        NAMESERV_INSTANCE, /* as long as the instance */
                        NAMESERV_WHILE_JOB, /* until the publisher's job ends on the publisher's node */
                        NAMESERV_WHILE_TASK, /* until the publisher ends */
                        NAMESERV_ONCE, /* until it was looked up once, or its job has ended */
};

/* Reply: STATUS 0 or an errno value: EEXIST (published already), ENOENT (none of the keys is
 * there), ETIMEDOUT, EPIPE (the name service is gone).  FOUND, for lookups that succeeded:
 * {"KEY":{"value":V,"nspace":S,"rank":N},...}, of those keys that were found; the reference
 * is the name service's.  Called from the loop, never from within the request. */
typedef void (*nameserv_f)(int status, json_object *found, void *arg);

/* SEND as pmi_ops.send, SELF is this executor's instance rank. */
struct nameserv *nameserv_create(uv_loop_t *loop, unsigned self,
                                 void (*send)(void *arg, int rank, json_object *msg),
                                 void *arg);
void nameserv_destroy(
    struct nameserv *ns); /* NULL is allowed; pending calls are dropped */

/* Publish DATA {"KEY":VALUE,...} (taken over; PMI-1 and PMI-2 publish strings) as task RANK of
 * NSPACE: all of the keys or, when one exists already, none. */
void nameserv_publish(struct nameserv *ns, const char *nspace, unsigned rank,
                      json_object *data, enum nameserv_range range,
                      enum nameserv_persist persist, nameserv_f cb, void *cbarg);
/* Look up KEYS ["KEY",...] (taken over).  NEED: wait until this many of them are there (0: do
 * not wait, answer with what is there), for TIMEOUT seconds at most (0: no limit). */
void nameserv_lookup(struct nameserv *ns, const char *nspace, unsigned rank,
                     json_object *keys, enum nameserv_range range, unsigned need,
                     double timeout, nameserv_f cb, void *cbarg);
/* Remove the keys KEYS (taken over; NULL: all) that this task published. */
void nameserv_unpublish(struct nameserv *ns, const char *nspace, unsigned rank,
                        json_object *keys, nameserv_f cb, void *cbarg);

/* A task ended / all local tasks of a job ended: drop what does not outlive it, and its
 * parked lookups (their callbacks are not called any more).  Costs a message only when it has published or is waiting. */
void nameserv_task_ended(struct nameserv *ns, const char *nspace, unsigned rank);
void nameserv_job_ended(struct nameserv *ns, const char *nspace);

/* No name that begins with PREFIX will be published any more: those who wait for one are told so (ECONNABORTED), now and
 * later.  For the port by which a spawned job was to find its parent: it has ended. */
void nameserv_close(struct nameserv *ns, const char *prefix);

/* A message {"pmi":"ns",...} or {"pmi":"end",...} arrived. */
void nameserv_deliver(struct nameserv *ns, json_object *msg);

#endif
