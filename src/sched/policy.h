/* SPDX-License-Identifier: BSD-3-Clause */
/* policy: the policies there are, one file each: policy_NAME.c (sched.h says what one is). */
#ifndef HBATCH_SCHED_POLICY_H
#define HBATCH_SCHED_POLICY_H

#include "src/sched/sched.h"

extern const struct sched_policy policy_fcfs, policy_easy, policy_conservative;

#endif
