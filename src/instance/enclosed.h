/* SPDX-License-Identifier: BSD-3-Clause */
/* enclosed: this instance was started by a task of a plain job: by a script, by hbatch start, by an MPI launcher.  It is a
 * sub-instance all the same, on what the job has of this node: it asks the instance around it for that. */
#ifndef HBATCH_INSTANCE_ENCLOSED_H
#define HBATCH_INSTANCE_ENCLOSED_H

#include <json-c/json.h>

/* What HBATCH_SUB_INSTANCE would say, from the instance at HBATCH_URI about the job HBATCH_JOB_ID; with "plain":true.  NULL:
 * there is no such job, or it is over, or does not run on this host: the environment is left from something else. */
json_object *enclosed_ask(void);
/* Where an MPI launcher has bound this rank to less than the job has here, it is bound to all of that: TOLD is what
 * enclosed_ask returned. */
void enclosed_bind(json_object *told);

#endif
