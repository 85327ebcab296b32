/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <mpi.h>
#include "src/comm/mpi_plugin.h"
#include "src/comm/mpich_leave.h"

/* MPI_Comm_create_group sends messages of its own with the tag that it is given: they must not be
 * taken for ours. */
enum { TAG = 1, REFORM_TAG = 1000, HEAD_SIZE = 2048, REFORM_LIMIT_S = 8 };

struct send {
    MPI_Request request;
    char *data;
    int dst;
};

static MPI_Comm comm = MPI_COMM_NULL;
static MPI_Comm spawner = MPI_COMM_NULL; /* the program that spawned this one */
static struct send *sends;
static int nsends, sends_size;
static int lost_any; /* some rank is dead: MPI_Finalize would wait for it */

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
    MPI_Comm_get_parent(&spawner);
    if (spawner != MPI_COMM_NULL)
        MPI_Comm_set_errhandler(spawner, MPI_ERRORS_RETURN);
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

static void plugin_reorder(int key)
{
    MPI_Comm ordered;
    MPI_Comm_split(comm, 0, key, &ordered);
    MPI_Comm_set_errhandler(ordered, MPI_ERRORS_RETURN);
    MPI_Comm_free(&comm);
    comm = ordered;
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

static int plugin_spawners(void)
{
    int n = 0;
    if (spawner != MPI_COMM_NULL)
        MPI_Comm_remote_size(spawner, &n);
    return n;
}

/* DST: for plugin_forget. */
static void send(MPI_Comm on, int to, int tag, int dst, char *data, size_t len)
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
    s->dst = dst;
    MPI_Isend(data, (int)len, MPI_BYTE, to, tag, on, &s->request);
}

static void plugin_send(int dst, char *data, size_t len)
{
    send(comm, dst, TAG, dst, data, len);
}

static void plugin_send_spawner(int dst, char *data, size_t len)
{
    send(spawner, dst, MPI_SPAWNER_TAG, -1, data, len);
}

/* --- point to point ---------------------------------------------------------------------- */

static int receive(MPI_Comm on, int tag,
                   void (*deliver)(int src, char *data, size_t len, void *arg), void *arg)
{
    int count = 0;
    for (;;) {
        int flag = 0, len;
        MPI_Message message;
        MPI_Status status;
        MPI_Improbe(MPI_ANY_SOURCE, tag, on, &flag, &message, &status);
        if (!flag)
            return count;
        MPI_Get_count(&status, MPI_BYTE, &len);
        char *data = need(malloc((size_t)len + 1));
        MPI_Mrecv(data, len, MPI_BYTE, &message, &status);
        data[len] = '\0';
        deliver(status.MPI_SOURCE, data, (size_t)len, arg);
        free(data);
        count++;
    }
}

static void complete_sends(void)
{
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
}

/* --- usage -------------------------------------------------------------------------------- */

static struct {
    double mine[MPI_PLUGIN_USAGE], all[MPI_PLUGIN_USAGE];
    MPI_Comm
        comm; /* its own: collectives of one communicator have one order on all ranks */
    MPI_Request sum, max;
    int active;
} usage = {.comm = MPI_COMM_NULL, .sum = MPI_REQUEST_NULL, .max = MPI_REQUEST_NULL};

/* --- the state stream --------------------------------------------------------------------- */

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

static void plugin_stream_open(void)
{
    stream.head = need(calloc(1, sizeof(*stream.head)));
    MPI_Comm_dup(comm, &stream.comm);
    MPI_Comm_dup(comm, &usage.comm);
    stream.root = plugin_rank() == 0;
    if (!stream.root)
        post_head();
}

static int plugin_stream_busy(void)
{
    return stream.request != MPI_REQUEST_NULL;
}

static void plugin_stream_send(unsigned long long epoch, char *data, size_t len, int last)
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

/* The last epoch has come: to other ranks than 0. */
static int plugin_stream_over(void)
{
    return stream.head->last && stream.request == MPI_REQUEST_NULL;
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
                stream.body = need(malloc(len + 1));
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

static int plugin_usage_busy(void)
{
    return usage.active;
}

static void plugin_usage_start(const double *mine)
{
    enum { HALF = MPI_PLUGIN_USAGE / 2 };
    if (usage.active) /* the last one has not ended: this rank was asleep for that long */
        MPI_Waitall(2, (MPI_Request[]){usage.sum, usage.max}, MPI_STATUSES_IGNORE);
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

/* --- loss --------------------------------------------------------------------------------- */

static void plugin_forget(int rank)
{
    lost_any = 1;
    for (int i = 0; i < nsends;)
        if (sends[i].dst == rank) /* its buffer belongs to MPI for ever */
            sends[i] = sends[--nsends];
        else
            i++;
}

static void plugin_forget_spawner(void)
{
    for (int i = 0; i < nsends; i++)
        if (sends[i].dst == -1) {
            plugin_forget(-1);
            return;
        }
}

static void plugin_reform(const int *ranks, int n, int generation)
{
    MPI_Group all, members;
    MPI_Comm survivors;
    int rank;
    lost_any = 1;
    alarm(REFORM_LIMIT_S); /* another death now would leave this call waiting for ever */
    MPI_Comm_group(comm, &all);
    MPI_Group_incl(all, n, ranks, &members);
    if (MPI_Comm_create_group(comm, members, REFORM_TAG + generation, &survivors) !=
            MPI_SUCCESS ||
        survivors == MPI_COMM_NULL) {
        fprintf(stderr, "hbatch-instance: the ranks that are left could not re-form\n");
        _exit(1);
    }
    MPI_Group_free(&members);
    MPI_Group_free(&all);
    /* requests on the old communicators never complete: they and their buffers are left */
    stream.request = MPI_REQUEST_NULL;
    stream.body = NULL;
    stream.head = need(calloc(1, sizeof(*stream.head)));
    usage.sum = usage.max = MPI_REQUEST_NULL;
    usage.active = 0;
    MPI_Comm_dup(survivors, &usage.comm);
    alarm(0);
    stream.comm = survivors;
    MPI_Comm_rank(survivors, &rank);
    stream.root = rank == 0;
    if (!stream.root)
        post_head();
}

static int plugin_progress(const struct mpi_events *events, void *arg)
{
    int count = receive(comm, TAG, events->recv, arg) + stream_progress(events, arg);
    if (spawner != MPI_COMM_NULL)
        count += receive(spawner, MPI_SPAWNER_TAG, events->spawner, arg);
    usage_progress(events, arg);
    complete_sends();
    return count;
}

static int plugin_pending(void)
{
    return nsends + (stream.root && plugin_stream_busy()) + usage.active;
}

static void plugin_finalize(int status)
{
    if (lost_any)
        _exit(status);
    if (!mpich_leave()) {
        if (stream.comm != MPI_COMM_NULL)
            MPI_Comm_free(&stream.comm);
        if (usage.comm != MPI_COMM_NULL)
            MPI_Comm_free(&usage.comm);
        MPI_Comm_free(&comm);
        if (spawner !=
            MPI_COMM_NULL) /* not disconnected: that would wait for the spawner */
            MPI_Comm_free(&spawner);
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
    .reorder = plugin_reorder,
    .allgatherv = plugin_allgatherv,
    .bcast = plugin_bcast,
    .barrier = plugin_barrier,
    .send = plugin_send,
    .spawners = plugin_spawners,
    .send_spawner = plugin_send_spawner,
    .forget_spawner = plugin_forget_spawner,
    .stream_open = plugin_stream_open,
    .stream_busy = plugin_stream_busy,
    .stream_send = plugin_stream_send,
    .stream_over = plugin_stream_over,
    .usage_busy = plugin_usage_busy,
    .usage_start = plugin_usage_start,
    .forget = plugin_forget,
    .reform = plugin_reform,
    .progress = plugin_progress,
    .pending = plugin_pending,
    .finalize = plugin_finalize,
};
