/* SPDX-License-Identifier: BSD-3-Clause */
/* wire: the PMI-1 and PMI-2 wire servers: each task has a socket, PMI_FD; its first line tells
 * which of the two protocols it speaks (RFC 13; MPICH's simple PMI; Slurm's libpmi2).
 *
 * Wrong input on a task's socket is told on the job's stderr and ends the job (ops->abort);
 * nothing that a task sends harms another job.  A barrier that a task of the job can no
 * longer join, since it has ended, finalized or closed its socket, fails on all nodes.
 *
 * Everything here is called on the loop's thread.  ops->abort and ops->log may be called from
 * within wire_task_exited, as it reads what the task wrote last; otherwise from the loop.
 * They must not destroy the job from within the call. */
#ifndef HBATCH_PMI_WIRE_H
#define HBATCH_PMI_WIRE_H

#include <stdbool.h>
#include <sys/types.h>
#include "pmi/exchange.h"
#include "pmi/nameserv.h"
#include "pmi/pmi.h"
#include "pmi/spawn.h"
#include "src/common/error.h"

struct wire;
struct wire_job;

/* CONFIG is copied, the strings and ops in it are kept by reference, as are the three others; the
 * name service and the spawner are told of the jobs' ends and must outlive the wire. */
struct wire *wire_create(const struct pmi_config *config, struct exchange *x,
                         struct nameserv *ns, struct spawner *spawner);
void wire_destroy(struct wire *wire); /* NULL is allowed; ends its jobs too */

/* As the functions of the same names in pmi.h. */
struct wire_job *wire_job_create(struct wire *wire, const struct pmi_job_spec *spec,
                                 struct error *err);
void wire_job_destroy(struct wire_job *job); /* NULL is allowed */
int wire_task_prepare(struct wire_job *job, unsigned rank,
                      void (*envadd)(void *arg, char *kv), void *arg, int *child_fd,
                      struct error *err);
void wire_task_started(struct wire_job *job, unsigned rank, pid_t pid);
void wire_task_exited(struct wire_job *job, unsigned rank, bool *unclean);

#endif
