/* SPDX-License-Identifier: BSD-3-Clause */
/* server: the unix socket where clients of a rank knock, and the clients themselves.
 *
 * On the leader's rank a client's lines are requests to answer; on another rank they are
 * passed to the leader, which knows such a client by rank and number (client_remote).  The
 * leader's code does not tell the two apart: it has a struct client to send to. */
#ifndef HBATCH_INSTANCE_SERVER_H
#define HBATCH_INSTANCE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"

struct server;
struct client;

struct server_ops {
    /* A line from a client: LEN bytes, terminated, valid during the call. */
    void (*line)(struct client *c, char *line, size_t len, void *arg);
    /* The client is gone; it is freed after the call. */
    void (*gone)(struct client *c, void *arg);
};

/* Listen at PATH. Only the owner and root may connect (SO_PEERCRED). */
struct server *server_create(uv_loop_t *loop, const char *path,
                             const struct server_ops *ops, void *arg, struct error *err);
/* Close all clients (without calling gone) and the socket; handles close with the loop. */
void server_destroy(struct server *s); /* NULL is allowed */
/* As if it had gone. */
void server_drop(struct client *c);
/* As if all had gone: they may connect again. */
void server_close_clients(struct server *s);

/* The client of another rank: SEND carries a line to rank RANK for its client NUMBER. */
struct client *client_remote(unsigned rank, uint64_t number,
                             void (*send)(void *arg, unsigned rank, uint64_t number,
                                          const char *line, size_t len),
                             void *arg);
void client_remote_free(struct client *c);

uint64_t client_number(const struct client *c); /* local clients: unique in this rank */
struct client *server_find(struct server *s, uint64_t number); /* or NULL */
void client_send(struct client *c, const char *line, size_t len);
void client_send_json(struct client *c, json_object *o);

#endif
