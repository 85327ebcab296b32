/* SPDX-License-Identifier: BSD-3-Clause */
/* eventlog: RFC 18: one JSON object per line, {"timestamp":F,"name":S,"context":{...}?}. */
#ifndef HBATCH_JOB_EVENTLOG_H
#define HBATCH_JOB_EVENTLOG_H

#include <json-c/json.h>
#include "src/common/error.h"

/* New event; CONTEXT is taken over, may be NULL. TIMESTAMP is kept to the microsecond. */
json_object *event_create(double timestamp, const char *name, json_object *context);
/* Check that O is a valid entry and give its parts (each pointer may be NULL; owned by O). */
int event_parse(json_object *o, double *timestamp, const char **name,
                json_object **context, struct error *err);
/* One line with its newline; the caller frees. */
char *event_encode(json_object *event);
/* Decode one line (with or without newline) and check it as event_parse does. */
json_object *event_decode(const char *line, size_t len, struct error *err);
/* Decode a whole log into a json array; the error names the line's number. The last line may
 * lack its newline; an empty text gives an empty array. */
json_object *eventlog_decode(const char *text, size_t len, struct error *err);

#endif
