/* SPDX-License-Identifier: BSD-3-Clause */
/* tail: the last lines of what a job has printed so far: attach --tail. */
#ifndef HBATCH_CLI_TAIL_H
#define HBATCH_CLI_TAIL_H

#include "src/cli/cli.h"
#include "src/cli/output.h"

struct tail;

/* Read all output of job ID that there is now, and keep the last LINES lines of it; one that has not ended
 * counts.  An error is the end of the program. */
struct tail *tail_read(struct cli *cli, uint64_t id, size_t lines);
void tail_destroy(struct tail *t); /* NULL is allowed */
/* The job is over: that was all of its output. */
bool tail_is_all(const struct tail *t);
/* Bytes that were read, and those known to be captured. */
uint64_t tail_bytes(const struct tail *t);
uint64_t tail_captured(const struct tail *t);
void tail_print(const struct tail *t, struct output *out, uint64_t id);
/* LEN bytes of STREAM of TASK come, from the beginning on: how many of them were read by tail_read. */
size_t tail_known(struct tail *t, const char *stream, unsigned task, size_t len);

#endif
