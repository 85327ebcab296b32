/* SPDX-License-Identifier: BSD-3-Clause */
/* reader: sends a job's captured output to the rank, from the spool, as far as the rank's
 * credit goes: what a slow reader has not taken stays in the file, not in memory. */
#ifndef HBATCH_EXEC_READER_H
#define HBATCH_EXEC_READER_H

#include <stdbool.h>
#include <stdint.h>

#define READER_CREDIT (1u << 20) /* bytes sent and not yet acknowledged */

struct exec;
struct job;

/* Read job ID's output from its first record at FIRST (0: none yet); JOB is NULL when it has ended.  NOW: only
 * what is there now.  FORMER: the spool of another executor that it is in, or NULL.  A reader is known by
 * (ID, SUB). */
void reader_create(struct exec *x, uint64_t id, int64_t sub, struct job *job,
                   uint64_t first, bool now, const char *former);
/* Whether there is one for job ID. */
bool reader_reads(const struct exec *x, uint64_t id);
/* SUB (of job ID unless that is 0) has consumed TOTAL bytes. */
void reader_ack(struct exec *x, uint64_t id, int64_t sub, uint64_t total);
void reader_close(struct exec *x, uint64_t id, int64_t sub);
/* The connection is gone, and with it all readers. */
void reader_close_all(struct exec *x);

/* The job has a new record at POS / has ended: no more records will come. */
void reader_record(struct exec *x, struct job *job, uint64_t pos);
void reader_job_ended(struct exec *x, struct job *job);

#endif
