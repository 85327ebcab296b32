/* SPDX-License-Identifier: BSD-3-Clause */
/* keys: which submissions were taken lately, by the keys that their clients gave them.  A client
 * that lost its connection before the reply asks again with the same key, and gets the ids of what
 * was submitted then instead of a second submission.  The last KEYS_MAX are remembered. */
#ifndef HBATCH_INSTANCE_KEYS_H
#define HBATCH_INSTANCE_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include "src/common/error.h"
#include "src/common/jobid.h"

enum { KEYS_MAX = 4096, KEY_SIZE = 33 }; /* KEY_SIZE: with the terminator */

struct keys;

struct keys *keys_create(void);
void keys_destroy(struct keys *k); /* NULL is allowed */
/* -1 with err set: KEY is not of 1 to KEY_SIZE - 1 letters, digits, '-' and '_'. */
int key_check(const char *key, struct error *err);
/* COUNT jobs from FIRST on were submitted with KEY; the oldest key is forgotten for it.  A key
 * that is known already gets the new ids; one that key_check refuses is not remembered. */
void keys_add(struct keys *k, const char *key, jobid_t first, uint64_t count);
bool keys_find(struct keys *k, const char *key, jobid_t *first, uint64_t *count);

#endif
