/* SPDX-License-Identifier: BSD-3-Clause */
/* records: a file or a pipe read record by record. */
#ifndef HBATCH_CLI_RECORDS_H
#define HBATCH_CLI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include "src/common/error.h"

struct records;
struct separator; /* sources.h */

/* Of the file PATH, or of standard input for "-". NULL with err set. */
struct records *records_open(const char *path, const struct separator *sep,
                             struct error *err);
void records_close(struct records *r); /* NULL is allowed */
int records_fd(const struct records *r);
/* The next record that is not empty in *TEXT, valid until the next call.  1; 0 at the end; -1 with err set; 2:
 * nothing is there yet, and WAIT is false. */
int records_next(struct records *r, const char **text, bool wait, struct error *err);

#endif
