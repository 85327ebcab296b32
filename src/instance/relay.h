/* SPDX-License-Identifier: BSD-3-Clause */
/* relay: clients of this rank that speak with another instance's socket, which may be on another rank's node
 * (instance.relay).  From the answer on, their lines are that instance's, and its lines theirs.
 *
 * On the client's rank there is an *inlet*, on the socket's an *outlet*; between them go messages
 * (PROTOCOL, section 3, letter Y).  Neither looks into the lines: streams have their own flow control from end to end. */
#ifndef HBATCH_INSTANCE_RELAY_H
#define HBATCH_INSTANCE_RELAY_H

#include <stdbool.h>
#include <uv.h>
#include "src/instance/server.h"

struct relays;

struct relay_config {
    uv_loop_t *loop;
    unsigned rank; /* this one */
    /* To the relays of RANK, another one. */
    void (*send)(void *arg, unsigned rank, const char *text, size_t len);
    /* Whether there is a rank RANK. */
    bool (*exists)(void *arg, unsigned rank);
    void *arg;
};

struct relays *relays_create(const struct relay_config *config);
void relays_destroy(struct relays *rs); /* NULL is allowed; handles close with the loop */
/* The server whose clients there are inlets for. */
void relays_serve(struct relays *rs, struct server *server);

/* A line of C.  True: it was of a relay, or to open one, and is done with. */
bool relays_line(struct relays *rs, struct client *c, const char *line, size_t len);
void relays_client_gone(struct relays *rs, const struct client *c);
/* A message of the relays of RANK. */
void relays_message(struct relays *rs, unsigned rank, char *text, size_t len);
/* RANK is gone; or all must be made anew. */
void relays_rank_lost(struct relays *rs, unsigned rank);
void relays_clear(struct relays *rs);

#endif
