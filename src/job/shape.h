/* SPDX-License-Identifier: BSD-3-Clause */
/* shape: RFC 46 shorthand for jobspec resources: "node=4/slot=2/[core=2;gpu]" to and from the
 * RFC 14 "resources" JSON. */
#ifndef HBATCH_JOB_SHAPE_H
#define HBATCH_JOB_SHAPE_H

#include <json-c/json.h>
#include "src/common/error.h"

/* Decode into a new RFC 14 resources array; NULL with err set (text and place). */
json_object *shape_decode(const char *text, struct error *err);
/* Encode a resources array; the caller frees; NULL with err set. */
char *shape_encode(json_object *resources, struct error *err);

#endif
