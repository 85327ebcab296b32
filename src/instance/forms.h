/* SPDX-License-Identifier: BSD-3-Clause */
/* forms: what the specifications of many jobs have in common, in memory once.
 *
 * A specification without the words of its command, the job's name, working directory, time limit and environment is
 * a *form*.  Jobs of one form share what was decoded of it, and have their name, directory and limit by themselves;
 * the words, what the job depends on, and what only executors read (the option output, attributes.user), is in the
 * text alone. */
#ifndef HBATCH_INSTANCE_FORMS_H
#define HBATCH_INSTANCE_FORMS_H

#include <json-c/json.h>
#include "src/common/error.h"

struct forms;
struct jobspec;

struct forms *forms_create(void);
void forms_destroy(struct forms *f); /* NULL is allowed; what was made stays */

/* The specification of one job, or of an array, from its JSON, which is taken apart.  NULL with err set: it is none. */
struct jobspec *forms_take(struct forms *f, json_object *o, struct error *err);

#endif
