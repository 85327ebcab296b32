/* SPDX-License-Identifier: BSD-3-Clause */
/* mpi_plugin: what of MPI the transport needs, as a table that a plugin exports.
 *
 * The plugin (hbatch_mpi.so) is the only part of hbatch that links MPI; hbatch-instance loads
 * it when it has more than one rank, so that an instance of one node neither waits for
 * MPI_Init nor maps MPI's libraries.  All calls come from one thread (MPI_THREAD_FUNNELED);
 * none but the collectives, and what changes who is there, blocks.
 *
 * Ranks are those of the start; who joins later is numbered on from there, on each rank, and a
 * number is never used again. */
#ifndef HBATCH_COMM_MPI_PLUGIN_H
#define HBATCH_COMM_MPI_PLUGIN_H

#include <stddef.h>

/* Messages between an instance and the program that spawned it (MPI_Comm_spawn), on their intercommunicator:
 * PROTOCOL, section 7. */
#define MPI_SPAWNER_TAG 8421

#define MPI_PLUGIN_SYMBOL "hbatch_mpi_plugin"
#define MPI_PLUGIN_VERSION 8

#define MPI_PLUGIN_USAGE 8 /* numbers of a usage reduction: sums, then maxima */

/* What progress calls; DATA is valid during the call. */
struct mpi_events {
    void (*recv)(int src, char *data, size_t len, void *arg);
    void (*epoch)(unsigned long long epoch, char *data, size_t len, void *arg);
    void (*usage)(const double *all, void *arg); /* on the sender */
    void (*spawner)(int src, char *data, size_t len, void *arg);
};

struct mpi_plugin {
    int version;      /* MPI_PLUGIN_VERSION */
    const char *name; /* "openmpi", "mpich" */
    /* MPI_Init_thread and a duplicate of MPI_COMM_WORLD. 0, or -1 with TEXT (of SIZE bytes). */
    int (*init)(char *text, size_t size);
    int (*rank)(void);
    int (*size)(void);
    /* Number the ranks anew, in the order of their KEYs. Collective. */
    void (*reorder)(int key);

    /* Collectives, blocking: used at start and end only. */
    /* Gather LENS[r] bytes of each rank r into one malloc'ed buffer (rank order); LENS has
     * size() entries. */
    char *(*allgatherv)(const char *data, size_t len, size_t *lens);
    /* Root's LEN bytes to all; on other ranks *data is malloc'ed. */
    void (*bcast)(char **data, size_t *len, int root);
    /* All are here, or SECONDS have passed: finalize then ends the process. */
    void (*barrier)(double seconds);

    /* Start sending DATA (malloc'ed; freed when sent) to rank DST. */
    void (*send)(int dst, char *data, size_t len);
    /* How many processes the program has that spawned this one, 0: none did. The same to one of them. */
    int (*spawners)(void);
    void (*send_spawner)(int dst, char *data, size_t len);
    /* It may be dead: forget what it has not taken. */
    void (*forget_spawner)(void);
    /* The state stream: the first living rank's lines to all, one epoch after the other, by a non-blocking
     * broadcast that every other rank always has posted (stream_open, once, on all). */
    void (*stream_open)(void);
    /* The sender: is the last epoch on its way still?  If not, start the next: DATA is malloc'ed and
     * freed when sent; LAST: the others post no more.  2, on all: the second part of a long epoch is on its way. */
    int (*stream_busy)(void);
    void (*stream_send)(unsigned long long epoch, char *data, size_t len, int last);
    /* Other ranks: the last epoch has come, whole. */
    int (*stream_over)(void);

    /* Reduce MPI_PLUGIN_USAGE numbers of each rank to rank 0: the first half summed, the second
     * half by maximum. One at a time, in the same order on all ranks: usage_busy tells that one
     * is on its way, and to start another then waits for it. */
    void (*usage_start)(const double *mine);
    int (*usage_busy)(void);

    /* Rank RANK is dead, or (PLANNED) has left: forget what was sent to it. */
    void (*forget)(int rank, int planned);
    /* Collectives go on among RANKS (N of them, ascending, with this one; the others are dead, or
     * have left): a communicator made by MPI_Comm_create_group, which needs nothing from these.  What
     * was posted on the old one is abandoned, unless that was PLANNED: then all have taken the last
     * epoch (settle).  The first of RANKS sends the stream.  Called by all of RANKS with the same
     * GENERATION; a rank whose call does not return is ended by SIGALRM, with a sentence. */
    void (*reform)(const int *ranks, int n, int generation, int planned);
    /* Of one that leaves, after the last epoch: complete its part in collectives, and say farewell; what is
     * sent after that is dropped. */
    void (*settle)(void);

    /* A port for grow: its name into NAME. -1 with TEXT: this MPI cannot. */
    int (*open_port)(char *name, size_t size, char *text, size_t text_size);
    void (*close_port)(const char *name);
    /* All members, after the last epoch: accept N others, which call join.  The stream goes on with
     * them.  -1 with TEXT, on all: without them; which does not return in time ends as for
     * reform. */
    int (*grow)(const char *port, int n, char *text, size_t size);
    /* All ranks of this MPI_COMM_WORLD, before anything else: join those who listen at PORT.  The
     * ranks are numbered anew: members in their order, then those of this call. */
    int (*join)(const char *port, char *text, size_t size);
    /* Send DATA (malloc'ed) to rank DST, of any size; take it there, which blocks. */
    void (*give)(int dst, char *data, size_t len);
    char *(*receive)(int src, size_t *len);

    /* Receive what has arrived, complete what was sent, move the collectives on.  Return the
     * number of messages and epochs received. */
    int (*progress)(const struct mpi_events *events, void *arg);
    /* Sends not yet complete, collectives of the sender, and the second part of an epoch. */
    int (*pending)(void);
    /* MPI_Finalize; when members have changed it would wait for some: end the process with STATUS then.
     * BRIEF: do so also if that is faster. */
    void (*finalize)(int status, int brief);
};

#endif
