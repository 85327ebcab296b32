/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "src/comm/mpi_plugin.h"
#include "src/comm/mpich_leave.h"

enum { TAG = 1 };

struct send {
    MPI_Request request;
    char *data;
};

static MPI_Comm comm = MPI_COMM_NULL;
static struct send *sends;
static int nsends, sends_size;

/* The plugin is loaded into a program that it shares no code with: its own allocation check. */
static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "hbatch-instance: out of memory\n");
        abort();
    }
    return p;
}

static int plugin_init(char *text, size_t size)
{
    int provided, rc;
    rc = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    if (rc != MPI_SUCCESS) {
        snprintf(text, size, "MPI_Init_thread failed with code %d", rc);
        return -1;
    }
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    return 0;
}

static int plugin_rank(void)
{
    int r;
    MPI_Comm_rank(comm, &r);
    return r;
}

static int plugin_size(void)
{
    int n;
    MPI_Comm_size(comm, &n);
    return n;
}

static const char *plugin_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int len;
    MPI_Get_library_version(text, &len);
    return text;
}

static char *plugin_allgatherv(const char *data, size_t len, size_t *lens)
{
    int n = plugin_size(), mine = (int)len, total = 0;
    int *counts = need(calloc((size_t)n, sizeof(int)));
    int *displs = need(calloc((size_t)n, sizeof(int)));
    MPI_Allgather(&mine, 1, MPI_INT, counts, 1, MPI_INT, comm);
    for (int i = 0; i < n; i++) {
        displs[i] = total;
        total += counts[i];
        lens[i] = (size_t)counts[i];
    }
    char *all = need(malloc((size_t)total + 1));
    MPI_Allgatherv(data, mine, MPI_BYTE, all, counts, displs, MPI_BYTE, comm);
    all[total] = '\0';
    free(counts);
    free(displs);
    return all;
}

static void plugin_bcast(char **data, size_t *len, int root)
{
    unsigned long n = *len;
    MPI_Bcast(&n, 1, MPI_UNSIGNED_LONG, root, comm);
    if (plugin_rank() != root)
        *data = need(malloc(n + 1));
    *len = n;
    MPI_Bcast(*data, (int)n, MPI_BYTE, root, comm);
    if (plugin_rank() != root)
        (*data)[n] = '\0';
}

static void plugin_barrier(void)
{
    MPI_Barrier(comm);
}

static void plugin_send(int dst, char *data, size_t len)
{
    if (len > INT_MAX) { /* the protocol's lines and batches are bounded far below */
        fprintf(stderr, "hbatch-instance: message of %zu bytes dropped\n", len);
        free(data);
        return;
    }
    if (nsends == sends_size) {
        sends_size = sends_size ? sends_size * 2 : 64;
        sends = need(realloc(sends, (size_t)sends_size * sizeof(*sends)));
    }
    struct send *s = &sends[nsends++];
    s->data = data;
    MPI_Isend(data, (int)len, MPI_BYTE, dst, TAG, comm, &s->request);
}

static int plugin_progress(void (*recv)(int src, char *data, size_t len, void *arg),
                           void *arg)
{
    int count = 0;
    for (;;) {
        int flag = 0, len;
        MPI_Message message;
        MPI_Status status;
        MPI_Improbe(MPI_ANY_SOURCE, TAG, comm, &flag, &message, &status);
        if (!flag)
            break;
        MPI_Get_count(&status, MPI_BYTE, &len);
        char *data = need(malloc((size_t)len + 1));
        MPI_Mrecv(data, len, MPI_BYTE, &message, &status);
        data[len] = '\0';
        recv(status.MPI_SOURCE, data, (size_t)len, arg);
        free(data);
        count++;
    }
    for (int i = 0; i < nsends;) {
        int done = 0;
        MPI_Test(&sends[i].request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            i++;
            continue;
        }
        free(sends[i].data);
        sends[i] = sends[--nsends];
    }
    return count;
}

static int plugin_pending(void)
{
    return nsends;
}

static void plugin_finalize(void)
{
    if (!mpich_leave()) {
        MPI_Comm_free(&comm);
        MPI_Finalize();
    }
    free(sends);
}

extern const struct mpi_plugin hbatch_mpi_plugin;
const struct mpi_plugin hbatch_mpi_plugin = {
    .version = MPI_PLUGIN_VERSION,
    .name = MPI_FLAVOUR,
    .init = plugin_init,
    .rank = plugin_rank,
    .size = plugin_size,
    .library = plugin_library,
    .allgatherv = plugin_allgatherv,
    .bcast = plugin_bcast,
    .barrier = plugin_barrier,
    .send = plugin_send,
    .progress = plugin_progress,
    .pending = plugin_pending,
    .finalize = plugin_finalize,
};
