/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"

struct io {
    int epfd;
    uv_poll_t poll;
    struct epoll_event batch[64];
    int at, count; /* the batch being worked off */
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct io *io = poll->data;
    (void)status;
    (void)events;
    int n = epoll_wait(io->epfd, io->batch, ARRAY_SIZE(io->batch), 0);
    if (n < 0)
        return;
    io->count = n;
    for (io->at = 0; io->at < io->count; io->at++) {
        struct io_watch *w = io->batch[io->at].data.ptr;
        if (w)
            w->ready(w, io->batch[io->at].events);
    }
    io->count = 0;
}

struct io *io_create(uv_loop_t *loop, struct error *err)
{
    struct io *io = xcalloc(1, sizeof(*io));
    io->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (io->epfd < 0) {
        error_set(err, errno, "epoll_create1: %s", strerror(errno));
        free(io);
        return NULL;
    }
    io->poll.data = io;
    if (uv_poll_init(loop, &io->poll, io->epfd) < 0 ||
        uv_poll_start(&io->poll, UV_READABLE, on_poll) < 0)
        log_exit(1, "the event loop does not take an epoll descriptor");
    return io;
}

static void on_closed(uv_handle_t *h)
{
    struct io *io = h->data;
    close(io->epfd);
    free(io);
}

void io_destroy(struct io *io)
{
    if (io)
        uv_close((uv_handle_t *)&io->poll, on_closed);
}

int io_add(struct io *io, struct io_watch *w, uint32_t events, struct error *err)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(io->epfd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
        return error_set(err, errno, "epoll_ctl: %s", strerror(errno));
    return 0;
}

void io_change(struct io *io, struct io_watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    epoll_ctl(io->epfd, EPOLL_CTL_MOD, w->fd, &ev);
}

void io_close(struct io *io, struct io_watch *w)
{
    if (w->fd < 0)
        return;
    /* Closing alone would not do: a child that has just been started still holds a copy, for a
     * moment between the end of vfork's wait and the closing of its descriptors. */
    epoll_ctl(io->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
    for (int i = io->at + 1; i < io->count; i++)
        if (io->batch[i].data.ptr == w)
            io->batch[i].data.ptr = NULL;
}
