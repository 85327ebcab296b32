/* SPDX-License-Identifier: BSD-3-Clause */
/* transport: lines between the ranks of an instance, over MPI.
 *
 * What is sent to one rank within one turn of the loop leaves in one message.  Order between
 * two ranks is kept.  MPI has no descriptor to sleep on: the transport tests it, always
 * while messages flow, then at intervals that back off to a slow tick (TRANSPORT_IDLE_MS), so
 * that an idle rank costs next to nothing and hears of a first message within that tick. */
#ifndef HBATCH_COMM_TRANSPORT_H
#define HBATCH_COMM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "src/common/error.h"

#define TRANSPORT_IDLE_MS 20

struct transport;

/* A line from rank SRC, terminated, writable, valid during the call. */
typedef void (*transport_recv_f)(unsigned src, char *line, size_t len, void *arg);

/* Load the MPI plugin and MPI_Init. NULL with err set: plugin missing, or MPI_Init failed. */
struct transport *transport_create(struct error *err);
/* Send what is queued, barrier, MPI_Finalize. NULL is allowed. */
/* After a loss MPI_Finalize would wait for the dead: the process then ends with STATUS here. */
void transport_destroy(struct transport *t, int status);

unsigned transport_rank(const struct transport *t);
unsigned transport_size(const struct transport *t);
const char *transport_name(const struct transport *t); /* "openmpi" */

/* Collectives, blocking, before transport_start.  All ranks call them in the same order. */
/* Every rank's TEXT, as an array of size() strings: free the first string and the array
 * with transport_free_all. */
char **transport_allgather(struct transport *t, const char *text);
void transport_free_all(char **all);
/* TEXT of rank ROOT, as a new string on each rank (the caller frees). */
char *transport_bcast(struct transport *t, const char *text, unsigned root);

/* Begin to deliver lines on LOOP. */
void transport_start(struct transport *t, uv_loop_t *loop, transport_recv_f recv,
                     void *arg);
/* Send a line (without newline) to rank DST, not this rank. */
void transport_send(struct transport *t, unsigned dst, const char *text, size_t len);
/* --- the state stream: rank 0's lines to all ranks, in epochs, by a non-blocking broadcast */

/* Called on the other ranks for each line of an epoch, and with LINE NULL at its end. */
typedef void (*transport_epoch_f)(uint64_t epoch, char *line, size_t len, void *arg);
/* On all ranks, after transport_start. Rank 0 may pass NULL. */
void transport_stream(struct transport *t, transport_epoch_f epoch);
/* Rank 0: add TEXT (whole lines, each with its newline) to the next epoch.  It leaves as soon
 * as the last one has; what is published meanwhile goes together. */
void transport_publish(struct transport *t, const char *text, size_t len);
/* Rank 0: the epoch that will have carried all that was published so far. */
uint64_t transport_published(const struct transport *t);

/* Other ranks: the last epoch whose lines were delivered. */
uint64_t transport_applied(const struct transport *t);
/* Rank 0: rank RANK has applied the epochs up to EPOCH (its heartbeat said so): what all have need
 * not be kept for a loss. */
void transport_confirm(struct transport *t, unsigned rank, uint64_t epoch);

/* --- loss of ranks */
/* A line that begins with this letter neither wakes the receiver's pace nor the sender's. */
#define TRANSPORT_QUIET 'H'
/* RANK is dead: nothing is sent to it any more, nothing from it is delivered. */
void transport_lost(struct transport *t, unsigned rank);
bool transport_is_lost(const struct transport *t, unsigned rank);
/* The stream and the reductions go on among the ranks that are not lost.  Called on all of these
 * with the same LOST set and GENERATION (> 0, never the same again).  Rank 0 repeats the epochs
 * that some rank may have missed; the others pass over those that they have. */
void transport_reform(struct transport *t, int generation);

/* Reduce USAGE numbers to rank 0: half summed, half by maximum.  Called on all ranks in the same
 * order (an epoch's line asks for it); RESULT is called on rank 0. */
#define TRANSPORT_USAGE 8
void transport_reduce(struct transport *t, const double *mine,
                      void (*result)(const double *all, void *arg));
/* A reduction is on its way: until each rank has given its part. */
bool transport_reducing(const struct transport *t);

/* Let what is queued leave now rather than at the end of the turn. */
void transport_flush(struct transport *t);
/* Stop delivering: the loop is no longer kept alive by the transport. */
void transport_stop(struct transport *t);

#endif
