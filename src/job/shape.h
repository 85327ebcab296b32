/* SPDX-License-Identifier: BSD-3-Clause */
/* shape: RFC 46 shorthand for jobspec resources: "node=4/slot=2/[core=2;gpu]" to and from the
 * RFC 14 "resources" JSON.
 *
 *     TYPE=COUNT{KEY:VALUE,+KEY,-KEY}/CHILD      one vertex and what is with it
 *     [VERTEX;VERTEX;...]                        several, at any level
 *
 * COUNT is 1 when left out, else a text of count.h; ranges become objects.  In braces, a bare
 * or '+' KEY is true, a '-' KEY false, and x is exclusive.  A slot's braces start with its
 * label; the only slot of a shape may do without and is "default".  Values are JSON, objects may
 * use the same shorthand, and strings need no quotes unless they hold special characters or look
 * like another value.  Blanks between the parts are allowed.  Which keys and types make sense is
 * not decided here: jobspec_decode says that. */
#ifndef HBATCH_JOB_SHAPE_H
#define HBATCH_JOB_SHAPE_H

#include <json-c/json.h>
#include "src/common/error.h"

/* Vertices and values nest this deep at the most. */
#define SHAPE_DEPTH_MAX 32

/* Decode into a new RFC 14 resources array; NULL with err set (text and place). */
json_object *shape_decode(const char *text, struct error *err);
/* Encode a resources array; the caller frees; NULL with err set (the path in the JSON). The
 * text decodes to an equal array, but for counts that may be said in several ways. */
char *shape_encode(json_object *resources, struct error *err);

#endif
