/* SPDX-License-Identifier: BSD-3-Clause */
/* progress: what of a stream was told already.
 *
 * A stream that is opened anew begins with the first event and the first byte again; the functions
 * here are asked about all that comes, and say what of it is new.  Pure. */
#ifndef HBATCH_LIB_PROGRESS_H
#define HBATCH_LIB_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

struct progress *progress_create(void);
void progress_destroy(struct progress *p); /* NULL is allowed */
/* The stream is of COUNT jobs from FIRST on. What ended is remembered of these. */
void progress_block(struct progress *p, uint64_t first, uint64_t count);
/* All comes again. */
void progress_restart(struct progress *p);

/* Whether an event of job ID is new.  After a new "requeue", output is that of another run. */
bool progress_event(struct progress *p, uint64_t id, const char *name);
/* How many of LEN bytes of output are old: the first ones. */
size_t progress_output(struct progress *p, uint64_t id, const char *stream, unsigned task,
                       size_t len);
/* Whether the end of that output is new. */
bool progress_eof(struct progress *p, uint64_t id, const char *stream, unsigned task);
/* Whether the end of job ID is new. */
bool progress_end(struct progress *p, uint64_t id);
/* Whether it was told: progress_end without a change. */
bool progress_ended(const struct progress *p, uint64_t id);

#endif
