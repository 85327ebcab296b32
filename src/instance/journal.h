/* SPDX-License-Identifier: BSD-3-Clause */
/* journal: what happened to the nodes of the instance (RFC 44), for 'resource eventlog', and which of them are drained,
 * since when.  Each rank has its own, made of what the leader says of nodes: who leads next goes on with it.
 *
 * Events: restart, resource-define, online, offline, drain, undrain; truncate stands for those that had to go. */
#ifndef HBATCH_INSTANCE_JOURNAL_H
#define HBATCH_INSTANCE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

struct journal; /* NULL is allowed in all functions: there is none */

/* For MAX events: each more takes the place of the oldest one. */
struct journal *journal_create(size_t max);
void journal_destroy(struct journal *j);

/* The instance begins on these nodes, node_discover's results: that is told once.  METHOD: how they were found.  What
 * was noted before are drains from before a restart of the ranks. */
void journal_begin(struct journal *j, double t, json_object *const *nodes, unsigned size,
                   const char *method);

struct journal_node {
    unsigned rank;
    const char *host;
    bool up;             /* drained or not */
    const char *drained; /* why, NULL: it is not */
    double since;        /* when it was drained */
    const char *reason;  /* why it is not drained any more, or NULL */
};
/* NODE as it is from T on: what differs from before is an event. */
void journal_note(struct journal *j, double t, const struct journal_node *node);
/* It has left. */
void journal_gone(struct journal *j, double t, unsigned rank);

/* Why RANK is drained, and since when, as far as that is known (else 0); NULL: it is not. */
const char *journal_drained(const struct journal *j, unsigned rank, double *since);
/* {"events":[{"seq","timestamp","name","context"?},...],"seq":N}: those after number SINCE; N: the last one there was. */
json_object *journal_to_json(struct journal *j, uint64_t since);

#endif
