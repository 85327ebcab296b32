/* SPDX-License-Identifier: BSD-3-Clause */
/* property: names for kinds of nodes, which constraints ask for (constraint.h), as users give them
 * to nodes: "NAME" to all, "NAME:HOSTS" to those in a list of hosts (RFC 29). */
#ifndef HBATCH_JOB_PROPERTY_H
#define HBATCH_JOB_PROPERTY_H

#include "src/common/error.h"

/* Whether TEXT is one of the two. -1 with err set. */
int property_check(const char *text, struct error *err);
/* The name, if TEXT gives it to HOST (by its short name, too); new. Else NULL. */
char *property_of(const char *text, const char *host);

#endif
