/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/transport.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include "src/comm/mpi_plugin.h"
#include "src/common/hwenv.h"
#include "src/common/path.h"
#include "src/common/util.h"

#ifdef __SANITIZE_ADDRESS__
/* MPI libraries lose memory, by plugins that they unload, so that no suppression would name them:
 * leaks are looked for in instances without MPI only. */
static bool mpi_was_loaded;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return mpi_was_loaded;
}
#endif

/* How often MPI is tested, by the time since the last message: first row that applies. */
static const struct {
    double since; /* s */
    unsigned ms;  /* 0: in each turn of the loop, which does not sleep */
} pace[] = {{0.0005, 0}, {0.05, 1}, {0.5, 5}, {1e30, TRANSPORT_IDLE_MS}};

/* Seconds that the last messages may take: a rank that died just now takes none. */
enum { LEAVE_S = 5 };
#define SPAWNER_S 0.3

struct batch { /* lines to one rank, queued in this turn */
    char *data;
    size_t len, size;
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
    struct batch next;              /* leader: what the next epoch will carry */
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
    struct traffic traffic;
};

/* --- MPI_Init ------------------------------------------------------------------------------ */

struct told {
    char *names[16];
    size_t n;
};

/* Unless the user said something else of it. */
static void tell(void *arg, char *kv)
{
    struct told *told = arg;
    char *eq = strchr(kv, '=');
    *eq = '\0';
    if (told->n < ARRAY_SIZE(told->names) && !getenv(kv)) {
        setenv(kv, eq + 1, 1);
        told->names[told->n++] = kv;
    } else
        free(kv);
}

/* Most of MPI_Init on a node without GPUs and fabric is looking for them: of the 526 ms that an
 * instance of four virtual nodes took to start and end on two cores, 191 are left.  Only
 * MPI_Init is told, not what is started later. */
static int init(const struct mpi_plugin *mpi, char *text, size_t size)
{
    struct told told = {.n = 0};
    struct hwenv hw = {0};
    hwenv_add(&hw, tell, &told);
    if (!hw.fabric)
        tell(&told, xstrdup("OMPI_MCA_mtl=^psm2,psm,ofi"));
    /* A rank that waits in a collective spins; whom it waits for may need this core, if only
     * because the ranks start their executors meanwhile. */
    tell(&told, xstrdup("OMPI_MCA_mpi_yield_when_idle=1"));
    int rc = mpi->init(text, size);
    while (told.n > 0) {
        unsetenv(told.names[--told.n]);
        free(told.names[told.n]);
    }
    return rc;
}

struct transport *transport_create(struct error *err)
{
    cleanup_free char *path = path_find_sibling("hbatch_mpi.so", err);
    if (!path)
        return NULL;
    /* Open MPI loads components that want its symbols to be global. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
#ifdef __SANITIZE_ADDRESS__
    mpi_was_loaded = true;
#endif
    if (!handle)
        return error_null(err, ENOENT, "cannot load the MPI plugin: %s", dlerror());
    const struct mpi_plugin *mpi = dlsym(handle, MPI_PLUGIN_SYMBOL);
    if (!mpi || mpi->version != MPI_PLUGIN_VERSION)
        return error_null(err, EINVAL, "%s is not of this version of hbatch", path);
    char text[256];
    if (init(mpi, text, sizeof(text)) < 0)
        return error_null(err, EIO, "%s", text);
    struct transport *t = xcalloc(1, sizeof(*t));
    t->mpi = mpi;
    t->rank = (unsigned)mpi->rank();
    t->size = (unsigned)mpi->size();
    t->kept_end = &t->kept;
    return t;
}

void transport_number(struct transport *t, const unsigned *ids, unsigned size)
{
    unsigned mine = ids[t->rank];
    t->nids = t->size;
    t->ids = xcalloc(t->nids, sizeof(*t->ids));
    t->mpi_of = xcalloc(size, sizeof(*t->mpi_of));
    t->lost = xcalloc(size, sizeof(*t->lost));
    for (unsigned i = 0; i < size; i++)
        t->mpi_of[i] = -1;
    for (unsigned i = 0; i < t->nids; i++)
        t->mpi_of[ids[i]] = 0;
    for (unsigned i = 0, n = 0; i < size; i++)
        if (t->mpi_of[i] == 0) {
            t->ids[n] = i;
            t->mpi_of[i] = (int)n++;
        } else
            t->lost[i] = true;
    t->mpi->reorder((int)mine);
    t->rank = mine;
    t->size = size;
    t->leader = t->ids[0];
    t->batches = xcalloc(size, sizeof(*t->batches));
    t->dirty = xcalloc(size, sizeof(*t->dirty));
    t->confirmed = xcalloc(size, sizeof(*t->confirmed));
}

unsigned transport_leader(const struct transport *t)
{
    return t->leader;
}

/* The first living rank after AFTER, or size. */
static unsigned next_living(const struct transport *t, unsigned after)
{
    do
        after++;
    while (after < t->size && t->lost[after]);
    return after;
}

unsigned transport_second(const struct transport *t)
{
    return next_living(t, t->leader);
}

unsigned transport_rank(const struct transport *t)
{
    return t->rank;
}

unsigned transport_size(const struct transport *t)
{
    return t->size;
}

const char *transport_name(const struct transport *t)
{
    return t->mpi->name;
}

const struct traffic *transport_traffic(const struct transport *t)
{
    return &t->traffic;
}

char **transport_allgather(struct transport *t, const char *text)
{
    size_t count = (size_t)t->mpi->size();
    size_t *lens = xcalloc(count, sizeof(*lens));
    /* each part carries its terminator: the parts of the whole are strings */
    char *all = t->mpi->allgatherv(text, strlen(text) + 1, lens);
    char **parts = xcalloc(count + 1, sizeof(*parts));
    for (size_t i = 0, pos = 0; i < count; pos += lens[i++])
        parts[i] = all + pos;
    free(lens);
    return parts;
}

void transport_free_all(char **all)
{
    if (all)
        free(all[0]);
    free(all);
}

void *transport_bcast_data(struct transport *t, void *data, size_t *len, unsigned root)
{
    char *p = (unsigned)t->mpi->rank() == root ? data : NULL;
    t->mpi->bcast(&p, len, (int)root);
    return p;
}

char *transport_bcast(struct transport *t, const char *text, unsigned root)
{
    bool mine = (unsigned)t->mpi->rank() == root;
    size_t len = mine ? strlen(text) : 0;
    return transport_bcast_data(t, mine ? xstrdup(text) : NULL, &len, root);
}

static void on_turn(uv_idle_t *h);
static void on_tick(uv_timer_t *h);

static void set_pace(struct transport *t, unsigned ms)
{
    if (t->ms == ms)
        return;
    t->ms = ms;
    if (ms == 0) {
        uv_timer_stop(&t->timer);
        uv_idle_start(&t->idle, on_turn);
    } else {
        uv_idle_stop(&t->idle);
        uv_timer_start(&t->timer, on_tick, ms, ms);
    }
}

/* The next line of the batch at *P, without its newline; NULL: none is left. */
static char *next_line(char **p, const char *end, size_t *len)
{
    char *line = *p, *newline = memchr(line, '\n', (size_t)(end - line));
    if (!newline)
        return NULL;
    *newline = '\0';
    *len = (size_t)(newline - line);
    *p = newline + 1;
    return line;
}

static void on_message(int src, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    const char *end = data + len;
    size_t n;
    unsigned rank = t->ids[src];
    if (!t->started ||
        t->lost[rank]) /* nobody is there to take it, or it should be dead */
        return;
    if (data[0] != TRANSPORT_QUIET) {
        t->last = time_mono();
        traffic_add(&t->traffic.received, data, len);
    }
    for (char *line; (line = next_line(&data, end, &n));)
        t->recv(rank, line, n, t->arg);
}

static void send_epoch(struct transport *t, uint64_t number, char *data, size_t len,
                       bool last)
{
    traffic_add(&t->traffic.epochs, data, len);
    t->mpi->stream_send(number, data, len, last);
}

static void keep(struct transport *t, uint64_t number, const char *data, size_t len)
{
    struct epoch *e = xmalloc(sizeof(*e) + len);
    e->next = NULL;
    e->number = number;
    e->len = len;
    if (len > 0)
        memcpy(e->data, data, len);
    *t->kept_end = e;
    t->kept_end = &e->next;
}

void transport_apply(struct transport *t, uint64_t epoch, char *data, size_t len)
{
    const char *end = data + len;
    size_t n;
    if (!t->started || epoch <= t->applied) /* repeated for others after a loss */
        return;
    keep(t, epoch, data, len);
    t->applied = epoch;
    t->last = time_mono();
    for (char *line; (line = next_line(&data, end, &n));)
        t->epoch(epoch, line, n, t->arg);
    t->epoch(epoch, NULL, 0, t->arg);
}

static void on_epoch(unsigned long long epoch, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    if (!t->held)
        transport_apply(t, epoch, data, len);
}

static void on_usage(const double *all, void *arg)
{
    struct transport *t = arg;
    if (!t->started)
        return;
    t->usage(all, t->arg);
}

static void on_spawner(int src, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    if (!t->started || !t->hear)
        return;
    t->last = time_mono();
    t->hear((unsigned)src, data, len, t->hear_arg);
}

static const struct mpi_events events = {
    .recv = on_message, .epoch = on_epoch, .usage = on_usage, .spawner = on_spawner};

/* Start the next epoch when there is something to tell and the last one is through. */
static void next_epoch(struct transport *t, bool last)
{
    if (!t->streaming || t->rank != t->leader || t->mpi->stream_busy())
        return;
    if (t->resend) {
        struct epoch *e = t->resend;
        char *copy = xmalloc(e->len + 1);
        memcpy(copy, e->data, e->len);
        t->resend = e->next;
        send_epoch(t, e->number, copy, e->len, false);
    } else if (t->next.len > 0 || last) {
        t->applied++;
        keep(t, t->applied, t->next.data, t->next.len);
        send_epoch(t, t->applied, t->next.data, t->next.len, last);
        memset(&t->next, 0, sizeof(t->next));
        if (next_living(t, t->leader) == t->size) /* nobody will ever confirm it */
            transport_release(t, t->applied);
    }
}

static void test(struct transport *t)
{
    double now = time_mono();
    t->mpi->progress(&events, t);
    if (t->mpi->pending() > 0)
        t->last = now;
    now = MAX(now, t->last);
    if (!t->started)
        return;
    next_epoch(t, false);
    size_t i = 0;
    while (now - t->last > pace[i].since)
        i++;
    set_pace(t, pace[i].ms);
}

static void on_turn(uv_idle_t *h)
{
    struct transport *t = h->data;
    test(t);
    if (t->ms == 0)
        sched_yield(); /* the peer may need this core to answer */
}

static void on_tick(uv_timer_t *h)
{
    test(h->data);
}

/* The others may sleep by now: also when this rank does not, as it was woken itself. */
static void wake_others(struct transport *t)
{
    double now = time_mono();
    if (t->wake && (now - t->last > pace[0].since || now - t->woke > pace[1].since)) {
        t->wake(t->wake_arg);
        t->woke = now;
    }
    t->last = now;
}

static void flush(struct transport *t)
{
    next_epoch(t, false);
    if (t->ndirty == 0)
        return;
    bool quiet = true;
    for (unsigned i = 0; i < t->ndirty; i++) {
        struct batch *b = &t->batches[t->dirty[i]];
        bool beat = b->data[0] == TRANSPORT_QUIET;
        quiet = quiet && beat;
        traffic_add(beat ? &t->traffic.beats : &t->traffic.sent, b->data, b->len);
        t->mpi->send(t->mpi_of[t->dirty[i]], b->data, b->len);
        memset(b, 0, sizeof(*b));
    }
    t->ndirty = 0;
    if (quiet)
        return;
    wake_others(t);
    if (t->started)
        set_pace(t, 0);
}

static void on_flush(uv_prepare_t *h)
{
    uv_prepare_stop(h);
    flush(h->data);
}

void transport_start(struct transport *t, uv_loop_t *loop, transport_recv_f recv,
                     void *arg)
{
    t->recv = recv;
    t->arg = arg;
    uv_timer_init(loop, &t->timer);
    uv_idle_init(loop, &t->idle);
    uv_prepare_init(loop, &t->flusher);
    t->timer.data = t->idle.data = t->flusher.data = t;
    t->started = true;
    t->last = time_mono();
    t->ms = TRANSPORT_IDLE_MS;
    set_pace(t, 0);
}

static void append(struct batch *b, const char *text, size_t len)
{
    if (b->len + len + 1 > b->size) {
        b->size = MAX(b->size * 2, b->len + len + 1);
        b->data = xrealloc(b->data, b->size);
    }
    memcpy(b->data + b->len, text, len);
    b->len += len;
}

static void flush_soon(struct transport *t)
{
    if (t->started && !uv_is_active((uv_handle_t *)&t->flusher))
        uv_prepare_start(&t->flusher, on_flush);
}

void transport_send(struct transport *t, unsigned dst, const char *text, size_t len)
{
    struct batch *b = &t->batches[dst];
    if (t->lost[dst])
        return;
    if (b->len == 0)
        t->dirty[t->ndirty++] = dst;
    append(b, text, len);
    b->data[b->len++] = '\n'; /* append leaves room for it */
    flush_soon(t);
}

void transport_stream(struct transport *t, transport_epoch_f epoch)
{
    t->epoch = epoch;
    t->streaming = true;
    t->mpi->stream_open();
}

void transport_publish(struct transport *t, const char *text, size_t len)
{
    append(&t->next, text, len);
    wake_others(t);
    flush_soon(t);
    if (t->started)
        set_pace(t, 0);
}

unsigned transport_spawners(const struct transport *t)
{
    return (unsigned)t->mpi->spawners();
}

void transport_hear_spawners(struct transport *t,
                             void (*recv)(unsigned src, char *data, size_t len,
                                          void *arg),
                             void *arg)
{
    t->hear = recv;
    t->hear_arg = arg;
}

void transport_tell_spawner(struct transport *t, unsigned dst, const char *data,
                            size_t len)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, data, len);
    t->mpi->send_spawner((int)dst, copy, len);
    t->last = time_mono();
    if (t->started)
        set_pace(t, 0);
}

void transport_leave_spawners(struct transport *t, const char *data, size_t len)
{
    for (unsigned i = 0; i < transport_spawners(t); i++)
        transport_tell_spawner(t, i, data, len);
    transport_drain(t, SPAWNER_S);
    t->mpi->forget_spawner();
}

uint64_t transport_applied(const struct transport *t)
{
    return t->applied;
}

void transport_flush(struct transport *t)
{
    flush(t);
}

uint64_t transport_least(const struct transport *t)
{
    uint64_t least = t->applied;
    for (unsigned i = 0; i < t->size; i++)
        if (!t->lost[i] && i != t->rank)
            least = MIN(least, t->confirmed[i]);
    return least;
}

void transport_release(struct transport *t, uint64_t epoch)
{
    while (t->kept && t->kept->number <= epoch && t->kept != t->resend) {
        struct epoch *e = t->kept;
        t->kept = e->next;
        if (!t->kept)
            t->kept_end = &t->kept;
        free(e);
    }
}

void transport_hold(struct transport *t)
{
    t->held = true;
}

void transport_confirm(struct transport *t, unsigned rank, uint64_t epoch)
{
    t->confirmed[rank] = MAX(t->confirmed[rank], epoch);
    transport_release(t, transport_least(t));
}

uint64_t transport_safe(const struct transport *t)
{
    unsigned second = transport_second(t);
    return second < t->size ? t->confirmed[second] : UINT64_MAX;
}

void transport_tail(const struct transport *t, uint64_t since,
                    void (*each)(uint64_t epoch, const char *data, size_t len, void *arg),
                    void *arg)
{
    for (const struct epoch *e = t->kept; e; e = e->next)
        if (e->number > since)
            each(e->number, e->data, e->len, arg);
}

void transport_begin_at(struct transport *t, uint64_t epoch)
{
    t->applied = epoch;
    for (unsigned i = 0; i < t->size; i++)
        t->confirmed[i] = epoch;
}

void transport_set_wake(struct transport *t, void (*wake)(void *arg), void *arg)
{
    t->wake = wake;
    t->wake_arg = arg;
}

void transport_poke(struct transport *t)
{
    if (!t->started)
        return;
    t->last = time_mono();
    test(t);
}

void transport_lost(struct transport *t, unsigned rank)
{
    struct batch *b = &t->batches[rank];
    if (t->lost[rank])
        return;
    t->lost[rank] = t->broken = true;
    for (unsigned i = 0; i < t->ndirty; i++)
        if (t->dirty[i] == rank) {
            t->dirty[i] = t->dirty[--t->ndirty];
            break;
        }
    free(b->data);
    memset(b, 0, sizeof(*b));
    t->mpi->forget(t->mpi_of[rank]);
    t->leader = t->lost[0] ? next_living(t, 0) : 0;
}

bool transport_is_lost(const struct transport *t, unsigned rank)
{
    return t->lost[rank];
}

void transport_reform(struct transport *t, int generation)
{
    int *ranks = xcalloc(t->size, sizeof(*ranks)), n = 0;
    for (unsigned i = 0; i < t->size; i++)
        if (!t->lost[i])
            ranks[n++] = t->mpi_of[i];
    t->mpi->reform(ranks, n, generation);
    t->held = false;
    free(ranks);
    t->resend = t->rank == t->leader ? t->kept : NULL;
    t->last = time_mono();
    if (t->started)
        set_pace(t, 0);
}

uint64_t transport_published(const struct transport *t)
{
    return t->applied + (t->next.len > 0);
}

void transport_reduce(struct transport *t, const double *mine,
                      void (*result)(const double *all, void *arg))
{
    t->usage = result;
    t->mpi->usage_start(mine);
}

bool transport_reducing(const struct transport *t)
{
    return t->mpi->usage_busy();
}

void transport_drain(struct transport *t, double limit)
{
    double until = time_mono() + limit;
    flush(t);
    while (t->mpi->pending() > 0 && time_mono() < until) {
        t->mpi->progress(&events, t);
        sched_yield();
    }
}

void transport_stop(struct transport *t)
{
    if (!t->started)
        return;
    t->started = false;
    uv_close((uv_handle_t *)&t->timer, NULL);
    uv_close((uv_handle_t *)&t->idle, NULL);
    uv_close((uv_handle_t *)&t->flusher, NULL);
}

void transport_destroy(struct transport *t, int status)
{
    if (!t)
        return;
    transport_stop(t);
    flush(t);
    bool last_sent = !t->streaming || t->rank != t->leader;
    /* The others take all epochs before the barrier: within it nobody would post the second
     * part of one, and rank 0 could wait for that for ever. */
    bool hears = t->streaming && t->rank != t->leader;
    double until = time_mono() + LEAVE_S;
    while ((t->mpi->pending() > 0 || !last_sent || (hears && !t->mpi->stream_over())) &&
           time_mono() < until) {
        test(t);
        if (!last_sent && !t->mpi->stream_busy()) {
            next_epoch(t, true);
            last_sent = true;
        }
        sched_yield();
    }
    if (!t->broken)
        t->mpi->barrier();
    t->mpi->finalize(status);
    t->resend = NULL;
    transport_release(t, UINT64_MAX);
    free(t->lost);
    free(t->mpi_of);
    free(t->ids);
    free(t->confirmed);
    free(t->next.data);
    free(t->batches);
    free(t->dirty);
    free(t);
}
