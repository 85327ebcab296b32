/* SPDX-License-Identifier: BSD-3-Clause */
/* bulk: jobs that are submitted together and differ in their words only.
 *
 * An extension of jobspecs: attributes.system.bulk is an array of *rows*, and a row an array of words.  It stands for as
 * many jobs as it has rows; the command of each is that of tasks[0], and behind it the words of its row.  So what jobs
 * have in common is sent, checked, stored and kept once for all of them. */
#ifndef HBATCH_JOB_BULK_H
#define HBATCH_JOB_BULK_H

#include <json-c/json.h>
#include "src/common/error.h"

enum { BULK_MAX = 65536 }; /* rows */

/* The rows of jobspec O, or NULL: it is of one job. */
json_object *bulk_rows(json_object *o);
/* -1 with err set: VALUE, found at PATH, is no array of rows. */
int bulk_check(const char *path, json_object *value, struct error *err);
/* O, a jobspec, becomes that of the job of row I, or of all of them (I < 0), without rows.  There is such a row. */
void bulk_apply(json_object *o, int64_t i);

/* Rows as words, in the least memory. */
struct bulk_words;
struct bulk_words *bulk_words_create(json_object *rows);
void bulk_words_destroy(struct bulk_words *w); /* NULL is allowed */
size_t bulk_words_count(const struct bulk_words *w);
/* The words of row I, one after the other, each with its NUL; their number goes to *N.  NULL: there is no such row. */
const char *bulk_words_row(const struct bulk_words *w, uint64_t i, unsigned *n);

#endif
