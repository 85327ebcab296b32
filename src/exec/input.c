/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/base64.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/job.h"
#include "src/job/jsonutil.h"

struct chunk {
    unsigned refs; /* feeds that have not taken it */
    size_t len;
    char data[];
};

struct queued {
    struct queued *next;
    struct chunk *chunk; /* NULL: end of file */
};

struct feed { /* the pipe to one task */
    struct io_watch w;
    struct input *in;
    const struct task *task;
    struct queued *first, *last;
    size_t off; /* bytes of the first chunk that were written */
    bool watching;
    struct feed *next;
};

struct source { /* a client that tells where in what it sent a message belongs */
    struct source *next;
    uint64_t have;
    char name[];
};

struct input {
    struct job *job;
    struct source *sources;
    struct feed *feeds;
    uint64_t taken, told;
    size_t held;
};

static void chunk_put(struct input *in, struct chunk *c)
{
    if (--c->refs > 0)
        return;
    in->taken += c->len;
    in->held -= c->len;
    free(c);
}

static void tell(struct input *in)
{
    if (in->taken == in->told ||
        (in->held > 0 && in->taken - in->told < INPUT_CREDIT / 8))
        return;
    in->told = in->taken;
    char text[96];
    int n =
        snprintf(text, sizeof(text), "{\"m\":\"stdinack\",\"id\":%llu,\"bytes\":%llu}",
                 (unsigned long long)in->job->id, (unsigned long long)in->taken);
    conn_tell(in->job->x->conn, text, (size_t)n);
}

static void pop(struct feed *f)
{
    struct queued *q = f->first;
    f->first = q->next;
    if (!f->first)
        f->last = NULL;
    if (q->chunk)
        chunk_put(f->in, q->chunk);
    f->off = 0;
    free(q);
}

static void feed_close(struct feed *f)
{
    while (f->first)
        pop(f);
    io_close(f->in->job->x->io, &f->w);
}

static void feed_write(struct feed *f)
{
    struct io *io = f->in->job->x->io;
    while (f->w.fd >= 0 && f->first) {
        struct chunk *c = f->first->chunk;
        if (!c) {
            feed_close(f);
            return;
        }
        ssize_t n = write(f->w.fd, c->data + f->off, c->len - f->off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* the task closed its stdin: what comes is dropped */
            feed_close(f);
            return;
        }
        f->off += (size_t)n;
        if (f->off == c->len)
            pop(f);
    }
    if (f->w.fd >= 0 && f->watching != (f->first != NULL)) {
        f->watching = f->first != NULL;
        io_change(io, &f->w, f->watching ? EPOLLOUT : 0);
    }
}

static void on_writable(struct io_watch *w, uint32_t events)
{
    struct feed *f = (struct feed *)((char *)w - offsetof(struct feed, w));
    if (events & EPOLLERR)
        feed_close(f);
    else
        feed_write(f);
    tell(f->in);
}

static int service_for_task(struct job *job, const struct task *task, int *fd,
                            struct error *err)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return error_set(err, errno, "pipe for stdin: %s", strerror(errno));
    if (!job->input) {
        job->input = xcalloc(1, sizeof(*job->input));
        job->input->job = job;
    }
    struct feed *f = xcalloc(1, sizeof(*f));
    f->in = job->input;
    f->task = task;
    f->w = (struct io_watch){.fd = p[1], .ready = on_writable};
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    if (io_add(job->x->io, &f->w, 0, err) < 0) {
        close(p[0]);
        close(p[1]);
        free(f);
        return -1;
    }
    f->next = job->input->feeds;
    job->input->feeds = f;
    *fd = p[0];
    return 0;
}

int input_for_task(struct job *job, const struct task *task, int *fd, struct error *err)
{
    const struct launch_options *o = &job->spec->options;
    *fd = -1;
    if (o->input == INPUT_NONE ||
        (o->input_ranks && !hwloc_bitmap_isset(o->input_ranks, task->rank)))
        return 0;
    if (o->input == INPUT_SERVICE)
        return service_for_task(job, task, fd, err);
    cleanup_free char *path = job_render(job, task, o->input_path);
    const char *cwd = jobspec_cwd(job->spec->js);
    cleanup_free char *full =
        path[0] == '/' || !cwd ? xstrdup(path) : xasprintf("%s/%s", cwd, path);
    *fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return error_set(err, errno, "stdin file %s: %s", path, strerror(errno));
    fcntl(*fd, F_SETFL, 0);
    return 0;
}

void input_task_ended(struct job *job, const struct task *task)
{
    if (!job->input)
        return;
    for (struct feed *f = job->input->feeds; f; f = f->next)
        if (f->task == task)
            feed_close(f);
    tell(job->input);
}

void input_destroy(struct job *job)
{
    struct input *in = job->input;
    if (!in)
        return;
    for (struct feed *f = in->feeds, *next; f; f = next) {
        next = f->next;
        feed_close(f);
        free(f);
    }
    for (struct source *s = in->sources, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(in);
    job->input = NULL;
}

/* The data of a message as bytes; NULL with err set, or when there is none (*LEN is 0). */
static char *message_data(json_object *msg, size_t *len, struct error *err)
{
    json_object *data = jsonutil_get(msg, "data");
    const char *encoding = jsonutil_string(jsonutil_get(msg, "encoding"));
    *len = 0;
    err->code = 0;
    if (!data)
        return NULL;
    if (!json_object_is_type(data, json_type_string)) {
        error_set(err, EINVAL, "stdin: \"data\" must be a string");
        return NULL;
    }
    const char *text = json_object_get_string(data);
    size_t n = (size_t)json_object_get_string_len(data);
    if (encoding && strcmp(encoding, "base64") == 0)
        return base64_decode(text, n, len, err);
    char *copy = xmalloc(n + 1);
    memcpy(copy, text, n + 1);
    *len = n;
    return copy;
}

static void enqueue(struct feed *f, struct chunk *c)
{
    struct queued *q = xcalloc(1, sizeof(*q));
    q->chunk = c;
    if (c)
        c->refs++;
    if (f->last)
        f->last->next = q;
    else
        f->first = q;
    f->last = q;
}

static struct source *find_source(struct input *in, const char *name)
{
    struct source *s = in->sources;
    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s) + strlen(name) + 1);
    strcpy(s->name, name);
    s->next = in->sources;
    in->sources = s;
    return s;
}

/* How many of LEN bytes of MSG came before: its client may send them again after it lost its
 * connection. */
static size_t known(struct input *in, json_object *msg, size_t len)
{
    const char *from = jsonutil_string(jsonutil_get(msg, "from"));
    int64_t at;
    if (!from || !jsonutil_int(jsonutil_get(msg, "at"), 0, INT64_MAX / 2, &at))
        return 0;
    struct source *s = find_source(in, from);
    size_t old =
        s->have > (uint64_t)at ? (size_t)MIN(s->have - (uint64_t)at, (uint64_t)len) : 0;
    s->have = MAX(s->have, (uint64_t)at + len);
    if (old > 0) /* nor was it told, perhaps, that they were taken */
        in->told = UINT64_MAX;
    return old;
}

void input_message(struct job *job, json_object *msg)
{
    struct input *in = job->input;
    struct error err;
    size_t len;
    cleanup_free char *data = message_data(msg, &len, &err);
    if (err.code) {
        log_error("stdin of job %s: %s", job->f58, err.text);
        return;
    }
    if (!in) { /* no task here reads it: it counts as taken */
        in = job->input = xcalloc(1, sizeof(*in));
        in->job = job;
    }
    size_t old = known(in, msg, len);
    len -= old;
    if (in->held + len > INPUT_MAX) {
        job_exception(job, "input", 0,
                      "more than %u MiB of stdin were sent before the job read them",
                      INPUT_MAX >> 20);
        return;
    }
    const char *ranks = jsonutil_string(jsonutil_get(msg, "ranks"));
    cleanup_bitmap hwloc_bitmap_t set = NULL;
    if (ranks && strcmp(ranks, "all") != 0 && !(set = idset_decode(ranks, &err))) {
        log_error("stdin of job %s: %s", job->f58, err.text);
        return;
    }
    bool eof = json_object_get_boolean(jsonutil_get(msg, "eof"));
    struct chunk *c = NULL;
    if (len > 0) {
        c = xmalloc(sizeof(*c) + len);
        c->refs = 1;
        c->len = len;
        memcpy(c->data, data + old, len);
        in->held += len;
    }
    for (struct feed *f = in->feeds; f; f = f->next) {
        if (f->w.fd < 0 || (set && !hwloc_bitmap_isset(set, f->task->rank)))
            continue;
        if (c)
            enqueue(f, c);
        if (eof)
            enqueue(f, NULL);
        feed_write(f);
    }
    if (c)
        chunk_put(in, c);
    tell(in);
}
