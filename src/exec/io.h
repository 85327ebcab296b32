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

struct io;

struct io_watch { /* embedded in what watches */
    int fd;       /* -1: not watching */
    void (*ready)(struct io_watch *w, uint32_t events);
};

struct io *io_create(uv_loop_t *loop, struct error *err);
void io_destroy(struct io *io); /* NULL is allowed */

/* Watch W->fd for EVENTS (EPOLLIN, EPOLLOUT), level triggered. */
int io_add(struct io *io, struct io_watch *w, uint32_t events, struct error *err);
void io_change(struct io *io, struct io_watch *w, uint32_t events);
/* End the watch and close the descriptor; W may be freed after it, also from within a callback. */
void io_close(struct io *io, struct io_watch *w);

#endif
