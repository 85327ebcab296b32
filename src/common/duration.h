/* SPDX-License-Identifier: BSD-3-Clause */
/* duration: RFC 23 Flux Standard Duration: N[UNIT], UNIT one of ms, s, m, h, d, N a
 * non-negative floating point number, "infinity" or "inf". */
#ifndef HBATCH_COMMON_DURATION_H
#define HBATCH_COMMON_DURATION_H

#include "src/common/error.h"

/* Decode TEXT into seconds (INFINITY allowed); return 0, or -1 with err set. */
int duration_decode(const char *text, double *seconds, struct error *err);

/* Encode SECONDS into BUF with the largest unit that keeps it readable, at most 6
 * significant digits ("1.5h", "90.5s", "30ms", "infinity"); return BUF. BUF needs
 * DURATION_BUFSIZE bytes.  What is no duration (negative, NaN) gives "0s". */
#define DURATION_BUFSIZE 32
char *duration_encode(double seconds, char *buf);

#endif
