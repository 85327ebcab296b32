/* SPDX-License-Identifier: BSD-3-Clause */
/* client: one connection to an instance: JSON-RPC over a blocking-free socket and poll(2).
 *
 * This is the inside of struct hbatch (hbatch.h), with json-c objects where the public header
 * has text; the command line uses it directly.
 *
 * A connection that is lost, to an instance that means to come back (link.h), is made again: then
 * all requests that have no reply are repeated, in order and under their ids, and what streams were
 * open is opened anew.  A request may thus reach the instance twice; it says so ("again"), and
 * job.submit has a key by which the instance knows it.
 *
 * Nothing is sent or received but in client_process and what calls it (client_call,
 * client_flush).  Callbacks run there; they may send, subscribe and unsubscribe, but must not
 * close the connection. */
#ifndef HBATCH_LIB_CLIENT_H
#define HBATCH_LIB_CLIENT_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/lib/hbatch.h"

enum { CLIENT_KEY_SIZE = 17 };
/* A name that nobody else has: 64 random bits in hexadecimal. Returns KEY. */
char *client_key(char key[CLIENT_KEY_SIZE]);

/* Exactly one of RESULT and ERR is set. Both belong to the caller of the callback. */
typedef void (*client_reply_f)(json_object *result, const struct error *err, void *arg);
/* A notification of a stream: its method and params. */
typedef void (*client_note_f)(const char *method, json_object *params, void *arg);

/* Connect to URI ("local://PATH" or "ssh://HOST/PATH"; NULL: $HBATCH_URI). NULL with err set: says what is wrong
 * with the URI or the socket and how to get an instance. */
struct hbatch *client_open(const char *uri, struct error *err);
/* As hbatch_open_carrier. */
struct hbatch *client_open_carrier(const struct hbatch_carrier *carrier, void *arg,
                                   const char *name);
void client_close(struct hbatch *h); /* NULL is allowed */
/* To poll for reading, just now: it is another one when the connection was lost or is there again. */
int client_fd(const struct hbatch *h);
/* One to poll for reading that stays the same, and tells of room for client_unsent as well. */
int client_watch(struct hbatch *h);
/* Whether the connection is lost, and tried again. */
bool client_is_away(const struct hbatch *h);
/* Whether requests wait for the socket to take them: then poll for writing as well. */
bool client_unsent(const struct hbatch *h);

/* Queue a request; PARAMS is taken over, may be NULL.  Return its id, which is also the
 * number of the stream that it may open: NOTE (may be NULL) gets that stream's
 * notifications until client_forget. */
int client_send(struct hbatch *h, const char *method, json_object *params,
                client_reply_f reply, client_note_f note, void *arg);
/* Queue a notification; PARAMS is taken over. */
void client_notify(struct hbatch *h, const char *method, json_object *params);
/* Open the stream of request ID anew when the connection was made again: by METHOD and PARAMS (taken
 * over), or by the request itself (METHOD NULL).  BEGIN is called with ARG before: all that follows is
 * of the new stream.  The reply callback is called another time if that fails, with the error. */
void client_reopen(struct hbatch *h, int id, const char *method, json_object *params,
                   void (*begin)(void *arg));
/* What was sent to tasks (input.h). */
struct inputs *client_inputs(struct hbatch *h);
/* What was posted (post.h). */
struct posts *client_posts(struct hbatch *h);
/* When request ID is over and done with, call FREE_ARG with its ARG. */
void client_own(struct hbatch *h, int id, void (*free_arg)(void *arg));
/* No more callbacks for request ID. */
void client_forget(struct hbatch *h, int id);

/* Send what the socket takes. 0, or -1 with err set when the connection is lost. */
int client_flush(struct hbatch *h, struct error *err);
/* Send, wait at most TIMEOUT_MS (-1: forever, 0: not at all) for something to arrive, and run
 * the callbacks of all that did. 1: some ran, 0: time is over or a signal came, -1 with err
 * set: the connection is lost. */
int client_process(struct hbatch *h, int timeout_ms, struct error *err);
/* Send a request and process until its reply is there; a new reference, or NULL with err. */
json_object *client_call(struct hbatch *h, const char *method, json_object *params,
                         struct error *err);

/* Keep O (taken over) until the next client_keep or client_close: a caller has pointers into
 * it. */
void client_keep(struct hbatch *h, json_object *o);
/* The URI that was connected to. */
const char *client_uri(const struct hbatch *h);

#endif
