/* SPDX-License-Identifier: BSD-3-Clause */
/* replica: the copy of the leader's tables (resources, active jobs, the texts of their jobspecs)
 * and of its store that every other rank keeps by applying the state stream.  It answers queries,
 * and becomes the leader's when the leader is lost.  After a restart it is read from the store. */
#ifndef HBATCH_INSTANCE_REPLICA_H
#define HBATCH_INSTANCE_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct archives;
struct journal;
struct replica;

struct store;

/* NODES: node_discover's results, [SIZE]; INFO: instance.info's result.  Both are kept by
 * reference.  STORE is taken over. */
struct replica *replica_create(json_object **nodes, unsigned size, json_object *info,
                               struct store *store);
/* Read what was not over from the store, with what runs where.  ANEW: the instance begins anew, in other
 * surroundings: nothing of what ran then does (adopt.c), and what cannot run here is told so. */
int replica_restore(struct replica *rp, bool anew, struct error *err);
void replica_destroy(struct replica *rp); /* NULL is allowed */
/* Set in RANKS those that have to do with a job that STORE knows to run. */
int replica_busy(struct store *store, hwloc_bitmap_t ranks, struct error *err);

/* Ranks have joined, by the end of NODES, [SIZE]; RANK has left. */
void replica_grow(struct replica *rp, json_object **nodes, unsigned size);
void replica_shrink(struct replica *rp, unsigned rank);
/* Where archives are put. */
void replica_set_archives(struct replica *rp, struct archives *archives);
/* Where it is noted what happens to nodes; NULL: nowhere. */
void replica_set_journal(struct replica *rp, struct journal *journal);
struct store **replica_store_of(struct replica *rp); /* to put another one there */

/* Apply one line of the stream. -1 with err set: it does not fit what is known, which must
 * not happen and leaves the tables as they were. */
int replica_apply(struct replica *rp, const char *line, size_t len, struct error *err);

/* EPOCH was applied, which a leader of GENERATION has sent.  It is committed within a short time,
 * or now. */
void replica_epoch(struct replica *rp, unsigned generation, uint64_t epoch);
void replica_flush(struct replica *rp);

/* Whether a client's request LINE may be one that replica_answer can answer: cheap, errs on
 * the side of yes. */
bool replica_may_answer(const char *line, size_t len);
/* The reply to the request LINE (a new object), or NULL: it is for the leader. */
json_object *replica_answer(struct replica *rp, const char *line, size_t len);

#endif
