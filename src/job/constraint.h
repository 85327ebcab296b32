/* SPDX-License-Identifier: BSD-3-Clause */
/* constraint: RFC 31 job constraints, and the RFC 35 query syntax that makes them
 * (--requires="host:node[1-2] and -gpu"). Operators: and, or, not, properties, hostlist,
 * ranks. A property name "^NAME" is its negation. */
#ifndef HBATCH_JOB_CONSTRAINT_H
#define HBATCH_JOB_CONSTRAINT_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct constraint;

/* What is known of a node that a constraint is asked about. */
struct constraint_node {
    unsigned rank;
    const char *host;
    bool (*has_property)(const void *arg, const char *name);
    const void *arg;
};

/* Compile RFC 31 JSON; NULL with err set naming the operator and value. */
struct constraint *constraint_from_json(json_object *o, struct error *err);
void constraint_destroy(struct constraint *c); /* NULL is allowed */
bool constraint_match(const struct constraint *c, const struct constraint_node *node);

/* Parse an RFC 35 query into RFC 31 JSON (new reference). Terms: "host:LIST" (also "hosts:",
 * "hostlist:"), "rank:IDS" ("ranks:"), "property:NAME[,NAME]" and bare NAMEs as properties;
 * operators and/&/&&, or/|/||, not/-, parentheses; juxtaposition means and. */
json_object *constraint_parse(const char *query, struct error *err);

#endif
