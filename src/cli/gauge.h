/* SPDX-License-Identifier: BSD-3-Clause */
/* gauge: how far something is that takes long: a line on the terminal that goes away when it is over.
 *
 * It is shown from the second second on, where stderr is a terminal in whose foreground we are; elsewhere all
 * functions do nothing.  (meter is what --progress shows, of jobs, anywhere.) */
#ifndef HBATCH_CLI_GAUGE_H
#define HBATCH_CLI_GAUGE_H

#include <stdbool.h>
#include "src/cli/cli.h"

enum { GAUGE_TICK_MS = 500 };

struct gauge {
    const struct cli *cli;
    const char *unit;    /* what is counted, as "jobs"; NULL: bytes */
    double start, drawn; /* monotonic */
    bool on, shown;
};

void gauge_init(struct gauge *g, const struct cli *cli, const char *unit);
/* DONE of TOTAL, if that is known, else 0. */
void gauge_show(struct gauge *g, double done, double total);
/* Take the line away: before something else is written there, and at the end. */
void gauge_hide(struct gauge *g);
/* How long to wait for what comes, in ms, so that the line is shown in time; -1: for ever. */
int gauge_tick(const struct gauge *g);

#endif
