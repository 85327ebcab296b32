/* SPDX-License-Identifier: BSD-3-Clause */
/* pmi: process management for MPI jobs: one `struct pmi` per executor serves PMIx, PMI-1 and
 * PMI-2 to the tasks of this node.
 *
 * The executor tells it of jobs and tasks (pmi_job_*, pmi_task_*) and delivers messages from
 * other executors and the leader (pmi_deliver); pmi asks the executor for what lies outside
 * the node through struct pmi_ops.  Everything here is called, and calls back, on the loop's
 * thread; the PMIx library's own thread is hidden inside pmix*.c (uv_async).
 *
 * Messages between the pmi layers of different executors, and those between pmi and the
 * leader, are JSON objects with a "pmi" key that names the kind; the executor and the ranks
 * carry them without looking inside:
 *   "x"        exchange.c: contribution to, or result of, a fence/barrier
 *   "modex"    pmix: direct modex request/reply
 *   "map"      pmix: where the tasks of a job run, for jobs that have to do with it
 *   "gone"     pmix: tasks died, or a job has left
 *   "signal"   pmix: signal some tasks of a node
 *   "ns"       nameserv: publish/lookup/unpublish request and reply; the name service of the
 *              instance lives in the executor of rank 0
 *   "spawn"    to the leader: {"pmi":"spawn","token":T,"from":RANK,"parent":JOBID,
 *              "parent_rank":R,"apps":[{"argv":[...],"env":{...},"cwd":S|null,
 *              "maxprocs":N,"preput":{...}}],"info":{...strings...}}; answered by
 *              {"pmi":"spawned","token":T,"status":0,"id":JOBID} once the job has started
 *              on all its nodes, or with "status" an errno value and "error" a sentence.
 *              Each app may have "info" too; known in both: pmix.host (host names, comma
 *              separated), pmix.timeout (seconds).  It may come again with the same token, when
 *              the leader is another one
 *   "unspawn"  to the leader: {"pmi":"unspawn","token":T,"from":RANK}: nobody waits for that
 *              spawn any more; cancel it
 *   "event"    pmix: event notification for the processes of other nodes
 *   "end"      a namespace ended (sent by the executor to rank 0's when "published" was set)
 */
#ifndef HBATCH_PMI_PMI_H
#define HBATCH_PMI_PMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"

#define PMI_LEADER (-1) /* destination of a message: the leader rather than an executor */

enum pmi_kind { /* which bootstraps a job's tasks are offered: a mask */
                PMI_NONE = 0,
                PMI_PMIX = 1,
                PMI_WIRE =
                    2, /* PMI_FD: PMI-1 and PMI-2, the client's first line decides which */
};

/* A job as seen from one node.  The caller's; pmi_job_create copies what it keeps. */
struct pmi_job_spec {
    uint64_t id;
    const char *nspace; /* "hbatch.INSTANCE.ID" with ID in decimal, equal on all nodes */
    unsigned size;      /* tasks in all */
    unsigned nnodes;
    const char *const *hosts;    /* [nnodes] host names */
    const unsigned *node_ranks;  /* [nnodes] instance rank of each node's executor */
    const unsigned *task_node;   /* [size] node index of each task */
    unsigned node;               /* index of this node */
    const char *taskmap_pmi;     /* RFC 34 PMI form, for PMI_process_mapping */
    unsigned universe_size;      /* tasks the instance could run: its cores */
    const char *tmpdir;          /* job's directory on this node, exists */
    unsigned napps;              /* >= 1 */
    const unsigned *app_sizes;   /* [napps], sum is size; NULL when napps is 1 */
    const char *const *app_cmds; /* [napps] or NULL */
    const char *const *cpusets; /* [size] hwloc list of each local task's cores or NULL */
    uint64_t parent_id;         /* job that spawned it; 0: none */
    const char *parent_nspace;  /* NULL: none */
    unsigned parent_rank;
    json_object *preput; /* {"key":"value"} for PMI-1/2 spawn, or NULL */
    unsigned kinds;      /* mask of enum pmi_kind */
};

struct pmi_ops {
    /* Send MSG (taken over) to the executor of instance rank RANK (which may be this node's
     * own: then deliver it from the loop, not from within the call), or PMI_LEADER. */
    void (*send)(void *arg, int rank, json_object *msg);
    /* A task called abort: end job ID (all its tasks, nothing else) with exit code STATUS;
     * TEXT, its reason, goes to the job's stderr, and may be empty. */
    void (*abort)(void *arg, uint64_t id, unsigned task, int status, const char *text);
    /* Signal all local and remote tasks of job ID (PMIx job control). */
    void (*signal)(void *arg, uint64_t id, int signum);
    /* Write TEXT to the job's output STREAM (1 or 2) as task TASK (PMIx log, IOF push). */
    void (*log)(void *arg, uint64_t id, unsigned task, int stream, const char *text,
                size_t len);
};

struct pmi;     /* the servers of this executor */
struct pmi_job; /* one job with pmi */

struct pmi_config {
    uv_loop_t *loop;
    unsigned rank;        /* this executor's instance rank */
    unsigned size;        /* ranks in the instance */
    const char *hostname; /* as the instance knows this node */
    const char *rundir;   /* directory for the PMIx server's sockets and files */
    const struct pmi_ops *ops;
    void *arg;
    bool verbose; /* protocol trace on stderr */
    bool
        virtual_nodes; /* several nodes are on one machine: MPI talks over its loopback */
};

/* Cheap: the PMIx library is initialized at the first job that wants PMIx. */
struct pmi *pmi_create(const struct pmi_config *config, struct error *err);
void pmi_destroy(struct pmi *pmi); /* NULL is allowed; shuts the servers down */

/* Start the PMIx library now (some ms, once) rather than at the first job that wants it: for an
 * executor that is idle. Return 0, or -1 with err set. */
int pmi_warm(struct pmi *pmi, struct error *err);

/* The instance has grown: it has SIZE ranks now. */
void pmi_resize(struct pmi *pmi, unsigned size);

/* Called when a job with kinds != PMI_NONE starts on this node, before its tasks. */
struct pmi_job *pmi_job_create(struct pmi *pmi, const struct pmi_job_spec *spec,
                               struct error *err);
/* All local tasks are gone: forget it (NULL is allowed). Deregistering a PMIx namespace
 * takes milliseconds: it is done asynchronously. */
void pmi_job_destroy(struct pmi_job *job);

/* Environment and descriptors for task RANK. What is added beyond PMIX_* and PMI_* are
 * defaults (OMPI_MCA_*, HWLOC_*): the caller puts what the user has set himself over them.
 * Appends "K=V" strings (malloc'ed, the caller frees) with ENVADD(arg, string); *child_fd is an fd to be inherited by the task (for PMI_FD: the
 * number is put into the environment as *child_fd itself, the caller must keep that number in
 * the child and close it in the parent after the fork), or -1. */
int pmi_task_prepare(struct pmi_job *job, unsigned rank,
                     void (*envadd)(void *arg, char *kv), void *arg, int *child_fd,
                     struct error *err);
/* The task was started / has ended (so that a fence with a dead task can fail rather than
 * hang; exited without finalize is told apart by *unclean: it had connected and not
 * finalized). */
void pmi_task_started(struct pmi_job *job, unsigned rank, pid_t pid);
void pmi_task_exited(struct pmi_job *job, unsigned rank, bool *unclean);

/* Another leader has come, and may know nothing of what the former one was asked. */
void pmi_ask_again(struct pmi *pmi);

/* A message from another executor or the leader (the reference stays the caller's). */
void pmi_deliver(struct pmi *pmi, json_object *msg);

#endif
