/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/lines.h"

#include <stdbool.h>
#include <string.h>
#include "src/comm/linebuf.h"
#include "src/common/util.h"

struct lines {
    uv_pipe_t pipe;
    uv_prepare_t flusher; /* active while there is something to flush */
    const struct lines_ops *ops;
    void *arg;
    struct linebuf in;
    char *out; /* queued in this turn */
    size_t out_len, out_size;
    size_t writing; /* bytes handed to libuv and not yet taken by the kernel */
    int handles;    /* open libuv handles */
    int error;      /* of a write, told from the loop: a sender is not called back */
    bool closing, failed, was_high;
};

struct write {
    uv_write_t req;
    struct lines *l;
    char *data;
    size_t len;
};

static void fail(struct lines *l, int status)
{
    if (l->closing || l->failed)
        return;
    l->failed = true;
    uv_read_stop((uv_stream_t *)&l->pipe);
    l->ops->closed(l, status, l->arg);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct lines *l = h->data;
    (void)hint;
    buf->base = linebuf_reserve(&l->in, &buf->len);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct lines *l = s->data;
    (void)buf;
    if (n < 0) {
        fail(l, n == UV_EOF ? 0 : (int)n);
        return;
    }
    linebuf_commit(&l->in, (size_t)n);
    char *line;
    size_t len;
    while (!l->closing && !l->failed && (line = linebuf_next(&l->in, &len)))
        l->ops->line(l, line, len, l->arg);
    if (!l->closing && linebuf_overflow(&l->in))
        fail(l, UV_EMSGSIZE);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *w = (struct write *)req;
    struct lines *l = w->l;
    l->writing -= w->len;
    free(w->data);
    free(w);
    if (status < 0)
        fail(l, status);
    else if (l->was_high && lines_queued(l) < LINES_HIGH / 2 && !l->closing) {
        l->was_high = false;
        if (l->ops->drained)
            l->ops->drained(l, l->arg);
    }
}

static void on_flush(uv_prepare_t *h);

void lines_flush(struct lines *l)
{
    if (l->error)
        return;
    uv_prepare_stop(&l->flusher);
    if (l->out_len == 0 || l->failed)
        return;
    size_t done = 0;
    if (l->writing == 0) {
        uv_buf_t buf = uv_buf_init(l->out, (unsigned)l->out_len);
        int n = uv_try_write((uv_stream_t *)&l->pipe, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            l->out_len = 0;
            l->error = n;
            uv_prepare_start(&l->flusher, on_flush);
            return;
        }
        done = n > 0 ? (size_t)n : 0;
    }
    if (done < l->out_len) {
        struct write *w = xcalloc(1, sizeof(*w));
        w->l = l;
        w->len = l->out_len - done;
        w->data = xmalloc(w->len);
        memcpy(w->data, l->out + done, w->len);
        uv_buf_t buf = uv_buf_init(w->data, (unsigned)w->len);
        l->writing += w->len;
        if (uv_write(&w->req, (uv_stream_t *)&l->pipe, &buf, 1, on_written) < 0) {
            l->writing -= w->len;
            free(w->data);
            free(w);
        }
    }
    l->out_len = 0;
    if (l->out_size > LINES_HIGH) {
        free(l->out);
        l->out = NULL;
        l->out_size = 0;
    }
    if (l->was_high && l->writing == 0) /* no on_written will tell that it has left */
        uv_prepare_start(&l->flusher, on_flush);
}

static void on_flush(uv_prepare_t *h)
{
    struct lines *l = h->data;
    lines_flush(l);
    if (l->error) {
        uv_prepare_stop(h);
        fail(l, l->error);
    } else if (l->was_high && lines_queued(l) == 0 && !l->closing) {
        uv_prepare_stop(h);
        l->was_high = false;
        if (l->ops->drained)
            l->ops->drained(l, l->arg);
    }
}

struct lines *lines_create(uv_loop_t *loop, int fd, const struct lines_ops *ops,
                           void *arg)
{
    struct lines *l = xcalloc(1, sizeof(*l));
    l->ops = ops;
    l->arg = arg;
    linebuf_init(&l->in);
    uv_pipe_init(loop, &l->pipe, 0);
    uv_prepare_init(loop, &l->flusher);
    l->pipe.data = l->flusher.data = l;
    l->handles = 2;
    uv_pipe_open(&l->pipe, fd);
    uv_read_start((uv_stream_t *)&l->pipe, on_alloc, on_read);
    return l;
}

static void on_closed(uv_handle_t *h)
{
    struct lines *l = h->data;
    if (--l->handles > 0)
        return;
    linebuf_fini(&l->in);
    free(l->out);
    free(l);
}

void lines_close(struct lines *l)
{
    if (!l || l->closing)
        return;
    lines_flush(l);
    l->closing = true;
    uv_close((uv_handle_t *)&l->pipe, on_closed);
    uv_close((uv_handle_t *)&l->flusher, on_closed);
}

static void append(struct lines *l, const char *text, size_t len)
{
    if (l->out_len + len > l->out_size) {
        l->out_size = MAX(l->out_size * 2, l->out_len + len + 1024);
        l->out = xrealloc(l->out, l->out_size);
    }
    memcpy(l->out + l->out_len, text, len);
    l->out_len += len;
}

void lines_send(struct lines *l, const char *text, size_t len)
{
    if (l->closing || l->failed || l->error)
        return;
    if (l->out_len == 0)
        uv_prepare_start(&l->flusher, on_flush);
    append(l, text, len);
    append(l, "\n", 1);
    /* At any moment, not only at a flush: a sender may have looked and paused at this one. */
    if (lines_queued(l) > LINES_HIGH)
        l->was_high = true;
    if (l->out_len > LINES_HIGH / 4)
        lines_flush(l);
}

void lines_send_json(struct lines *l, json_object *o)
{
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    lines_send(l, text, len);
}

size_t lines_queued(const struct lines *l)
{
    return l->out_len + l->writing;
}

void lines_pause(struct lines *l)
{
    uv_read_stop((uv_stream_t *)&l->pipe);
}

void lines_resume(struct lines *l)
{
    if (!l->closing && !l->failed)
        uv_read_start((uv_stream_t *)&l->pipe, on_alloc, on_read);
}
