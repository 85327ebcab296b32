/* SPDX-License-Identifier: BSD-3-Clause */
/* stream: what clients watch: attach (events and output of one job, or of each of many), follow
 * (the ends of many), wait (the end of one).
 *
 * Many jobs that are attached to by one request, elements of an array or others whose ids follow each other, are a
 * *block*.  It is looked at from its first job on, a part of it in a turn: what has ended, or is there as a job, gets a
 * stream of its own, and elements that wait get theirs with their jobs.  Of jobs that had ended, few are told of at a time.
 * These streams and the block's have one request and one *window*: what the client was sent and has taken, and how many
 * ends are still to be told. */
#include "src/instance/stream_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum {
    OVER_AT_ONCE = 64,   /* jobs of a block that are over, and read from */
    LOOKED_AT_ONCE = 256 /* jobs of a block in a turn */
};

static struct stream **list_of(struct leader *ld, enum stream_kind kind)
{
    return kind == WHOLE                     ? &ld->wholes
           : kind == FOLLOW || kind == BLOCK ? &ld->follows
                                             : &ld->streams;
}

struct stream *stream_create(struct leader *ld, enum stream_kind kind,
                             const struct request *rq, jobid_t first)
{
    struct stream *st = xcalloc(1, sizeof(*st));
    st->kind = kind;
    st->rq = *rq;
    st->first = first;
    struct stream **list = list_of(ld, kind);
    st->next = *list;
    if (st->next)
        st->next->prev = st;
    *list = st;
    return st;
}

/* WINDOW: NULL for a stream by itself. */
static struct stream *create_attach(struct leader *ld, const struct request *rq,
                                    jobid_t id, bool output, struct window *window)
{
    struct stream *st = stream_create(ld, ATTACH, rq, id);
    st->output = output;
    if (!window) {
        window = xcalloc(1, sizeof(*window));
        window->left = 1;
    }
    window->refs++;
    st->window = window;
    return st;
}

void stream_unlink_from_job(struct stream *st)
{
    if (!st->job)
        return;
    struct stream **p = &st->job->streams;
    while (*p != st)
        p = &(*p)->job_next;
    *p = st->job_next;
    st->job = NULL;
}

static void unlink_from_array(struct stream *st)
{
    if (!st->array)
        return;
    struct stream **p = &st->array->watchers;
    while (*p != st)
        p = &(*p)->job_next;
    *p = st->job_next;
    st->array = NULL;
}

void stream_link_to_job(struct stream *st, struct job *job)
{
    job_log(job); /* it is watched: an element's events are added to it from now on */
    st->job = job;
    st->job_next = job->streams;
    job->streams = st;
}

void stream_link_to_one(struct leader *ld, struct stream *st)
{
    struct stream *first = idmap_get(&ld->ones, st->first);
    st->one = true;
    if (!first) {
        idmap_put(&ld->ones, st->first, st);
        return;
    }
    st->job_next = first->job_next;
    first->job_next = st;
}

void stream_unlink_from_one(struct leader *ld, struct stream *st)
{
    if (!st->one)
        return;
    struct stream *p = idmap_get(&ld->ones, st->first);
    st->one = false;
    if (p == st) {
        idmap_del(&ld->ones, st->first);
        if (st->job_next)
            idmap_put(&ld->ones, st->first, st->job_next);
        return;
    }
    while (p->job_next != st)
        p = p->job_next;
    p->job_next = st->job_next;
}

void stream_destroy(struct leader *ld, struct stream *st)
{
    stream_unlink_from_job(st);
    stream_unlink_from_one(ld, st);
    unlink_from_array(st);
    if (st->kind == BLOCK)
        st->window->all = NULL;
    if (st->late && st->window->over-- == OVER_AT_ONCE)
        leader_wake(ld); /* for those that come next */
    if (st->prev)
        st->prev->next = st->next;
    else
        *list_of(ld, st->kind) = st->next;
    if (st->next)
        st->next->prev = st->prev;
    stream_free_readers(ld, st);
    if (st->window && --st->window->refs == 0)
        free(st->window);
    if (st->held && st->kind == WHOLE)
        TAILQ_REMOVE(&ld->telling, st, held_entry);
    else if (st->held)
        TAILQ_REMOVE(&ld->held_ends, st, held_entry);
    json_object_put(st->end);
    json_object_put(st->sealed);
    json_object_put(st->ends);
    free(st);
}

/* --- events and input ---------------------------------------------------------------------- */

static void send_event(const struct stream *st, const char *line, size_t len)
{
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b,
                "{\"jsonrpc\":\"2.0\",\"method\":\"job.event\",\"params\":{\"sub\":%lld,"
                "\"id\":%lld,\"event\":",
                (long long)st->rq.id, (long long)st->first);
    strbuf_addn(&b, line, len);
    strbuf_add(&b, "}}");
    client_send(st->rq.client, b.s, b.len);
}

static void send_log(const struct stream *st, const char *log, size_t len)
{
    for (const char *p = log, *end = log + len; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        send_event(st, p, n);
        p += n + 1;
    }
}

static void send_log_of(struct leader *ld, const struct stream *st, struct job *job)
{
    cleanup_free char *log = joblog_get(ld->store, job);
    send_log(st, log, strlen(log));
}

void stream_event(struct leader *ld, struct job *job, const char *line, size_t len)
{
    (void)ld;
    for (struct stream *st = job->streams; st; st = st->job_next)
        if (st->kind == ATTACH)
            send_event(st, line, len);
}

void stream_input(struct job *job, const struct client *c)
{
    for (struct stream *st = job->streams; st; st = st->job_next)
        if (st->kind == ATTACH && st->rq.client == c)
            st->input = true;
}

/* Each node of the job counts what its tasks took: all have taken what the slowest has. */
void stream_input_ack(struct leader *ld, unsigned rank, json_object *msg)
{
    int64_t id, bytes = INT64_MAX; /* null: nobody reads there */
    jsonutil_int(jsonutil_get(msg, "bytes"), 0, INT64_MAX, &bytes);
    if (!jsonutil_int(jsonutil_get(msg, "id"), 1, INT64_MAX, &id))
        return;
    struct job *job = jobtable_find(ld->jobs, (jobid_t)id);
    int index = job ? job_node_index(job, rank) : -1;
    if (index < 0)
        return;
    if (!job->input_taken)
        job->input_taken = xcalloc(job->pl->rset->nnodes, sizeof(*job->input_taken));
    job->input_taken[index] = bytes;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        least = MIN(least, job->input_taken[i]);
    for (struct stream *st = job->streams; st; st = st->job_next) {
        if (!st->input)
            continue;
        json_object *params = json_object_new_object();
        json_object_object_add(params, "sub", json_object_new_int64(st->rq.id));
        json_object_object_add(params, "id", json_object_new_int64(id));
        json_object_object_add(params, "bytes", json_object_new_int64(least));
        notify(st->rq.client, "job.stdinack", params);
    }
}

/* --- opening ---------------------------------------------------------------------------- */

/* WINDOW: as for create_attach. NOW: as the stream's. */
static int attach(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                  bool now, struct window *window, struct error *err)
{
    uint64_t position;
    const struct job *rest = now ? elements_waiting(ld, id, &position) : NULL;
    if (rest) { /* it goes on without a job of its own */
        struct stream *st = create_attach(ld, rq, id, output, window);
        struct job view = element_view(rest, position);
        st->now = true;
        send_log(st, rest->log.s, rest->log.len);
        stream_end(ld, st, stream_describe_state(&view));
        return 0;
    }
    struct job *job = elements_job(ld, id);
    if (job) {
        struct stream *st = create_attach(ld, rq, id, output, window);
        st->now = now;
        if (!now)
            stream_link_to_job(st, job);
        send_log_of(ld, st, job);
        if (output && job->pl && job->map)
            stream_open_running(ld, st, job);
        if (now)
            stream_end(ld, st, stream_describe_state(job));
        return 0;
    }
    json_object *end = stream_find_end(ld, id, err);
    if (!end)
        return -1;
    struct stream *st = create_attach(ld, rq, id, output, window);
    st->late = true;
    st->window->over++;
    cleanup_free char *log = store_job_info(ld->store, id, "eventlog", NULL);
    if (log)
        send_log(st, log, strlen(log));
    if (output)
        stream_open_stored(ld, st, id);
    stream_end(ld, st, end);
    return 0;
}

int stream_attach(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                  struct error *err)
{
    return attach(ld, rq, id, output, false, NULL, err);
}

int stream_look(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                struct error *err)
{
    return attach(ld, rq, id, output, true, NULL, err);
}

void stream_link_to_array(struct stream *st, struct submission *sub)
{
    st->array = sub;
    st->job_next = sub->watchers;
    sub->watchers = st;
}

void stream_array_over(struct leader *ld, struct submission *sub)
{
    (void)ld;
    while (sub->watchers)
        unlink_from_array(sub->watchers);
}

int stream_wait(struct leader *ld, const struct request *rq, jobid_t id,
                struct error *err)
{
    struct job *job = elements_job(ld, id);
    if (job) {
        stream_link_to_job(stream_create(ld, WAIT, rq, id), job);
        return 0;
    }
    json_object *end = stream_find_end(ld, id, err);
    if (!end)
        return -1;
    reply_when_safe(ld, rq, end);
    return 0;
}

/* --- blocks ------------------------------------------------------------------------------- */

void stream_attach_block(struct leader *ld, const struct request *rq, jobid_t first,
                         uint64_t count, bool output)
{
    struct stream *st = stream_create(ld, BLOCK, rq, first);
    st->output = output;
    st->count = count;
    st->left = 1; /* its window knows better */
    st->window = xcalloc(1, sizeof(*st->window));
    *st->window = (struct window){.refs = 1, .left = count, .all = st};
    leader_wake(ld);
}

void stream_element(struct leader *ld, struct job *job)
{
    for (struct stream *all = ld->follows; all; all = all->next) {
        if (all->kind != BLOCK ||
            jobid_position(all->first, all->looked_at, job->sj.id) < 0)
            continue;
        struct stream *st =
            create_attach(ld, &all->rq, job->sj.id, all->output, all->window);
        stream_link_to_job(st, job);
        send_log_of(ld, st, job);
    }
}

/* How many jobs of the block from the next one on are elements that wait: nothing is to be done for them. */
static uint64_t count_waiting(const struct leader *ld, const struct stream *st)
{
    uint64_t at, left = st->count - st->looked_at;
    jobid_t id = jobid_nth(st->first, st->looked_at);
    const struct submission *sub = jobtable_array_of(ld->jobs, id, &at);
    if (!sub || array_state(sub->array, at) != ARRAY_REST)
        return 0;
    return MIN(left, array_find(sub->array, ARRAY_REST, at).n);
}

bool stream_look_on(struct leader *ld, struct stream *st)
{
    struct window *w = st->window;
    w->refs++; /* the last end may be told here */
    for (unsigned n = 0; w->all && st->looked_at < st->count && w->over < OVER_AT_ONCE;
         n++) {
        if (n == LOOKED_AT_ONCE) {
            leader_wake(ld);
            break;
        }
        uint64_t waiting = count_waiting(ld, st);
        st->looked_at += waiting;
        if (waiting > 0)
            continue;
        struct error err;
        jobid_t id = jobid_nth(st->first, st->looked_at++);
        if (attach(ld, &st->rq, id, st->output, false, w, &err) == 0)
            continue;
        if (err.code != ENOENT || store_is_behind(ld->store)) { /* it may be there */
            st->looked_at--;
            break;
        }
        stream_missing(ld, st, id, &err);
    }
    bool there = w->all != NULL;
    if (--w->refs == 0)
        free(w);
    return there;
}

/* --- holding, and leaving --------------------------------------------------------------------- */

void stream_hold(struct leader *ld, const struct request *rq, jobid_t id)
{
    struct job *job = jobtable_find(ld->jobs, id);
    for (struct stream *st = job ? job->streams : NULL; st; st = st->job_next)
        if (st->rq.client == rq->client && st->rq.id == rq->id)
            st->holds = tie_is(job);
}

bool stream_holds(const struct job *job)
{
    for (const struct stream *st = job->streams; st; st = st->job_next)
        if (st->holds)
            return true;
    return false;
}

/* Set *HELD to the ids of jobs that they held. Return their number. */
static size_t drop_streams(struct leader *ld, struct stream *list, const struct client *c,
                           jobid_t **held)
{
    size_t n = 0;
    for (struct stream *st = list, *next; st; st = next) {
        next = st->next;
        if (st->rq.client != c)
            continue;
        stream_stop_reading(ld, st);
        if (st->holds && st->job) {
            *held = xrealloc(*held, (n + 1) * sizeof(**held));
            (*held)[n++] = st->first;
        }
        stream_destroy(ld, st);
    }
    return n;
}

void stream_client_gone(struct leader *ld, struct client *c, bool may_return)
{
    cleanup_free jobid_t *held = NULL;
    size_t n = drop_streams(ld, ld->streams, c, &held);
    drop_streams(ld, ld->follows, c, &held); /* which hold nothing */
    drop_streams(ld, ld->wholes, c, &held);
    for (size_t i = 0; i < n && !may_return; i++)
        tie_cut(ld, held[i]);
}

void stream_free_all(struct leader *ld)
{
    while (ld->streams)
        stream_destroy(ld, ld->streams);
    while (ld->follows)
        stream_destroy(ld, ld->follows);
    while (ld->wholes)
        stream_destroy(ld, ld->wholes);
    idmap_fini(&ld->ones);
}
