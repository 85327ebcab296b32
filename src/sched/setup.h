/* SPDX-License-Identifier: BSD-3-Clause */
/* setup: how a scheduler is to work, as users write it: "easy", "easy,depth=100". */
#ifndef HBATCH_SCHED_SETUP_H
#define HBATCH_SCHED_SETUP_H

#include "src/common/error.h"
#include "src/sched/sched.h"

struct sched_setup {
    const struct sched_policy *policy;
    size_t depth; /* sched_set_depth */
};

/* POLICY[,KEY=VALUE...], with key depth.  -1 with err set. */
int sched_setup_parse(struct sched_setup *setup, const char *text, struct error *err);

#endif
