/* SPDX-License-Identifier: BSD-3-Clause */
/* exchange: an all-gather between the executors that take part in a job's fence or barrier.
 *
 * Each node contributes a blob once all its local tasks have arrived; the node listed first
 * ("home") collects the contributions and sends the concatenation, ordered by node, to all.
 * With one node it completes at once (from the loop, never from within the call).  Rounds of
 * one key are matched by number, so that a fast node may be a round ahead. */
#ifndef HBATCH_PMI_EXCHANGE_H
#define HBATCH_PMI_EXCHANGE_H

#include <stddef.h>
#include <json-c/json.h>
#include <uv.h>

struct exchange;

/* Result: STATUS 0 and the concatenated data (owned by the exchange, valid during the call),
 * or an errno value: ETIMEDOUT, ECONNABORTED (a participant's job or node ended). */
typedef void (*exchange_f)(int status, const char *data, size_t len, void *arg);

/* SEND as pmi_ops.send; SELF is this executor's instance rank. */
struct exchange *exchange_create(uv_loop_t *loop, unsigned self,
                                 void (*send)(void *arg, int rank, json_object *msg),
                                 void *arg);
void exchange_destroy(
    struct exchange *x); /* NULL is allowed; pending calls are dropped */

/* Contribute DATA to the current round of KEY among the executors RANKS (N of them, the same
 * list in the same order everywhere; contains SELF). Fires CB once. TIMEOUT seconds, 0: none. */
void exchange_start(struct exchange *x, const char *key, const unsigned *ranks,
                    unsigned n, const void *data, size_t len, double timeout,
                    exchange_f cb, void *cbarg);
/* Fail all rounds whose key starts with PREFIX (the job ended), here and at the home. */
void exchange_abort(struct exchange *x, const char *prefix, int status);
/* A message {"pmi":"x",...} arrived. */
void exchange_deliver(struct exchange *x, json_object *msg);

#endif
