/* SPDX-License-Identifier: BSD-3-Clause */
/* jobid: job ids, RFC 19 FLUIDs: 64 bits, of which 40 count milliseconds since the
 * generator's epoch, 14 are the generator's number and 10 a sequence number.  The top bit
 * stays 0 for 17 years, so ids fit signed 64-bit columns.
 *
 * A block of N ids is reserved at once for an array of jobs: the Ith id of a block is
 * computed from the first (jobid_nth), not stored.  A generator whose ids run ahead of the
 * clock, or whose clock is set back, goes on from its last id: ids are unique and increase.
 * No generator gives 0, which may stand for "none"; it decodes and encodes as any id. */
#ifndef HBATCH_COMMON_JOBID_H
#define HBATCH_COMMON_JOBID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/common/error.h"

typedef uint64_t jobid_t;

struct jobid_gen {
    uint64_t epoch_ms;  /* wall clock of timestamp 0, ms */
    uint64_t next_slot; /* (timestamp << 10 | sequence) of the next id */
    unsigned generator; /* 0..16383 */
};

enum jobid_form {
    JOBID_F58,       /* with the prefix U+0192 */
    JOBID_F58_PLAIN, /* with the prefix "f" */
    JOBID_DEC,
    JOBID_HEX,    /* 0x... */
    JOBID_DOTHEX, /* 0000.0000.0000.0000 */
    JOBID_KVS,    /* job.0000.0000.0000.0000 */
    JOBID_WORDS,  /* mnemonic words (RFC 19 encodes with the mnemonicode word list) */
    JOBID_EMOJI,
};

/* Start a generator, 0..16383, whose epoch is now (NOW_MS: wall clock, ms). To go on after a
 * restart, keep epoch_ms and next_slot. */
void jobid_gen_init(struct jobid_gen *gen, unsigned generator, uint64_t now_ms);
/* Reserve COUNT >= 1 consecutive ids at wall clock NOW_MS; return the first. */
jobid_t jobid_gen_next(struct jobid_gen *gen, uint64_t now_ms, uint64_t count);
/* The Ith id (0: FIRST itself) of the block that starts at FIRST. */
jobid_t jobid_nth(jobid_t first, uint64_t i);
/* Position of ID in the block of COUNT ids that starts at FIRST, or -1. */
int64_t jobid_position(jobid_t first, uint64_t count, jobid_t id);
/* Milliseconds since the generator's epoch that ID carries. */
uint64_t jobid_timestamp_ms(jobid_t id);

/* Encode; BUF of SIZE bytes (JOBID_BUFSIZE is enough for any form). Return BUF, or NULL if
 * it is too small. */
#define JOBID_BUFSIZE 128
char *jobid_encode(jobid_t id, enum jobid_form form, char *buf, size_t size);
/* Decode any form, told apart as RFC 19 says, leading and trailing blanks allowed.  Return 0
 * or -1 with err set. */
int jobid_decode(const char *text, jobid_t *id, struct error *err);
/* Name ("f58", "f58plain", "dec", "hex", "dothex", "kvs", "words", "emoji") to form, or -1. */
int jobid_form_decode(const char *name);

#endif
