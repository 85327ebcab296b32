/* SPDX-License-Identifier: BSD-3-Clause */
/* spools: which files output is kept in: the executor's own one, and those that former executors of its node
 * left behind. */
#ifndef HBATCH_EXEC_SPOOLS_H
#define HBATCH_EXEC_SPOOLS_H

#include <json-c/json.h>
#include "src/common/error.h"

struct exec;

/* The executor's own, in its run directory.  It is closed with spool_close. */
int spools_open(struct exec *x, struct error *err);
/* X->node is known, and with it where output shall be, and how much of it. */
void spools_init(struct exec *x);
/* Nobody will read the output of JOBS, [[ID, FIRST RECORD]...], in the spool at PATH; NULL: our own. */
void spools_forget(struct exec *x, const char *path, json_object *jobs);

#endif
