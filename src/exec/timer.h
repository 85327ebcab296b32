/* SPDX-License-Identifier: BSD-3-Clause */
/* timer: one call after some seconds; most jobs need none, so none is part of a job. */
#ifndef HBATCH_EXEC_TIMER_H
#define HBATCH_EXEC_TIMER_H

#include <uv.h>

struct timer;

/* (Re)start *T, which holds NULL or a running timer: F(ARG) in SECONDS (0 or less: in the next
 * turn of the loop).  *T is NULL again when F is called. */
void timer_start(struct timer **t, uv_loop_t *loop, double seconds, void (*f)(void *arg),
                 void *arg);
void timer_stop(struct timer **t);

#endif
