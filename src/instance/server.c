/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/log.h"
#include "src/common/util.h"

enum { RETRY_MS = 100 };

struct client {
    struct server *server; /* NULL: of another rank */
    struct client *prev, *next;
    struct lines *lines;
    uint64_t number;
    unsigned rank;
    void (*send)(void *arg, unsigned rank, uint64_t number, const char *line, size_t len);
    void *arg;
};

struct server {
    uv_poll_t poll;
    uv_timer_t retry; /* while there is no descriptor for another client */
    bool full;        /* that was said */
    int handles;      /* open libuv handles */
    int fd;
    uv_loop_t *loop;
    const struct server_ops *ops;
    void *arg;
    struct client *clients;
    uint64_t last_number;
    unsigned count;
};

static void unlink_client(struct client *c)
{
    struct server *s = c->server;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->count--;
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct client *c = arg;
    c->server->ops->line(c, line, len, c->server->arg);
    if (lines_queued(l) > LINES_HIGH) /* it asks without reading the answers */
        lines_pause(l);
}

static void on_drained(struct lines *l, void *arg)
{
    (void)arg;
    lines_resume(l);
}

static void on_gone(struct lines *l, int status, void *arg)
{
    struct client *c = arg;
    (void)status;
    c->server->ops->gone(c, c->server->arg);
    unlink_client(c);
    lines_close(l);
    free(c);
}

static const struct lines_ops client_ops = {
    .line = on_line, .closed = on_gone, .drained = on_drained};

static bool allowed(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           (cred.uid == geteuid() || cred.uid == 0);
}

static void on_connect(uv_poll_t *h, int status, int events);

static void on_retry(uv_timer_t *h)
{
    struct server *s = h->data;
    uv_poll_start(&s->poll, UV_READABLE, on_connect);
}

/* Whoever wants to connect stays in the backlog, which keeps the socket readable: to look at it
 * again and again would only burn the core. */
static void accept_failed(struct server *s, int code)
{
    if (!s->full)
        log_error("cannot accept another client for now: %s", strerror(code));
    s->full = true;
    uv_poll_stop(&s->poll);
    uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
}

static void on_connect(uv_poll_t *h, int status, int events)
{
    struct server *s = h->data;
    (void)status, (void)events;
    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0) {
            if (errno == EAGAIN)
                s->full = false;
            else if (errno != ECONNABORTED)
                accept_failed(s, errno);
            return;
        }
        if (!allowed(fd)) {
            close(fd);
            continue;
        }
        struct client *c = xcalloc(1, sizeof(*c));
        c->server = s;
        c->number = ++s->last_number;
        c->next = s->clients;
        if (c->next)
            c->next->prev = c;
        s->clients = c;
        s->count++;
        c->lines = lines_create(s->loop, fd, &client_ops, c);
    }
}

struct server *server_create(uv_loop_t *loop, const char *path,
                             const struct server_ops *ops, void *arg, struct error *err)
{
    int fd = lines_listen(path, err);
    if (fd < 0)
        return NULL;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct server *s = xcalloc(1, sizeof(*s));
    s->fd = fd;
    s->loop = loop;
    s->ops = ops;
    s->arg = arg;
    uv_poll_init(loop, &s->poll, fd);
    uv_timer_init(loop, &s->retry);
    s->handles = 2;
    s->poll.data = s->retry.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_connect);
    return s;
}

static void on_closed(uv_handle_t *h)
{
    struct server *s = h->data;
    if (--s->handles > 0)
        return;
    close(s->fd);
    free(s);
}

void server_drop(struct client *c)
{
    on_gone(c->lines, 0, c);
}

void server_close_clients(struct server *s)
{
    while (s->clients)
        server_drop(s->clients);
}

void server_destroy(struct server *s)
{
    if (!s)
        return;
    while (s->clients) {
        struct client *c = s->clients;
        unlink_client(c);
        lines_close(c->lines);
        free(c);
    }
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->retry, on_closed);
}

struct client *server_find(struct server *s, uint64_t number)
{
    struct client *c = s->clients;
    while (c && c->number != number)
        c = c->next;
    return c;
}

struct client *client_remote(unsigned rank, uint64_t number,
                             void (*send)(void *arg, unsigned rank, uint64_t number,
                                          const char *line, size_t len),
                             void *arg)
{
    struct client *c = xcalloc(1, sizeof(*c));
    c->rank = rank;
    c->number = number;
    c->send = send;
    c->arg = arg;
    return c;
}

void client_remote_free(struct client *c)
{
    free(c);
}

uint64_t client_number(const struct client *c)
{
    return c->number;
}

void client_send(struct client *c, const char *line, size_t len)
{
    if (c->lines)
        lines_send(c->lines, line, len);
    else
        c->send(c->arg, c->rank, c->number, line, len);
}

void client_send_json(struct client *c, json_object *o)
{
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    client_send(c, text, len);
}
