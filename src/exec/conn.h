/* SPDX-License-Identifier: BSD-3-Clause */
/* conn: the connection to the rank: one at a time, a new one replaces the old.
 *
 * Events are gathered within a turn of the loop, sent as one numbered batch, and kept until the
 * rank says that they are safe; a rank that attaches anew gets those that were not. */
#ifndef HBATCH_EXEC_CONN_H
#define HBATCH_EXEC_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/common/strbuf.h"

struct exec;
struct conn;

/* Serve the listening socket LISTEN (taken over). */
struct conn *conn_create(struct exec *x, int listen, struct error *err);
void conn_destroy(struct conn *c); /* NULL is allowed */
/* Say hello, and send all events that were not acknowledged. */
void conn_greet(struct conn *c);
/* Does somebody wait to be accepted? */
bool conn_is_wanted(const struct conn *c);

/* Event [ID,"NAME",T,{...}] of run RUN of a job: begin it, add members to the buffer (at least one),
 * end it.  It is kept until somebody has taken it, and must not be taken for one of a later run. */
struct strbuf *conn_event_begin(struct conn *c, uint64_t id, int64_t run,
                                const char *name);
/* ... which was at T; 0: now. */
struct strbuf *conn_event_begin_at(struct conn *c, uint64_t id, int64_t run,
                                   const char *name, double t);
void conn_event_end(struct conn *c);
/* An entry of another form: [ID,"NAME",T, and whatever is added.  LAZILY: it need not be told at once, but within
 * CONN_LAZY_MS, or with the next one that must. */
#define CONN_LAZY_MS 20
struct strbuf *conn_entry_begin(struct conn *c, uint64_t id, const char *name, double t);
void conn_entry_end(struct conn *c, bool lazily);
/* Something may be to be told then: see lease_tell. */
void conn_lazy(struct conn *c);
void conn_hurry(struct conn *c); /* tell all at the end of this turn */
/* How often hello was said. */
uint64_t conn_greets(const struct conn *c);
/* Send what was gathered (at the end of a turn). */
void conn_flush(struct conn *c);
/* Events up to SEQ are safe. */
void conn_acked(struct conn *c, uint64_t seq);
/* The number that the events gathered now will have. */
uint64_t conn_next_seq(const struct conn *c);

/* Send one message that is not kept; lost when no rank is attached. */
void conn_tell(struct conn *c, const char *text, size_t len);
/* The same, but kept for the next rank when none is attached (up to CONN_KEPT_MAX bytes). */
#define CONN_KEPT_MAX (64u << 20)
void conn_tell_surely(struct conn *c, const char *text, size_t len);

/* Append S as a JSON string, with quotes. The bytes must be valid UTF-8. */
void conn_quote(struct strbuf *b, const char *s, size_t len);

#endif
