/* SPDX-License-Identifier: BSD-3-Clause */
/* storedview: jobs of the store as job.list tells them, as jobview does of active ones; but as text at once, for there
 * are thousands in an answer. */
#ifndef HBATCH_INSTANCE_STOREDVIEW_H
#define HBATCH_INSTANCE_STOREDVIEW_H

#include <stdint.h>
#include <json-c/json.h>
#include "src/common/strbuf.h"
#include "src/store/store.h"

/* Which keys are told, of KEYS, an object that has the ones that are wanted; NULL: all. */
uint64_t storedview_keys(json_object *keys);
/* Add ENTRY, which has a run, as a JSON object. */
void storedview_add(const struct store_entry *entry, uint64_t keys, struct strbuf *b);

/* What stands for an entry in a list: a value that is written as that, and whose integer is the job's id. */
json_object *storedview_object(const struct store_entry *entry, uint64_t keys);

#endif
