/* SPDX-License-Identifier: BSD-3-Clause */
/* pending: the line on a terminal that says what a job waits for, and for how long, until it starts:
 * "hbatch: f2grBbm waiting for resources  00:00:08".
 *
 * It is shown after a second, by those whose input and output are a terminal, unless
 * HBATCH_ATTACH_NONINTERACTIVE is set. */
#ifndef HBATCH_CLI_PENDING_H
#define HBATCH_CLI_PENDING_H

#include "src/cli/attach.h"

struct pending {
    const struct cli *cli;
    uint64_t id;       /* 0: not known yet */
    bool on, drawn;    /* it is wanted; it is there now */
    const char *what;  /* it waits for; NULL: nothing is known */
    double since, due; /* when it was submitted; monotonic time of the next look */
};

void pending_init(struct pending *p, const struct cli *cli, uint64_t id,
                  const struct attach_options *options);
void pending_event(struct pending *p, double time, const char *name);
/* Milliseconds until the next tick; -1: there is none. */
int pending_patience(const struct pending *p);
void pending_tick(struct pending *p);
/* Something else is printed; it comes again. */
void pending_clear(struct pending *p);
/* The job started, or is left. */
void pending_end(struct pending *p);

#endif
