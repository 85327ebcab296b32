/* SPDX-License-Identifier: BSD-3-Clause */
/* jobid_tables: the digits of two encodings of job ids, for jobid.c. */
#ifndef HBATCH_COMMON_JOBID_TABLES_H
#define HBATCH_COMMON_JOBID_TABLES_H

#include <stdint.h>

#define JOBID_NWORDS 1626
#define JOBID_NEMOJI 576

extern const char *const jobid_words[JOBID_NWORDS];
/* Unicode code points, each of four bytes in UTF-8 that start with F0 9F. */
extern const uint32_t jobid_emoji[JOBID_NEMOJI];

#endif
