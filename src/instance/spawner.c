/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/spawner.h"

#include <string.h>
#include "src/common/log.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

/* The first byte of a message. */
enum {
    LINES = 'L',  /* both ways: lines, each with its newline */
    PING = 'P',   /* are you there?  And back: yes */
    GONE = 'G',   /* the process closes its connection; it may ask again later */
    END = 'X',    /* the instance is to end; a reason may follow */
    LET_GO = 'D', /* the process will not be heard of again, and the instance goes on */
    OVER = 'E',   /* from here: nothing more comes; a reason follows */
};

struct process {
    struct client *client; /* NULL: it has not asked anything */
    struct strbuf out;
};

struct spawner {
    struct transport *transport;
    const struct spawner_ops *ops;
    void *arg;
    uv_prepare_t flusher; /* active: some process is to be sent something */
    struct process *processes;
    unsigned n;
};

static void flush(struct spawner *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct strbuf *out = &s->processes[i].out;
        if (out->len > 0)
            transport_tell_spawner(s->transport, i, out->s, out->len);
        out->len = 0;
    }
}

static void on_flush(uv_prepare_t *h)
{
    uv_prepare_stop(h);
    flush(h->data);
}

/* A line of the leader. */
static void on_send(void *arg, unsigned rank, uint64_t number, const char *line,
                    size_t len)
{
    struct spawner *s = arg;
    (void)rank;
    struct strbuf *out = &s->processes[number].out;
    if (out->len == 0)
        strbuf_addn(out, "L", 1);
    strbuf_addn(out, line, len);
    strbuf_addn(out, "\n", 1);
    if (!uv_is_active((uv_handle_t *)&s->flusher))
        uv_prepare_start(&s->flusher, on_flush);
}

static void drop_client(struct spawner *s, struct process *p)
{
    if (!p->client)
        return;
    s->ops->gone(p->client, s->arg);
    client_remote_free(take(p->client));
}

static void take_lines(struct spawner *s, unsigned src, char *data, size_t len)
{
    struct process *p = &s->processes[src];
    if (!p->client)
        p->client = client_remote(0, src, on_send, s);
    const char *end = data + len;
    for (char *newline;
         p->client && (newline = memchr(data, '\n', (size_t)(end - data)));) {
        *newline = '\0';
        if (newline > data)
            s->ops->line(p->client, data, (size_t)(newline - data), s->arg);
        data = newline + 1;
    }
    if (data < end)
        log_error("process %u of the program that spawned this instance sent a line "
                  "without an end: it is ignored",
                  src);
}

static void on_message(unsigned src, char *data, size_t len, void *arg)
{
    struct spawner *s = arg;
    if (len == 0 || src >= s->n)
        return;
    switch (data[0]) {
    case LINES:
        take_lines(s, src, data + 1, len - 1);
        break;
    case PING:
        transport_tell_spawner(s->transport, src, "P", 1);
        break;
    case GONE:
        drop_client(s, &s->processes[src]);
        break;
    case END:
        s->ops->end(len > 1 ? data + 1
                            : "the program that spawned the instance closed it",
                    s->arg);
        break;
    case LET_GO:
        drop_client(s, &s->processes[src]);
        s->ops->let_go(s->arg);
        transport_tell_spawner(s->transport, src, "Ethe instance was let go", 24);
        break;
    default:
        log_error("process %u of the program that spawned this instance sent what is no "
                  "message: %.40s",
                  src, data);
    }
}

struct spawner *spawner_create(uv_loop_t *loop, struct transport *t,
                               const struct spawner_ops *ops, void *arg)
{
    struct spawner *s = xcalloc(1, sizeof(*s));
    s->transport = t;
    s->ops = ops;
    s->arg = arg;
    s->n = transport_spawners(t);
    s->processes = xcalloc(s->n, sizeof(*s->processes));
    uv_prepare_init(loop, &s->flusher);
    s->flusher.data = s;
    transport_hear_spawners(t, on_message, s);
    return s;
}

void spawner_farewell(struct transport *t, const char *why)
{
    cleanup_free char *text = xasprintf("E%s", why);
    transport_leave_spawners(t, text, strlen(text));
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void spawner_destroy(struct spawner *s)
{
    if (!s)
        return;
    transport_hear_spawners(s->transport, NULL, NULL);
    flush(s);
    for (unsigned i = 0; i < s->n; i++) {
        drop_client(s, &s->processes[i]);
        free(s->processes[i].out.s);
    }
    free(s->processes);
    uv_close((uv_handle_t *)&s->flusher, on_closed);
}
