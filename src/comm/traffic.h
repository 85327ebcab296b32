/* SPDX-License-Identifier: BSD-3-Clause */
/* traffic: how much a rank has sent to the others and got from them, since it began.
 *
 * Numbers of the transport: what MPI makes of a message or a broadcast is not in them.  Beats are
 * the messages that begin with TRANSPORT_QUIET: they come with time, not with work, and
 * are counted apart. */
#ifndef HBATCH_COMM_TRAFFIC_H
#define HBATCH_COMM_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

struct traffic_count {
    uint64_t messages, lines, bytes;
};

struct traffic {
    struct traffic_count sent, received; /* from one rank to another */
    struct traffic_count beats;          /* sent */
    struct traffic_count epochs;         /* of the state stream, sent; messages: epochs */
};

/* A message of LEN bytes: whole lines, each with its newline. */
void traffic_add(struct traffic_count *c, const char *data, size_t len);
/* {"sent":{"messages","lines","bytes"},"received":{..},"beats":{..},
 *  "epochs":{"epochs","lines","bytes"}} */
json_object *traffic_to_json(const struct traffic *t);

#endif
