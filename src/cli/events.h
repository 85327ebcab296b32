/* SPDX-License-Identifier: BSD-3-Clause */
/* events: RFC 18 events as lines: "1700000000.123456 NAME key=value ...", as JSON, or with
 * times for people. */
#ifndef HBATCH_CLI_EVENTS_H
#define HBATCH_CLI_EVENTS_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>
#include "src/cli/cli.h"

struct event_style {
    enum { EVENT_TEXT, EVENT_JSON } format;
    enum { TIME_RAW, TIME_ISO, TIME_OFFSET, TIME_HUMAN } time;
    bool color;
    double t0, last; /* of the first event and of the one before; for offset and human */
};

/* Of --format and --time-format; what is neither of them is the end. */
void event_parse_format(struct event_style *style, const struct cli *cli,
                        const char *text);
void event_parse_time(struct event_style *style, const struct cli *cli, const char *text);
/* Print one event; CONTEXT is JSON text or NULL. */
void event_print(struct event_style *style, FILE *f, double time, const char *name,
                 const char *context);

/* Of --match-context, KEY=VALUE: added to *MATCH, an object or NULL; what is none is the end. */
void event_match_add(json_object **match, const struct cli *cli, const char *text);
/* Whether CONTEXT, an object or NULL, has all of MATCH, which may be NULL. */
bool event_match(json_object *match, json_object *context);

#endif
