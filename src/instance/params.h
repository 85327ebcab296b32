/* SPDX-License-Identifier: BSD-3-Clause */
/* params: a request's parameters, checked; on -1 err names the parameter and its value. */
#ifndef HBATCH_INSTANCE_PARAMS_H
#define HBATCH_INSTANCE_PARAMS_H

#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/common/jobid.h"

/* A job id that must be there. */
int param_id(json_object *params, const char *key, jobid_t *id, struct error *err);
/* An integer from LOW to HIGH; MISSING when there is none. */
int param_int(json_object *params, const char *key, int64_t low, int64_t high,
              int64_t missing, int64_t *v, struct error *err);
/* O is the range [FIRST, LAST] of job ids, FIRST not below LOW. */
int param_range(json_object *o, jobid_t low, jobid_t *first, jobid_t *last,
                struct error *err);

#endif
