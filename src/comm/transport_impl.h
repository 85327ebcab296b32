/* SPDX-License-Identifier: BSD-3-Clause */
/* transport_impl: what the files of the transport share: transport.c (lines between two ranks), epochs.c
 * (the state stream), turns.c (who is there changes). */
#ifndef HBATCH_COMM_TRANSPORT_IMPL_H
#define HBATCH_COMM_TRANSPORT_IMPL_H

#include "src/comm/mpi_plugin.h"
#include "src/comm/transport.h"

struct batch { /* lines to one rank, queued in this turn */
    char *data;
    size_t len, size;
};

/* As much as is published in one epoch: whoever takes it has time for its heartbeats in between. */
enum { EPOCH_MAX = 512 * 1024 };
struct full {
    struct full *next;
    struct batch batch;
};

/* An epoch that some rank may not have applied yet. */
struct epoch {
    struct epoch *next;
    uint64_t number;
    size_t len;
    char data[];
};

struct transport {
    const struct mpi_plugin *mpi;
    unsigned rank, size; /* of the instance; before transport_number: of MPI */
    unsigned leader;
    int *mpi_of;   /* [size] MPI's number of a rank, -1: it is not there */
    unsigned *ids; /* [nids] ranks of MPI's numbers */
    unsigned nids;
    double crowded; /* when the core was last seen to be wanted by others */
    uv_timer_t timer;
    uv_idle_t idle;       /* active: the loop turns without sleeping */
    uv_prepare_t flusher; /* active: some batch is not empty */
    struct batch *batches;
    unsigned *dirty, ndirty; /* ranks whose batch is not empty */
    transport_recv_f recv;
    transport_epoch_f epoch;
    void (*usage)(const double *all, void *arg);
    void *arg;
    void (*hear)(unsigned src, char *data, size_t len, void *arg); /* of spawners */
    void *hear_arg;
    void (*wake)(void *arg); /* NULL: nobody is to be woken */
    void *wake_arg;
    struct full *full, **full_end; /* leader: what the next epochs will carry, ... */
    uint64_t nfull;
    struct batch next;              /* ... and the one after those */
    uint64_t applied;               /* the last epoch; leader: that was started */
    struct epoch *kept, **kept_end; /* that some rank may not have */
    struct epoch *resend;           /* leader: the next of them to repeat, or NULL */
    uint64_t *confirmed;            /* leader: [size] */
    bool *lost;                     /* [size] */
    bool broken;                    /* one was lost that MPI had */
    bool held;                      /* epochs are passed over until the next reform */
    bool streaming;
    double last; /* monotonic time of the last message in or out */
    double woke; /* ... when the others were woken */
    unsigned ms; /* current pace */
    bool started;
    struct {                      /* members come or go: turns.c */
        char *(*line)(void *arg); /* leader: asked for; NULL: nothing is wanted */
        void (*through)(bool ok, void *arg);
        void *arg;
        bool due; /* the epoch that closes the stream has left, or come */
    } turn;
    struct traffic traffic;
};

/* --- transport.c */
/* The first living rank after AFTER, or size. */
unsigned transport_next_living(const struct transport *t, unsigned after);
void transport_set_pace(struct transport *t, unsigned ms);
/* The others may sleep by now: also when this rank does not, as it was woken itself. */
void transport_wake_others(struct transport *t);
void transport_flush_soon(struct transport *t);
void transport_append(struct batch *b, const char *text, size_t len);
/* The next line of the batch at *P, without its newline; NULL: none is left. */
char *transport_next_line(char **p, const char *end, size_t *len);

/* --- epochs.c */
/* Start the next epoch when there is something to tell and the last one is through. */
void epochs_next(struct transport *t, bool last);
/* What was published and not sent. */
void epochs_drop(struct transport *t);
void epochs_came(unsigned long long epoch, char *data, size_t len, void *arg);

/* --- spawners.c */
void spawner_said(int src, char *data, size_t len, void *arg);

/* --- turns.c */
/* Leader: the line that closes the stream, or NULL: nothing is wanted. */
char *turn_line(struct transport *t);
/* The epoch that closes the stream may be through. */
void turn_look(struct transport *t);
/* The stream began anew: what was wanted of it is not to be had. */
void turn_fail(struct transport *t);

#endif
