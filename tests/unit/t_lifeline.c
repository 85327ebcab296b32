/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lifelinekit.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

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
            ck_assert_int_ne(p.revents & (POLLERR | POLLHUP), 0);
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
          grows_and_shrinks, closed_by_callback, descriptors, peers_rejects, none)
