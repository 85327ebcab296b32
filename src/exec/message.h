/* SPDX-License-Identifier: BSD-3-Clause */
/* message: what the rank says, each kind of message a line of a table (comm/PROTOCOL tells what is in them). */
#ifndef HBATCH_EXEC_MESSAGE_H
#define HBATCH_EXEC_MESSAGE_H

#include <json-c/json.h>

struct exec;

/* Do what MSG asks for.  What makes no sense is logged, and nothing is done. */
void message_handle(struct exec *x, json_object *msg);

#endif
