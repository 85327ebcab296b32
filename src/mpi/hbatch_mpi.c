/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection over an intercommunicator: PROTOCOL, section 7; the other side is src/instance/spawner.c. */
#include "src/mpi/hbatch_mpi.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "src/mpi/asker.h"

enum {
    LEADER = 0,            /* the process of the remote group that all is sent to */
    SENDING_MAX = 4 << 20, /* bytes on their way */
    FD_MS = 5
};

/* The first byte of a message. */
enum { LINES = 'L', PING = 'P', GONE = 'G', END = 'X', LET_GO = 'D', OVER = 'E' };

#define SPIN_S 0.0005  /* without sleeping, after something came or was sent */
#define SLEEP_MIN 2e-5 /* s */
#define SLEEP_MAX 0.005
#define SILENCE_S 1.0   /* then it is asked whether it is there */
#define JOB_S 30.0      /* for the instance's job to end after it */
#define PATIENCE_S 15.0 /* without an answer it is lost */

struct sending {
    struct sending *next;
    MPI_Request request;
    size_t len;
    char data[];
};

/* One for each intercommunicator that was used, until it is freed. */
struct over {
    struct over *next;
    MPI_Comm comm;
    bool open; /* there is a connection */
    bool ended, lost;
    char why[256]; /* one of these */
    struct sending *sending;
    size_t unsent; /* bytes of them */
    char *data;    /* the rest of what came last, without its letter */
    size_t len, done;
    double busy, heard,
        asked; /* when something came or was sent; something came; a ping was sent, 0: none is open */
    double next_ask;     /* of the parent instance */
    int fd;              /* a timer for event loops, or -1 */
    struct asker *asker; /* NULL: it is not known which job the instance is */
};

static struct over *all;

static int finish(MPI_Comm *comm, char letter, const char *reason, bool wait,
                  struct hbatch_error *err);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "libhbatch-mpi: out of memory\n");
        abort();
    }
    return p;
}

static int fail(struct hbatch_error *err, int code, const char *text)
{
    if (err) {
        err->code = code;
        snprintf(err->text, sizeof(err->text), "%s", text);
    }
    return -1;
}

/* --- messages -------------------------------------------------------------------------------- */

static void complete(struct over *o)
{
    for (struct sending **p = &o->sending, *s; (s = *p);) {
        int done = 0;
        MPI_Test(&s->request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            p = &s->next;
            continue;
        }
        o->unsent -= s->len;
        *p = s->next;
        free(s);
    }
}

static void post(struct over *o, char letter, const void *data, size_t len)
{
    struct sending *s = need(malloc(sizeof(*s) + len + 1));
    s->len = len + 1;
    s->data[0] = letter;
    if (len > 0)
        memcpy(s->data + 1, data, len);
    s->next = o->sending;
    o->sending = s;
    o->unsent += s->len;
    o->busy = now();
    MPI_Isend(s->data, (int)s->len, MPI_BYTE, LEADER, HBATCH_MPI_TAG, o->comm,
              &s->request);
}

static void give_up(struct over *o, const char *why)
{
    o->lost = true;
    snprintf(o->why, sizeof(o->why), "%s", why);
}

/* Take a message, if one is there.  What is left of the last one must have been read. */
static bool receive(struct over *o)
{
    int flag = 0, len;
    MPI_Message message;
    MPI_Status status;
    if (o->ended || o->lost)
        return false;
    complete(o);
    MPI_Improbe(LEADER, HBATCH_MPI_TAG, o->comm, &flag, &message, &status);
    if (!flag)
        return false;
    MPI_Get_count(&status, MPI_BYTE, &len);
    char *data = need(malloc((size_t)len + 1));
    MPI_Mrecv(data, len, MPI_BYTE, &message, &status);
    data[len] = '\0';
    o->busy = o->heard = now();
    o->asked = 0;
    if (len > 1 && data[0] == LINES) {
        free(o->data);
        o->data = data;
        o->len = (size_t)len;
        o->done = 1;
        return true;
    }
    if (data[0] == OVER) {
        o->ended = true;
        snprintf(o->why, sizeof(o->why), "%s",
                 len > 1 ? data + 1 : "the instance has ended");
    }
    free(data);
    return true;
}

/* Nothing came for a while: is it still there? */
static void doubt(struct over *o)
{
    double t = now();
    char why[sizeof(o->why)];
    if (o->ended || o->lost || t - o->heard < SILENCE_S)
        return;
    if (o->asked <= 0) {
        post(o, PING, NULL, 0);
        o->asked = t;
        o->next_ask = t + SILENCE_S / 4;
        return;
    }
    if (t > o->next_ask) {
        o->next_ask = t + SILENCE_S;
        if (o->asker && asker_is_over(o->asker, why, sizeof(why)) && !receive(o)) {
            give_up(o, why);
            return;
        }
    }
    if (t - o->asked > PATIENCE_S)
        give_up(o, "the instance does not answer");
}

/* --- the carrier ----------------------------------------------------------------------------- */

static long on_send(void *arg, const void *data, size_t len)
{
    struct over *o = arg;
    complete(o);
    if (o->ended || o->lost || o->comm == MPI_COMM_NULL) {
        errno = EPIPE;
        return -1;
    }
    if (len > INT_MAX - 1) {
        errno = EMSGSIZE;
        return -1;
    }
    if (o->unsent > SENDING_MAX) {
        errno = EAGAIN;
        return -1;
    }
    if (o->sending == NULL && now() - o->heard > SILENCE_S)
        o->heard = now(); /* it had nothing to say */
    post(o, LINES, data, len);
    return (long)len;
}

static long on_recv(void *arg, void *data, size_t size)
{
    struct over *o = arg;
    while (o->done == o->len && receive(o))
        ;
    size_t n = o->len - o->done;
    if (n > size)
        n = size;
    if (n > 0) {
        memcpy(data, o->data + o->done, n);
        o->done += n;
        return (long)n;
    }
    if (o->ended)
        return 0;
    errno = o->lost ? ECONNRESET : EAGAIN;
    return -1;
}

static bool ready(struct over *o, int room)
{
    if (o->done < o->len || receive(o) || o->ended || o->lost)
        return true;
    return room && o->unsent <= SENDING_MAX;
}

static int on_wait(void *arg, int room, int timeout_ms)
{
    struct over *o = arg;
    double start = now(), nap = SLEEP_MIN;
    for (;;) {
        if (ready(o, room))
            return 1;
        double t = now();
        if (timeout_ms >= 0 && t - start >= timeout_ms / 1e3)
            return 0;
        doubt(o);
        if (t - o->busy < SPIN_S) {
            sched_yield(); /* the instance may need this core to answer */
            continue;
        }
        struct timespec pause = {.tv_nsec = (long)(nap * 1e9)};
        if (nanosleep(&pause, NULL) < 0)
            return 0;
        nap = nap * 1.5 < SLEEP_MAX ? nap * 1.5 : SLEEP_MAX;
    }
}

/* MPI has no descriptor: it is time to look every few milliseconds. */
static int on_fd(void *arg)
{
    struct over *o = arg;
    struct itimerspec tick = {.it_value = {.tv_nsec = FD_MS * 1000000},
                              .it_interval = {.tv_nsec = FD_MS * 1000000}};
    if (o->fd < 0) {
        o->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        timerfd_settime(o->fd, 0, &tick, NULL);
    }
    return o->fd;
}

static const char *on_why(void *arg)
{
    struct over *o = arg;
    return o->why;
}

static void on_close(void *arg)
{
    struct over *o = arg;
    o->open = false;
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
    if (o->comm == MPI_COMM_NULL) { /* it was waiting for this */
        free(o->data);
        free(o);
    } else if (!o->ended && !o->lost)
        post(o, GONE, NULL, 0);
}

static const struct hbatch_carrier carrier = {.send = on_send,
                                              .recv = on_recv,
                                              .wait = on_wait,
                                              .fd = on_fd,
                                              .why = on_why,
                                              .close = on_close};

/* --- intercommunicators ------------------------------------------------------------------------ */

/* MPI_Finalize deletes the attributes of MPI_COMM_SELF first of all. */
static int on_finalize(MPI_Comm self, int keyval, void *value, void *extra)
{
    (void)self, (void)keyval, (void)value, (void)extra;
    while (all) {
        MPI_Comm comm = all->comm;
        finish(&comm, END, "the program that spawned the instance has ended", false,
               NULL);
    }
    return MPI_SUCCESS;
}

static void await_finalize(void)
{
    static bool done;
    int keyval;
    if (done)
        return;
    done = true;
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, on_finalize, &keyval, NULL);
    MPI_Comm_set_attr(MPI_COMM_SELF, keyval, NULL);
    MPI_Comm_free_keyval(&keyval);
}

static struct over *find(MPI_Comm comm)
{
    struct over *o = all;
    while (o && o->comm != comm)
        o = o->next;
    return o;
}

static struct over *get(MPI_Comm comm)
{
    struct over *o = find(comm);
    if (o)
        return o;
    o = need(calloc(1, sizeof(*o)));
    o->comm = comm;
    o->fd = -1;
    o->heard = o->busy = now();
    o->next = all;
    all = o;
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    return o;
}

static int check(MPI_Comm comm, struct hbatch_error *err)
{
    int initialized = 0, finalized = 0, inter = 0;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    if (!initialized || finalized)
        return fail(err, EINVAL, "MPI is not initialized, or finalized");
    if (comm != MPI_COMM_NULL)
        MPI_Comm_test_inter(comm, &inter);
    if (!inter)
        return fail(err, EINVAL,
                    "this is no intercommunicator: give what MPI_Comm_spawn returned");
    return 0;
}

struct hbatch *hbatch_mpi_open(MPI_Comm intercomm, struct hbatch_error *err)
{
    if (check(intercomm, err) < 0)
        return NULL;
    struct over *o = get(intercomm);
    if (o->open) {
        fail(err, EBUSY,
             "this process has a connection over this intercommunicator already");
        return NULL;
    }
    await_finalize();
    o->open = true;
    o->len = o->done = 0;
    struct hbatch *h =
        hbatch_open_carrier(&carrier, o, "the other end of the intercommunicator");
    char *info = hbatch_instance(h, err);
    if (!info) {
        hbatch_close(h);
        return NULL;
    }
    if (!o->asker)
        o->asker = asker_create(info);
    free(info);
    return h;
}

/* Wait until the other side has said that nothing more comes; what comes meanwhile is for nobody. */
static void await_end(struct over *o)
{
    while (!o->ended && !o->lost) {
        o->len = o->done = 0;
        on_wait(o, 0, -1);
    }
}

/* Its processes may need this one for their MPI_Finalize. */
static void let_mpi_work(void)
{
    int flag;
    MPI_Iprobe(MPI_ANY_SOURCE, HBATCH_MPI_TAG, MPI_COMM_SELF, &flag, MPI_STATUS_IGNORE);
}

/* The instance has said that it has ended; its job ends after that. */
static int await_job(struct over *o, struct hbatch_error *err)
{
    if (!o->asker || asker_await(o->asker, JOB_S, let_mpi_work))
        return 0;
    return fail(err, ETIMEDOUT,
                "the instance has ended, but the job that it was has not");
}

static int finish(MPI_Comm *comm, char letter, const char *reason, bool wait,
                  struct hbatch_error *err)
{
    if (check(*comm, err) < 0)
        return -1;
    struct over *o = get(*comm), **p = &all;
    int rc = 0;
    o->len = o->done = 0;
    while (receive(o)) /* it may have ended long ago */
        o->len = o->done = 0;
    if (!o->ended && !o->lost) {
        o->heard = now();
        post(o, letter, reason, reason ? strlen(reason) : 0);
        await_end(o);
    }
    complete(o);
    if (o->lost)
        rc = fail(err, ECONNRESET, o->why);
    while (*p != o)
        p = &(*p)->next;
    *p = o->next;
    /* What a dead process has not taken belongs to MPI for ever. */
    MPI_Comm_free(comm);
    if (wait && !o->lost)
        rc = await_job(o, err);
    asker_destroy(o->asker);
    o->asker = NULL;
    o->comm = MPI_COMM_NULL;
    if (o->open)
        return rc; /* freed with the connection */
    free(o->data);
    free(o);
    return rc;
}

int hbatch_mpi_close(MPI_Comm *intercomm, const char *reason, struct hbatch_error *err)
{
    return finish(intercomm, END, reason, true, err);
}

int hbatch_mpi_leave(MPI_Comm *intercomm, struct hbatch_error *err)
{
    return finish(intercomm, LET_GO, NULL, false, err);
}
