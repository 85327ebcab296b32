/* SPDX-License-Identifier: BSD-3-Clause */
/* bytes: amounts of memory as users write and read them: 4G, 512M, 1.5T.
 *
 * Units are powers of 1024; K, KB and KiB are the same, in capitals or not. */
#ifndef HBATCH_COMMON_BYTES_H
#define HBATCH_COMMON_BYTES_H

#include <stdint.h>
#include "src/common/error.h"

/* Beyond that nothing is an amount: sums of some never overflow. */
#define BYTES_MAX (UINT64_C(1) << 60)

/* A number, which may have a fraction, and a unit; UNIT (1, 1 << 20, ...) is that of a number without one.  What is
 * no whole number of bytes is rounded up.  -1 with err set: it makes no sense, or is negative or too large. */
int bytes_decode(const char *text, uint64_t unit, uint64_t *n, struct error *err);
/* The size of a unit: "GiB"; "" and "B" are 1; 0: there is none of this name. */
uint64_t bytes_unit(const char *name);

/* N as a number of at most 2147483647 of a unit, which is returned: in the largest one that tells it exactly, or, where it
 * takes more than that, rounded up. */
const char *bytes_split(uint64_t n, unsigned *count);

/* In the largest unit that makes it 1 or more, with one digit after the point if it is no whole number: "4G", "1.5G",
 * "512"; rounded down. */
struct bytes_text {
    char s[24];
};
struct bytes_text bytes_encode(uint64_t n);

#endif
