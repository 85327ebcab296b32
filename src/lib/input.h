/* SPDX-License-Identifier: BSD-3-Clause */
/* input: what a client sends to the standard input of tasks.  It is kept until they have taken it, so
 * that it can be sent again over another connection; it says where in all that this client sends
 * it belongs, and the executor passes over what it has. */
#ifndef HBATCH_LIB_INPUT_H
#define HBATCH_LIB_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/lib/client.h"

#define INPUTS_KEPT (4u << 20) /* bytes; clients keep to 1 MiB ahead of each job */

struct inputs;

struct inputs *inputs_create(void);
void inputs_destroy(struct inputs *in); /* NULL is allowed */
/* Queue LEN bytes, and the end if EOF, for TASKS (RFC 22, NULL: as the job says) of job ID. */
void inputs_send(struct inputs *in, struct hbatch *h, uint64_t id, const char *tasks,
                 const void *data, size_t len, bool eof);
/* The tasks of job ID have taken BYTES in all. */
void inputs_taken(struct inputs *in, uint64_t id, uint64_t bytes);
/* Job ID is over. */
void inputs_over(struct inputs *in, uint64_t id);
/* Queue again all that was not taken. */
void inputs_repeat(struct inputs *in, struct hbatch *h);

#endif
