/* SPDX-License-Identifier: BSD-3-Clause */
/* The collectives of a running instance: the state stream, and the reduction of usage. */
#include "src/comm/mpi_impl.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 2048 };

static struct {
    double mine[MPI_PLUGIN_USAGE], all[MPI_PLUGIN_USAGE];
    MPI_Comm comm; /* not the stream's: collectives of one communicator have one order on
                    * all ranks */
    MPI_Request sum, max;
    int active;
} usage = {.comm = MPI_COMM_NULL, .sum = MPI_REQUEST_NULL, .max = MPI_REQUEST_NULL};

/* An epoch is a head of fixed size, which the others can post before they know what comes; what
 * does not fit into it follows in a second broadcast of the length that the head tells. */
struct head {
    unsigned long long epoch, len;
    int last;
    char data[HEAD_SIZE - 20];
};

static struct {
    struct head
        *head; /* a new one after a loss: an abandoned broadcast may still write to it */
    MPI_Comm comm;
    MPI_Request request; /* of the head or the body */
    char *body;          /* NULL: all was in the head */
    int in_body;
    int root; /* this rank sends: it is the first of comm */
} stream = {.comm = MPI_COMM_NULL, .request = MPI_REQUEST_NULL};

static void post_head(void)
{
    stream.in_body = 0;
    MPI_Ibcast(stream.head, sizeof(*stream.head), MPI_BYTE, 0, stream.comm,
               &stream.request);
}

static void post_body(void)
{
    stream.in_body = 1;
    MPI_Ibcast(stream.body, (int)stream.head->len, MPI_BYTE, 0, stream.comm,
               &stream.request);
}

void epochs_open(void)
{
    int rank;
    if (stream.comm != MPI_COMM_NULL) /* a newcomer's, since it joined */
        return;
    stream.head = mpi_need(calloc(1, sizeof(*stream.head)));
    MPI_Comm_dup(mpi_base.comm, &stream.comm);
    usage.comm = mpi_base.comm; /* which has no other collectives until all have ended */
    MPI_Comm_rank(stream.comm, &rank);
    stream.root = rank == 0;
    if (!stream.root)
        post_head();
}

static void wait_usage(void)
{
    MPI_Waitall(2, (MPI_Request[]){usage.sum, usage.max}, MPI_STATUSES_IGNORE);
    usage.sum = usage.max = MPI_REQUEST_NULL;
}

void epochs_close(void)
{
    if (stream.comm == MPI_COMM_NULL)
        return;
    if (usage.active)
        wait_usage();
    usage.active = 0;
    MPI_Comm_free(&stream.comm);
    usage.comm = MPI_COMM_NULL;
    free(stream.head);
    stream.head = NULL;
}

void epochs_abandon(void)
{
    /* requests on the old communicators never complete: they and their buffers are left */
    stream.request = MPI_REQUEST_NULL;
    stream.body = NULL;
    stream.head = NULL;
    usage.sum = usage.max = MPI_REQUEST_NULL;
    usage.active = 0;
    stream.comm = usage.comm = MPI_COMM_NULL;
}

void epochs_end(void)
{
    if (stream.comm != MPI_COMM_NULL)
        MPI_Comm_free(&stream.comm);
}

int epochs_busy(void)
{
    return stream.request == MPI_REQUEST_NULL ? 0 : 1 + stream.in_body;
}

void epochs_send(unsigned long long epoch, char *data, size_t len, int last)
{
    stream.head->epoch = epoch;
    stream.head->len = len;
    stream.head->last = last;
    stream.body = NULL;
    if (len <= sizeof(stream.head->data)) {
        if (len > 0)
            memcpy(stream.head->data, data, len);
        free(data);
    } else
        stream.body = data;
    post_head();
}

/* The last epoch has come: to other ranks than the first. */
int epochs_over(void)
{
    return !stream.head || (stream.head->last && stream.request == MPI_REQUEST_NULL);
}

static int stream_progress(const struct mpi_events *events, void *arg)
{
    int count = 0, done = 0;
    while (stream.request != MPI_REQUEST_NULL) {
        MPI_Test(&stream.request, &done, MPI_STATUS_IGNORE);
        if (!done)
            return count;
        size_t len = (size_t)stream.head->len;
        if (!stream.in_body && len > sizeof(stream.head->data)) {
            if (!stream.root)
                stream.body = mpi_need(malloc(len + 1));
            post_body();
            continue;
        }
        if (!stream.root)
            events->epoch(stream.head->epoch,
                          stream.body ? stream.body : stream.head->data, len, arg);
        free(stream.body);
        stream.body = NULL;
        count++;
        if (stream.root || stream.head->last)
            return count;
        post_head();
    }
    return count;
}

int usage_busy(void)
{
    return usage.active;
}

void usage_start(const double *mine)
{
    enum { HALF = MPI_PLUGIN_USAGE / 2 };
    if (usage.active) /* the last one has not ended: this rank was asleep for that long */
        wait_usage();
    memcpy(usage.mine, mine, sizeof(usage.mine));
    usage.active = 1;
    MPI_Ireduce(usage.mine, usage.all, HALF, MPI_DOUBLE, MPI_SUM, 0, usage.comm,
                &usage.sum);
    MPI_Ireduce(usage.mine + HALF, usage.all + HALF, HALF, MPI_DOUBLE, MPI_MAX, 0,
                usage.comm, &usage.max);
}

static void usage_progress(const struct mpi_events *events, void *arg)
{
    int done = 0;
    if (!usage.active)
        return;
    MPI_Request both[] = {usage.sum, usage.max};
    MPI_Testall(2, both, &done, MPI_STATUSES_IGNORE);
    usage.sum = both[0];
    usage.max = both[1];
    if (!done)
        return;
    usage.active = 0;
    if (stream.root)
        events->usage(usage.all, arg);
}

int epochs_progress(const struct mpi_events *events, void *arg)
{
    int count = stream_progress(events, arg);
    usage_progress(events, arg);
    return count;
}

/* The second part of an epoch goes from test to test of all ranks, so it is waited for by those who take it, too. */
int epochs_pending(void)
{
    return (epochs_busy() && (stream.root || stream.in_body)) + usage.active;
}
