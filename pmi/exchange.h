/* SPDX-License-Identifier: BSD-3-Clause */
/* exchange: an all-gather between the executors that take part in a job's fence or barrier.
 *
 * Each node contributes a blob once all its local tasks have arrived; the node listed first
 * ("home") collects the contributions and sends the concatenation, ordered by node, to all.
 * With one node it completes at once (from the loop, never from within the call).  Rounds of
 * one key are matched by number, so that a fast node may be a round ahead.
 *
 * Messages ("b64" is base64), where OP is
 *   {"pmi":"x","k":KEY,"r":ROUND,"op":OP,...}
 *   "give"    to the home: "from":RANK, "i":INDEX in the list of nodes, "n":their number,
 *             "d":b64, or "s":ERRNO instead: this node cannot take part
 *   "fail"    to the home: "from", "s":ERRNO: this node gave up (timeout, end of the job)
 *   "result"  from the home: "d":b64, or "s":ERRNO */
#ifndef HBATCH_PMI_EXCHANGE_H
#define HBATCH_PMI_EXCHANGE_H

#include <stddef.h>
#include <json-c/json.h>
#include <uv.h>

struct exchange;

/* Result: STATUS 0 and the concatenated data (owned by the exchange, valid during the call),
 * or an errno value: ETIMEDOUT, ECONNABORTED (a participant's job or node ended), or what a
 * participant gave to exchange_fail or exchange_abort. */
typedef void (*exchange_f)(int status, const char *data, size_t len, void *arg);

/* SEND as pmi_ops.send; SELF is this executor's instance rank. */
struct exchange *exchange_create(uv_loop_t *loop, unsigned self,
                                 void (*send)(void *arg, int rank, json_object *msg),
                                 void *arg);
/* NULL is allowed; pending calls are dropped.  The loop must run once more to free it all. */
void exchange_destroy(struct exchange *x);

/* Contribute DATA to the current round of KEY among the executors RANKS (N of them, the same
 * list in the same order everywhere; contains SELF). Fires CB once. TIMEOUT seconds, 0: none.
 * When one node's time is out, the round fails with ETIMEDOUT on all. */
void exchange_start(struct exchange *x, const char *key, const unsigned *ranks,
                    unsigned n, const void *data, size_t len, double timeout,
                    exchange_f cb, void *cbarg);
/* Take part in the current round of KEY with a failure: it fails with STATUS (not 0) on all
 * nodes, at once on those that wait.  No callback here. */
void exchange_fail(struct exchange *x, const char *key, const unsigned *ranks, unsigned n,
                   int status);
/* The job ended here: fail all rounds whose key starts with PREFIX, here (the callbacks are
 * called before this returns) and, for the keys that were used here, at the home; forget
 * these keys.  Contributions that come later are refused with ECONNABORTED, so a PREFIX must
 * not be used again: end it with a character that keeps job 1 apart from job 10, and give a
 * restarted job another one. */
void exchange_abort(struct exchange *x, const char *prefix, int status);
/* A message {"pmi":"x",...} arrived (from the loop). */
void exchange_deliver(struct exchange *x, json_object *msg);

#endif
