/* SPDX-License-Identifier: BSD-3-Clause */
/* lines: a connected stream socket that carries JSON lines, on a libuv loop.
 *
 * What is sent within one turn of the loop leaves in one write.  Received lines are given to
 * the callback one at a time; the callback may close the connection. */
#ifndef HBATCH_COMM_LINES_H
#define HBATCH_COMM_LINES_H

#include <stddef.h>
#include <json-c/json.h>
#include <uv.h>
#include "src/common/error.h"

struct lines;

struct lines_ops {
    /* One line, without newline, terminated, writable; valid during the call. */
    void (*line)(struct lines *l, char *line, size_t len, void *arg);
    /* The peer closed (status 0), or the connection failed (status: negative errno).  Called
     * once, not after lines_close. The owner calls lines_close. */
    void (*closed)(struct lines *l, int status, void *arg);
    /* What was queued has left, after lines_queued had been above LINES_HIGH. May be NULL. */
    void (*drained)(struct lines *l, void *arg);
};

#define LINES_HIGH (1u << 20) /* queued bytes above which a sender should pause */

/* FD is taken over. OPS is kept by reference. */
struct lines *lines_create(uv_loop_t *loop, int fd, const struct lines_ops *ops,
                           void *arg);
/* Close and free (later, from the loop), what is still queued is first offered to the socket
 * once. NULL is allowed. */
void lines_close(struct lines *l);

/* Queue TEXT and a newline. */
void lines_send(struct lines *l, const char *text, size_t len);
/* Queue a JSON object as one line; the reference stays the caller's. */
void lines_send_json(struct lines *l, json_object *o);
/* Write now what is queued rather than at the end of the turn. */
void lines_flush(struct lines *l);
/* Bytes not yet taken by the kernel. */
size_t lines_queued(const struct lines *l);
/* Stop and go on reading (back-pressure). */
void lines_pause(struct lines *l);
void lines_resume(struct lines *l);

/* Listening unix socket at PATH (an old socket file there is replaced); CLOEXEC, backlog 128,
 * mode 0700. Return the descriptor, or -1 with err set (too long a path is named). */
int lines_listen(const char *path, struct error *err);
/* Connect to the unix socket at PATH, blocking; or -1 with err set. */
int lines_connect(const char *path, struct error *err);
/* The same without waiting for a listener that is busy: that is EAGAIN. The socket does not block. */
int lines_connect_now(const char *path, struct error *err);

#endif
