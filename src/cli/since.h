/* SPDX-License-Identifier: BSD-3-Clause */
/* since: moments of the past as people write them:
 *
 *     -DURATION  (RFC 23)          N UNIT[s] ago          seconds since the epoch
 *     [DAY] [TIME]   DAY   YYYY-MM-DD, today, yesterday, [last] monday, mon, ...
 *                    TIME  HH:MM[:SS], 6am, 6:30pm, noon, midnight
 *     YYYY-MM-DDTHH:MM[:SS]        now
 *
 * A day alone is its begin; a time alone is the last one that was. */
#ifndef HBATCH_CLI_SINCE_H
#define HBATCH_CLI_SINCE_H

/* -1: TEXT is none of these. */
int since_decode(const char *text, double now, double *t);

#endif
