/* SPDX-License-Identifier: BSD-3-Clause */
/* news: questions about jobs, while executors have some ahead (lease.h).
 *
 * What begins and ends in a lease is told up to CONN_LAZY_MS later (exec/conn.h), for many jobs at once.  Who asks must
 * not see that: a job may ask for itself, or be known to its user by what it wrote.  So a question waits until each executor that has jobs ahead has told all it knows, and so does all else that its client sends after it:
 * nothing of one client overtakes.  Executors are asked once a turn, for all questions of that turn.
 *
 * One that does not answer for NEWS_PATIENCE, or is lost, is not waited for. */
#ifndef HBATCH_INSTANCE_NEWS_H
#define HBATCH_INSTANCE_NEWS_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

struct client;
struct leader;
struct news;

#define NEWS_PATIENCE 1.0 /* s */

struct news *news_create(void);
void news_destroy(struct news *n); /* NULL is allowed */

/* The request or notification O of client C is to wait, and is answered later; false: it need not. */
bool news_hold(struct leader *ld, struct client *c, json_object *o);
/* Once a turn, at its begin: ask, and answer what has waited long enough. */
void news_turn(struct leader *ld);
double news_next(const struct leader *ld); /* when news_turn should be called; 0: never */

/* The executor of RANK has told what it knew when asked; it cannot any more, or has said hello, and tells all anyway. */
void news_told(struct leader *ld, unsigned rank, json_object *msg);
void news_lost(struct leader *ld, unsigned rank);
/* What the client still asked for is forgotten. */
void news_client_gone(struct leader *ld, const struct client *c);

#endif
