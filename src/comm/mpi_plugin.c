/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and end of MPI, and the table that the transport sees. */
#include "config.h"
#include "src/comm/mpi_impl.h"

#include <dlfcn.h>
#include <sched.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "src/comm/mpich_leave.h"

static int plugin_init(char *text, size_t size)
{
    int provided, rc;
    rc = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (rc != MPI_SUCCESS) {
        snprintf(text, size, "MPI_Init_thread failed with code %d", rc);
        return -1;
    }
    peers_begin(MPI_COMM_WORLD); /* nobody else in this process uses it */
    spawner_begin();
    return 0;
}

static int plugin_rank(void)
{
    int r;
    MPI_Comm_rank(mpi_base.comm, &r);
    return r;
}

static int plugin_size(void)
{
    int n;
    MPI_Comm_size(mpi_base.comm, &n);
    return n;
}

static void plugin_reorder(int key)
{
    MPI_Comm ordered;
    MPI_Comm_split(mpi_base.comm, 0, key, &ordered);
    peers_begin(ordered);
}

/* A rank that others wait for may need this core: yielding it is not enough, as who yields comes
 * again as soon as any other. Of four ranks on two cores, three that yield took a third of the time of the
 * start from the one that was still in MPI_Init. */
static bool await_for(MPI_Request request, double seconds)
{
    enum { SPINS = 50, NAP_NS = 50000 };
    int done = 0;
    double until = INFINITY;
    for (int i = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done; i++)
        if (i < SPINS)
            sched_yield();
        else {
            if (i == SPINS)
                until = MPI_Wtime() + seconds;
            else if (MPI_Wtime() > until)
                return false;
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        }
    return true;
}

static void await(MPI_Request request)
{
    await_for(request, INFINITY);
}

/* Most texts are short: they go along with their length, in one collective rather than two. */
struct part {
    unsigned long long len;
    char data[1016];
};

static void short_part(struct part *part, const char *data, size_t len)
{
    size_t n = len < sizeof(part->data) ? len : sizeof(part->data);
    part->len = len;
    if (n > 0)
        memcpy(part->data, data, n);
}

static void gather_long(char *all, const char *data, const size_t *lens, int n)
{
    int *counts = mpi_need(calloc((size_t)n, sizeof(int)));
    int *displs = mpi_need(calloc((size_t)n, sizeof(int)));
    MPI_Request request;
    for (int i = 0, pos = 0; i < n; pos += counts[i++]) {
        counts[i] = (int)lens[i];
        displs[i] = pos;
    }
    MPI_Iallgatherv(data, counts[plugin_rank()], MPI_BYTE, all, counts, displs, MPI_BYTE,
                    mpi_base.comm, &request);
    await(request);
    free(counts);
    free(displs);
}

static char *plugin_allgatherv(const char *data, size_t len, size_t *lens)
{
    int n = plugin_size();
    size_t total = 0, longest = 0;
    MPI_Request request;
    struct part mine = {0}, *parts = mpi_need(calloc((size_t)n, sizeof(*parts)));
    short_part(&mine, data, len);
    MPI_Iallgather(&mine, sizeof(mine), MPI_BYTE, parts, sizeof(mine), MPI_BYTE,
                   mpi_base.comm, &request);
    await(request);
    for (int i = 0; i < n; i++) {
        lens[i] = (size_t)parts[i].len;
        total += lens[i];
        longest = lens[i] > longest ? lens[i] : longest;
    }
    char *all = mpi_need(malloc(total + 1));
    if (longest > sizeof(mine.data))
        gather_long(all, data, lens, n);
    else
        for (int i = 0, pos = 0; i < n; pos += (int)lens[i++])
            memcpy(all + pos, parts[i].data, lens[i]);
    all[total] = '\0';
    free(parts);
    return all;
}

static void plugin_bcast(char **data, size_t *len, int root)
{
    bool mine = plugin_rank() == root;
    struct part head = {0};
    MPI_Request request;
    if (mine)
        short_part(&head, *data, *len);
    MPI_Ibcast(&head, sizeof(head), MPI_BYTE, root, mpi_base.comm, &request);
    await(request);
    *len = (size_t)head.len;
    if (!mine)
        *data = mpi_need(malloc(*len + 1));
    if (*len > sizeof(head.data)) {
        MPI_Ibcast(*data, (int)*len, MPI_BYTE, root, mpi_base.comm, &request);
        await(request);
    } else if (!mine)
        memcpy(*data, head.data, *len);
    if (!mine)
        (*data)[*len] = '\0';
}

/* A rank that died on its way here never comes: the others then leave as after a loss. */
static void plugin_barrier(double seconds)
{
    MPI_Request request;
    MPI_Ibarrier(mpi_base.comm, &request);
    if (!await_for(request, seconds))
        mpi_base.changed = 1;
}

static int plugin_open_port(char *name, size_t size, char *text, size_t text_size)
{
    char port[MPI_MAX_PORT_NAME] = "";
    int rc = MPI_Open_port(MPI_INFO_NULL, port);
    if (rc != MPI_SUCCESS) {
        snprintf(text, text_size, "MPI_Open_port failed with code %d", rc);
        return -1;
    }
    snprintf(name, size, "%s", port);
    return 0;
}

static void plugin_close_port(const char *name)
{
    MPI_Close_port((char *)name);
}

static void plugin_settle(void)
{
    epochs_close();
    peers_farewell();
}

static int plugin_progress(const struct mpi_events *events, void *arg)
{
    int count = peers_receive(events, arg) + epochs_progress(events, arg);
    peers_complete();
    return count + spawner_progress(events, arg);
}

static int plugin_pending(void)
{
    return peers_pending() + epochs_pending() + spawner_pending();
}

static void drop(int src, char *data, size_t len, void *arg)
{
    (void)src, (void)data, (void)len, (void)arg;
}

#ifdef OPEN_MPI
#define FINALIZE_IS_SLOW 1
#else
#define FINALIZE_IS_SLOW 0 /* mpich_leave */
#endif

enum { AGAIN_S = 2 };

/* The server keeps more of a client that went without a word. */
static void tell_server(void)
{
    void *pmix = dlopen("libpmix.so.2", RTLD_LAZY | RTLD_NOLOAD);
    int (*finalize)(const void *, size_t);
    *(void **)&finalize = pmix ? dlsym(pmix, "PMIx_Finalize") : NULL;
    if (finalize)
        finalize(NULL, 0);
}

static void plugin_finalize(int status, int brief)
{
    static const struct mpi_events events = {.recv = drop};
    brief = brief && FINALIZE_IS_SLOW;
    /* This process may be through the barrier with a message of it still queued, for a connection
     * that is being made.  When it is through another one, that has gone; and now all connections
     * are there. */
    if (brief && !mpi_base.changed)
        plugin_barrier(AGAIN_S);
    if (brief && !mpi_base.changed)
        tell_server();
    if (mpi_base.changed || brief)
        _exit(status);
    peers_receive(&events,
                  NULL); /* what came too late is not to be complained about (UCX) */
    if (!mpich_leave()) {
        epochs_end();
        peers_free(&mpi_base.comm);
        spawner_end();
        MPI_Finalize();
    }
    peers_end();
}

extern const struct mpi_plugin hbatch_mpi_plugin;
const struct mpi_plugin hbatch_mpi_plugin = {
    .version = MPI_PLUGIN_VERSION,
    .name = MPI_FLAVOUR,
    .init = plugin_init,
    .rank = plugin_rank,
    .size = plugin_size,
    .reorder = plugin_reorder,
    .allgatherv = plugin_allgatherv,
    .bcast = plugin_bcast,
    .barrier = plugin_barrier,
    .send = peers_send,
    .spawners = spawner_size,
    .send_spawner = spawner_send,
    .forget_spawner = spawner_forget,
    .stream_open = epochs_open,
    .stream_busy = epochs_busy,
    .stream_send = epochs_send,
    .stream_over = epochs_over,
    .usage_busy = usage_busy,
    .usage_start = usage_start,
    .forget = peers_forget,
    .reform = peers_reform,
    .open_port = plugin_open_port,
    .close_port = plugin_close_port,
    .grow = peers_grow,
    .join = peers_join,
    .settle = plugin_settle,
    .give = peers_give,
    .receive = peers_take,
    .progress = plugin_progress,
    .pending = plugin_pending,
    .finalize = plugin_finalize,
};
