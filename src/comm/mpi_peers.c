/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is there, and the lines to each.
 *
 * Two processes keep the communicator, here a *road*, on which they met for all that they ever send
 * to each other, or a message on a new one could overtake one on the old: newcomers come with a road
 * of their own, which all others use for them alone.
 *
 * Who leaves says so as its last word on each road: an empty message.  A road is freed when it leads to
 * nobody and all who left by it have said that.  A message that came later would be taken for one
 * on the next communicator, which gets the same number. */
#include "src/comm/mpi_impl.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* MPI_Comm_create_group sends messages of its own with the tag that it is given: they must not be
 * taken for ours. */
enum { TAG = 1, DATA_TAG = 2, REFORM_TAG = 1000 };
/* Seconds: what blocks all ranks takes milliseconds, unless one of them died just then. */
enum { BLOCK_LIMIT_S = 8, TAKE_LIMIT_S = 60 };
enum { PIECE = 64 << 20 }; /* bytes of one message of peers_give */

struct send {
    MPI_Request request;
    char *data;
    int dst;
};

struct road {
    struct road *next;
    MPI_Comm comm;
    int *ids;    /* peers of its ranks */
    int haunted; /* somebody died on it: what he said may still come */
};

static struct peer {
    struct road *road; /* NULL: it is dead, or has left and said so */
    int rank;          /* there */
    int left;          /* nothing more is sent to it */
} * peers;
static int npeers;
static struct road *roads;
static int roads_stale; /* some road may lead to nobody */
static struct send *sends;
static int nsends, sends_size;
struct mpi_base mpi_base = {.comm = MPI_COMM_NULL};

void *mpi_need(void *p)
{
    if (!p) {
        fprintf(stderr, "hbatch-instance: out of memory\n");
        abort();
    }
    return p;
}

char *mpi_take(MPI_Comm comm, int tag, int *src, size_t *len)
{
    int flag = 0, n;
    MPI_Message message;
    MPI_Status status;
    MPI_Improbe(MPI_ANY_SOURCE, tag, comm, &flag, &message, &status);
    if (!flag)
        return NULL;
    MPI_Get_count(&status, MPI_BYTE, &n);
    char *data = mpi_need(malloc((size_t)n + 1));
    MPI_Mrecv(data, n, MPI_BYTE, &message, &status);
    data[n] = '\0';
    *src = status.MPI_SOURCE;
    *len = (size_t)n;
    return data;
}

/* --- what blocks ---------------------------------------------------------------------------- */

static const char *volatile blocked_by; /* a sentence, for one that never returns */
static struct sigaction alarm_before;   /* the signal may be somebody else's warning */

static void on_alarm(int signum)
{
    const char *text = blocked_by;
    (void)signum;
    ssize_t n = write(2, text, strlen(text));
    (void)n;
    _exit(1);
}

static void guard(unsigned seconds, const char *text)
{
    blocked_by = text;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, &alarm_before);
    alarm(seconds);
}

static void unguard(void)
{
    alarm(0);
    sigaction(SIGALRM, &alarm_before, NULL);
}

/* --- roads ---------------------------------------------------------------------------------- */

static int *identity(int n)
{
    int *ids = mpi_need(calloc((size_t)n + 1, sizeof(*ids)));
    for (int i = 0; i < n; i++)
        ids[i] = i;
    return ids;
}

static int *copy_ids(const int *ids, int n)
{
    int *copy = mpi_need(calloc((size_t)n + 1, sizeof(*copy)));
    memcpy(copy, ids, (size_t)n * sizeof(*copy));
    return copy;
}

/* A road for COMM, whose rank i is peer IDS[i] (taken over), to the N peers from number FROM. */
static void build_road(MPI_Comm comm, int *ids, int all, int from)
{
    struct road *road = mpi_need(calloc(1, sizeof(*road)));
    *road = (struct road){.next = roads, .comm = comm, .ids = ids};
    roads = road;
    for (int i = 0; i < all; i++)
        if (ids[i] >= from && ids[i] < npeers)
            peers[ids[i]] = (struct peer){.road = road, .rank = i};
}

static void make_peers(int n)
{
    peers = mpi_need(realloc(peers, (size_t)n * sizeof(*peers)));
    for (int i = npeers; i < n; i++)
        peers[i] = (struct peer){.road = NULL, .left = 0};
    npeers = n;
}

void peers_free(MPI_Comm *comm)
{
    if (*comm != MPI_COMM_NULL && *comm != MPI_COMM_WORLD)
        MPI_Comm_free(comm);
}

static void free_road(struct road *road)
{
    if (road->comm != mpi_base.comm)
        peers_free(&road->comm);
    free(road->ids);
    free(road);
}

static void drop_roads(void)
{
    for (struct road **p = &roads; *p;) {
        struct road *road = *p;
        int i = 0;
        while (i < npeers && peers[i].road != road)
            i++; /* one that has left may still have something to say */
        if (i < npeers || road->haunted || road->comm == mpi_base.comm) {
            p = &road->next;
            continue;
        }
        *p = road->next;
        free_road(road);
    }
    roads_stale = 0;
}

static int is_road(MPI_Comm comm)
{
    const struct road *road = roads;
    while (road && road->comm != comm)
        road = road->next;
    return road != NULL;
}

/* COMM, of N members, is base; IDS is taken over. */
static void set_base(MPI_Comm comm, int *ids, int n)
{
    if (!is_road(mpi_base.comm))
        peers_free(&mpi_base.comm);
    free(mpi_base.ids);
    mpi_base.comm = comm;
    mpi_base.ids = ids;
    mpi_base.n = n;
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
}

void peers_begin(MPI_Comm comm)
{
    int n;
    MPI_Comm_size(comm, &n);
    while (roads) {
        struct road *road = roads;
        roads = road->next;
        free_road(road);
    }
    set_base(comm, identity(n), n);
    npeers = 0;
    make_peers(n);
    build_road(comm, identity(n), n, 0);
}

void peers_end(void)
{
    free(sends);
    sends = NULL;
}

/* --- point to point ---------------------------------------------------------------------- */

/* DATA is freed when it is sent. */
static void start_send(int dst, char *data, size_t len, int tag)
{
    if (nsends == sends_size) {
        sends_size = sends_size ? sends_size * 2 : 64;
        sends = mpi_need(realloc(sends, (size_t)sends_size * sizeof(*sends)));
    }
    struct send *s = &sends[nsends++];
    s->data = data;
    s->dst = dst;
    MPI_Isend(data, (int)len, MPI_BYTE, peers[dst].rank, tag, peers[dst].road->comm,
              &s->request);
}

void peers_send(int dst, char *data, size_t len)
{
    if (!peers[dst].road || peers[dst].left) {
        free(data);
        return;
    }
    if (len > INT_MAX) { /* the protocol's lines and batches are bounded far below */
        fprintf(stderr, "hbatch-instance: message of %zu bytes dropped\n", len);
        free(data);
        return;
    }
    start_send(dst, data, len, TAG);
}

void peers_give(int dst, char *data, size_t len)
{
    unsigned long long *size = mpi_need(malloc(sizeof(*size)));
    *size = len;
    start_send(dst, (char *)size, sizeof(*size), DATA_TAG);
    for (size_t at = 0; at < len; at += PIECE) {
        size_t n = len - at < PIECE ? len - at : PIECE;
        char *piece = mpi_need(malloc(n));
        memcpy(piece, data + at, n);
        start_send(dst, piece, n, DATA_TAG);
    }
    free(data);
}

char *peers_take(int src, size_t *len)
{
    unsigned long long size = 0;
    int rank = peers[src].rank;
    MPI_Comm comm = peers[src].road->comm;
    guard(TAKE_LIMIT_S, "hbatch-instance: the leader did not send its tables in time: "
                        "this rank ends\n");
    MPI_Recv(&size, sizeof(size), MPI_BYTE, rank, DATA_TAG, comm, MPI_STATUS_IGNORE);
    char *data = mpi_need(malloc(size + 1));
    for (size_t at = 0; at < size; at += PIECE) {
        size_t n = size - at < PIECE ? size - at : PIECE;
        MPI_Recv(data + at, (int)n, MPI_BYTE, rank, DATA_TAG, comm, MPI_STATUS_IGNORE);
    }
    unguard();
    *len = size;
    return data;
}

static void said_farewell(int peer)
{
    peers[peer].road = NULL;
    roads_stale = 1;
}

void peers_farewell(void)
{
    int rank;
    mpi_base.changed = 1;
    MPI_Comm_rank(mpi_base.comm, &rank);
    for (int i = 0; i < npeers; i++)
        if (i != mpi_base.ids[rank] && peers[i].road && !peers[i].left)
            start_send(i, mpi_need(malloc(1)), 0, TAG);
    for (int i = 0; i < npeers; i++)
        peers[i].left = 1;
}

static int receive_on(const struct road *road, const struct mpi_events *events, void *arg)
{
    int count = 0;
    for (;;) {
        int rank;
        size_t len;
        char *data = mpi_take(road->comm, TAG, &rank, &len);
        if (!data)
            return count;
        int src = road->ids[rank];
        if (len > 0)
            events->recv(src, data, len, arg);
        else
            said_farewell(src);
        free(data);
        count++;
    }
}

int peers_receive(const struct mpi_events *events, void *arg)
{
    int count = 0;
    if (roads_stale)
        drop_roads();
    for (const struct road *road = roads; road; road = road->next)
        count += receive_on(road, events, arg);
    return count;
}

void peers_complete(void)
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

int peers_pending(void)
{
    return nsends;
}

/* --- who is there ---------------------------------------------------------------------------- */

void peers_forget(int peer, int planned)
{
    mpi_base.changed = 1;
    if (planned) {
        peers[peer].left = 1;
        return;
    }
    for (int i = 0; i < nsends;)
        if (sends[i].dst == peer) /* its buffer belongs to MPI for ever */
            sends[i] = sends[--nsends];
        else
            i++;
    if (peers[peer].road)
        peers[peer].road->haunted = 1;
    peers[peer].road = NULL;
}

static int base_rank(int peer)
{
    int i = 0;
    while (i < mpi_base.n - 1 && mpi_base.ids[i] != peer)
        i++;
    return i;
}

void peers_reform(const int *members, int n, int generation, int planned)
{
    MPI_Group all, some;
    MPI_Comm left;
    int *ranks = mpi_need(calloc((size_t)n, sizeof(*ranks)));
    mpi_base.changed = 1;
    for (int i = 0; i < n; i++)
        ranks[i] = base_rank(members[i]);
    /* another death now would leave the calls waiting for ever */
    guard(BLOCK_LIMIT_S,
          "hbatch-instance: the ranks that are left did not re-form in time: "
          "this one ends\n");
    if (planned)
        epochs_close();
    else
        epochs_abandon();
    MPI_Comm_group(mpi_base.comm, &all);
    MPI_Group_incl(all, n, ranks, &some);
    free(ranks);
    if (MPI_Comm_create_group(mpi_base.comm, some, REFORM_TAG + generation, &left) !=
            MPI_SUCCESS ||
        left == MPI_COMM_NULL) {
        fprintf(stderr, "hbatch-instance: the ranks that are left could not re-form: "
                        "this one ends\n");
        _exit(1);
    }
    MPI_Group_free(&some);
    MPI_Group_free(&all);
    if (!planned && !is_road(mpi_base.comm))
        mpi_base.comm = MPI_COMM_NULL; /* with a dead one in it it is left alone */
    set_base(left, copy_ids(members, n), n);
    epochs_open();
    unguard();
}

/* All of the base and those at the other end of INTER, which it frees: base first. */
static MPI_Comm merge(MPI_Comm inter, int high)
{
    MPI_Comm merged = MPI_COMM_NULL;
    int rc = MPI_Intercomm_merge(inter, high, &merged);
    MPI_Comm_free(&inter);
    return rc == MPI_SUCCESS ? merged : MPI_COMM_NULL;
}

static int failed(int rc, const char *what, char *text, size_t size)
{
    char why[MPI_MAX_ERROR_STRING] = "";
    int len;
    MPI_Error_string(rc, why, &len);
    snprintf(text, size, "%s: %s", what, why);
    return -1;
}

int peers_grow(const char *port, int n, char *text, size_t size)
{
    MPI_Comm inter, merged = MPI_COMM_NULL;
    int all = 0, from = npeers;
    mpi_base.changed = 1;
    guard(BLOCK_LIMIT_S,
          "hbatch-instance: the ranks that were to join did not connect in "
          "time: this one ends\n");
    epochs_close();
    int rc = MPI_Comm_accept((char *)port, MPI_INFO_NULL, 0, mpi_base.comm, &inter);
    if (rc == MPI_SUCCESS)
        merged = merge(inter, 0);
    if (merged == MPI_COMM_NULL) {
        epochs_open();
        unguard();
        return failed(rc, "MPI_Comm_accept", text, size);
    }
    MPI_Comm_size(merged, &all);
    if (all != mpi_base.n + n) {
        fprintf(stderr, "hbatch-instance: %d ranks joined, not %d: this one ends\n",
                all - mpi_base.n, n);
        _exit(1);
    }
    int *ids = mpi_need(calloc((size_t)all, sizeof(*ids)));
    memcpy(ids, mpi_base.ids, (size_t)mpi_base.n * sizeof(*ids));
    for (int i = 0; i < n; i++)
        ids[mpi_base.n + i] = from + i;
    make_peers(from + n);
    build_road(merged, copy_ids(ids, all), all, from);
    set_base(merged, ids, all);
    epochs_open();
    unguard();
    return 0;
}

int peers_join(const char *port, char *text, size_t size)
{
    MPI_Comm inter, merged;
    guard(BLOCK_LIMIT_S,
          "hbatch-instance: the instance that this rank was to join did not "
          "accept it in time: it ends\n");
    int rc = MPI_Comm_connect((char *)port, MPI_INFO_NULL, 0, mpi_base.comm, &inter);
    if (rc != MPI_SUCCESS || (merged = merge(inter, 1)) == MPI_COMM_NULL) {
        unguard();
        return failed(rc, "MPI_Comm_connect", text, size);
    }
    peers_begin(merged);
    mpi_base.changed = 1;
    epochs_open();
    unguard();
    return 0;
}
