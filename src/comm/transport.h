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
#include <hwloc/bitmap.h>
#include <uv.h>
#include "src/comm/traffic.h"
#include "src/common/error.h"

#define TRANSPORT_IDLE_MS 20

struct transport;

/* A line from rank SRC, terminated, writable, valid during the call. */
typedef void (*transport_recv_f)(unsigned src, char *line, size_t len, void *arg);

/* Load the MPI plugin and MPI_Init. NULL with err set: plugin missing, or MPI_Init failed. */
struct transport *transport_create(struct error *err);
/* Send what is queued, barrier, MPI_Finalize. NULL is allowed. */
/* After a loss MPI_Finalize would wait for the dead: the process then ends with STATUS here. BRIEF: who
 * launched this process does not miss MPI_Finalize, so it may end here in any case. */
void transport_destroy(struct transport *t, int status, bool brief);

/* Until transport_number, ranks and size are MPI's: an instance that was started again may be
 * without some of its ranks, and keeps the numbers of the others. */
unsigned transport_rank(const struct transport *t);
unsigned transport_size(const struct transport *t);
const char *transport_name(const struct transport *t); /* "openmpi" */
/* What went through it so far. */
const struct traffic *transport_traffic(const struct transport *t);

/* Collectives, blocking, before transport_start, by MPI's numbers (those of the living ranks in
 * their order, after transport_number).  All ranks call them in the same order. */
/* Every rank's TEXT, as an array of strings: free the first string and the array
 * with transport_free_all. */
char **transport_allgather(struct transport *t, const char *text);
void transport_free_all(char **all);
/* TEXT of rank ROOT, as a new string on each rank (the caller frees). */
char *transport_bcast(struct transport *t, const char *text, unsigned root);
/* DATA (malloc'ed) of rank ROOT, of *LEN bytes, on all ranks: on ROOT itself, else new. */
void *transport_bcast_data(struct transport *t, void *data, size_t *len, unsigned root);
/* MPI's rank i is rank IDS[i] of an instance of SIZE ranks; those that are not in IDS are lost
 * from the beginning.  On all ranks, with the same IDS. */
void transport_number(struct transport *t, const unsigned *ids, unsigned size);
/* The first living rank, which leads, and the next one (size: none), which would succeed it. */
unsigned transport_leader(const struct transport *t);
unsigned transport_second(const struct transport *t);

/* Begin to deliver lines on LOOP. */
void transport_start(struct transport *t, uv_loop_t *loop, transport_recv_f recv,
                     void *arg);
/* WAKE is called when something is about to be sent to ranks that may sleep; transport_poke
 * is for the one that was woken. */
void transport_set_wake(struct transport *t, void (*wake)(void *arg), void *arg);
void transport_poke(struct transport *t);
/* Send a line (without newline) to rank DST, not this rank. */
void transport_send(struct transport *t, unsigned dst, const char *text, size_t len);

/* --- the state stream: the leader's lines to all ranks, in epochs, by a non-blocking broadcast.
 * All ranks keep epochs until they are told that each has them: any may be the next leader. */

/* Called on the other ranks for each line of an epoch, and with LINE NULL at its end. */
typedef void (*transport_epoch_f)(uint64_t epoch, char *line, size_t len, void *arg);
/* On all ranks, after transport_start. */
void transport_stream(struct transport *t, transport_epoch_f epoch);
/* All ranks begin as if they had applied the epochs up to EPOCH; before transport_stream. */
void transport_begin_at(struct transport *t, uint64_t epoch);
/* Leader: add TEXT (whole lines, each with its newline) to the next epoch.  It leaves as soon
 * as the last one has; what is published meanwhile goes together. */
void transport_publish(struct transport *t, const char *text, size_t len);
/* Leader: the epoch that will have carried all that was published so far. */
uint64_t transport_published(const struct transport *t);
/* The last epoch whose lines were delivered here (leader: that was sent). */
uint64_t transport_applied(const struct transport *t);
/* Leader: rank RANK has applied the epochs up to EPOCH. */
void transport_confirm(struct transport *t, unsigned rank, uint64_t epoch);
/* Leader: the epoch that the second rank has confirmed: what is in it survives this rank. No
 * second: UINT64_MAX. */
uint64_t transport_safe(const struct transport *t);
/* Leader: the epoch that all have confirmed.  Others, told of it: forget epochs up to EPOCH. */
uint64_t transport_least(const struct transport *t);
void transport_release(struct transport *t, uint64_t epoch);
/* The leader is lost, and another rank was told how far this one is: what still comes of the old
 * leader's epochs is passed over until transport_reform, or this rank could be further than the
 * next leader knows. */
void transport_hold(struct transport *t);
/* Between leaders: the kept epochs after SINCE, and one that was got from another rank. DATA
 * is written to. */
void transport_tail(const struct transport *t, uint64_t since,
                    void (*each)(uint64_t epoch, const char *data, size_t len, void *arg),
                    void *arg);
void transport_apply(struct transport *t, uint64_t epoch, char *data, size_t len);

/* --- the program that spawned this instance (MPI_Comm_spawn): how many processes it has, 0: there is none */
unsigned transport_spawners(const struct transport *t);
/* RECV gets what they send, of LEN bytes, terminated and writable; from process SRC. */
void transport_hear_spawners(struct transport *t,
                             void (*recv)(unsigned src, char *data, size_t len,
                                          void *arg),
                             void *arg);
/* Send LEN bytes at DATA to process DST of it, now. */
void transport_tell_spawner(struct transport *t, unsigned dst, const char *data,
                            size_t len);

/* The last message, to all processes of it: it has left, or is given up, when this returns. */
void transport_leave_spawners(struct transport *t, const char *data, size_t len);

/* --- loss of ranks */
/* A line that begins with this letter neither wakes the receiver's pace nor the sender's. */
#define TRANSPORT_QUIET 'H'
/* RANK is dead: nothing is sent to it any more, nothing from it is delivered. If it led, the next
 * one does. */
void transport_lost(struct transport *t, unsigned rank);
bool transport_is_lost(const struct transport *t, unsigned rank);
/* The stream and the reductions go on among the ranks that are not lost.  Called on all of these
 * with the same LOST set and GENERATION (> 0, never the same again).  The leader repeats the
 * epochs that some rank may have missed; the others pass over those that they have. */
void transport_reform(struct transport *t, int generation);

/* --- ranks that come and go, in order (turns.c).  All change their members at the same point of the
 * stream: the leader closes it with a line, and each rank then calls transport_grow or
 * transport_shrink, after which it goes on. */

/* Leader: when the epoch that is on its way is through, LINE is asked for: a new string, with its
 * newline, that ends the next epoch, or NULL: nothing is wanted any more.  What was published so far
 * is in that epoch, and nothing else.  THROUGH is called when all of it has left; OK false: a rank was
 * lost meanwhile, and members are those that are left.  One at a time. */
void transport_turn(struct transport *t, char *(*line)(void *arg),
                    void (*through)(bool ok, void *arg), void *arg);
/* Others, for that line: THROUGH is called when its epoch is over. */
void transport_turn_here(struct transport *t, void (*through)(bool ok, void *arg),
                         void *arg);
/* The name of a port that others can connect to. -1 with err: this MPI has none. */
int transport_open_port(struct transport *t, char *name, size_t size, struct error *err);
void transport_close_port(struct transport *t, const char *name);
/* Members: take on N ranks, which call transport_join; they are numbered from the present size.  They
 * begin with the epoch that is the last one here.  Blocks.  -1 with err: members are as before. */
int transport_grow(struct transport *t, const char *port, unsigned n, struct error *err);
/* N ranks there will be, IDS[i] by MPI's numbers: members in their order, then all of this program's
 * MPI_COMM_WORLD, which call this; SIZE: of the instance then. */
int transport_join(struct transport *t, const char *port, const unsigned *ids, unsigned n,
                   unsigned size, struct error *err);
/* RANKS leave, all members call it: those take no part in the stream any more, and are to flush
 * and end; the others go on without them.  GENERATION: as for transport_reform. */
void transport_shrink(struct transport *t, hwloc_const_bitmap_t ranks, int generation);
/* DATA (malloc'ed, taken over) to rank DST; and there, which blocks. */
void transport_give(struct transport *t, unsigned dst, void *data, size_t len);
void *transport_take(struct transport *t, unsigned src, size_t *len);

/* Reduce USAGE numbers to the leader: half summed, half by maximum.  Called on all ranks in the same
 * order (an epoch's line asks for it); RESULT is called there. */
#define TRANSPORT_USAGE 8
void transport_reduce(struct transport *t, const double *mine,
                      void (*result)(const double *all, void *arg));
/* A reduction is on its way, until each rank has given its part; or none can begin, as a turn is. */
bool transport_reducing(const struct transport *t);

/* Let what is queued leave now rather than at the end of the turn. */
void transport_flush(struct transport *t);
/* Have it leave for good, which may take LIMIT seconds. */
void transport_drain(struct transport *t, double limit);
/* Stop delivering: the loop is no longer kept alive by the transport. */
void transport_stop(struct transport *t);

#endif
