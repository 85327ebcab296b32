/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/tcpaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

/* The descriptor, or a negative errno. */
static int listen_any(sa_family_t family, unsigned *port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    bool ipv6 = family == AF_INET6;
    struct sockaddr *any = ipv6 ? (struct sockaddr *)&any6 : (struct sockaddr *)&any4;
    socklen_t len = ipv6 ? sizeof(any6) : sizeof(any4);
    int off = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if ((ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
        bind(fd, any, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, any, &len) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    *port = ntohs(ipv6 ? any6.sin6_port : any4.sin_port);
    return fd;
}

int tcpaddr_listen(unsigned *port, bool *ipv6, struct error *err)
{
    *ipv6 = true;
    int fd = listen_any(AF_INET6, port);
    if (fd < 0) {
        *ipv6 = false;
        fd = listen_any(AF_INET, port);
    }
    if (fd < 0)
        return error_set(err, -fd, "cannot listen on a TCP port: %s", strerror(-fd));
    return fd;
}

/* Those of one family, until there are TCPADDR_MAX. */
static void add_addresses(struct strbuf *sb, const struct ifaddrs *all, int family,
                          bool loopback, unsigned *count)
{
    const unsigned up = IFF_UP | IFF_RUNNING;
    for (const struct ifaddrs *i = all; i && *count < TCPADDR_MAX; i = i->ifa_next) {
        bool is_loopback = i->ifa_flags & IFF_LOOPBACK;
        char ip[INET6_ADDRSTRLEN];
        if (!i->ifa_addr || i->ifa_addr->sa_family != family ||
            (i->ifa_flags & up) != up || is_loopback != loopback)
            continue;
        struct sockaddr_in a4;
        struct sockaddr_in6 a6;
        int status;
        if (family == AF_INET) {
            memcpy(&a4, i->ifa_addr, sizeof(a4));
            status = uv_ip4_name(&a4, ip, sizeof(ip));
        } else {
            memcpy(&a6, i->ifa_addr, sizeof(a6));
            if (IN6_IS_ADDR_LINKLOCAL(&a6.sin6_addr))
                continue;
            status = uv_ip6_name(&a6, ip, sizeof(ip));
        }
        if (status == 0) {
            strbuf_addf(sb, " %s", ip);
            ++*count;
        }
    }
}

char *tcpaddr_local(unsigned port, bool ipv6)
{
    struct ifaddrs *all = NULL;
    struct strbuf sb = {0};
    unsigned count = 0;
    strbuf_addf(&sb, "%u", port);
    if (getifaddrs(&all) < 0)
        all = NULL;
    for (int loopback = 0; loopback <= 1 && count == 0; loopback++) {
        add_addresses(&sb, all, AF_INET, loopback, &count);
        if (ipv6)
            add_addresses(&sb, all, AF_INET6, loopback, &count);
    }
    if (all)
        freeifaddrs(all);
    return strbuf_take(&sb);
}

/* Word N of TEXT; its length, 0: there is none. */
static size_t nth_word(const char *text, unsigned n, const char **word)
{
    for (;; n--) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " ");
        if (n == 0 || len == 0) {
            *word = text;
            return len;
        }
        text += len;
    }
}

int tcpaddr_nth(const char *text, unsigned n, struct sockaddr_storage *to)
{
    const char *word;
    char ip[INET6_ADDRSTRLEN];
    size_t len = nth_word(text, 0, &word);
    unsigned long port = strtoul(word, NULL, 10);
    bool good = len <= 5 && strspn(word, "0123456789") == len && port - 1 < UINT16_MAX;
    len = nth_word(text, n + 1, &word);
    if (len == 0)
        return -1;
    if (!good || len >= sizeof(ip))
        return 0;
    memcpy(ip, word, len);
    ip[len] = '\0';
    memset(to, 0, sizeof(*to));
    return uv_ip4_addr(ip, (int)port, (struct sockaddr_in *)to) == 0 ||
           uv_ip6_addr(ip, (int)port, (struct sockaddr_in6 *)to) == 0;
}
