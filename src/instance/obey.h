/* SPDX-License-Identifier: BSD-3-Clause */
/* obey: what the parent instance orders (PROTOCOL, section 1, job.orders). */
#ifndef HBATCH_INSTANCE_OBEY_H
#define HBATCH_INSTANCE_OBEY_H

#include "src/instance/instance.h"

/* parent_ops' callback; ARG: the instance. */
void obey_order(void *arg, json_object *order);

#endif
