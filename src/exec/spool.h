/* SPDX-License-Identifier: BSD-3-Clause */
/* spool: the captured output of all jobs of an executor in one append-only file.
 *
 * The file is a sequence of records; each belongs to one job and tells where the same job's
 * next record is, so that a job's output is read from its first record on without an index.
 * For a running job the executor remembers two positions (struct spool_job); of a job that
 * has ended it remembers nothing: the position of the first record is in the finish event.
 *
 * Small records are gathered in memory and written by spool_flush (or when there are many);
 * they can be read at once.  Where the disk is full, the jobs whose records were lost are
 * told, and the file stays well-formed.  The last 2 MiB of the disk are left to others: the
 * instance's store may be there.
 *
 * Layout, native byte order: an 8 byte file header "HBSPOOL1", then records: struct
 * spool_record, then LEN bytes.  Of a dead record (another magic) nothing but LEN means something; one of
 * stream 0 goes on to NEXT instead, and what is between is a hole in the file. */
#ifndef HBATCH_EXEC_SPOOL_H
#define HBATCH_EXEC_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/common/error.h"

#define SPOOL_RECORD_MAX (256u << 10) /* longest data of one record */

struct spool;

struct spool_record {
    uint32_t magic;
    uint32_t len;
    uint64_t id;
    uint64_t next; /* position of the job's next record; 0: none yet */
    uint32_t task;
    uint32_t stream; /* 1: stdout, 2: stderr */
};

struct spool_job {        /* zeroed at the start of a job */
    uint64_t first, last; /* positions; 0: none */
};

/* Open or create PATH; records that are there stay readable. LOST is called from spool_flush
 * for a job whose output could not be written, at least once, with the errno value. */
struct spool *spool_open(const char *path,
                         void (*lost)(void *arg, uint64_t id, int error), void *arg,
                         struct error *err);
/* Open PATH, which must be there, to read records that others wrote, or to forget them. */
struct spool *spool_open_former(const char *path, struct error *err);
const char *spool_path(const struct spool *s);
bool spool_is_empty(const struct spool *s);
void spool_close(struct spool *s); /* flushes; NULL is allowed */

/* Append LEN <= SPOOL_RECORD_MAX bytes; return the record's position, or 0 with errno when it could
 * not be written. */
uint64_t spool_append(struct spool *s, struct spool_job *job, uint64_t id, unsigned task,
                      unsigned stream, const void *data, size_t len);
/* Write what is gathered. */
void spool_flush(struct spool *s);
/* After LOST was called for the job: drop the positions of lost records.  Nothing more may be
 * appended for this job. */
void spool_forget_lost(const struct spool *s, struct spool_job *job);

/* Read the record of job ID at POS: its header into *REC, its data into memory that is valid until the
 * next call. NULL with err set when there is no such record. */
const char *spool_read(struct spool *s, uint64_t id, uint64_t pos,
                       struct spool_record *rec, struct error *err);

/* Nobody will read job ID's output, whose first record is at POS, any more.  Its records are dead: large
 * ones give back their room at once, the others with spool_trim. */
void spool_forget(struct spool *s, uint64_t id, uint64_t pos);
/* With more than LIMIT bytes (0: there is no limit) in it, output of jobs that are over is forgotten, the oldest first.
 * IN_USE, with the argument of spool_open's LOST: whether a job is not over, or its output is being read; such a
 * job's stays, so that there may be more than LIMIT. */
void spool_set_limit(struct spool *s, uint64_t limit,
                     bool (*in_use)(void *arg, uint64_t id));
/* Whether what was at POS was forgotten because of that. */
bool spool_was_shed(const struct spool *s, uint64_t pos);
/* Give back the room of all that is before the first record that is not dead.  Return the position of that. */
uint64_t spool_trim(struct spool *s);

#endif
