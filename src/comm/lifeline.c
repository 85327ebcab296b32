/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/lifeline.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/greeting.h"
#include "src/comm/tcpaddr.h"
#include "src/common/log.h"
#include "src/common/util.h"

#define WAKE 'W'
#define BYE 'B'
#define NOBODY UINT32_MAX
/* Connections that have not said who they are, beyond the number of ranks: more are refused, lest
 * strangers take all of the process's descriptors. */
#define STRANGERS_MAX 64

enum link_state {
    CONNECTING, /* ours, the kernel is at it */
    GREETED,    /* ours, the greeting is sent and not answered */
    STRANGER,   /* theirs, before its greeting */
    UP,
};

struct link {
    uv_tcp_t tcp;
    uv_timer_t limit; /* of all states but UP */
    uv_connect_t connect;
    LIST_ENTRY(link) entry;
    struct lifeline *l;
    enum link_state state;
    unsigned rank; /* the peer, except of a STRANGER */
    int handles;
    int error; /* of a write, which takes from the socket what a read would have told */
    bool closing;
    bool expired; /* the limit has passed, what came before it is still to be read */
    size_t len;   /* of the greeting so far */
    char in[GREETING_MAX];
};

struct peer {
    char *address;
    struct link *in; /* its connection to this rank, up */
    bool gone;       /* lost or forgotten */
};

struct lifeline {
    uv_tcp_t listener;
    uv_timer_t retry;
    const struct lifeline_ops *ops;
    void *arg;
    unsigned rank, port, limit_ms;
    bool ipv6;
    char *secret; /* NULL before lifeline_peers */
    struct peer *peers;
    unsigned size;
    unsigned leader;
    struct link *out; /* to the leader, at most one */
    unsigned attempt; /* which of the leader's addresses is next */
    unsigned strangers;
    LIST_HEAD(, link) links;
    int handles;  /* its own, and one for each link */
    bool waiting; /* a connection came before the secret was known */
    bool told;    /* that this leader cannot be reached */
    bool closing;
};

static void connect_next(struct lifeline *l);

/* --- links */

static void release(struct lifeline *l)
{
    if (--l->handles > 0)
        return;
    for (unsigned i = 0; i < l->size; i++)
        free(l->peers[i].address);
    free(l->peers);
    free(l->secret);
    free(l);
}

static void on_own_closed(uv_handle_t *h)
{
    release(h->data);
}

static void on_link_closed(uv_handle_t *h)
{
    struct link *k = h->data;
    if (--k->handles > 0)
        return;
    release(k->l);
    free(k);
}

static struct link *link_create(struct lifeline *l, enum link_state state, unsigned rank)
{
    struct link *k = xcalloc(1, sizeof(*k));
    k->l = l;
    k->state = state;
    k->rank = rank;
    uv_tcp_init(l->listener.loop, &k->tcp);
    uv_timer_init(l->listener.loop, &k->limit);
    k->tcp.data = k->limit.data = k;
    k->handles = 2;
    uv_tcp_nodelay(&k->tcp, 1);
    LIST_INSERT_HEAD(&l->links, k, entry);
    l->handles++;
    return k;
}

/* Not by uv_try_write: that wants SIGPIPE to be ignored. A full socket takes nothing. */
static void put(struct link *k, const char *data, size_t len)
{
    int fd;
    if (k->error || uv_fileno((uv_handle_t *)&k->tcp, &fd) < 0)
        return;
    ssize_t n;
    do
        n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        k->error = -errno;
}

static void put_byte(struct link *k, char c)
{
    put(k, &c, 1);
}

/* With bytes left unread, close would send a reset, which may overtake the farewell. */
static void drain(struct link *k)
{
    int fd;
    char buf[1024];
    if (uv_fileno((uv_handle_t *)&k->tcp, &fd) < 0)
        return;
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 64 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
        ;
}

/* Say bye, so that it is no loss to the other end, and close.  Nothing is reported here. */
static void link_close(struct link *k)
{
    struct lifeline *l = k->l;
    if (k->closing)
        return;
    k->closing = true;
    if (k->state != CONNECTING) {
        put_byte(k, BYE);
        drain(k);
    }
    if (k->state == STRANGER)
        l->strangers--;
    if (l->out == k)
        l->out = NULL;
    else if (k->state == UP && l->peers[k->rank].in == k)
        l->peers[k->rank].in = NULL;
    LIST_REMOVE(k, entry);
    uv_close((uv_handle_t *)&k->tcp, on_link_closed);
    uv_close((uv_handle_t *)&k->limit, on_link_closed);
}

static void drop_rank(struct lifeline *l, unsigned rank)
{
    if (rank < l->size && l->peers[rank].in)
        link_close(l->peers[rank].in);
    if (l->out && l->out->rank == rank)
        link_close(l->out);
}

static void on_retry(uv_timer_t *t)
{
    connect_next(t->data);
}

/* The connection is of no more use, without a loss: if it was to be that to the leader, there
 * may be another way to it. */
static void link_give_up(struct link *k)
{
    struct lifeline *l = k->l;
    bool out = l->out == k, was_up = k->state == UP;
    link_close(k);
    if (out && was_up) {
        l->attempt = 0;
        uv_timer_start(&l->retry, on_retry, l->limit_ms, 0);
    } else if (out) {
        connect_next(l);
    }
}

/* "rank 3" or "connection from ADDRESS", for the log. */
static const char *link_name(const struct link *k, char *buf, size_t size)
{
    struct sockaddr_storage from;
    int len = sizeof(from);
    char ip[INET6_ADDRSTRLEN] = "unknown";
    if (k->state != STRANGER) {
        snprintf(buf, size, "connection with rank %u", k->rank);
        return buf;
    }
    if (uv_tcp_getpeername(&k->tcp, (struct sockaddr *)&from, &len) == 0) {
        if (from.ss_family == AF_INET6)
            uv_ip6_name((struct sockaddr_in6 *)&from, ip, sizeof(ip));
        else
            uv_ip4_name((struct sockaddr_in *)&from, ip, sizeof(ip));
    }
    snprintf(buf, size, "connection from %s", ip);
    return buf;
}

static void link_refuse(struct link *k, const char *why)
{
    char name[96];
    /* Once for a leader that is tried again and again. */
    if (k != k->l->out || !k->l->told)
        log_debug("lifeline: %s closed: %s", link_name(k, name, sizeof(name)), why);
    link_give_up(k);
}

/* The kernel says that the connection is over. */
static void link_ended(struct link *k, int status)
{
    struct lifeline *l = k->l;
    unsigned rank = k->rank;
    if (k->error)
        status = k->error;
    bool lost = status == UV_EOF || status == UV_ECONNRESET || status == UV_EPIPE;
    if (k->state != UP || !lost) {
        link_refuse(k, uv_strerror(status));
        return;
    }
    log_debug("lifeline: rank %u is gone: %s", rank, uv_strerror(status));
    link_close(k);
    l->peers[rank].gone = true;
    drop_rank(l, rank);
    l->ops->lost(rank, l->arg);
}

static void on_limit(uv_timer_t *t)
{
    struct link *k = t->data;
    /* The loop may have been away for longer than the limit, with the answer in the socket: libuv
     * runs its timers first.  Let it read. */
    if (!k->expired) {
        k->expired = true;
        uv_timer_start(t, on_limit, 1, 0);
        return;
    }
    link_refuse(k, k->state == STRANGER ? "it did not say who it is" : "no answer");
}

/* The caller may have been away from the loop, whose clock stands still then. */
static void start_limit(struct link *k)
{
    k->expired = false;
    uv_update_time(k->limit.loop);
    uv_timer_start(&k->limit, on_limit, k->l->limit_ms, 0);
}

static void link_up(struct link *k)
{
    char name[96];
    k->state = UP;
    uv_timer_stop(&k->limit);
    log_debug("lifeline: %s is up", link_name(k, name, sizeof(name)));
}

/* Bytes of a known peer. */
static void on_bytes(struct link *k, const char *data, size_t len)
{
    struct lifeline *l = k->l;
    const char *bye = memchr(data, BYE, len);
    size_t before = bye ? (size_t)(bye - data) : len;
    for (size_t i = 0; i < before; i++) {
        if (data[i] != WAKE) {
            link_refuse(k, "it does not speak the protocol");
            return;
        }
    }
    if (before > 0 && k->state == GREETED) {
        l->told = false;
        link_up(k);
    }
    if (bye)
        link_refuse(k, k->state == UP ? "it said bye" : "it was not welcome");
    if (before > 0)
        l->ops->wake(l->arg);
}

/* --- who connects to this rank */

/* What is wrong with a greeting, or NULL and who it is. LINE is cut up. */
static const char *greeting_fault(const struct lifeline *l, char *line, size_t len,
                                  unsigned *rank)
{
    unsigned leader;
    const char *fault = greeting_read(line, len, l->secret, rank, &leader);
    if (fault)
        return fault;
    if (*rank >= l->size || *rank == l->rank)
        return "no such rank";
    if (leader != l->rank)
        return "it looks for another rank";
    return l->peers[*rank].gone ? "that rank was lost or given up" : NULL;
}

static void on_greeting(struct link *k)
{
    struct lifeline *l = k->l;
    char *end = memchr(k->in, '\n', k->len);
    if (!end) {
        if (k->len == sizeof(k->in))
            link_refuse(k, "greeting too long");
        return;
    }
    *end = '\0';
    unsigned rank;
    const char *fault = greeting_fault(l, k->in, (size_t)(end - k->in), &rank);
    const char *rest = end + 1;
    size_t rest_len = (size_t)(k->in + k->len - rest);
    /* Who has left already must not take the place of a later connection. */
    if (!fault && memchr(rest, BYE, rest_len))
        fault = "it said bye";
    if (fault) {
        link_refuse(k, fault);
        return;
    }
    if (l->peers[rank].in)
        link_close(l->peers[rank].in);
    l->strangers--;
    k->rank = rank;
    l->peers[rank].in = k;
    link_up(k);
    put_byte(k, WAKE);
    l->ops->wake(l->arg);
}

/* --- libuv's side */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct link *k = h->data;
    size_t used = k->state == STRANGER ? k->len : 0;
    (void)hint;
    *buf = uv_buf_init(k->in + used, (unsigned)(sizeof(k->in) - used));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct link *k = s->data;
    if (n == 0 || k->closing)
        return;
    if (n < 0) {
        link_ended(k, (int)n);
    } else if (k->state == STRANGER) {
        k->len += (size_t)n;
        on_greeting(k);
    } else {
        on_bytes(k, buf->base, (size_t)n);
    }
}

static void accept_one(struct lifeline *l)
{
    struct link *k = link_create(l, STRANGER, NOBODY);
    l->strangers++;
    int status = uv_accept((uv_stream_t *)&l->listener, (uv_stream_t *)&k->tcp);
    if (status < 0) {
        link_close(k);
        return;
    }
    uv_tcp_nodelay(&k->tcp, 1);
    start_limit(k);
    uv_read_start((uv_stream_t *)&k->tcp, on_alloc, on_read);
    if (l->strangers > l->size + STRANGERS_MAX)
        link_refuse(k, "too many others have not said who they are");
}

static void on_connection(uv_stream_t *s, int status)
{
    struct lifeline *l = s->data;
    if (status < 0) {
        log_debug("lifeline: cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    /* libuv accepts no more until this one is taken. */
    if (!l->secret)
        l->waiting = true;
    else
        accept_one(l);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct link *k = req->data;
    struct lifeline *l = k->l;
    if (k->closing)
        return;
    if (status < 0) {
        link_ended(k, status);
        return;
    }
    cleanup_free char *greeting = greeting_write(l->secret, l->rank, k->rank);
    k->state = GREETED;
    start_limit(k);
    put(k, greeting, strlen(greeting)); /* a new socket takes it whole */
    uv_read_start((uv_stream_t *)&k->tcp, on_alloc, on_read);
}

/* --- the way to the leader */

/* Connect to the leader at the next of its addresses, or wait a while after the last. */
static void connect_next(struct lifeline *l)
{
    struct sockaddr_storage to;
    int found;
    if (l->closing || l->out || l->leader >= l->size || l->leader == l->rank ||
        l->peers[l->leader].gone)
        return;
    const char *address = l->peers[l->leader].address;
    while ((found = tcpaddr_nth(address, l->attempt, &to)) >= 0) {
        l->attempt++;
        if (found == 0)
            continue;
        struct link *k = link_create(l, CONNECTING, l->leader);
        k->connect.data = k;
        if (uv_tcp_connect(&k->connect, &k->tcp, (struct sockaddr *)&to, on_connect) ==
            0) {
            start_limit(k);
            l->out = k;
            return;
        }
        link_close(k);
    }
    if (!l->told)
        log_debug("lifeline: no connection with rank %u, which leads, at '%s'", l->leader,
                  address);
    l->told = true;
    if (l->attempt > 0)
        uv_timer_start(&l->retry, on_retry, l->limit_ms, 0);
    l->attempt = 0;
}

/* --- what the caller does */

struct lifeline *lifeline_create(uv_loop_t *loop, unsigned rank,
                                 const struct lifeline_ops *ops, void *arg,
                                 struct error *err)
{
    unsigned port;
    bool ipv6;
    int fd = tcpaddr_listen(&port, &ipv6, err);
    if (fd < 0)
        return NULL;
    struct lifeline *l = xcalloc(1, sizeof(*l));
    l->ipv6 = ipv6;
    l->ops = ops;
    l->arg = arg;
    l->rank = rank;
    l->port = port;
    l->limit_ms = LIFELINE_LIMIT_MS;
    l->leader = NOBODY;
    LIST_INIT(&l->links);
    uv_tcp_init(loop, &l->listener);
    uv_timer_init(loop, &l->retry);
    l->listener.data = l->retry.data = l;
    l->handles = 2;
    int status = uv_tcp_open(&l->listener, fd);
    if (status < 0)
        close(fd);
    else
        status = uv_listen((uv_stream_t *)&l->listener, SOMAXCONN, on_connection);
    if (status == 0)
        return l;
    lifeline_close(l);
    return error_null(err, -status, "cannot listen on TCP port %u: %s", port,
                      uv_strerror(status));
}

void lifeline_close(struct lifeline *l)
{
    if (!l || l->closing)
        return;
    l->closing = true;
    while (!LIST_EMPTY(&l->links))
        link_close(LIST_FIRST(&l->links));
    uv_close((uv_handle_t *)&l->listener, on_own_closed);
    uv_close((uv_handle_t *)&l->retry, on_own_closed);
}

char *lifeline_address(const struct lifeline *l)
{
    return l ? tcpaddr_local(l->port, l->ipv6) : xstrdup("");
}

int lifeline_peers(struct lifeline *l, char *const *addresses, unsigned size,
                   const char *secret, struct error *err)
{
    if (!l || l->closing)
        return 0;
    size_t len = strlen(secret);
    if (len == 0 || len > GREETING_SECRET_MAX)
        return error_set(err, EINVAL,
                         "the lifeline's secret has %zu characters, not 1 to %d", len,
                         GREETING_SECRET_MAX);
    for (size_t i = 0; i < len; i++)
        if (secret[i] <= ' ' || secret[i] > '~')
            return error_set(
                err, EINVAL,
                "character %zu of the lifeline's secret has the code 0x%02x, "
                "not one of a printable character without blanks",
                i + 1, (unsigned char)secret[i]);
    if (l->rank >= size)
        return error_set(err, EINVAL, "rank %u has a lifeline, but there are %u ranks",
                         l->rank, size);

    for (unsigned i = size; i < l->size; i++) {
        drop_rank(l, i);
        free(l->peers[i].address);
    }
    l->peers = xrealloc(l->peers, size * sizeof(*l->peers));
    for (unsigned i = l->size; i < size; i++)
        l->peers[i] = (struct peer){.gone = false};
    l->size = size;
    for (unsigned i = 0; i < size; i++) {
        struct peer *p = &l->peers[i];
        const char *address = addresses[i] ? addresses[i] : "";
        if (p->address && strcmp(p->address, address) == 0)
            continue;
        free(p->address);
        p->address = xstrdup(address);
        p->gone = false;
    }
    char *old = l->secret;
    l->secret = xstrdup(secret);
    free(old);
    if (l->waiting) {
        l->waiting = false;
        accept_one(l);
    }
    if (l->leader != NOBODY && (!l->out || l->out->state != UP)) {
        unsigned leader = l->leader;
        l->leader = NOBODY; /* anew, with what is known now */
        lifeline_follow(l, leader);
    }
    return 0;
}

void lifeline_number(struct lifeline *l, unsigned rank)
{
    if (l)
        l->rank = rank;
}

void lifeline_follow(struct lifeline *l, unsigned leader)
{
    if (!l || l->closing || (l->leader == leader && l->out))
        return;
    if (l->out)
        link_close(l->out);
    uv_timer_stop(&l->retry);
    l->leader = leader;
    l->attempt = 0;
    l->told = false;
    connect_next(l);
}

void lifeline_wake(struct lifeline *l, unsigned rank)
{
    if (!l || rank >= l->size)
        return;
    if (l->peers[rank].in)
        put_byte(l->peers[rank].in, WAKE);
    else if (l->out && l->out->rank == rank && l->out->state == UP)
        put_byte(l->out, WAKE);
}

void lifeline_wake_all(struct lifeline *l)
{
    struct link *k;
    if (!l)
        return;
    LIST_FOREACH(k, &l->links, entry)
    if (k->state == UP)
        put_byte(k, WAKE);
}

void lifeline_forget(struct lifeline *l, unsigned rank)
{
    if (!l || rank >= l->size)
        return;
    l->peers[rank].gone = true;
    drop_rank(l, rank);
    if (rank == l->leader)
        uv_timer_stop(&l->retry);
}

bool lifeline_connected(const struct lifeline *l, unsigned rank)
{
    return l && rank < l->size &&
           (l->peers[rank].in || (l->out && l->out->rank == rank && l->out->state == UP));
}

void lifeline_limit(struct lifeline *l, unsigned ms)
{
    if (l)
        l->limit_ms = ms;
}
