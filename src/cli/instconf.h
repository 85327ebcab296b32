/* SPDX-License-Identifier: BSD-3-Clause */
/* instconf: the configuration of an instance that is a job (--conf of batch and alloc), as options of
 * hbatch-instance.
 *
 *     KEY=VALUE          one setting
 *     FILE               of such: a JSON object, or TOML (src/job/conf.h)
 *     text of lines      the same, not in a file
 *
 * Keys: policy, queue-depth, idle-return, time-limit, property (one or a list), verbose (true or false),
 * statedir, durability, and attributes.NAME, or a table or object "attributes" of names; and the tables policy, queues,
 * priority, banks and preemption, which the instance reads (src/instance/config.h). */
#ifndef HBATCH_CLI_INSTCONF_H
#define HBATCH_CLI_INSTCONF_H

#include <json-c/json.h>
#include "src/common/error.h"

/* What TEXT sets: an array of options, each one word; NULL with err set, which names file, line and key. */
json_object *instconf_options(const char *text, struct error *err);

#endif
