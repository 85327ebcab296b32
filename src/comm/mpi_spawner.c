/* SPDX-License-Identifier: BSD-3-Clause */
/* The program that spawned this instance: messages on their intercommunicator. */
#include "src/comm/mpi_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct sending {
    struct sending *next;
    MPI_Request request;
    char *data;
};

static MPI_Comm spawner = MPI_COMM_NULL;
static struct sending *sendings;

void spawner_begin(void)
{
    MPI_Comm_get_parent(&spawner);
    if (spawner != MPI_COMM_NULL)
        MPI_Comm_set_errhandler(spawner, MPI_ERRORS_RETURN);
}

int spawner_size(void)
{
    int n = 0;
    if (spawner != MPI_COMM_NULL)
        MPI_Comm_remote_size(spawner, &n);
    return n;
}

void spawner_send(int dst, char *data, size_t len)
{
    if (len > INT_MAX) { /* lines are bounded far below */
        fprintf(stderr, "hbatch-instance: message of %zu bytes dropped\n", len);
        free(data);
        return;
    }
    struct sending *s = mpi_need(calloc(1, sizeof(*s)));
    s->data = data;
    s->next = sendings;
    sendings = s;
    MPI_Isend(data, (int)len, MPI_BYTE, dst, MPI_SPAWNER_TAG, spawner, &s->request);
}

int spawner_progress(const struct mpi_events *events, void *arg)
{
    int count = 0;
    for (struct sending **p = &sendings, *s; (s = *p);) {
        int done = 0;
        MPI_Test(&s->request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            p = &s->next;
            continue;
        }
        *p = s->next;
        free(s->data);
        free(s);
    }
    while (spawner != MPI_COMM_NULL) {
        int rank;
        size_t len;
        char *data = mpi_take(spawner, MPI_SPAWNER_TAG, &rank, &len);
        if (!data)
            return count;
        events->spawner(rank, data, len, arg);
        free(data);
        count++;
    }
    return count;
}

int spawner_pending(void)
{
    return sendings != NULL;
}

void spawner_forget(void)
{
    if (!sendings)
        return;
    sendings = NULL; /* their buffers belong to MPI for ever */
    mpi_base.changed = 1;
}

/* Not disconnected: that would wait for the spawner. */
void spawner_end(void)
{
    if (spawner != MPI_COMM_NULL)
        MPI_Comm_free(&spawner);
}
