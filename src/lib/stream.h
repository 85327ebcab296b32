/* SPDX-License-Identifier: BSD-3-Clause */
/* stream: what job.attach, job.follow and job.submit send after their reply, decoded and
 * acknowledged.  A stream outlives the connection: it is opened anew with the next one, and what
 * comes again is not told again. */
#ifndef HBATCH_LIB_STREAM_H
#define HBATCH_LIB_STREAM_H

#include <json-c/json.h>
#include "src/common/error.h"
#include "src/lib/client.h"
#include "src/lib/hbatch.h"

/* Queue METHOD with PARAMS (taken over), and give OPS the stream that it opens; REPLY is called with
 * REPLY_ARG when the reply is there, before the first callback of OPS: the result, or an error, and then there
 * is no stream.  Return the stream's number. */
int stream_begin(struct hbatch *h, const char *method, json_object *params,
                 const struct hbatch_stream_ops *ops, void *arg, client_reply_f reply,
                 void *reply_arg);
/* Send METHOD with PARAMS (taken over), wait for its reply (a new reference, or NULL with err
 * set), and give OPS the stream that it opens.  *NUMBER, unless NULL: of the stream.  ID,
 * unless NULL, gets the reply's "id" before the first callback runs. */
json_object *stream_open(struct hbatch *h, const char *method, json_object *params,
                         const struct hbatch_stream_ops *ops, void *arg, int *number,
                         hbatch_jobid *id, struct error *err);

/* A result from job.wait's answer or job.end; its strings are O's. */
void stream_result(json_object *o, struct hbatch_result *result);

#endif
