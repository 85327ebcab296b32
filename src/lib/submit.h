/* SPDX-License-Identifier: BSD-3-Clause */
/* submit: job.submit with json-c objects. */
#ifndef HBATCH_LIB_SUBMIT_H
#define HBATCH_LIB_SUBMIT_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/lib/client.h"
#include "src/lib/hbatch.h"

/* A JSON object from TEXT; WHAT names it in the error. */
json_object *submit_parse(const char *text, const char *what, struct error *err);
/* attributes.system of SPEC, which is made if it is not there. */
json_object *submit_system(json_object *spec);
/* Whether the texts of OPTIONS (may be NULL) can be sent. */
int submit_check(const struct hbatch_submit *options, struct error *err);
/* Check OPTIONS, and give SPEC their environment (may be NULL), if they have one.  -1 with err set, and SPEC is released. */
int submit_environment(json_object *spec, const struct hbatch_submit *options,
                       struct error *err);
/* The parameters of job.submit; SPEC is taken over. FOLLOW: NULL, "status", "attach". */
json_object *submit_params(json_object *spec, const struct hbatch_submit *options,
                           const char *follow);
/* Submit SPEC (taken over, NULL fails with err as it is); with OPS, follow what it becomes.
 * Return the stream's number (0 without OPS), or -1 with err set. */
int submit_job(struct hbatch *h, json_object *spec, const struct hbatch_submit *options,
               hbatch_jobid *id, const struct hbatch_stream_ops *ops, void *arg,
               struct error *err);

#endif
