/* SPDX-License-Identifier: BSD-3-Clause */
/* archives: files that every rank has, by the state stream: hbatch archive.
 *
 * An archive is bytes under a name (the client makes a tar file of them), in the file archive-RANK-NAME of the
 * run directory.  It comes in pieces, into a file of its own for each KEY, and is there when it is whole. */
#ifndef HBATCH_INSTANCE_ARCHIVES_H
#define HBATCH_INSTANCE_ARCHIVES_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct archives;

struct archives *archives_create(const char *dir, unsigned rank);
void archives_destroy(struct archives *a); /* NULL is allowed; the files stay */
/* Remove all files. */
void archives_clear(struct archives *a); /* NULL is allowed */

/* Letters, digits, '.', '_' and '-', at most 64, the first one no '.'. -1 with err set: it is not. */
int archives_check_name(const char *name, struct error *err);
/* Add LEN bytes, the first of which is number AT of what KEY sends.  What is there already is left; ERANGE:
 * something before it is missing. */
int archives_put(struct archives *a, const char *key, uint64_t at, const void *data,
                 size_t len, struct error *err);
/* What KEY has sent is archive NAME, or with APPEND comes after what it has.  NAME NULL: it is dropped. */
int archives_end(struct archives *a, const char *key, const char *name, bool append,
                 struct error *err);
/* ENOENT: there is none. */
int archives_remove(struct archives *a, const char *name, struct error *err);
/* Its size, or -1 with err set. */
int64_t archives_size(const struct archives *a, const char *name, struct error *err);
/* Up to LEN bytes from AT on into DATA; how many, or -1 with err set. */
int64_t archives_read(const struct archives *a, const char *name, uint64_t at, void *data,
                      size_t len, struct error *err);
/* [{"name","bytes","t"},...], t: when it was made. */
json_object *archives_list(const struct archives *a);

/* A line of the state stream for "put", with what O has, and as it comes: most of it is data, in which a parser would look
 * at each character, on each rank. */
struct strbuf;
void archives_write_put(struct strbuf *line, json_object *o);
/* 1: LINE was one, and is done; 0: it is another one. -1 with err set. */
int archives_apply_put(struct archives *a, const char *line, size_t len,
                       struct error *err);
/* A line of the state stream (or a request's parameters) with "op": put {key, at, data}, end {key, name?, append?},
 * remove {name}. */
int archives_apply(struct archives *a, json_object *o, struct error *err);

#endif
