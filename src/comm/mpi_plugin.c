/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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
    comm = MPI_COMM_WORLD; /* nobody else in this process uses it */
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

static void free_comm(MPI_Comm *c)
{
    if (*c != MPI_COMM_NULL && *c != MPI_COMM_WORLD)
        MPI_Comm_free(c);
}

static void plugin_reorder(int key)
{
    MPI_Comm ordered;
    MPI_Comm_split(comm, 0, key, &ordered);
    MPI_Comm_set_errhandler(ordered, MPI_ERRORS_RETURN);
    free_comm(&comm);
    comm = ordered;
}

/* A rank that others wait for may need this core: yielding it is not enough, as who yields comes
 * again as soon as any other. Of four ranks on two cores, three that yield took a third of the time of the
 * start from the one that was still in MPI_Init. */
static void await(MPI_Request request)
{
    enum { SPINS = 50, NAP_NS = 50000 };
    int done = 0;
    for (int i = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done; i++)
        if (i < SPINS)
            sched_yield();
        else
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
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
    int *counts = need(calloc((size_t)n, sizeof(int)));
    int *displs = need(calloc((size_t)n, sizeof(int)));
    MPI_Request request;
    for (int i = 0, pos = 0; i < n; pos += counts[i++]) {
        counts[i] = (int)lens[i];
        displs[i] = pos;
    }
    MPI_Iallgatherv(data, counts[plugin_rank()], MPI_BYTE, all, counts, displs, MPI_BYTE,
                    comm, &request);
    await(request);
    free(counts);
    free(displs);
}

static char *plugin_allgatherv(const char *data, size_t len, size_t *lens)
{
    int n = plugin_size();
    size_t total = 0, longest = 0;
    MPI_Request request;
    struct part mine = {0}, *parts = need(calloc((size_t)n, sizeof(*parts)));
    short_part(&mine, data, len);
    MPI_Iallgather(&mine, sizeof(mine), MPI_BYTE, parts, sizeof(mine), MPI_BYTE, comm,
                   &request);
    await(request);
    for (int i = 0; i < n; i++) {
        lens[i] = (size_t)parts[i].len;
        total += lens[i];
        longest = lens[i] > longest ? lens[i] : longest;
    }
    char *all = need(malloc(total + 1));
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
    MPI_Ibcast(&head, sizeof(head), MPI_BYTE, root, comm, &request);
    await(request);
    *len = (size_t)head.len;
    if (!mine)
        *data = need(malloc(*len + 1));
    if (*len > sizeof(head.data)) {
        MPI_Ibcast(*data, (int)*len, MPI_BYTE, root, comm, &request);
        await(request);
    } else if (!mine)
        memcpy(*data, head.data, *len);
    if (!mine)
        (*data)[*len] = '\0';
}

static void plugin_barrier(void)
{
    MPI_Request request;
    MPI_Ibarrier(comm, &request);
    await(request);
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
    s->dst = dst;
    MPI_Isend(data, (int)len, MPI_BYTE, dst, TAG, comm, &s->request);
}

/* --- point to point ---------------------------------------------------------------------- */

static int receive(const struct mpi_events *events, void *arg)
{
    int count = 0;
    for (;;) {
        int flag = 0, len;
        MPI_Message message;
        MPI_Status status;
        MPI_Improbe(MPI_ANY_SOURCE, TAG, comm, &flag, &message, &status);
        if (!flag)
            return count;
        MPI_Get_count(&status, MPI_BYTE, &len);
        char *data = need(malloc((size_t)len + 1));
        MPI_Mrecv(data, len, MPI_BYTE, &message, &status);
        data[len] = '\0';
        events->recv(status.MPI_SOURCE, data, (size_t)len, arg);
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
    MPI_Comm comm; /* not the stream's: collectives of one communicator have one order on
                    * all ranks */
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
    usage.comm = comm; /* which has no other collectives until the barrier */
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
    int count = receive(events, arg) + stream_progress(events, arg);
    usage_progress(events, arg);
    complete_sends();
    return count;
}

static int plugin_pending(void)
{
    return nsends + (stream.root && plugin_stream_busy()) + usage.active;
}

static void drop(int src, char *data, size_t len, void *arg)
{
    (void)src, (void)data, (void)len, (void)arg;
}

static void plugin_finalize(int status)
{
    static const struct mpi_events events = {.recv = drop};
    if (lost_any)
        _exit(status);
    receive(&events, NULL); /* what came too late is not to be complained about (UCX) */
    if (!mpich_leave()) {
        free_comm(&stream.comm);
        free_comm(&comm);
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
