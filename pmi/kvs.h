/* SPDX-License-Identifier: BSD-3-Clause */
/* kvs: the key-value space of a PMI-1/2 job on one node, and what has to be told the other
 * nodes at the next barrier. */
#ifndef HBATCH_PMI_KVS_H
#define HBATCH_PMI_KVS_H

#include <stddef.h>
#include "src/common/error.h"

struct kvs;

struct kvs *kvs_create(void);
void kvs_destroy(struct kvs *kvs); /* NULL is allowed */

/* Put a value of LEN bytes; one that exists is replaced.  Kept as a change for kvs_changes. */
void kvs_put(struct kvs *kvs, const char *key, const char *value, size_t len);
/* As kvs_put, but known to all nodes already. */
void kvs_put_known(struct kvs *kvs, const char *key, const char *value, size_t len);

/* The value, terminated, valid until it is put again; NULL: no such key. LEN may be NULL. */
const char *kvs_get(const struct kvs *kvs, const char *key, size_t *len);
/* The I-th key, in the order of the first puts here, and its value; NULL: there are fewer. */
const char *kvs_nth(const struct kvs *kvs, size_t i, const char **value, size_t *len);

/* What was put since the last call, in a form for kvs_merge; concatenations of such are such,
 * too.  The caller frees it. */
char *kvs_changes(struct kvs *kvs, size_t *len);
/* Put what kvs_changes of other nodes gave. EPROTO (and nothing more was put) when DATA is
 * not of that form. */
int kvs_merge(struct kvs *kvs, const char *data, size_t len, struct error *err);

#endif
