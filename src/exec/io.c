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
    int at, count;                 /* the batch being worked off */
    uv_timer_t timer;              /* ticks while there are any of these */
    struct io_watch *fresh, *aged; /* for later; aged: for a tick or more */
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
    io->poll.data = io->timer.data = io;
    uv_timer_init(loop, &io->timer);
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
    if (!io)
        return;
    /* libuv calls close callbacks in the reverse order of uv_close */
    uv_close((uv_handle_t *)&io->poll, on_closed);
    uv_close((uv_handle_t *)&io->timer, NULL);
}

int io_add(struct io *io, struct io_watch *w, uint32_t events, struct error *err)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(io->epfd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
        return error_set(err, errno, "epoll_ctl: %s", strerror(errno));
    return 0;
}

static void forget_later(struct io_watch *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->later = 0;
}

void io_now(struct io *io, struct io_watch *w)
{
    struct error err;
    uint32_t events = w->later;
    if (!events)
        return;
    forget_later(w);
    if (io_add(io, w, events, &err) < 0)
        log_error("output of a task: %s", err.text); /* is read when the task has ended */
}

static void tick(struct io *io);

static void on_tick(uv_timer_t *timer)
{
    struct io *io = timer->data;
    while (io->aged)
        io_now(io, io->aged);
    io->aged = take(io->fresh);
    if (!io->aged)
        return;
    io->aged->link = &io->aged;
    tick(io);
}

static void tick(struct io *io)
{
    uv_timer_start(&io->timer, on_tick, IO_LATER_MS / 2, 0);
}

void io_later(struct io *io, struct io_watch *w, uint32_t events)
{
    w->later = events;
    w->next = io->fresh;
    w->link = &io->fresh;
    if (w->next)
        w->next->link = &w->next;
    io->fresh = w;
    if (!uv_is_active((uv_handle_t *)&io->timer))
        tick(io);
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
    if (w->later)
        forget_later(w);
    else
        epoll_ctl(io->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
    for (int i = io->at + 1; i < io->count; i++)
        if (io->batch[i].data.ptr == w)
            io->batch[i].data.ptr = NULL;
}
