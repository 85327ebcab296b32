/* SPDX-License-Identifier: BSD-3-Clause */
/* request: one request to an instance that may not answer at the moment: sent again, over a new
 * connection, until there is a reply.  Nothing blocks. */
#ifndef HBATCH_CLI_REQUEST_H
#define HBATCH_CLI_REQUEST_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct request;

/* PARAMS is taken over.  If the socket of URI is dead, those of other ranks beside it are tried. */
struct request *request_create(const char *uri, const char *method, json_object *params);
void request_destroy(struct request *r); /* NULL is allowed */
int request_fd(const struct request *r); /* to be polled for reading; or -1 */
enum request_state { REQUEST_WAITS, REQUEST_DONE, REQUEST_REFUSED };
/* Go on; call it again when the descriptor is readable, or *WAIT seconds have passed (negative: no
 * matter).  REQUEST_REFUSED: with err set. */
enum request_state request_step(struct request *r, double *wait, struct error *err);
/* For how many seconds nobody could be connected to. */
double request_deaf(const struct request *r);

#endif
