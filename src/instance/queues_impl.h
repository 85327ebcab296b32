/* SPDX-License-Identifier: BSD-3-Clause */
/* queues_impl: what the files of queues.h share. */
#ifndef HBATCH_INSTANCE_QUEUES_IMPL_H
#define HBATCH_INSTANCE_QUEUES_IMPL_H

#include "src/instance/queues.h"

/* What is configured of queue S: NULL for the one without a name.  Defaults of its jobs. */
const struct config_queue *queues_conf(const struct queues *q,
                                       const struct queue_state *s);
const struct config_defaults *queues_defaults(const struct queues *q,
                                              const struct queue_state *s);
/* The time limit of a job that has none; 0: none. */
double queues_duration(const struct queues *q, const struct queue_state *s);

/* "queue debug", "the queue": how messages name it.  Use as queue_show(s).text within one expression. */
struct queue_shown {
    char text[96];
};

struct queue_shown queue_show(const struct queue_state *s);

#endif
