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
    unsigned rank, size;
    uv_timer_t timer;
    uv_idle_t idle;       /* active: the loop turns without sleeping */
    uv_prepare_t flusher; /* active: some batch is not empty */
    struct batch *batches;
    unsigned *dirty, ndirty; /* ranks whose batch is not empty */
    transport_recv_f recv;
    transport_epoch_f epoch;
    void (*usage)(const double *all, void *arg);
    void *arg;
    struct batch next;              /* rank 0: what the next epoch will carry */
    uint64_t epochs;                /* rank 0: started so far */
    struct epoch *kept, **kept_end; /* rank 0 */
    struct epoch *resend;           /* rank 0: the next of them to repeat, or NULL */
    uint64_t *confirmed;            /* rank 0: [size] */
    uint64_t applied;               /* others: the last epoch */
    bool *lost;                     /* [size] */
    bool streaming;
    double last; /* monotonic time of the last message in or out */
    unsigned ms; /* current pace */
    bool started;
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
    t->batches = xcalloc(t->size, sizeof(*t->batches));
    t->dirty = xcalloc(t->size, sizeof(*t->dirty));
    t->lost = xcalloc(t->size, sizeof(*t->lost));
    t->confirmed = xcalloc(t->size, sizeof(*t->confirmed));
    t->kept_end = &t->kept;
    return t;
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

char **transport_allgather(struct transport *t, const char *text)
{
    size_t *lens = xcalloc(t->size, sizeof(*lens));
    /* each part carries its terminator: the parts of the whole are strings */
    char *all = t->mpi->allgatherv(text, strlen(text) + 1, lens);
    char **parts = xcalloc(t->size + 1, sizeof(*parts));
    for (size_t i = 0, pos = 0; i < t->size; pos += lens[i++])
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

char *transport_bcast(struct transport *t, const char *text, unsigned root)
{
    char *data = NULL;
    size_t len = 0;
    if (t->rank == root) {
        data = xstrdup(text);
        len = strlen(data);
    }
    t->mpi->bcast(&data, &len, (int)root);
    return data;
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
    if (!t->started ||
        t->lost[src]) /* nobody is there to take it, or it should be dead */
        return;
    if (data[0] != TRANSPORT_QUIET)
        t->last = time_mono();
    for (char *line; (line = next_line(&data, end, &n));)
        t->recv((unsigned)src, line, n, t->arg);
}

static void on_epoch(unsigned long long epoch, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    const char *end = data + len;
    size_t n;
    if (!t->started || epoch <= t->applied) /* repeated for others after a loss */
        return;
    t->applied = epoch;
    t->last = time_mono();
    for (char *line; (line = next_line(&data, end, &n));)
        t->epoch(epoch, line, n, t->arg);
    t->epoch(epoch, NULL, 0, t->arg);
}

static void on_usage(const double *all, void *arg)
{
    struct transport *t = arg;
    if (!t->started)
        return;
    t->usage(all, t->arg);
}

static const struct mpi_events events = {
    .recv = on_message, .epoch = on_epoch, .usage = on_usage};

static void keep(struct transport *t, uint64_t number, const char *data, size_t len)
{
    struct epoch *e = xmalloc(sizeof(*e) + len);
    e->next = NULL;
    e->number = number;
    e->len = len;
    memcpy(e->data, data, len);
    *t->kept_end = e;
    t->kept_end = &e->next;
}

/* Start the next epoch when there is something to tell and the last one is through. */
static void next_epoch(struct transport *t, bool last)
{
    if (!t->streaming || t->rank != 0 || t->mpi->stream_busy())
        return;
    if (t->resend) {
        struct epoch *e = t->resend;
        char *copy = xmalloc(e->len + 1);
        memcpy(copy, e->data, e->len);
        t->resend = e->next;
        t->mpi->stream_send(e->number, copy, e->len, false);
    } else if (t->next.len > 0 || last) {
        t->epochs++;
        if (t->next.len > 0)
            keep(t, t->epochs, t->next.data, t->next.len);
        t->mpi->stream_send(t->epochs, t->next.data, t->next.len, last);
        memset(&t->next, 0, sizeof(t->next));
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

static void flush(struct transport *t)
{
    next_epoch(t, false);
    if (t->ndirty == 0)
        return;
    bool quiet = true;
    for (unsigned i = 0; i < t->ndirty; i++) {
        struct batch *b = &t->batches[t->dirty[i]];
        quiet = quiet && b->data[0] == TRANSPORT_QUIET;
        t->mpi->send((int)t->dirty[i], b->data, b->len);
        memset(b, 0, sizeof(*b));
    }
    t->ndirty = 0;
    if (!quiet)
        t->last = time_mono();
    if (t->started && !quiet)
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
    t->last = time_mono();
    flush_soon(t);
    if (t->started)
        set_pace(t, 0);
}

uint64_t transport_applied(const struct transport *t)
{
    return t->applied;
}

void transport_flush(struct transport *t)
{
    flush(t);
}

/* Drop what all living ranks have. */
void transport_confirm(struct transport *t, unsigned rank, uint64_t epoch)
{
    uint64_t least = UINT64_MAX;
    t->confirmed[rank] = MAX(t->confirmed[rank], epoch);
    for (unsigned i = 1; i < t->size; i++)
        if (!t->lost[i])
            least = MIN(least, t->confirmed[i]);
    while (t->kept && t->kept->number <= least && t->kept != t->resend) {
        struct epoch *e = t->kept;
        t->kept = e->next;
        if (!t->kept)
            t->kept_end = &t->kept;
        free(e);
    }
}

void transport_lost(struct transport *t, unsigned rank)
{
    struct batch *b = &t->batches[rank];
    t->lost[rank] = true;
    for (unsigned i = 0; i < t->ndirty; i++)
        if (t->dirty[i] == rank) {
            t->dirty[i] = t->dirty[--t->ndirty];
            break;
        }
    free(b->data);
    memset(b, 0, sizeof(*b));
    t->mpi->forget((int)rank);
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
            ranks[n++] = (int)i;
    t->mpi->reform(ranks, n, generation);
    free(ranks);
    t->resend = t->kept;
    t->last = time_mono();
    if (t->started)
        set_pace(t, 0);
}

uint64_t transport_published(const struct transport *t)
{
    return t->epochs + (t->next.len > 0);
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
    bool last_sent = !t->streaming || t->rank != 0;
    /* The others take all epochs before the barrier: within it nobody would post the second
     * part of one, and rank 0 could wait for that for ever. */
    bool hears = t->streaming && t->rank != 0;
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
    bool whole = true;
    for (unsigned i = 0; i < t->size; i++)
        whole = whole && !t->lost[i];
    if (whole)
        t->mpi->barrier();
    t->mpi->finalize(status);
    while (t->kept) {
        struct epoch *e = t->kept;
        t->kept = e->next;
        free(e);
    }
    free(t->lost);
    free(t->confirmed);
    free(t->next.data);
    free(t->batches);
    free(t->dirty);
    free(t);
}
