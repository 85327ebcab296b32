/* SPDX-License-Identifier: BSD-3-Clause */
/* greeting: the line with which a rank connects to another one's lifeline (lifeline.h):
 *     hbatch-lifeline SECRET RANK LEADER
 * who it is, and whom it looks for. */
#ifndef HBATCH_COMM_GREETING_H
#define HBATCH_COMM_GREETING_H

#include <stddef.h>

#define GREETING_MAX 256 /* bytes, with the newline */
/* A secret has 1 to this many printable characters without blanks. */
#define GREETING_SECRET_MAX 128

/* The line with its newline, a new string. */
char *greeting_write(const char *secret, unsigned rank, unsigned leader);
/* Take a line (LEN bytes without newline, terminated; it is cut up) apart. NULL, or what is wrong
 * with it.  How long it takes does not tell how much of the secret was right. */
const char *greeting_read(char *line, size_t len, const char *secret, unsigned *rank,
                          unsigned *leader);

#endif
