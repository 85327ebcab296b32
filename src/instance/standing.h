/* SPDX-License-Identifier: BSD-3-Clause */
/* standing: where a job that waits stands, as configuration and accounts have it, in any table. */
#ifndef HBATCH_INSTANCE_STANDING_H
#define HBATCH_INSTANCE_STANDING_H

#include "src/instance/job.h"
#include "src/instance/queues.h"

/* The bank that SUB is accounted to. */
struct account *standing_bank(const struct queues *q, struct submission *sub);
/* For the scheduler: urgency alone, or all factors. */
uint64_t standing_priority(const struct queues *q, const struct job *job);
/* As users see it at NOW: with all factors, their sum without fractions. */
int64_t standing_shown(const struct queues *q, const struct job *job, double now);

#endif
