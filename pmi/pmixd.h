/* SPDX-License-Identifier: BSD-3-Clause */
/* pmixd: the PMIx server of an executor.
 *
 * The PMIx library keeps its server in globals, so a process has at most one of these.  It calls
 * back on a thread of its own: every call is copied, queued, and handled on the loop's
 * thread (pmixd_server.c); the answers are given from there.  By subject:
 *   pmixd_server   set-up, the hand-over between the threads
 *   pmixd_nspace   jobs: what is registered with the library, the environment of tasks
 *   pmixd_map      where jobs of other nodes run: asked for when first needed
 *   pmixd_fence    fence, connect, disconnect, group: collectives, over exchange.h
 *   pmixd_modex    data of one task for another
 *   pmixd_names    publish, lookup, unpublish, over nameserv.h
 *   pmixd_spawn    spawn (over spawn.h), abort
 *   pmixd_events   event notification, and what becomes of a task that died
 *   pmixd_query    query, log
 *   pmixd_control  job control
 *   pmixd_value    PMIx values as JSON and as numbers
 *   pmixd_ack      acknowledges at once what clients send
 *   pmixd_topo     the node's topology, shared with the tasks
 *   pmixd_leave    lets clients go once they are quiet
 *   pmixd_env      what MPI libraries need not look for on this node */
#ifndef HBATCH_PMI_PMIXD_H
#define HBATCH_PMI_PMIXD_H

#include "pmi/exchange.h"
#include "pmi/nameserv.h"
#include "pmi/pmi.h"
#include "pmi/spawn.h"

struct pmixd;
struct pmixd_job;

/* Everything but the library is set up; that waits for the first job (pmixd_start).  The
 * strings and tables of CONFIG must outlive the server. */
struct pmixd *pmixd_create(const struct pmi_config *config, struct exchange *x,
                           struct nameserv *ns, struct spawner *spawner);
void pmixd_destroy(struct pmixd *d); /* NULL is allowed */

/* Start the library: some ms, and a thread.  Done by the first job; an executor that is idle
 * may do it before.  Return 0, or -1 with err set. */
int pmixd_start(struct pmixd *d, struct error *err);

/* As pmi_job_* and pmi_task_* of pmi.h. */
struct pmixd_job *pmixd_job_create(struct pmixd *d, const struct pmi_job_spec *spec,
                                   struct error *err);
void pmixd_job_destroy(struct pmixd_job *job);
int pmixd_task_prepare(struct pmixd_job *job, unsigned rank,
                       void (*envadd)(void *arg, char *kv), void *arg, struct error *err);
void pmixd_task_started(struct pmixd_job *job, unsigned rank, pid_t pid);
void pmixd_task_exited(struct pmixd_job *job, unsigned rank, bool *unclean);

/* A message {"pmi":"modex"|"map"|"gone"|"event"|"signal",...} arrived; return false when it is of
 * another kind. */
bool pmixd_deliver(struct pmixd *d, json_object *msg);

#endif
