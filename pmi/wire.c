/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/wire.h"
#include "pmi/wire_impl.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 16384,
    FIRST_LINE_MAX = 1024,
    OUT_MAX = 1 << 20, /* replies that a task leaves unread */
    LEFT_MS = 200,     /* a task that ends closes its socket a little before */
};

/* --- create, destroy ---------------------------------------------------------------------- */

struct wire *wire_create(const struct pmi_config *config, struct exchange *x,
                         struct nameserv *ns, struct spawner *spawner)
{
    struct wire *wire = xcalloc(1, sizeof(*wire));
    wire->config = *config;
    wire->x = x;
    wire->ns = ns;
    wire->spawner = spawner;
    wire->timer = xcalloc(1, sizeof(*wire->timer));
    uv_timer_init(config->loop, wire->timer);
    wire->timer->data = wire;
    return wire;
}

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

void wire_destroy(struct wire *wire)
{
    if (!wire)
        return;
    while (wire->jobs)
        wire_job_destroy(wire->jobs);
    op_destroy(wire);
    uv_close((uv_handle_t *)wire->timer, on_handle_closed);
    free(wire);
}

struct wire_job *wire_job_create(struct wire *wire, const struct pmi_job_spec *spec,
                                 struct error *err)
{
    if (spec->size == 0 || spec->node >= spec->nnodes)
        return error_null(err, EINVAL, "PMI job %s: node %u of %u, %u tasks",
                          spec->nspace, spec->node, spec->nnodes, spec->size);
    struct wire_job *job = xcalloc(1, sizeof(*job));
    job->wire = wire;
    job->id = spec->id;
    job->nspace = xstrdup(spec->nspace);
    job->parent_nspace = spec->parent_nspace ? xstrdup(spec->parent_nspace) : NULL;
    job->key = xasprintf("%s/wire", spec->nspace);
    job->size = spec->size;
    job->nnodes = spec->nnodes;
    job->universe_size = spec->universe_size;
    job->node_ranks = xcalloc(spec->nnodes, sizeof(unsigned));
    memcpy(job->node_ranks, spec->node_ranks, spec->nnodes * sizeof(unsigned));
    job->napps = spec->app_sizes ? spec->napps : 1;
    job->app_sizes = xcalloc(job->napps, sizeof(unsigned));
    for (unsigned i = 0; i < job->napps; i++)
        job->app_sizes[i] = spec->app_sizes ? spec->app_sizes[i] : spec->size;
    for (unsigned i = 0; i < spec->size; i++)
        job->nlocal += spec->task_node[i] == spec->node;
    job->ranks = xcalloc(job->nlocal, sizeof(unsigned));
    job->conns = xcalloc(job->nlocal, sizeof(*job->conns));
    for (unsigned i = 0, n = 0; i < spec->size; i++)
        if (spec->task_node[i] == spec->node)
            job->ranks[n++] = i;
    job->kvs = kvs_create();
    job->attrs = kvs_create();
    if (spec->taskmap_pmi) {
        size_t len = strlen(spec->taskmap_pmi); /* too long: unknown (RFC 13) */
        kvs_put_known(job->kvs, "PMI_process_mapping", spec->taskmap_pmi,
                      len < WIRE_VALUE_MAX ? len : 0);
    }
    if (spec->preput) {
        json_object_object_foreach(spec->preput, key, value)
        {
            const char *text = json_object_get_string(value);
            if (text)
                kvs_put_known(job->kvs, key, text, strlen(text));
        }
    }
    job->next = wire->jobs;
    wire->jobs = job;
    return job;
}

static void conn_free(struct conn *c)
{
    if (!c)
        return;
    conn_close(c);
    op_conn_freed(c);
    free(c->in.s);
    free(c->out.s);
    free(c->mcmd.s);
    free(c->token);
    free(c);
}

void wire_job_destroy(struct wire_job *job)
{
    if (!job)
        return;
    struct wire_job **p = &job->wire->jobs;
    while (*p != job)
        p = &(*p)->next;
    *p = job->next;
    if (job->nnodes > 1)
        exchange_abort(job->wire->x, job->key, ECONNABORTED);
    op_job_ended(job);
    for (unsigned i = 0; i < job->nlocal; i++)
        conn_free(job->conns[i]);
    kvs_destroy(job->kvs);
    kvs_destroy(job->attrs);
    free(job->nspace);
    free(job->parent_nspace);
    free(job->key);
    free(job->node_ranks);
    free(job->app_sizes);
    free(job->ranks);
    free(job->conns);
    free(job->why);
    free(job);
}

struct wire_job *wire_job_find(struct wire *wire, const char *nspace)
{
    struct wire_job *job = wire->jobs;
    while (job && strcmp(job->nspace, nspace) != 0)
        job = job->next;
    return job;
}

unsigned conn_appnum(const struct conn *c)
{
    unsigned first = 0;
    for (unsigned i = 0; i < c->job->napps; i++) {
        first += c->job->app_sizes[i];
        if (c->rank < first)
            return i;
    }
    return 0;
}

/* --- what is said to the user ------------------------------------------------------------- */

static char *sentence(struct conn *c, const char *fmt, va_list ap)
{
    char *text;
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    bool utf8 = utf8_valid(text, strlen(text)); /* it may quote what the task sent */
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127 || ((unsigned char)*p > 127 && !utf8))
            *p = '?';
    char *line = xasprintf("hbatch: PMI: task %u %s\n", c->rank, text);
    free(text);
    return line;
}

void conn_log(struct conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *line = sentence(c, fmt, ap);
    va_end(ap);
    const struct pmi_config *config = &c->job->wire->config;
    config->ops->log(config->arg, c->job->id, c->rank, 2, line, strlen(line));
}

void conn_error(struct conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *line = sentence(c, fmt, ap);
    va_end(ap);
    conn_close(c);
    const struct pmi_config *config = &c->job->wire->config;
    config->ops->abort(config->arg, c->job->id, c->rank, 1, line);
    op_gone(c, "broke the PMI protocol", true);
}

static void on_left(uv_timer_t *timer)
{
    struct wire *wire = timer->data;
    double limit = time_mono() - LEFT_MS / 1000.0 / 2;
    bool more = false;
    for (struct wire_job *job = wire->jobs; job; job = job->next)
        for (unsigned i = 0; i < job->nlocal; i++) {
            struct conn *c = job->conns[i];
            if (!c || c->left == 0)
                continue;
            if (c->left > limit) {
                more = true;
                continue;
            }
            c->left = 0;
            conn_log(c, "closed its PMI socket without a finalize, and lives on: "
                        "barriers of its job fail from now on");
        }
    if (more)
        uv_timer_start(timer, on_left, LEFT_MS, 0);
}

/* --- the socket --------------------------------------------------------------------------- */

static void trace(const struct conn *c, char direction, const char *data, size_t len)
{
    if (!c->job->wire->config.verbose)
        return;
    fprintf(stderr, "pmi: %s.%u %c ", c->job->nspace, c->rank, direction);
    for (size_t i = 0; i < len; i++)
        fputc(data[i] == '\n'                    ? '|'
              : data[i] >= ' ' && data[i] <= '~' ? data[i]
                                                 : '?',
              stderr);
    fputc('\n', stderr);
}

void conn_close(struct conn *c)
{
    if (c->fd < 0)
        return;
    /* In this order: closing the handle forgets the number, which may soon be another's. */
    uv_close((uv_handle_t *)take(c->poll), on_handle_closed);
    close(c->fd);
    c->fd = -1;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct conn *c)
{
    /* A task that does not read its answers is not heard either. */
    if (c->fd >= 0)
        uv_poll_start(c->poll, c->out.len > 0 ? UV_WRITABLE : UV_READABLE, on_poll);
}

static void lost(struct conn *c)
{
    bool early = c->state == CONN_STARTED || c->state == CONN_READY;
    conn_close(c);
    if (early) {
        struct wire *wire = c->job->wire;
        c->left = time_mono();
        if (!uv_is_active((uv_handle_t *)wire->timer))
            uv_timer_start(wire->timer, on_left, LEFT_MS, 0);
    }
    op_gone(c, early ? "left without a PMI finalize" : "closed its PMI socket", false);
}

static void flush(struct conn *c)
{
    size_t done = 0;
    while (c->fd >= 0 && done < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.s + done, c->out.len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            lost(c);
    }
    c->out.len -= done;
    if (c->out.len > 0)
        memmove(c->out.s, c->out.s + done, c->out.len);
}

void conn_send(struct conn *c, const char *data, size_t len)
{
    if (c->fd < 0)
        return;
    trace(c, '>', data, len);
    bool busy = c->out.len > 0;
    if (c->out.len + len > OUT_MAX) {
        conn_error(c, "does not read the answers to its PMI requests");
        return;
    }
    strbuf_addn(&c->out, data, len);
    if (busy)
        return;
    flush(c);
    if (c->out.len > 0)
        watch(c);
}

void conn_answer(struct conn *c, const struct wire_answer *a)
{
    c->pending--;
    if (c->fd >= 0)
        c->protocol->answer(c, a);
}

/* The first line tells the protocol; both versions write it the same way. */
static size_t first_line(struct conn *c, char *data, size_t len)
{
    char *end = memchr(data, '\n', len), line[FIRST_LINE_MAX];
    if (!end && len < sizeof(line))
        return 0;
    size_t n = end ? (size_t)(end - data) : len;
    unsigned version, subversion;
    int used = -1;
    if (n < sizeof(line)) {
        memcpy(line, data, n);
        line[n] = '\0';
        if (strlen(line) == n &&
            sscanf(line, "cmd=init pmi_version=%9u pmi_subversion=%9u %n", &version,
                   &subversion, &used) == 2 &&
            used != (int)n && line[used - 1] != ' ') /* more words are allowed */
            used = -1;
    }
    if (used < 0) {
        for (size_t i = 0; i < MIN(n, 60); i++)
            line[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
        line[MIN(n, 60)] = '\0';
        conn_error(c,
                   "said '%s%s' on its PMI socket where 'cmd=init pmi_version=...' "
                   "was expected",
                   line, n > 60 ? "..." : "");
        return len;
    }
    c->protocol = version == 2 ? &wire_pmi2 : version == 1 ? &wire_pmi1 : NULL;
    if (!c->protocol) {
        static const char no[] =
            "cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=-1\n";
        conn_send(c, no, sizeof(no) - 1);
        conn_error(c, "wants PMI version %u.%u; there are 1.1 and 2.0", version,
                   subversion);
        return len;
    }
    cleanup_free char *yes =
        xasprintf("cmd=response_to_init pmi_version=%u pmi_subversion=%u rc=0\n", version,
                  version == 1 ? 1 : 0);
    conn_send(c, yes, strlen(yes));
    c->state = version == 1 ? CONN_READY : CONN_STARTED;
    return n + 1;
}

static void consume(struct conn *c)
{
    size_t done = 0;
    while (c->fd >= 0 && done < c->in.len) {
        char *data = c->in.s + done;
        size_t len = c->in.len - done;
        size_t used = c->state == CONN_NEW ? first_line(c, data, len)
                                           : c->protocol->consume(c, data, len);
        if (used == 0)
            break;
        if (c->fd >= 0)
            trace(c, '<', data, used);
        done += used;
    }
    c->in.len -= done;
    if (c->in.len > 0)
        memmove(c->in.s, c->in.s + done, c->in.len);
}

/* Read what there is (once, unless ALL). */
static void receive(struct conn *c, bool all)
{
    char data[READ_SIZE];
    while (c->fd >= 0 && c->out.len == 0) {
        ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            lost(c);
            return;
        }
        strbuf_addn(&c->in, data, (size_t)n);
        consume(c);
        if (!all && n < READ_SIZE)
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct conn *c = poll->data;
    if (status < 0) {
        lost(c);
        return;
    }
    if (events & UV_WRITABLE)
        flush(c);
    if (events & UV_READABLE)
        receive(c, false);
    watch(c);
}

/* --- tasks -------------------------------------------------------------------------------- */

static struct conn **conn_slot(struct wire_job *job, unsigned rank)
{
    unsigned low = 0, high = job->nlocal;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (job->ranks[mid] < rank)
            low = mid + 1;
        else
            high = mid;
    }
    return low < job->nlocal && job->ranks[low] == rank ? &job->conns[low] : NULL;
}

static void add_env(void (*envadd)(void *arg, char *kv), void *arg, const char *name,
                    unsigned value)
{
    envadd(arg, xasprintf("%s=%u", name, value));
}

int wire_task_prepare(struct wire_job *job, unsigned rank,
                      void (*envadd)(void *arg, char *kv), void *arg, int *child_fd,
                      struct error *err)
{
    *child_fd = -1;
    struct conn **slot = conn_slot(job, rank);
    if (!slot || *slot)
        return error_set(err, EINVAL, "PMI job %s: task %u %s", job->nspace, rank,
                         slot ? "was prepared before" : "is not on this node");
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_set(err, errno, "PMI socket for task %u: %s", rank, strerror(errno));
    uv_poll_t *poll = xcalloc(1, sizeof(*poll));
    int rc = uv_poll_init(job->wire->config.loop, poll, fds[0]);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        free(poll);
        return error_set(err, -rc, "PMI socket for task %u: %s", rank, uv_strerror(rc));
    }
    struct conn *c = xcalloc(1, sizeof(*c));
    c->job = job;
    c->rank = rank;
    c->fd = fds[0];
    c->poll = poll;
    poll->data = c;
    *slot = c;
    watch(c);
    add_env(envadd, arg, "PMI_FD", (unsigned)fds[1]);
    add_env(envadd, arg, "PMI_RANK", rank);
    add_env(envadd, arg, "PMI_SIZE", job->size);
    envadd(arg, xasprintf("PMI_JOBID=%s", job->nspace));
    if (job->parent_nspace)
        add_env(envadd, arg, "PMI_SPAWNED", 1);
    /* as MPICH's own launcher has them */
    add_env(envadd, arg, "MPI_LOCALNRANKS", job->nlocal);
    add_env(envadd, arg, "MPI_LOCALRANKID", (unsigned)(slot - job->conns));
    *child_fd = fds[1];
    return 0;
}

void wire_task_started(struct wire_job *job, unsigned rank, pid_t pid)
{
    struct conn **slot = conn_slot(job, rank);
    if (slot && *slot)
        (*slot)->pid = pid;
}

void wire_task_exited(struct wire_job *job, unsigned rank, bool *unclean)
{
    struct conn **slot = conn_slot(job, rank);
    struct conn *c = slot ? *slot : NULL;
    *unclean = false;
    if (!c)
        return;
    receive(c, true); /* its last words: abort, finalize */
    c->left = 0;
    *unclean = c->state == CONN_STARTED || c->state == CONN_READY;
    conn_close(c);
    op_gone(c, "has ended", false);
}

void conn_finalized(struct conn *c)
{
    c->state = CONN_FINALIZED;
    op_gone(c, "has finalized", false);
}
