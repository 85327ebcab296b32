/* SPDX-License-Identifier: BSD-3-Clause */
/* meter: how far many jobs are: a bar on a terminal, with the rate and the time that remains, else a line
 * of text on stderr now and then.
 *
 * The bar is the last line of the terminal: who prints something else calls meter_hide before. */
#ifndef HBATCH_CLI_METER_H
#define HBATCH_CLI_METER_H

#include <stdbool.h>
#include <stdint.h>
#include "src/cli/cli.h"

struct meter {
    const struct cli *cli;
    bool on;               /* else all functions do nothing */
    bool jps;              /* jobs per second, too */
    uint64_t total;        /* 0: it is not known */
    uint64_t done, failed; /* failed: of those done */
    int fd;                /* of the terminal, or -1 */
    bool shown;            /* the bar is on the terminal's last line */
    double start, drawn;   /* monotonic */
    double sampled, rate;  /* of late: when it was measured; jobs per second */
    uint64_t at_sample;
};

enum {
    METER_TICK_MS = 250,
    METER_TIME_SIZE = 32
}; /* who waits calls meter_draw each tick */

void meter_init(struct meter *m, const struct cli *cli, bool jps);
/* Show how far it is, if it is time to. */
void meter_draw(struct meter *m);
/* Take the bar away for now. */
void meter_hide(struct meter *m);
/* Show how it has ended. */
void meter_end(struct meter *m);
/* SECONDS as 5s, 4m10s, 3h05m, 2d04h in BUF. */
const char *meter_time(double seconds, char buf[METER_TIME_SIZE]);

#endif
