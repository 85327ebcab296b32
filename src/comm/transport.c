/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/transport_impl.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
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

/* Where others want the core, which shows in how long it takes to get it back, nobody gains by turning without sleep:
 * so long, after it was seen, the tick is CROWDED_MS at the least. */
#define CROWDED_YIELD 0.0001 /* s */
#define CROWDED_S 1.0
enum { CROWDED_MS = 2 };

/* Seconds that the last messages may take: a rank that died just now takes none. */
enum { LEAVE_S = 5 };

/* --- MPI_Init ------------------------------------------------------------------------------ */

struct told {
    char *names[24];
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

/* Nothing but TCP and shared memory is there to choose from. */
static const char *const no_fabric[] = {"OMPI_MCA_mtl=^psm2,psm,ofi", "OMPI_MCA_pml=ob1"};

/* What no rank ever needs: each is a library to load, relocate and unload.  Lists of what not to take
 * go in place of the library's own ones, so what is in those (ucx) is named, too. */
static const char *const unused[] = {
    "OMPI_MCA_coll=^adapt,han,monitoring,sm,sync,ucx,hcoll",
    "OMPI_MCA_osc=^rdma,monitoring,pt2pt,ucx,portals4",
    "OMPI_MCA_vprotocol=^pessimist",
    "OMPI_MCA_op=^avx",
    "OMPI_MCA_mpool=^hugepage",
};

/* What a process needs that is a launcher or a server itself, or has none. */
static const char *const launched[] = {
    "OMPI_MCA_state=^orted,hnp,tool,novm",
    "OMPI_MCA_errmgr=^default_tool,default_orted,default_hnp",
    "OMPI_MCA_schizo=^slurm,jsm,flux",
    "OMPI_MCA_pmix=^isolated,flux",
    "OMPI_MCA_shmem=^sysv,posix", /* mmap comes before these */
};

/* Most of MPI_Init on a node without GPUs and fabric is looking for them: of the 526 ms that an
 * instance of four virtual nodes took to start and end on two cores, 191 are left.  Only
 * MPI_Init is told, not what is started later. */
static int init(const struct mpi_plugin *mpi, char *text, size_t size)
{
    struct told told = {.n = 0};
    struct hwenv hw = {0};
    hwenv_add(&hw, tell, &told);
    for (size_t i = 0; !hw.fabric && i < ARRAY_SIZE(no_fabric); i++)
        tell(&told, xstrdup(no_fabric[i]));
    for (size_t i = 0; i < ARRAY_SIZE(unused); i++)
        tell(&told, xstrdup(unused[i]));
    bool is_launched = getenv("OMPI_MCA_orte_local_daemon_uri");
    for (size_t i = 0; is_launched && i < ARRAY_SIZE(launched); i++)
        tell(&told, xstrdup(launched[i]));
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
    /* Open MPI loads components that want its symbols to be global.  Most of them are never called:
     * binding all at once takes as long as loading them. */
    void *handle = dlopen(path, RTLD_LAZY | RTLD_GLOBAL);
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
    t->full_end = &t->full;
    return t;
}

unsigned transport_leader(const struct transport *t)
{
    return t->leader;
}

/* The first living rank after AFTER, or size. */
unsigned transport_next_living(const struct transport *t, unsigned after)
{
    do
        after++;
    while (after < t->size && t->lost[after]);
    return after;
}

unsigned transport_second(const struct transport *t)
{
    return transport_next_living(t, t->leader);
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

void transport_set_pace(struct transport *t, unsigned ms)
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
char *transport_next_line(char **p, const char *end, size_t *len)
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
    for (char *line; (line = transport_next_line(&data, end, &n));)
        t->recv(rank, line, n, t->arg);
}

static void on_usage(const double *all, void *arg)
{
    struct transport *t = arg;
    if (!t->started)
        return;
    t->usage(all, t->arg);
}

static const struct mpi_events events = {
    .recv = on_message, .epoch = epochs_came, .usage = on_usage, .spawner = spawner_said};

static void test(struct transport *t)
{
    double now = time_mono();
    t->mpi->progress(&events, t);
    if (t->mpi->pending() > 0)
        t->last = now;
    now = MAX(now, t->last);
    if (!t->started)
        return;
    turn_look(t);
    epochs_next(t, false);
    size_t i = 0;
    while (now - t->last > pace[i].since)
        i++;
    /* A long epoch moves on by some fragments with each test, of all ranks. */
    bool crowded = now - t->crowded < CROWDED_S;
    unsigned least = t->streaming && t->mpi->stream_busy() > 1 ? 1 : CROWDED_MS;
    transport_set_pace(t, crowded ? MAX(pace[i].ms, least) : pace[i].ms);
}

static void on_turn(uv_idle_t *h)
{
    struct transport *t = h->data;
    test(t);
    if (t->ms > 0)
        return;
    double before = time_mono();
    sched_yield(); /* the peer may need this core to answer */
    double now = time_mono();
    if (now - before > CROWDED_YIELD)
        t->crowded = now;
}

static void on_tick(uv_timer_t *h)
{
    test(h->data);
}

/* The others may sleep by now: also when this rank does not, as it was woken itself. */
void transport_wake_others(struct transport *t)
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
    epochs_next(t, false);
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
    transport_wake_others(t);
    if (t->started)
        transport_set_pace(t, 0);
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
    transport_set_pace(t, 0);
}

void transport_append(struct batch *b, const char *text, size_t len)
{
    if (b->len + len + 1 > b->size) {
        b->size = MAX(b->size * 2, b->len + len + 1);
        b->data = xrealloc(b->data, b->size);
    }
    memcpy(b->data + b->len, text, len);
    b->len += len;
}

void transport_flush_soon(struct transport *t)
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
    transport_append(b, text, len);
    b->data[b->len++] = '\n'; /* append leaves room for it */
    transport_flush_soon(t);
}

void transport_flush(struct transport *t)
{
    flush(t);
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

void transport_reduce(struct transport *t, const double *mine,
                      void (*result)(const double *all, void *arg))
{
    t->usage = result;
    t->mpi->usage_start(mine);
}

bool transport_reducing(const struct transport *t)
{
    /* one that began after the line of a turn would have its own line after the turn only */
    return t->turn.due || t->mpi->usage_busy();
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

#ifdef __SANITIZE_ADDRESS__
#define LEAKS_ARE_SOUGHT true
#else
#define LEAKS_ARE_SOUGHT false
#endif

void transport_destroy(struct transport *t, int status, bool brief)
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
            last_sent = !t->full;
            epochs_next(t, last_sent);
        }
        sched_yield();
    }
    if (!t->broken)
        t->mpi->barrier(LEAVE_S);
    t->mpi->finalize(status, brief && !LEAKS_ARE_SOUGHT);
    t->resend = NULL;
    transport_release(t, UINT64_MAX);
    free(t->lost);
    free(t->mpi_of);
    free(t->ids);
    free(t->confirmed);
    epochs_drop(t);
    free(t->batches);
    free(t->dirty);
    free(t);
}
