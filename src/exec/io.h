/* SPDX-License-Identifier: BSD-3-Clause */
/* io: watching descriptors at the least cost: one system call to begin, one to end.
 *
 * An epoll set of our own, itself one handle of the libuv loop: libuv's handles would cost
 * several calls for each pipe of each task. */
#ifndef HBATCH_EXEC_IO_H
#define HBATCH_EXEC_IO_H

#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>
#include "src/common/error.h"

#define IO_LATER_MS 10

struct io;

struct io_watch { /* embedded in what watches */
    int fd;       /* -1: not watching */
    void (*ready)(struct io_watch *w, uint32_t events);
    uint32_t later; /* io_later: the events, until it is in the epoll set; else 0 */
    struct io_watch *next, **link; /* among those */
};

struct io *io_create(uv_loop_t *loop, struct error *err);
void io_destroy(struct io *io); /* NULL is allowed */

/* Watch W->fd for EVENTS (EPOLLIN, EPOLLOUT), level triggered. */
int io_add(struct io *io, struct io_watch *w, uint32_t events, struct error *err);
/* The same after half of IO_LATER_MS, and at the latest when all of it is over, unless it was closed or io_now was called before: most tasks are over by then,
 * what they wrote is in their pipes, and no system call was needed to begin or to end the watch. */
void io_later(struct io *io, struct io_watch *w, uint32_t events);
void io_now(struct io *io,
            struct io_watch *w); /* nothing happens if it is watched already */
void io_change(struct io *io, struct io_watch *w, uint32_t events);
/* End the watch and close the descriptor; W may be freed after it, also from within a callback. */
void io_close(struct io *io, struct io_watch *w);

#endif
