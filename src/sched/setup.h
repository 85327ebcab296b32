/* SPDX-License-Identifier: BSD-3-Clause */
/* setup: how a scheduler is to work, as users write it: "easy", "easy,depth=100,placement=best". */
#ifndef HBATCH_SCHED_SETUP_H
#define HBATCH_SCHED_SETUP_H

#include "src/common/error.h"
#include "src/sched/sched.h"

struct sched_setup {
    const struct sched_policy *policy;
    size_t depth;                       /* sched_set_depth */
    const struct place_strategy *place; /* pool_set_strategy */
};

/* POLICY[,KEY=VALUE...], with keys depth and placement.  -1 with err set. */
int sched_setup_parse(struct sched_setup *setup, const char *text, struct error *err);

/* The strategy of placement NAME; NULL with err set. */
const struct place_strategy *sched_setup_place(const char *name, struct error *err);

#endif
