/* SPDX-License-Identifier: BSD-3-Clause */
/* rlimits: the soft resource limits that a job takes along, for the shell option rlimit:
 * {"nofile":1024,"core":-1}; -1 is unlimited.  Rules: "-PATTERN" removes, "NAME=VALUE" sets
 * (unlimited, infinity, inf: no limit), "PATTERN" takes this process's limits; a rule text
 * may hold several, separated by commas. */
#ifndef HBATCH_LIB_RLIMITS_H
#define HBATCH_LIB_RLIMITS_H

#include <json-c/json.h>
#include "src/common/error.h"

/* Those that are propagated when nobody says otherwise; a new object. */
json_object *rlimits_default(void);
int rlimits_apply(json_object *limits, const char *rules, struct error *err);

#endif
