/* SPDX-License-Identifier: BSD-3-Clause */
/* stream_output: output is read from the executors of a job's nodes, one *reader* each, and passed
 * on.  An executor sends up to its credit beyond what was acknowledged; acknowledgements are held
 * back while the client has not taken what it got, so neither side's memory grows with the
 * output.  Jobs that the job's own tasks spawned are read as well: their output belongs to it as
 * it would under mpirun. */
#include "src/instance/stream_impl.h"

#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum {
    CREDIT = 1 << 20,      /* bytes a client may have unacknowledged */
    ACK_EVERY = CREDIT / 4 /* and how often executors are told */
};

struct reader {
    struct reader *next;                /* of the stream */
    struct reader *all_prev, *all_next; /* of all that have not ended */
    struct stream *stream;
    uint64_t sub; /* its name at the executor */
    jobid_t id;
    unsigned rank;
    uint64_t received, acked;
    bool ended;
};

/* Nothing more comes from R. */
static void end_reader(struct leader *ld, struct reader *r)
{
    if (r->ended)
        return;
    r->ended = true;
    if (r->all_prev)
        r->all_prev->all_next = r->all_next;
    else
        ld->readers = r->all_next;
    if (r->all_next)
        r->all_next->all_prev = r->all_prev;
}

static json_object *reader_message(const char *m, const struct reader *r)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string(m));
    json_object_object_add(o, "sub", json_object_new_int64((int64_t)r->sub));
    return o;
}

/* Any executor may see the file of a former life's rank; the one of that rank is asked, if there is one. */
static unsigned reader_of(const struct leader *ld, unsigned rank)
{
    if (rank < ld->config.size && !ld->nodes[rank].lost)
        return rank;
    for (rank = 0; rank + 1 < ld->config.size && ld->nodes[rank].lost;)
        rank++;
    return rank;
}

/* POSITION: where the output of a finished job is in its node's spool, NULL while it runs.  FORMER: that
 * spool, if it is not the one that RANK has now, or NULL. */
static void open_reader(struct leader *ld, struct stream *st, jobid_t id, unsigned rank,
                        json_object *position, const char *former)
{
    if (former)
        rank = reader_of(ld, rank);
    if (ld->nodes[rank].lost) /* and what was captured there with it */
        return;
    struct reader *r = xcalloc(1, sizeof(*r));
    r->sub = ++ld->last_reader;
    r->id = id;
    r->rank = rank;
    r->next = st->readers;
    st->readers = r;
    st->open_readers++;
    r->stream = st;
    r->all_next = ld->readers;
    if (r->all_next)
        r->all_next->all_prev = r;
    ld->readers = r;
    json_object *o = reader_message("read", r);
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "from", json_object_new_int(0));
    if (position)
        json_object_object_add(o, "pos", json_object_get(position));
    if (former)
        json_object_object_add(o, "spool", json_object_new_string(former));
    if (st->now)
        json_object_object_add(o, "now", json_object_new_boolean(true));
    exec_send(ld, rank, o);
}

/* Read JOB's output from all its nodes, for ST. */
static void open_everywhere(struct leader *ld, struct stream *st, const struct job *job)
{
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        open_reader(ld, st, job->sj.id, job->pl->rset->nodes[i].rank, NULL, NULL);
}

static void acknowledge(struct leader *ld, struct stream *st)
{
    if (st->window->sent - st->window->client_acked >= CREDIT)
        return;
    for (struct reader *r = st->readers; r; r = r->next) {
        if (r->ended || r->received - r->acked < ACK_EVERY)
            continue;
        r->acked = r->received;
        json_object *o = reader_message("ack", r);
        json_object_object_add(o, "bytes", json_object_new_int64((int64_t)r->acked));
        exec_send(ld, r->rank, o);
    }
}

static void reader_ended(struct leader *ld, struct stream *st, struct reader *r)
{
    if (r->ended)
        return;
    end_reader(ld, r);
    st->open_readers--;
    stream_finish_if_complete(ld, st);
}

static struct reader *find_reader(struct leader *ld, json_object *msg)
{
    int64_t sub;
    if (!jsonutil_int(jsonutil_get(msg, "sub"), 1, INT64_MAX, &sub))
        return NULL;
    for (struct reader *r = ld->readers; r; r = r->all_next)
        if (r->sub == (uint64_t)sub)
            return r;
    return NULL; /* the client left while this was on its way */
}

static size_t decoded_size(json_object *io)
{
    json_object *data = jsonutil_get(io, "data");
    size_t len = data ? (size_t)json_object_get_string_len(data) : 0;
    if (!jsonutil_get(io, "encoding"))
        return len;
    const char *s = json_object_get_string(data);
    size_t padding =
        len && s[len - 1] == '=' ? (len > 1 && s[len - 2] == '=' ? 2 : 1) : 0;
    return len / 4 * 3 - padding;
}

void stream_output(struct leader *ld, unsigned rank, json_object *msg)
{
    struct reader *r = find_reader(ld, msg);
    json_object *io = jsonutil_get(msg, "io");
    if (!r || r->rank != rank || !io)
        return;
    struct stream *st = r->stream;
    size_t size = decoded_size(io);
    r->received += size;
    st->window->sent += size;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "sub", json_object_new_int64(st->rq.id));
    json_object_object_add(params, "id", json_object_new_int64((int64_t)r->id));
    json_object_object_add(params, "io", json_object_get(io));
    notify(st->rq.client, "job.output", params);
    acknowledge(ld, st);
}

void stream_output_end(struct leader *ld, unsigned rank, json_object *msg)
{
    struct reader *r = find_reader(ld, msg);
    if (r && r->rank == rank)
        reader_ended(ld, r->stream, r);
}

void stream_ack(struct leader *ld, struct client *c, int64_t sub, uint64_t bytes)
{
    for (struct reader *r = ld->readers; r; r = r->all_next) {
        struct stream *st = r->stream;
        struct window *w = st->window;
        if (st->rq.client != c || st->rq.id != sub)
            continue;
        w->client_acked = MAX(w->client_acked, MIN(bytes, w->sent));
        acknowledge(ld, st);
    }
}

void stream_rank_lost(struct leader *ld, unsigned rank)
{
    for (struct stream *st = ld->streams, *next; st; st = next) {
        next = st->next;
        for (struct reader *r = st->readers, *after; r; r = after) {
            after = r->next;
            bool last = st->end && st->open_readers == 1 && !r->ended && r->rank == rank;
            if (r->rank == rank)
                reader_ended(ld, st, r);
            if (last) /* the stream is gone with its last reader */
                break;
        }
    }
}

bool stream_reads_from(const struct leader *ld, unsigned rank)
{
    const struct reader *r = ld->readers;
    while (r && r->rank != rank)
        r = r->all_next;
    return r != NULL;
}

/* Streams on a job read what its tasks spawn, too. */
void stream_launched(struct leader *ld, struct job *job)
{
    for (struct stream *st = job->streams; st; st = st->job_next)
        if (st->kind == ATTACH && st->output)
            open_everywhere(ld, st, job);
    struct job *parent =
        job->sub->parent ? jobtable_find(ld->jobs, job->sub->parent) : NULL;
    for (struct stream *st = parent ? parent->streams : NULL; st; st = st->job_next)
        if (st->kind == ATTACH && st->output)
            open_everywhere(ld, st, job);
}

/* One that reads JOB for those who watch the job that spawned it. */
static struct reader *find_watcher(const struct leader *ld, const struct job *job)
{
    struct reader *r = ld->readers;
    while (r && (r->id != job->sj.id || r->stream->first == job->sj.id))
        r = r->all_next;
    return r;
}

void stream_let_go(struct leader *ld, const struct job *job)
{
    for (struct reader *r; (r = find_watcher(ld, job));) {
        exec_send(ld, r->rank, reader_message("unread", r));
        reader_ended(ld, r->stream, r);
    }
}

/* What streams of LIST did not ask RANK for, of JOB, when it was not there. */
static void read_again(struct leader *ld, struct stream *list, const struct job *job,
                       unsigned rank)
{
    for (struct stream *st = list; st; st = st->job_next) {
        if (st->kind != ATTACH || !st->output)
            continue;
        const struct reader *r = st->readers;
        while (r && (r->id != job->sj.id || r->rank != rank))
            r = r->next;
        if (!r)
            open_reader(ld, st, job->sj.id, rank, NULL, NULL);
    }
}

void stream_rank_back(struct leader *ld, unsigned rank)
{
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        if (!job->map || job_node_index(job, rank) < 0)
            continue;
        const struct job *parent =
            job->sub->parent ? jobtable_find(ld->jobs, job->sub->parent) : NULL;
        read_again(ld, job->streams, job, rank);
        if (parent)
            read_again(ld, parent->streams, job, rank);
    }
}

void stream_open_stored(struct leader *ld, struct stream *st, jobid_t id)
{
    cleanup_free char *text = store_job_info(ld->store, id, "output", NULL);
    cleanup_json json_object *list = text ? json_tokener_parse(text) : NULL;
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        json_object *pos = jsonutil_get(json_object_array_get_idx(entry, 1), "pos");
        int64_t rank;
        if (!pos ||
            !jsonutil_int(json_object_array_get_idx(entry, 0), 0, INT32_MAX, &rank))
            continue;
        cleanup_free char *former = outputs_former(ld, id, (unsigned)rank);
        if (former || rank < ld->config.size)
            open_reader(ld, st, id, (unsigned)rank, pos, former);
    }
}

/* Of a job that runs, and of what its tasks have spawned so far. */
void stream_open_running(struct leader *ld, struct stream *st, const struct job *job)
{
    open_everywhere(ld, st, job);
    for (const struct job *j = jobtable_first(ld->jobs); j; j = j->next)
        if (j->sub->parent == job->sj.id && j->pl && j->map)
            open_everywhere(ld, st, j);
}

void stream_stop_reading(struct leader *ld, const struct stream *st)
{
    for (struct reader *r = st->readers; r; r = r->next)
        if (!r->ended)
            exec_send(ld, r->rank, reader_message("unread", r));
}

void stream_free_readers(struct leader *ld, struct stream *st)
{
    while (st->readers) {
        struct reader *r = st->readers;
        st->readers = r->next;
        end_reader(ld, r);
        free(r);
    }
}
