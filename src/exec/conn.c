/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "config.h"
#include "src/comm/lines.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"
#include "src/exec/lease.h"
#include "src/exec/message.h"
#include "src/exec/remember.h"
#include "src/job/jsonutil.h"

#define LAZY_MAX (32u << 10) /* bytes of events that may wait */

struct batch { /* sent, not yet acknowledged */
    struct batch *next;
    uint64_t seq;
    size_t len;
    char text[];
};

struct conn {
    struct exec *x;
    struct io_watch listener;
    struct lines *lines; /* NULL: no rank is attached */
    uint64_t seq, acked;
    struct batch *first, *last;
    struct strbuf events; /* gathered in this turn, or a little longer */
    bool urgent;          /* some of them must be told at the end of this turn */
    uv_timer_t timer;     /* active: the others will be told then */
    uint64_t greets;
    struct strbuf kept; /* lines for the next rank */
    bool in_log;
    double since; /* when the executor was started */
};

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct conn *c = arg;
    struct error err;
    (void)l;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    if (!o)
        log_error("message from the rank: %s", err.text);
    else if (!json_object_is_type(o, json_type_object))
        log_error("message from the rank: %s is not an object", jsonutil_show(o).text);
    else
        message_handle(c->x, o);
}

static void drop_lines(struct conn *c)
{
    lines_close(take(c->lines));
    exec_detached(c->x);
}

static void on_closed(struct lines *l, int status, void *arg)
{
    struct conn *c = arg;
    (void)l;
    if (status < 0)
        log_warning("connection to the rank: %s", strerror(-status));
    drop_lines(c);
}

static const struct lines_ops ops = {.line = on_line, .closed = on_closed};

void conn_greet(struct conn *c)
{
    if (!c->lines)
        return;
    lease_drop(c->x);
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(
        &b, "{\"m\":\"hello\",\"version\":\"%s\",\"pid\":%d,\"since\":%.6f,\"jobs\":[",
        PACKAGE_VERSION, (int)getpid(), c->since);
    bool first = true;
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&c->x->jobs, &i)); first = false)
        strbuf_addf(&b, "%s%llu", first ? "" : ",", (unsigned long long)job_id(job));
    remember_list(c->x, &b, &first);
    strbuf_add(&b, "],\"started\":[");
    first = true;
    i = 0;
    for (struct job *job; (job = idmap_next(&c->x->jobs, &i));)
        if (job->started && job->start_seq <= c->acked) {
            strbuf_addf(&b, "%s%llu", first ? "" : ",", (unsigned long long)job_id(job));
            first = false;
        }
    strbuf_add(&b, "],\"runs\":{");
    first = true;
    i = 0;
    for (struct job *job; (job = idmap_next(&c->x->jobs, &i));)
        if (job->run > 0) {
            strbuf_addf(&b, "%s\"%llu\":%lld", first ? "" : ",",
                        (unsigned long long)job_id(job), (long long)job->run);
            first = false;
        }
    remember_runs(c->x, &b, &first);
    strbuf_addf(&b, "},\"greet\":%llu,\"seq\":%llu}", (unsigned long long)++c->greets,
                (unsigned long long)c->acked);
    lines_send(c->lines, b.s, b.len);
    for (struct batch *e = c->first; e; e = e->next)
        lines_send(c->lines, e->text, e->len);
    if (c->kept.len > 0)
        lines_send(c->lines, c->kept.s,
                   c->kept.len - 1); /* its last newline is added again */
    c->kept.len = 0;
}

static void on_listener(struct io_watch *w, uint32_t events)
{
    struct conn *c = (struct conn *)((char *)w - offsetof(struct conn, listener));
    (void)events;
    int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            log_error("accept: %s", strerror(errno));
        return;
    }
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        (peer.uid != geteuid() && peer.uid != 0)) {
        log_error("a connection of another user was refused");
        close(fd);
        return;
    }
    if (c->lines)
        drop_lines(c);
    c->lines = lines_create(c->x->loop, fd, &ops, c);
    if (!c->x->sweep) /* else after that */
        conn_greet(c);
    exec_attached(c->x);
}

/* What is logged goes to the rank as well. */
static void on_log(enum log_level level, const char *text, void *arg)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct conn *c = arg;
    if (!c->lines || c->in_log)
        return;
    c->in_log = true;
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("log"));
    json_object_object_add(o, "level", json_object_new_string(names[level]));
    json_object_object_add(o, "text", json_object_new_string(text));
    lines_send_json(c->lines, o);
    c->in_log = false;
}

struct conn *conn_create(struct exec *x, int listen_fd, struct error *err)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->x = x;
    c->since = time_now();
    c->listener = (struct io_watch){.fd = listen_fd, .ready = on_listener};
    if (io_add(x->io, &c->listener, EPOLLIN, err) < 0) {
        free(c);
        return NULL;
    }
    uv_timer_init(x->loop, &c->timer);
    c->timer.data = c;
    log_hook(on_log, c, LOG_L_ERROR);
    return c;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void conn_destroy(struct conn *c)
{
    if (!c)
        return;
    log_hook(NULL, NULL, LOG_L_ERROR);
    lines_close(c->lines);
    io_close(c->x->io, &c->listener);
    for (struct batch *e = c->first, *next; e; e = next) {
        next = e->next;
        free(e);
    }
    free(c->events.s);
    free(c->kept.s);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

bool conn_is_wanted(const struct conn *c)
{
    struct pollfd p = {.fd = c->listener.fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

struct strbuf *conn_event_begin(struct conn *c, uint64_t id, int64_t run,
                                const char *name)
{
    return conn_event_begin_at(c, id, run, name, 0);
}

struct strbuf *conn_entry_begin(struct conn *c, uint64_t id, const char *name, double t)
{
    strbuf_add(&c->events, c->events.len ? ",[" : "[");
    strbuf_addu(&c->events, id);
    strbuf_add(&c->events, ",\"");
    strbuf_add(&c->events, name);
    strbuf_add(&c->events, "\",");
    strbuf_add_time(&c->events, t > 0 ? t : time_now());
    strbuf_addc(&c->events, ',');
    return &c->events;
}

struct strbuf *conn_event_begin_at(struct conn *c, uint64_t id, int64_t run,
                                   const char *name, double t)
{
    conn_entry_begin(c, id, name, t);
    strbuf_addc(&c->events, '{');
    if (run > 0)
        strbuf_addf(&c->events, "\"run\":%lld,", (long long)run);
    return &c->events;
}

void conn_event_end(struct conn *c)
{
    strbuf_addc(&c->events, '}');
    conn_entry_end(c, false);
}

static void on_lazy(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    lease_tell(c->x, false);
    c->urgent = true;
}

void conn_lazy(struct conn *c)
{
    if (!uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_lazy, CONN_LAZY_MS, 0);
}

void conn_entry_end(struct conn *c, bool lazily)
{
    strbuf_addc(&c->events, ']');
    if (!lazily || c->events.len >= LAZY_MAX)
        c->urgent = true;
    else
        conn_lazy(c);
}

void conn_hurry(struct conn *c)
{
    c->urgent = true;
}

uint64_t conn_greets(const struct conn *c)
{
    return c->greets;
}

void conn_flush(struct conn *c)
{
    if (c->events.len > 0 && c->urgent) {
        c->urgent = false;
        char head[64];
        int n = snprintf(head, sizeof(head), "{\"m\":\"ev\",\"seq\":%llu,\"e\":[",
                         (unsigned long long)++c->seq);
        size_t len = (size_t)n + c->events.len + 2;
        struct batch *e = xmalloc(sizeof(*e) + len);
        e->next = NULL;
        e->seq = c->seq;
        e->len = len;
        memcpy(e->text, head, (size_t)n);
        memcpy(e->text + n, c->events.s, c->events.len);
        memcpy(e->text + len - 2, "]}", 2);
        c->events.len = 0;
        if (c->last)
            c->last->next = e;
        else
            c->first = e;
        c->last = e;
        if (c->lines)
            lines_send(c->lines, e->text, e->len);
    }
    if (c->lines && lines_queued(c->lines) > 0)
        lines_flush(c->lines);
}

void conn_acked(struct conn *c, uint64_t seq)
{
    while (c->first && c->first->seq <= seq) {
        struct batch *e = c->first;
        c->acked = e->seq;
        c->first = e->next;
        if (!c->first)
            c->last = NULL;
        free(e);
    }
}

uint64_t conn_next_seq(const struct conn *c)
{
    return c->seq + 1;
}

void conn_tell(struct conn *c, const char *text, size_t len)
{
    if (c->lines)
        lines_send(c->lines, text, len);
}

void conn_tell_surely(struct conn *c, const char *text, size_t len)
{
    if (c->lines) {
        lines_send(c->lines, text, len);
    } else if (c->kept.len + len < CONN_KEPT_MAX) {
        strbuf_addn(&c->kept, text, len);
        strbuf_addc(&c->kept, '\n');
    } else {
        log_error("a message for the rank was dropped: none has been attached for long");
    }
}

void conn_quote(struct strbuf *b, const char *s, size_t len)
{
    strbuf_addc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch >= 0x20 && ch != '"' && ch != '\\' && ch != 0x7f)
            continue;
        strbuf_addn(b, s + from, i - from);
        from = i + 1;
        if (ch == '\n')
            strbuf_addn(b, "\\n", 2);
        else if (ch == '"' || ch == '\\') {
            strbuf_addc(b, '\\');
            strbuf_addc(b, (char)ch);
        } else {
            strbuf_addf(b, "\\u%04x", ch);
        }
    }
    strbuf_addn(b, s + from, len - from);
    strbuf_addc(b, '"');
}
