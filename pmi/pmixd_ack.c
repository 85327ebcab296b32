/* SPDX-License-Identifier: BSD-3-Clause */
/* Acknowledge what clients send without delay.
 *
 * PMIx 4 clients talk TCP to their server, over the loopback, and do not set TCP_NODELAY.
 * When one sends several small messages in a row, as each does in PMIx_Finalize, Nagle's
 * algorithm holds back the second until the first is acknowledged, and the server's kernel
 * delays that by 40 ms: it took two thirds of the whole run of an MPI hello.  The client's
 * side is not ours to change, but acknowledging is: TCP_QUICKACK sends a pending
 * acknowledgement at once.  It does not last, so the clients' sockets are watched (edge
 * triggered, without reading) besides the library, which owns them.  TCP_NODELAY for the
 * server's side is set on the way. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct ack {
    int epoll;
    uv_poll_t poll;
    unsigned port;        /* the library's, in network byte order */
    hwloc_bitmap_t known; /* descriptors that were watched, and may be others by now */
};

static void ack_now(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static void on_data(uv_poll_t *poll, int status, int events)
{
    struct ack *ack = poll->data;
    struct epoll_event ev[64];
    (void)status;
    (void)events;
    int n = epoll_wait(ack->epoll, ev, ARRAY_SIZE(ev), 0);
    for (int i = 0; i < n; i++)
        ack_now(ev[i].data.fd);
}

/* Is FD a connection that was made to the library's port? */
static bool is_client(const struct ack *ack, int fd)
{
    struct sockaddr_in own, peer;
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           own.sin_family == AF_INET && own.sin_port == ack->port &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

static void watch(struct ack *ack, int fd)
{
    /* EPOLLOUT is always true, so that an arrival is told even when the library has read
     * the data before us */
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
    if (!hwloc_bitmap_isset(ack->known, (unsigned)fd) && !is_client(ack, fd))
        return;
    if (epoll_ctl(ack->epoll, EPOLL_CTL_ADD, fd, &ev) == 0) {
        /* a closed descriptor has left the epoll by itself: this is a new one */
        if (is_client(ack, fd)) {
            int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            hwloc_bitmap_set(ack->known, (unsigned)fd);
            return;
        }
        epoll_ctl(ack->epoll, EPOLL_CTL_DEL, fd, NULL);
    } else if (errno == EEXIST) {
        return;
    }
    hwloc_bitmap_clr(ack->known, (unsigned)fd);
}

void pmixd_ack_clients(struct pmixd *d)
{
    DIR *dir = d->ack ? opendir("/proc/self/fd") : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            watch(d->ack, atoi(e->d_name));
    if (dir)
        closedir(dir);
}

/* "NSPACE.RANK;tcp4://127.0.0.1:PORT", as clients find it in their environment */
static unsigned port_of(const char *uri)
{
    const char *colon = strstr(uri, "tcp4://") ? strrchr(uri, ':') : NULL;
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    return port <= UINT16_MAX ? htons((uint16_t)port) : 0;
}

void pmixd_ack_start(struct pmixd *d, const char *uri)
{
    unsigned port = port_of(uri);
    if (d->ack || port == 0)
        return;
    struct ack *ack = xcalloc(1, sizeof(*ack));
    ack->port = port;
    ack->known = hwloc_bitmap_alloc();
    ack->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (ack->epoll < 0 || uv_poll_init(d->config->loop, &ack->poll, ack->epoll) != 0) {
        if (ack->epoll >= 0)
            close(ack->epoll);
        hwloc_bitmap_free(ack->known);
        free(ack);
        return;
    }
    ack->poll.data = ack;
    uv_poll_start(&ack->poll, UV_READABLE, on_data);
    uv_unref((uv_handle_t *)&ack->poll);
    d->ack = ack;
}

static void on_close(uv_handle_t *handle)
{
    struct ack *ack = handle->data;
    close(ack->epoll);
    hwloc_bitmap_free(ack->known);
    free(ack);
}

void pmixd_ack_destroy(struct pmixd *d)
{
    if (d->ack)
        uv_close((uv_handle_t *)&d->ack->poll, on_close);
    d->ack = NULL;
}
