/* SPDX-License-Identifier: BSD-3-Clause */
/* How a connection of the lifeline begins: strangers at a rank, and ranks at what is no leader. */
#include "tests/unit/lifelinekit.h"

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

UNIT_MAIN("greeting", strangers, mutated_greetings, silent, busy, crowd,
          addresses_in_turn, no_leader, wrong_host)
