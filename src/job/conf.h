/* SPDX-License-Identifier: BSD-3-Clause */
/* conf: configuration files: TOML or JSON to one JSON object, with the lines that its keys are on.
 *
 * Of TOML what configurations are made of: tables, dotted keys, texts in quotes (also in three of them, on
 * several lines), numbers, true and false, lists (over several lines, too) and inline tables; no dates, no arrays of
 * tables.  A text whose first
 * character is '{' is JSON. */
#ifndef HBATCH_JOB_CONF_H
#define HBATCH_JOB_CONF_H

#include <json-c/json.h>
#include "src/common/error.h"

enum { CONF_MAX_BYTES = 1 << 20 };

/* A new object; NULL with err set: it names the line.  LINES, an object or NULL, gets the line of each key, by its path:
 * "queues.debug.requires". */
json_object *conf_decode(const char *text, json_object *lines, struct error *err);
/* KEY=VALUE, with a value as in TOML, or a text without quotes. */
json_object *conf_setting(const char *text, struct error *err);
/* The file PATH, a new text of at most CONF_MAX_BYTES in UTF-8. */
char *conf_read(const char *path, struct error *err);
/* The line of what is at PATH, or of the nearest thing around it; 0: that is not known. */
unsigned conf_line(json_object *lines, const char *path);

#endif
