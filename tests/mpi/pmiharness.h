/* SPDX-License-Identifier: BSD-3-Clause */
/* pmiharness: what its leader and its nodes share; pmiharness.c tells what it is. */
#ifndef HBATCH_TESTS_PMIHARNESS_H
#define HBATCH_TESTS_PMIHARNESS_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/comm/lines.h"

/* Node RANK of SIZE: FD leads to the leader, KINDS are of pmi.h.  The process's exit code. */
int node_run(unsigned rank, unsigned size, int fd, unsigned kinds, bool verbose);

static inline json_object *get(json_object *o, const char *key)
{
    return json_object_object_get(o, key);
}

static inline const char *get_string(json_object *o, const char *key)
{
    return json_object_get_string(get(o, key));
}

static inline unsigned get_unsigned(json_object *o, const char *key)
{
    return (unsigned)json_object_get_int64(get(o, key));
}

static inline json_object *message(const char *m)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string(m));
    return o;
}

static inline void send_away(struct lines *l, json_object *o)
{
    lines_send_json(l, o);
    json_object_put(o);
}

#endif
