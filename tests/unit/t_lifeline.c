/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranks in this process, on one loop; ranks in child processes, to be killed; and sockets of the
 * test's own, for what no rank would send. */
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

static void on_wake(void *arg)
{
    struct rank *r = arg;
    r->wakes++;
    if (r->close_when_woken)
        lifeline_close(take(r->l));
}

static void on_lost(unsigned rank, void *arg)
{
    struct rank *r = arg;
    r->losses++;
    r->last_lost = rank;
}

static const struct lifeline_ops ops = {.wake = on_wake, .lost = on_lost};

static void on_pulse(uv_timer_t *t)
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

static struct lifeline *start_rank(unsigned rank)
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

static void tell_peers(void)
{
    struct error err;
    for (unsigned i = 0; i < net.size; i++)
        ck_assert_int_eq(
            lifeline_peers(net.ranks[i].l, net.addresses, net.size, SECRET, &err), 0);
}

static void net_loop(unsigned size)
{
    memset(&net, 0, sizeof(net));
    net.size = size;
    net.deadline = UINT64_MAX;
    uv_loop_init(&net.loop);
    uv_timer_init(&net.loop, &net.pulse);
    uv_timer_start(&net.pulse, on_pulse, 2, 2);
}

/* SIZE ranks that know each other. */
static void net_init(unsigned size)
{
    net_loop(size);
    for (unsigned i = 0; i < size; i++)
        start_rank(i);
    tell_peers();
}

static void net_fini(void)
{
    for (unsigned i = 0; i < net.size; i++) {
        lifeline_close(net.ranks[i].l);
        free(net.addresses[i]);
    }
    uv_close((uv_handle_t *)&net.pulse, NULL);
    uv_run(&net.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&net.loop), 0);
}

static bool connected(unsigned a, unsigned b)
{
    return lifeline_connected(net.ranks[a].l, b);
}

/* Both ends say so. */
static bool linked(unsigned a, unsigned b)
{
    return connected(a, b) && connected(b, a);
}

static bool all_linked(unsigned leader)
{
    for (unsigned i = 0; i < net.size; i++)
        if (i != leader && net.ranks[i].l && !linked(i, leader))
            return false;
    return true;
}

static void follow_all(unsigned leader)
{
    for (unsigned i = 0; i < net.size; i++)
        lifeline_follow(net.ranks[i].l, leader);
    until(all_linked(leader));
}

static unsigned losses(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < net.size; i++)
        n += net.ranks[i].losses;
    return n;
}

static void forget_wakes(void)
{
    for (unsigned i = 0; i < net.size; i++)
        net.ranks[i].wakes = 0;
}

/* --- the test's own sockets */

static struct sockaddr_in loopback(const char *address)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)atoi(address))};
}

static int raw_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void raw_connect(int fd, unsigned rank)
{
    struct sockaddr_in to = loopback(net.addresses[rank]);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void raw_send_bytes(int fd, const char *text, size_t len)
{
    send(fd, text, len, MSG_NOSIGNAL); /* the rank may have closed already */
}

static void raw_send(int fd, const char *text)
{
    raw_send_bytes(fd, text, strlen(text));
}

/* The rank's own descriptor of the connection. */
static int other_end(int fd)
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
static bool raw_closed(int fd, char *got, size_t size)
{
    size_t len = strlen(got);
    ssize_t n = recv(fd, got + len, size - 1 - len, MSG_DONTWAIT);
    if (n > 0)
        got[len + (size_t)n] = '\0';
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool raw_got(int fd, const char *want)
{
    char buf[64];
    size_t len = strlen(want);
    ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
    return n == (ssize_t)len && memcmp(buf, want, len) == 0;
}

/* A port of the test's own, as if it were rank RANK's. */
static int raw_listen(unsigned rank, const char *addresses)
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

static bool raw_accept(int listener, int *fd)
{
    *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return *fd >= 0;
}

/* --- what was logged */

static char logged[16384];

static void on_log(enum log_level level, const char *text, void *arg)
{
    size_t len = strlen(logged);
    (void)arg;
    if (level == LOG_L_DEBUG)
        snprintf(logged + len, sizeof(logged) - len, "%s\n", text);
}

static void log_start(void)
{
    logged[0] = '\0';
    log_init("t_lifeline", LOG_L_DEBUG);
    log_hook(on_log, NULL);
}

static void log_stop(void)
{
    log_hook(NULL, NULL);
    log_init("t_lifeline", LOG_L_WARNING);
}

/* --- ranks in children */

struct child {
    pid_t pid;
    int to, from; /* pipes: addresses to it, its own from it */
};

static void read_text(int fd, char *text, size_t size)
{
    size_t len = 0;
    while (len < size - 1 && read(fd, text + len, 1) == 1 && text[len] != '\n')
        len++;
    text[len] = '\0';
}

static void write_text(int fd, const char *text)
{
    cleanup_free char *line = xasprintf("%s\n", text);
    ck_assert_int_eq(write_all(fd, line, strlen(line)), 0);
}

/* A child's rank answers a wake-up with one. */
static void on_wake_back(void *arg)
{
    struct rank *r = arg;
    lifeline_wake_all(r->l);
}

static void run_child(unsigned rank, unsigned size, unsigned leader, int in, int out)
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
static struct child fork_rank(unsigned rank, unsigned size, unsigned leader)
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

static void child_address(const struct child *c, unsigned rank)
{
    char text[256];
    read_text(c->from, text, sizeof(text));
    ck_assert_int_ne(text[0], '\0');
    net.addresses[rank] = xstrdup(text);
}

static void child_peers(const struct child *c)
{
    for (unsigned i = 0; i < net.size; i++)
        write_text(c->to, net.addresses[i]);
}

static void child_kill(const struct child *c)
{
    kill(c->pid, SIGKILL);
    ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
    close(c->to);
    close(c->from);
}

/* --- tests */

START_TEST(wakes)
{
    net_init(3);
    follow_all(0);
    ck_assert(!connected(1, 2));
    ck_assert(!connected(0, 0));
    until(net.ranks[0].wakes > 0 && net.ranks[1].wakes > 0 && net.ranks[2].wakes > 0);

    forget_wakes();
    lifeline_wake(net.ranks[0].l, 2);
    until(net.ranks[2].wakes == 1);
    ck_assert_uint_eq(net.ranks[1].wakes, 0);
    lifeline_wake(net.ranks[1].l, 0);
    until(net.ranks[0].wakes == 1);
    lifeline_wake_all(net.ranks[0].l);
    until(net.ranks[1].wakes == 1 && net.ranks[2].wakes == 2);

    /* Nobody there: nothing happens. */
    lifeline_wake(net.ranks[1].l, 2);
    lifeline_wake(net.ranks[1].l, 1);
    lifeline_wake(net.ranks[1].l, 77);

    /* Many at once are one call. */
    forget_wakes();
    for (int i = 0; i < 100; i++)
        lifeline_wake(net.ranks[0].l, 1);
    lifeline_wake(net.ranks[0].l, 2);
    until(net.ranks[2].wakes == 1 && net.ranks[1].wakes > 0);
    ck_assert_uint_eq(net.ranks[1].wakes, 1);
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

/* A peer that does not read: wake-ups beyond what the kernel takes are dropped, not waited for. */
START_TEST(full_socket)
{
    enum { MANY = 300000 };
    const int small = 2048;
    static char bytes[65536];
    ssize_t n, got = 0;
    net_init(2);
    int fd = raw_socket();
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    raw_connect(fd, 0);
    raw_send(fd, "hbatch-lifeline " SECRET " 1 0\n");
    until(connected(0, 1));
    setsockopt(other_end(fd), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (int i = 0; i < MANY; i++)
        lifeline_wake(net.ranks[0].l, 1);
    ck_assert(connected(0, 1));
    until((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0);
    for (; n > 0; n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT))
        got += n;
    ck_assert_int_lt(got, MANY);
    ck_assert_uint_eq(losses(), 0);
    close(fd);
    net_fini();
}
END_TEST

/* TCP loses its patience: that is silence, not a loss, also where a wake-up was the first to be
 * told, and the next read finds no more than an end of file. */
START_TEST(timed_out)
{
    for (int told_writer = 0; told_writer <= 1; told_writer++) {
        const int small = 2048, ms = 20;
        net_init(2);
        int fd = raw_socket();
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        raw_connect(fd, 0);
        raw_send(fd, "hbatch-lifeline " SECRET " 1 0\n");
        until(connected(0, 1));
        int end = other_end(fd);
        ck_assert_int_eq(setsockopt(end, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)),
                         0);
        for (int i = 0; i < 100000; i++) /* more than the other end takes */
            lifeline_wake(net.ranks[0].l, 1);
        if (told_writer) {
            struct pollfd p = {.fd = end};
            ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
            ck_assert_int_ne(p.revents & POLLERR, 0);
            lifeline_wake(net.ranks[0].l, 1);
        }
        log_start();
        until(!connected(0, 1));
        log_stop();
        ck_assert_msg(strstr(logged, "timed out"), "'%s'", logged);
        ck_assert_uint_eq(losses(), 0);
        close(fd);
        net_fini();
    }
}
END_TEST

/* The connection waits in the kernel until the other end knows the secret. */
START_TEST(early)
{
    struct error err;
    net_loop(3);
    start_rank(0);
    start_rank(1);
    lifeline_follow(net.ranks[1].l, 0); /* remembered */
    ck_assert_int_eq(lifeline_peers(net.ranks[1].l, net.addresses, 3, SECRET, &err), 0);
    int fd = raw_socket();
    raw_connect(fd, 0);
    raw_send(fd, "hbatch-lifeline " SECRET " 2 0\n");
    for (int i = 0; i < 10; i++)
        uv_run(&net.loop, UV_RUN_ONCE);
    ck_assert(!connected(0, 1));
    ck_assert(!connected(1, 0));
    ck_assert_int_eq(lifeline_peers(net.ranks[0].l, net.addresses, 3, SECRET, &err), 0);
    lifeline_follow(net.ranks[0].l, 0);
    until(linked(1, 0) && connected(0, 2));
    ck_assert_uint_eq(losses(), 0);
    net_fini();
    close(fd);
}
END_TEST

/* Who leaves in order is not lost, whichever end it is. */
START_TEST(bye)
{
    for (unsigned leaver = 0; leaver < 3; leaver++) {
        net_init(3);
        follow_all(0);
        lifeline_wake_all(net.ranks[leaver].l); /* unread when the farewell comes, and */
        for (unsigned i = 0; i < 3; i++)        /* unread at the one who leaves */
            lifeline_wake_all(net.ranks[i].l);
        lifeline_close(take(net.ranks[leaver].l));
        if (leaver == 0)
            until(!connected(1, 0) && !connected(2, 0));
        else
            until(!connected(0, leaver));
        /* The others' connection, where there is one, stands. */
        forget_wakes();
        if (leaver > 0) {
            lifeline_wake(net.ranks[0].l, 3 - leaver);
            until(net.ranks[3 - leaver].wakes > 0);
        }
        ck_assert_uint_eq(losses(), 0);
        net_fini();
    }
}
END_TEST

/* Follower 1 of 2 is a child. */
static struct child child_follows(void)
{
    struct child c = fork_rank(1, 2, 0);
    net_loop(2);
    start_rank(0);
    child_address(&c, 1);
    tell_peers();
    child_peers(&c);
    lifeline_follow(net.ranks[0].l, 0);
    until(connected(0, 1));
    forget_wakes();
    lifeline_wake(net.ranks[0].l, 1);
    until(net.ranks[0].wakes > 0);
    return c;
}

START_TEST(follower_killed)
{
    struct child c = child_follows();
    child_kill(&c);
    until(net.ranks[0].losses > 0);
    ck_assert_uint_eq(net.ranks[0].last_lost, 1);
    ck_assert(!connected(0, 1));
    lifeline_wake(net.ranks[0].l, 1);

    /* That process is gone; another one with its rank is welcome when it has been introduced. */
    char got[64] = "";
    int fd = raw_socket();
    raw_connect(fd, 0);
    raw_send(fd, "hbatch-lifeline " SECRET " 1 0\n");
    until(raw_closed(fd, got, sizeof(got)));
    ck_assert_str_eq(got, "B");
    close(fd);
    start_rank(1);
    tell_peers();
    lifeline_follow(net.ranks[1].l, 0);
    until(linked(1, 0));
    ck_assert_uint_eq(losses(), 1);
    net_fini();
}
END_TEST

/* A stopped process is silent, not lost; killed with wake-ups unread, it sends a reset. */
START_TEST(follower_stopped)
{
    struct child c = child_follows();
    int status;
    kill(c.pid, SIGSTOP);
    ck_assert_int_eq(waitpid(c.pid, &status, WUNTRACED), c.pid);
    ck_assert(WIFSTOPPED(status));
    lifeline_limit(net.ranks[0].l, SHORT_MS);
    lifeline_wake(net.ranks[0].l, 1);
    /* A time in which a stranger who says nothing is shown the door. */
    char got[64] = "";
    int fd = raw_socket();
    raw_connect(fd, 0);
    until(raw_closed(fd, got, sizeof(got)));
    close(fd);
    ck_assert(connected(0, 1));
    ck_assert_uint_eq(losses(), 0);
    child_kill(&c);
    until(net.ranks[0].losses > 0);
    ck_assert_uint_eq(net.ranks[0].last_lost, 1);
    net_fini();
    ck_assert_uint_eq(losses(), 1);
}
END_TEST

/* The leader is a child; all who follow it report it, once. */
START_TEST(leader_killed)
{
    enum { N = 5 };
    for (int unread = 0; unread <= 1; unread++) {
        struct child c = fork_rank(0, N, 0);
        net_loop(N);
        child_address(&c, 0);
        for (unsigned i = 1; i < N; i++)
            start_rank(i);
        tell_peers();
        child_peers(&c);
        for (unsigned i = 1; i < N; i++)
            lifeline_follow(net.ranks[i].l, 0);
        until(connected(1, 0) && connected(2, 0) && connected(3, 0) && connected(4, 0));
        forget_wakes();
        lifeline_wake(net.ranks[3].l, 0);
        until(net.ranks[1].wakes > 0 && net.ranks[4].wakes > 0);
        if (unread) {
            kill(c.pid, SIGSTOP);
            ck_assert_int_eq(waitpid(c.pid, NULL, WUNTRACED), c.pid);
            for (unsigned i = 1; i < N; i++)
                lifeline_wake(net.ranks[i].l, 0);
        }
        child_kill(&c);
        for (unsigned i = 1; i < N; i++) {
            until(net.ranks[i].losses > 0);
            ck_assert_uint_eq(net.ranks[i].last_lost, 0);
            ck_assert(!connected(i, 0));
        }
        /* The next one leads; following the dead one again is of no use. */
        lifeline_follow(net.ranks[2].l, 0);
        for (unsigned i = 1; i < N; i++)
            lifeline_follow(net.ranks[i].l, 1);
        until(linked(2, 1) && linked(3, 1) && linked(4, 1));
        ck_assert_uint_eq(losses(), N - 1);
        net_fini();
        ck_assert_uint_eq(losses(), N - 1);
    }
}
END_TEST

/* The ranks learn of a new leader in any order, and nobody is lost. */
START_TEST(new_leader)
{
    net_init(RANKS);
    follow_all(0);
    for (unsigned leader = 1; leader < 4; leader++) {
        for (unsigned i = RANKS; i-- > 0;)
            if (i != leader)
                lifeline_follow(net.ranks[i].l, leader);
        /* Some are there before it knows that it leads. */
        until(connected(leader, leader + 1));
        lifeline_follow(net.ranks[leader].l, leader);
        until(all_linked(leader));
        for (unsigned i = 0; i < RANKS; i++) /* the former one is left alone */
            if (i != leader)
                until(!connected(leader - 1, i));
    }
    forget_wakes();
    lifeline_wake_all(net.ranks[3].l);
    for (unsigned i = 0; i < RANKS; i++)
        if (i != 3)
            until(net.ranks[i].wakes == 1);
    ck_assert_uint_eq(net.ranks[3].wakes, 0);
    for (unsigned i = 0; i < RANKS; i++)
        lifeline_wake(net.ranks[i].l, 3);
    until(net.ranks[3].wakes > 0);
    ck_assert_uint_eq(losses(), 0);
    net_fini();
    ck_assert_uint_eq(losses(), 0);
}
END_TEST

/* Two who follow each other for a while have two connections; a loss is told once. */
START_TEST(crossed)
{
    int back;
    net_init(2);
    int listener = raw_listen(1, "127.0.0.1");
    tell_peers();
    lifeline_follow(net.ranks[0].l, 1);
    until(raw_accept(listener, &back));
    raw_send(back, "W");
    int fd = raw_socket();
    raw_connect(fd, 0);
    raw_send(fd, "hbatch-lifeline " SECRET " 1 0\n");
    until(net.ranks[0].wakes == 2);
    close(back);
    close(fd);
    close(listener);
    until(losses() > 0);
    ck_assert_uint_eq(net.ranks[0].last_lost, 1);
    net_fini();
    ck_assert_uint_eq(losses(), 1);

    net_init(2);
    lifeline_follow(net.ranks[0].l, 1);
    lifeline_follow(net.ranks[1].l, 0);
    until(linked(0, 1));
    lifeline_follow(net.ranks[0].l, 0);
    until(linked(0, 1) && linked(1, 0));
    lifeline_wake(net.ranks[0].l, 1);
    lifeline_forget(net.ranks[1].l, 0);
    until(!connected(0, 1));
    ck_assert(!connected(1, 0));
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

START_TEST(forgotten)
{
    net_init(3);
    follow_all(0);
    lifeline_limit(net.ranks[1].l, 1); /* it asks again and again */
    lifeline_forget(net.ranks[0].l, 1);
    ck_assert(!connected(0, 1));
    until(!connected(1, 0));
    lifeline_forget(net.ranks[2].l, 0);
    until(!connected(0, 2));
    ck_assert(!connected(2, 0));
    ck_assert_uint_eq(losses(), 0);
    /* Addresses that have not changed change nothing. */
    tell_peers();
    forget_wakes();
    for (int i = 0; i < 20; i++)
        uv_run(&net.loop, UV_RUN_ONCE);
    ck_assert(!connected(0, 1));
    ck_assert_uint_eq(net.ranks[0].wakes, 0);
    net_fini();
    ck_assert_uint_eq(losses(), 0);
}
END_TEST

/* A second connection of a rank takes the place of the first. */
START_TEST(replaced)
{
    char got[64] = "";
    net_init(2);
    int first = raw_socket(), second = raw_socket();
    raw_connect(first, 0);
    raw_send(first, "hbatch-lifeline " SECRET " 1 0\n");
    until(connected(0, 1));
    raw_connect(second, 0);
    raw_send(second, "hbatch-lifeline " SECRET " 1 0\n");
    until(raw_closed(first, got, sizeof(got)));
    ck_assert_str_eq(got, "WB");
    ck_assert(connected(0, 1));
    ck_assert_uint_eq(losses(), 0);
    close(first);
    /* Who has left before it was heard takes nobody's place. */
    int third = raw_socket();
    raw_connect(third, 0);
    raw_send(third, "hbatch-lifeline " SECRET " 1 0\nWB");
    got[0] = '\0';
    until(raw_closed(third, got, sizeof(got)));
    close(third);
    ck_assert(connected(0, 1));
    ck_assert_uint_eq(losses(), 0);
    close(second); /* without a farewell */
    until(losses() > 0);
    ck_assert_uint_eq(net.ranks[0].last_lost, 1);
    net_fini();
    ck_assert_uint_eq(losses(), 1);
}
END_TEST

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text, *log;
    size_t len; /* 0: strlen */
} rejects[] = {
    {"hbatch-lifeline bm90IGEgc2VjcmVu 1 0\n", "wrong secret", 0},
    {"hbatch-lifeline Bm90IGEgc2VjcmV0 1 0\n", "wrong secret", 0},
    {"hbatch-lifeline bm90IGEgc2VjcmV 1 0\n", "wrong secret", 0},
    {"hbatch-lifeline bm90IGEgc2VjcmV00 1 0\n", "wrong secret", 0},
    {"hbatch-lifeline  1 0\n", "wrong secret", 0},
    {"hbatch-lifeline \n", "wrong secret", 0},
    {"hbatch-lifeline " SECRET "\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 1\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 1 0 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 1 0 \n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET "  1 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " -1 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 1x 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 1 0\r\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 4294967296 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 18446744073709551617 0\n", "malformed greeting", 0},
    {"hbatch-lifeline " SECRET " 0 0\n", "no such rank", 0},
    {"hbatch-lifeline " SECRET " 2 0\n", "no such rank", 0},
    {"hbatch-lifeline " SECRET " 4294967295 0\n", "no such rank", 0},
    {"hbatch-lifeline " SECRET " 1 1\n", "another rank", 0},
    {"hbatch-lifeline", "end of file", 0}, /* and the test closes */
    {"HBATCH-lifeline " SECRET " 1 0\n", "not a greeting", 0},
    {"\n", "not a greeting", 0},
    {"WWWW\n", "not a greeting", 0},
    {"GET / HTTP/1.1\r\n\r\n", "not a greeting", 0},
    {"hbatch-lifeline " SECRET " 1 0\0\n", "not a greeting", 22 + 16},
    {"\0\0\0\n", "not a greeting", 4},
    {A64 A64 A64 A64, "too long", 0},
    {A64 A64 A64 A64 A64 A64 A64 A64 A64 "\n", "too long", 0},
    {"hbatch-lifeline " A64 A64 A64 A64 " 1 0\n", "too long", 0},
};

START_TEST(strangers)
{
    net_init(2);
    log_start();
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        char got[64] = "";
        int fd = raw_socket();
        raw_connect(fd, 0);
        logged[0] = '\0';
        raw_send_bytes(fd, rejects[i].text,
                       rejects[i].len ? rejects[i].len : strlen(rejects[i].text));
        if (!strcmp(rejects[i].log, "end of file"))
            shutdown(fd, SHUT_WR);
        until(raw_closed(fd, got, sizeof(got)));
        ck_assert_msg(strstr(logged, rejects[i].log) && strstr(logged, "127.0.0.1"),
                      "'%s' was refused with '%s', not '%s'", rejects[i].text, logged,
                      rejects[i].log);
        ck_assert_msg(!strcmp(got, "B") || !strcmp(got, ""), "'%s' got '%s'",
                      rejects[i].text, got);
        ck_assert(!connected(0, 1));
        close(fd);
    }
    log_stop();
    ck_assert_uint_eq(net.ranks[0].wakes, 0);

    /* What was right with none of them, byte by byte. */
    const char *right = "hbatch-lifeline " SECRET " 1 0\n";
    int fd = raw_socket();
    raw_connect(fd, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    for (const char *p = right; *p; p++) {
        ck_assert(!connected(0, 1));
        raw_send_bytes(fd, p, 1);
        uv_run(&net.loop, UV_RUN_NOWAIT);
    }
    until(connected(0, 1));
    until(raw_got(fd, "W"));
    ck_assert_uint_eq(net.ranks[0].wakes, 1);
    /* A known peer that begins to talk nonsense is cut off, not lost. */
    raw_send(fd, "WxW");
    until(!connected(0, 1));
    close(fd);
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

START_TEST(mutated_greetings)
{
    uint32_t state = 2463534242u;
    net_init(2);
    for (int i = 0; i < 300; i++) {
        cleanup_free char *text =
            mutate_text("hbatch-lifeline " SECRET " 1 0\nWWB", "WB \n10hb", &state);
        char got[64] = "";
        int fd = raw_socket();
        raw_connect(fd, 0);
        raw_send(fd, text);
        shutdown(fd, SHUT_WR);
        until(raw_closed(fd, got, sizeof(got)));
        close(fd);
        if (losses() > 0) { /* a right greeting, and then no farewell */
            ck_assert_uint_eq(losses(), 1);
            net_fini();
            net_init(2);
        }
    }
    net_fini();
}
END_TEST

/* Who says nothing, or half of it, is sent away after the limit and not before. */
START_TEST(silent)
{
    static const char *const texts[] = {"", "hbatch-lifeline " SECRET};
    net_init(2);
    log_start();
    lifeline_limit(net.ranks[0].l, SHORT_MS);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char got[64] = "";
        int fd = raw_socket();
        uint64_t began = uv_hrtime();
        raw_connect(fd, 0);
        raw_send(fd, texts[i]);
        logged[0] = '\0';
        until(raw_closed(fd, got, sizeof(got)));
        ck_assert_uint_ge(uv_hrtime() - began, (SHORT_MS - 1) * 1000000ull);
        ck_assert_msg(strstr(logged, "did not say who it is"), "'%s'", logged);
        close(fd);
    }
    log_stop();
    /* Who has spoken may be silent then, on either end. */
    lifeline_limit(net.ranks[1].l, SHORT_MS);
    follow_all(0);
    char got[64] = "";
    int fd = raw_socket();
    raw_connect(fd, 0);
    until(raw_closed(fd, got, sizeof(got)));
    close(fd);
    ck_assert(linked(0, 1));
    net_fini();
}
END_TEST

/* A loop that was away for longer than the limit still hears what was said meanwhile. */
START_TEST(busy)
{
    char got[64] = "";
    net_init(2);
    lifeline_limit(net.ranks[0].l, SHORT_MS);
    int fd = raw_socket();
    raw_connect(fd, 0);
    int other = raw_socket(); /* refused at once, and so was the one before it accepted */
    raw_connect(other, 0);
    raw_send(other, "\n");
    until(raw_closed(other, got, sizeof(got)));
    raw_send(fd, "hbatch-lifeline " SECRET " 1 0\n");
    poll(NULL, 0, 2 * SHORT_MS); /* being away is the point */
    until(raw_closed(fd, memset(got, 0, sizeof(got)), 2) || connected(0, 1));
    ck_assert(connected(0, 1));
    close(fd);
    close(other);
    net_fini();
}
END_TEST

/* Strangers do not get all descriptors; ranks come through between them. */
START_TEST(crowd)
{
    enum { CROWD = 100 };
    int fds[CROWD];
    char got[64];
    net_init(3);
    unsigned refused = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = raw_socket();
        raw_connect(fds[i], 0);
    }
    until((got[0] = '\0', raw_closed(fds[CROWD - 1], got, sizeof(got))));
    for (unsigned i = 0; i < CROWD; i++) {
        got[0] = '\0';
        refused +=
            raw_closed(fds[i], got, sizeof(got)) || raw_closed(fds[i], got, sizeof(got));
        close(fds[i]);
    }
    ck_assert_uint_gt(refused, 1);
    ck_assert_uint_lt(refused, CROWD / 2);
    follow_all(0);
    net_fini();
}
END_TEST

/* --- followers of what is no leader */

/* A leader whose first addresses lead nowhere. */
START_TEST(addresses_in_turn)
{
    net_init(2);
    unsigned port = (unsigned)atoi(net.addresses[0]);
    free(net.addresses[0]);
    net.addresses[0] = xasprintf("%u nonsense 127.0.0.300 999::1::2 :: 127.0.0.1", port);
    tell_peers();
    follow_all(0);
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

/* Refused, closed, closed after nonsense, not welcome, silent: not up, no loss, tried again. */
START_TEST(no_leader)
{
    static const char *const answers[] = {"", "B", "Welcome to port 25\n", "WELCOME",
                                          "\0"};
    char got[256];
    int fd;
    net_init(2);
    log_start();
    lifeline_limit(net.ranks[1].l, SHORT_MS);
    int listener = raw_listen(0, "127.0.0.1");
    tell_peers();
    lifeline_follow(net.ranks[1].l, 0);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        until(raw_accept(listener, &fd));
        until(raw_got(fd, "hbatch-lifeline " SECRET " 1 0\n"));
        raw_send(fd, answers[i]);
        if (i + 1 == ARRAY_SIZE(answers)) {
            got[0] = '\0';
            until(raw_closed(fd, got, sizeof(got)));
            ck_assert_str_eq(got, "hbatch-lifeline " SECRET " 1 0\nB");
        }
        ck_assert(!connected(1, 0));
        close(fd);
    }
    /* It is there at last; bye is no loss, and the connection is tried again. */
    until(raw_accept(listener, &fd));
    raw_send(fd, "W");
    until(connected(1, 0));
    ck_assert_uint_eq(net.ranks[1].wakes, 1);
    raw_send(fd, "WB");
    until(!connected(1, 0));
    ck_assert_uint_eq(net.ranks[1].wakes, 2);
    close(fd);
    uint64_t began = uv_hrtime();
    until(raw_accept(listener, &fd));
    ck_assert_uint_ge(uv_hrtime() - began, SHORT_MS / 2 * 1000000ull); /* not at once */
    raw_send(fd, "W");
    until(connected(1, 0));
    ck_assert_uint_eq(losses(), 0);
    close(
        listener); /* now nobody is there, and refused is no loss: that comes from the connection */
    close(fd);
    until(losses() > 0);
    ck_assert_uint_eq(net.ranks[1].last_lost, 0);

    /* Refused, again and again. */
    close(raw_listen(0, "127.0.0.1"));
    logged[0] = '\0';
    lifeline_limit(net.ranks[1].l, 1);
    tell_peers();
    lifeline_follow(net.ranks[1].l, 0);
    until(strstr(logged, "connection refused"));
    until(strstr(logged, "no connection with rank 0"));
    logged[0] = '\0';
    for (int i = 0; i < 20; i++)
        uv_run(&net.loop, UV_RUN_ONCE);
    ck_assert_str_eq(logged, ""); /* told once */
    ck_assert_uint_eq(losses(), 1);
    log_stop();
    net_fini();
}
END_TEST

/* The same address on every host, of a bridge perhaps: the rank there is another one. */
START_TEST(wrong_host)
{
    net_init(3);
    cleanup_free char *zero = net.addresses[0];
    net.addresses[0] = xstrdup(net.addresses[1]);
    log_start();
    tell_peers();
    lifeline_follow(net.ranks[1].l, 0); /* finds itself */
    lifeline_follow(net.ranks[2].l, 0);
    until(strstr(logged, "it looks for another rank"));
    until(strstr(logged, "no connection with rank 0"));
    log_stop();
    ck_assert(!connected(1, 0) && !connected(2, 0) && !connected(1, 2));
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

/* --- the rest */

START_TEST(grows_and_shrinks)
{
    struct error err;
    net_init(2);
    follow_all(0);
    start_rank(2);
    net.size = 3;
    tell_peers();
    lifeline_follow(net.ranks[2].l, 0);
    until(linked(2, 0));
    ck_assert(linked(1, 0));
    ck_assert_int_eq(lifeline_peers(net.ranks[0].l, net.addresses, 2, SECRET, &err), 0);
    ck_assert(linked(1, 0));
    until(!connected(2, 0));
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

START_TEST(closed_by_callback)
{
    net_init(3);
    follow_all(0);
    net.ranks[0].close_when_woken = true;
    lifeline_wake(net.ranks[1].l, 0);
    lifeline_wake(net.ranks[2].l, 0);
    until(!connected(1, 0) && !connected(2, 0));
    ck_assert_uint_eq(losses(), 0);
    net_fini();
}
END_TEST

/* Every socket is close-on-exec, and every connection without Nagle's wait. */
START_TEST(descriptors)
{
    unsigned links = 0;
    net_init(3);
    follow_all(0);
    for (int fd = 3; fd < 256; fd++) {
        int type = 0, nodelay = 0;
        socklen_t len = sizeof(type);
        struct sockaddr_storage peer;
        socklen_t peer_len = sizeof(peer);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
            continue;
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
            peer.ss_family == AF_UNIX)
            continue;
        len = sizeof(nodelay);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
        ck_assert_int_eq(nodelay, 1);
        links++;
    }
    ck_assert_uint_eq(links, 4); /* two connections, both ends */
    net_fini();
}
END_TEST

/* Both families reach a rank, where the host has them. */
START_TEST(address_text)
{
    struct sockaddr_storage to;
    int n = 0;
    net_init(1);
    const char *text = net.addresses[0];
    for (; tcpaddr_nth(text, (unsigned)n, &to) >= 0; n++) {
        ck_assert_int_eq(tcpaddr_nth(text, (unsigned)n, &to), 1);
        socklen_t len = to.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(struct sockaddr_in);
        int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_msg(connect(fd, (struct sockaddr *)&to, len) == 0,
                      "address %d of %s: %s", n, text, strerror(errno));
        close(fd);
    }
    ck_assert_int_ge(n, 1);
    ck_assert_int_le(n, TCPADDR_MAX);
    ck_assert(!strstr(text, "fe80:"));
    if (n > 1)
        ck_assert(!strstr(text, "127.0.0.1"));
    net_fini();
}
END_TEST

static const struct {
    const char *text;
    unsigned n;
    int found, family;
    uint16_t port;
} nths[] = {
    {"80 127.0.0.1", 0, 1, AF_INET, 80},
    {"80 127.0.0.1", 1, -1, 0, 0},
    {"65535 10.1.2.3 ::1", 1, 1, AF_INET6, 65535},
    {"  1   10.1.2.3  fd00::7 ", 1, 1, AF_INET6, 1},
    {"1 10.1.2.3 fd00::7 ", 2, -1, 0, 0},
    {"", 0, -1, 0, 0},
    {" ", 3, -1, 0, 0},
    {"80", 0, -1, 0, 0},
    {"0 127.0.0.1", 0, 0, 0, 0},
    {"65536 127.0.0.1", 0, 0, 0, 0},
    {"-1 127.0.0.1", 0, 0, 0, 0},
    {"+80 127.0.0.1", 0, 0, 0, 0},
    {"80x 127.0.0.1", 0, 0, 0, 0},
    {"99999999999999999999 127.0.0.1", 0, 0, 0, 0},
    {"80 localhost", 0, 0, 0, 0},
    {"80 127.0.0.256", 0, 0, 0, 0},
    {"80 " A64 A64, 0, 0, 0, 0},
};

START_TEST(nth_addresses)
{
    for (size_t i = 0; i < ARRAY_SIZE(nths); i++) {
        struct sockaddr_storage to = {0};
        ck_assert_msg(tcpaddr_nth(nths[i].text, nths[i].n, &to) == nths[i].found,
                      "address %u of '%s'", nths[i].n, nths[i].text);
        if (nths[i].found != 1)
            continue;
        ck_assert_int_eq(to.ss_family, nths[i].family);
        uint16_t port = to.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&to)->sin6_port
                                                 : ((struct sockaddr_in *)&to)->sin_port;
        ck_assert_uint_eq(ntohs(port), nths[i].port);
    }
}
END_TEST

static const struct {
    const char *secret;
    unsigned size;
    const char *names;
} bad_peers[] = {
    {"", 2, "0 characters"},
    {A64 A64 "a", 2, "129 characters"},
    {"two words", 2, "character 4"},
    {"line\n", 2, "character 5"},
    {"\x7f", 2, "0x7f"},
    {"t\xc3\xa4", 2, "0xc3"},
    {"secret", 1, "rank 1"},
    {"secret", 0, "0 ranks"},
};

START_TEST(peers_rejects)
{
    struct error err;
    net_loop(2);
    start_rank(0);
    start_rank(1);
    for (size_t i = 0; i < ARRAY_SIZE(bad_peers); i++) {
        ck_assert_int_eq(lifeline_peers(net.ranks[1].l, net.addresses, bad_peers[i].size,
                                        bad_peers[i].secret, &err),
                         -1);
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, bad_peers[i].names);
    }
    /* The longest secret fits a greeting of the largest ranks. */
    ck_assert_uint_le(strlen("hbatch-lifeline  4294967294 4294967294\n") +
                          GREETING_SECRET_MAX,
                      GREETING_MAX);
    net_fini();
}
END_TEST

START_TEST(none)
{
    char *const addresses[] = {NULL, NULL};
    struct error err;
    cleanup_free char *address = lifeline_address(NULL);
    ck_assert_str_eq(address, "");
    ck_assert_int_eq(lifeline_peers(NULL, addresses, 2, SECRET, &err), 0);
    lifeline_follow(NULL, 0);
    lifeline_wake(NULL, 0);
    lifeline_wake_all(NULL);
    lifeline_forget(NULL, 0);
    lifeline_limit(NULL, 1);
    ck_assert(!lifeline_connected(NULL, 0));
    lifeline_close(NULL);

    /* A rank without an address, one that is none, and calls before there are any. */
    net_loop(2);
    start_rank(0);
    lifeline_wake(net.ranks[0].l, 1);
    lifeline_forget(net.ranks[0].l, 1);
    ck_assert_int_eq(lifeline_peers(net.ranks[0].l, addresses, 2, SECRET, &err), 0);
    lifeline_follow(net.ranks[0].l, 1);
    lifeline_follow(net.ranks[0].l, 17);
    ck_assert(!connected(0, 1));
    net_fini();
}
END_TEST

UNIT_MAIN("lifeline", wakes, full_socket, timed_out, early, bye, follower_killed,
          follower_stopped, leader_killed, new_leader, crossed, forgotten, replaced,
          strangers, mutated_greetings, silent, busy, crowd, addresses_in_turn, no_leader,
          wrong_host, grows_and_shrinks, closed_by_callback, descriptors, address_text,
          nth_addresses, peers_rejects, none)
