/* SPDX-License-Identifier: BSD-3-Clause */
/* rlimit: the job's option "rlimit": soft limits of its processes by lower case name. */
#ifndef HBATCH_JOB_RLIMIT_H
#define HBATCH_JOB_RLIMIT_H

#include <sys/resource.h>
#include <json-c/json.h>
#include "src/common/error.h"

#define RLIMITS_MAX 16

struct rlimits {
    unsigned n;
    struct {
        int resource;
        struct rlimit limit;
    } v[RLIMITS_MAX];
};

/* Decode {"core":0,"nofile":1024,"stack":"unlimited",...} (-1 is unlimited as well).  A value
 * above this process's hard limit is lowered to it. */
int rlimits_decode(json_object *o, struct rlimits *out, struct error *err);

#endif
