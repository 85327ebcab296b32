/* SPDX-License-Identifier: BSD-3-Clause */
/* mpi_impl: what the files of the MPI plugin share: peers.c (who is there, and the lines to each),
 * epochs.c (collectives: state stream, usage), mpi_plugin.c (start, end, the table).
 *
 * A *peer* is a process, by a number that stays its own: those of the start have their ranks there,
 * newcomers follow.  *Base* is a communicator of those that are members now, for calls that block, and usage. */
#ifndef HBATCH_COMM_MPI_IMPL_H
#define HBATCH_COMM_MPI_IMPL_H

#include <mpi.h>
#include "src/comm/mpi_plugin.h"

struct mpi_base {
    MPI_Comm comm;
    int *ids; /* [n] the peer of each of its ranks */
    int n;
    int changed; /* members have come, gone or died: MPI_Finalize would wait for some */
};
extern struct mpi_base mpi_base;

/* The plugin is loaded into a program that it shares no code with: its own allocation check. */
void *mpi_need(void *p);
/* A message on COMM that is there: a new text of LEN bytes and a NUL, from rank *SRC; NULL: there is none. */
char *mpi_take(MPI_Comm comm, int tag, int *src, size_t *len);

/* --- mpi_peers.c */
/* COMM (taken over) has all there are; its ranks are the peers. */
void peers_begin(MPI_Comm comm);
void peers_end(void);
void peers_free(MPI_Comm *comm); /* unless it is not ours to free */
void peers_send(int dst, char *data, size_t len);
void peers_give(int dst, char *data, size_t len);
char *peers_take(int src, size_t *len);
int peers_receive(const struct mpi_events *events, void *arg);
void peers_complete(void);
int peers_pending(void);
void peers_forget(int peer, int planned);
void peers_farewell(void); /* of one that leaves: nothing is sent any more */
void peers_reform(const int *peers, int n, int generation, int planned);
int peers_grow(const char *port, int n, char *text, size_t size);
int peers_join(const char *port, char *text, size_t size);

/* --- mpi_epochs.c */
/* Collectives among base's members; once, and after each epochs_close and epochs_abandon. */
void epochs_open(void);
/* All members have taken the last epoch: finish what is under way, which all have begun. */
void epochs_close(void);
/* Some member is dead: forget what is under way. */
void epochs_abandon(void);
int epochs_busy(void);
void epochs_send(unsigned long long epoch, char *data, size_t len, int last);
int epochs_over(void);
int epochs_progress(const struct mpi_events *events, void *arg);
int epochs_pending(void);
void epochs_end(void);
int usage_busy(void);
void usage_start(const double *mine);

/* --- mpi_spawner.c */
void spawner_begin(void);
int spawner_size(void); /* 0: no program has spawned this one */
void spawner_send(int dst, char *data, size_t len);
void spawner_forget(void);
int spawner_progress(const struct mpi_events *events, void *arg);
int spawner_pending(void);
void spawner_end(void);

#endif
