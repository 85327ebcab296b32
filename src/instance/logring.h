/* SPDX-License-Identifier: BSD-3-Clause */
/* logring: the latest lines of the log, for hbatch dmesg.  Each rank has its own; the leader has those of the other ranks
 * and of the executors, too, from when it began to lead. */
#ifndef HBATCH_INSTANCE_LOGRING_H
#define HBATCH_INSTANCE_LOGRING_H

#include <json-c/json.h>
#include "src/common/log.h"

struct logring;

/* For MAX lines: each more takes the place of the oldest one. */
struct logring *logring_create(size_t max);
void logring_destroy(struct logring *r); /* NULL is allowed */
/* R may be NULL. */
void logring_add(struct logring *r, double t, enum log_level level, unsigned rank,
                 const char *text);
/* {"lines":[{"seq","t","level","rank","text"},...],"seq":N}: those after line number SINCE; N: the last one there
 * was. */
json_object *logring_to_json(const struct logring *r, uint64_t since);
void logring_clear(struct logring *r);

const char *logring_level_name(enum log_level level);
/* An unknown one is info. */
enum log_level logring_level(const char *name);

#endif
