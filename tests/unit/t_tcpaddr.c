/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lifelinekit.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

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

UNIT_MAIN("tcpaddr", address_text, nth_addresses)
