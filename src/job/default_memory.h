/* SPDX-License-Identifier: BSD-3-Clause */
/* default_memory: memory for jobs that do not say how much they need. */
#ifndef HBATCH_JOB_DEFAULT_MEMORY_H
#define HBATCH_JOB_DEFAULT_MEMORY_H

#include <stdint.h>
#include <json-c/json.h>

/* PER_CORE bytes for each core of each slot in LIST, resources of a job specification that has yet to be checked: what is
 * wrong in it is passed over.  Not where memory is asked for, in the slot or beside it for the node, nor where whole
 * nodes are. */
void default_memory_add(json_object *list, uint64_t per_core);

#endif
