/* SPDX-License-Identifier: BSD-3-Clause */
/* lifelinekit: lifelines of ranks in this process, on one loop; ranks in child processes, to be killed;
 * and sockets of the test's own, for what no rank would send. */
#ifndef HBATCH_TESTS_LIFELINEKIT_H
#define HBATCH_TESTS_LIFELINEKIT_H

#include "src/comm/lifeline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/comm/greeting.h"
#include "src/comm/tcpaddr.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

enum { RANKS = 64, PATIENCE_MS = 20000, SHORT_MS = 100 };
#define SECRET "bm90IGEgc2VjcmV0"

struct net;
struct rank {
    struct net *net;
    struct lifeline *l; /* NULL: in a child, or not there */
    unsigned wakes, losses, last_lost;
    bool close_when_woken;
};

static struct net {
    uv_loop_t loop;
    uv_timer_t pulse; /* the test looks at its own sockets */
    uint64_t deadline;
    unsigned size;
    struct rank ranks[RANKS];
    char *addresses[RANKS];
} net;

static inline void on_wake(void *arg)
{
    struct rank *r = arg;
    r->wakes++;
    if (r->close_when_woken)
        lifeline_close(take(r->l));
}

static inline void on_lost(unsigned rank, void *arg)
{
    struct rank *r = arg;
    r->losses++;
    r->last_lost = rank;
}

static const struct lifeline_ops ops = {.wake = on_wake, .lost = on_lost};

static inline void on_pulse(uv_timer_t *t)
{
    (void)t;
    ck_assert_msg(uv_hrtime() < net.deadline, "what was waited for did not happen");
}

/* Turn the loop until COND. */
#define until(cond)                                                                      \
    do {                                                                                 \
        net.deadline = uv_hrtime() + PATIENCE_MS * 1000000ull;                           \
        while (!(cond))                                                                  \
            uv_run(&net.loop, UV_RUN_ONCE);                                              \
    } while (0)

static inline struct lifeline *start_rank(unsigned rank)
{
    struct error err;
    struct rank *r = &net.ranks[rank];
    *r = (struct rank){.net = &net};
    r->l = lifeline_create(&net.loop, rank, &ops, r, &err);
    ck_assert_msg(r->l != NULL, "%s", err.text);
    free(net.addresses[rank]);
    net.addresses[rank] = lifeline_address(r->l);
    return r->l;
}

static inline void tell_peers(void)
{
    struct error err;
    for (unsigned i = 0; i < net.size; i++)
        ck_assert_int_eq(
            lifeline_peers(net.ranks[i].l, net.addresses, net.size, SECRET, &err), 0);
}

static inline void net_loop(unsigned size)
{
    memset(&net, 0, sizeof(net));
    net.size = size;
    net.deadline = UINT64_MAX;
    uv_loop_init(&net.loop);
    uv_timer_init(&net.loop, &net.pulse);
    uv_timer_start(&net.pulse, on_pulse, 2, 2);
}

/* SIZE ranks that know each other. */
static inline void net_init(unsigned size)
{
    net_loop(size);
    for (unsigned i = 0; i < size; i++)
        start_rank(i);
    tell_peers();
}

static inline void net_fini(void)
{
    for (unsigned i = 0; i < net.size; i++) {
        lifeline_close(net.ranks[i].l);
        free(net.addresses[i]);
    }
    uv_close((uv_handle_t *)&net.pulse, NULL);
    uv_run(&net.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&net.loop), 0);
}

static inline bool connected(unsigned a, unsigned b)
{
    return lifeline_connected(net.ranks[a].l, b);
}

/* Both ends say so. */
static inline bool linked(unsigned a, unsigned b)
{
    return connected(a, b) && connected(b, a);
}

static inline bool all_linked(unsigned leader)
{
    for (unsigned i = 0; i < net.size; i++)
        if (i != leader && net.ranks[i].l && !linked(i, leader))
            return false;
    return true;
}

static inline void follow_all(unsigned leader)
{
    for (unsigned i = 0; i < net.size; i++)
        lifeline_follow(net.ranks[i].l, leader);
    until(all_linked(leader));
}

static inline unsigned losses(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < net.size; i++)
        n += net.ranks[i].losses;
    return n;
}

static inline void forget_wakes(void)
{
    for (unsigned i = 0; i < net.size; i++)
        net.ranks[i].wakes = 0;
}

/* --- the test's own sockets */

static inline struct sockaddr_in loopback(const char *address)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)atoi(address))};
}

static inline int raw_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline void raw_connect(int fd, unsigned rank)
{
    struct sockaddr_in to = loopback(net.addresses[rank]);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static inline void raw_send_bytes(int fd, const char *text, size_t len)
{
    send(fd, text, len, MSG_NOSIGNAL); /* the rank may have closed already */
}

static inline void raw_send(int fd, const char *text)
{
    raw_send_bytes(fd, text, strlen(text));
}

/* The rank's own descriptor of the connection. */
static inline int other_end(int fd)
{
    struct sockaddr_in me;
    struct sockaddr_in6 peer;
    socklen_t len = sizeof(me);
    getsockname(fd, (struct sockaddr *)&me, &len);
    for (int i = 3; i < 256; i++) {
        len = sizeof(peer);
        if (getpeername(i, (struct sockaddr *)&peer, &len) == 0 &&
            (peer.sin6_family == AF_INET || peer.sin6_family == AF_INET6) &&
            peer.sin6_port == me.sin_port)
            return i;
    }
    ck_abort_msg("the rank has no such connection");
    return -1;
}

/* Has the rank closed the connection?  What it had sent is put into GOT. */
static inline bool raw_closed(int fd, char *got, size_t size)
{
    size_t len = strlen(got);
    ssize_t n = recv(fd, got + len, size - 1 - len, MSG_DONTWAIT);
    if (n > 0)
        got[len + (size_t)n] = '\0';
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static inline bool raw_got(int fd, const char *want)
{
    char buf[64];
    size_t len = strlen(want);
    ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
    return n == (ssize_t)len && memcmp(buf, want, len) == 0;
}

/* A port of the test's own, as if it were rank RANK's. */
static inline int raw_listen(unsigned rank, const char *addresses)
{
    struct error err;
    unsigned port;
    bool ipv6;
    int fd = tcpaddr_listen(&port, &ipv6, &err);
    ck_assert_int_ge(fd, 0);
    free(net.addresses[rank]);
    net.addresses[rank] = xasprintf("%u %s", port, addresses);
    return fd;
}

static inline bool raw_accept(int listener, int *fd)
{
    *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return *fd >= 0;
}

/* --- what was logged */

static char logged[16384];

static inline void on_log(enum log_level level, const char *text, void *arg)
{
    size_t len = strlen(logged);
    (void)arg;
    if (level == LOG_L_DEBUG)
        snprintf(logged + len, sizeof(logged) - len, "%s\n", text);
}

static inline void log_start(void)
{
    logged[0] = '\0';
    log_init("t_lifeline", LOG_L_DEBUG);
    log_hook(on_log, NULL, LOG_L_ERROR);
}

static inline void log_stop(void)
{
    log_hook(NULL, NULL, LOG_L_ERROR);
    log_init("t_lifeline", LOG_L_WARNING);
}

/* --- ranks in children */

struct child {
    pid_t pid;
    int to, from; /* pipes: addresses to it, its own from it */
};

static inline void read_text(int fd, char *text, size_t size)
{
    size_t len = 0;
    while (len < size - 1 && read(fd, text + len, 1) == 1 && text[len] != '\n')
        len++;
    text[len] = '\0';
}

static inline void write_text(int fd, const char *text)
{
    cleanup_free char *line = xasprintf("%s\n", text);
    ck_assert_int_eq(write_all(fd, line, strlen(line)), 0);
}

/* A child's rank answers a wake-up with one. */
static inline void on_wake_back(void *arg)
{
    struct rank *r = arg;
    lifeline_wake_all(r->l);
}

static inline void run_child(unsigned rank, unsigned size, unsigned leader, int in,
                             int out)
{
    static const struct lifeline_ops child_ops = {.wake = on_wake_back, .lost = on_lost};
    struct rank *r = &net.ranks[rank];
    char text[256];
    struct error err;
    uv_loop_t loop;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    uv_loop_init(&loop);
    r->l = lifeline_create(&loop, rank, &child_ops, r, &err);
    cleanup_free char *address = lifeline_address(r->l);
    write_text(out, address);
    for (unsigned i = 0; i < size; i++) {
        read_text(in, text, sizeof(text));
        net.addresses[i] = xstrdup(text);
    }
    if (lifeline_peers(r->l, net.addresses, size, SECRET, &err) < 0)
        _exit(1);
    lifeline_follow(r->l, leader);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(2);
}

/* Fork rank RANK before there is anything that it would inherit. */
static inline struct child fork_rank(unsigned rank, unsigned size, unsigned leader)
{
    int to[2], from[2];
    ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        run_child(rank, size, leader, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    return (struct child){.pid = pid, .to = to[1], .from = from[0]};
}

static inline void child_address(const struct child *c, unsigned rank)
{
    char text[256];
    read_text(c->from, text, sizeof(text));
    ck_assert_int_ne(text[0], '\0');
    net.addresses[rank] = xstrdup(text);
}

static inline void child_peers(const struct child *c)
{
    for (unsigned i = 0; i < net.size; i++)
        write_text(c->to, net.addresses[i]);
}

static inline void child_kill(const struct child *c)
{
    kill(c->pid, SIGKILL);
    ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
    close(c->to);
    close(c->from);
}

#endif
