/* SPDX-License-Identifier: BSD-3-Clause */
/* stream: what clients watch: attach (events and output of one job, or of each of an array), follow
 * (the ends of many), wait (the end of one).
 *
 * An array that is attached to is a stream for each element; they have one request and one
 * *window*: what the client was sent and has taken, and how many ends are still to be told.
 *
 * Output is read from the executors of a job's nodes, one *reader* each, and passed on.  An
 * executor sends up to its credit beyond what was acknowledged; acknowledgements are held back
 * while the client has not taken what it got, so neither side's memory grows with the
 * output.  Jobs that the job's own tasks spawned are read as well: their output belongs to it as
 * it would under mpirun. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum {
    CREDIT = 1 << 20,      /* bytes a client may have unacknowledged */
    ACK_EVERY = CREDIT / 4 /* and how often executors are told */
};

enum stream_kind { ATTACH, FOLLOW, WAIT };

struct window { /* what the streams of one request share */
    unsigned refs;
    uint64_t left; /* ends to be told */
    uint64_t sent, client_acked;
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

struct stream {
    struct stream *prev, *next; /* all, or all of kind FOLLOW */
    struct stream *job_next;    /* those on one job */
    enum stream_kind kind;
    struct request rq;
    bool output;
    bool now;      /* only what there is: no events and output to come */
    jobid_t first; /* the job, or the first of the followed block */
    uint64_t count, left;
    struct job *job;  /* NULL: over */
    json_object *end; /* params of job.end, when the job is over */
    uint64_t epoch;   /* that tells the other ranks of END, or of SEALED */
    bool held;        /* ATTACH: END waits for that */
    TAILQ_ENTRY(stream) held_entry;
    json_object *sealed; /* FOLLOW: ends that wait for it */
    json_object *ends;   /* ... and those that came since */
    struct reader *readers;
    unsigned open_readers;
    struct window *window; /* ATTACH */
    bool input;            /* its client sends stdin, and hears how much was taken */
    bool holds;            /* ATTACH: the job, which is tied, ends with the client */
};

static struct stream **list_of(struct leader *ld, enum stream_kind kind)
{
    return kind == FOLLOW ? &ld->follows : &ld->streams;
}

static struct stream *stream_create(struct leader *ld, enum stream_kind kind,
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

static void unlink_from_job(struct stream *st)
{
    if (!st->job)
        return;
    struct stream **p = &st->job->streams;
    while (*p != st)
        p = &(*p)->job_next;
    *p = st->job_next;
    st->job = NULL;
}

static void link_to_job(struct stream *st, struct job *job)
{
    st->job = job;
    st->job_next = job->streams;
    job->streams = st;
}

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

static void stream_destroy(struct leader *ld, struct stream *st)
{
    unlink_from_job(st);
    if (st->prev)
        st->prev->next = st->next;
    else
        *list_of(ld, st->kind) = st->next;
    if (st->next)
        st->next->prev = st->prev;
    while (st->readers) {
        struct reader *r = st->readers;
        st->readers = r->next;
        end_reader(ld, r);
        free(r);
    }
    if (st->window && --st->window->refs == 0)
        free(st->window);
    if (st->held)
        TAILQ_REMOVE(&ld->held_ends, st, held_entry);
    json_object_put(st->end);
    json_object_put(st->sealed);
    json_object_put(st->ends);
    free(st);
}

/* --- readers ---------------------------------------------------------------------------- */

static json_object *reader_message(const char *m, const struct reader *r)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string(m));
    json_object_object_add(o, "sub", json_object_new_int64((int64_t)r->sub));
    return o;
}

/* POSITION: where the output of a finished job is in its node's spool, NULL while it runs. */
static void open_reader(struct leader *ld, struct stream *st, jobid_t id, unsigned rank,
                        json_object *position)
{
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
    if (st->now)
        json_object_object_add(o, "now", json_object_new_boolean(true));
    exec_send(ld, rank, o);
}

static void open_readers(struct leader *ld, struct stream *st, const struct job *job)
{
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        open_reader(ld, st, job->sj.id, job->pl->rset->nodes[i].rank, NULL);
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

static void tell_end(struct leader *ld, struct stream *st)
{
    json_object_object_add(st->end, "left",
                           json_object_new_int64((int64_t)--st->window->left));
    notify(st->rq.client, "job.end", take(st->end));
    stream_destroy(ld, st);
}

/* A job whose end was told must not run again: the end waits until it would survive the leader. */
static void finish_if_complete(struct leader *ld, struct stream *st)
{
    if (!st->end || st->open_readers > 0 || st->held)
        return;
    if (st->epoch <= gate_safe(ld)) {
        tell_end(ld, st);
        return;
    }
    st->held = true;
    TAILQ_INSERT_TAIL(&ld->held_ends, st, held_entry);
}

/* END, taken over, is what comes after the last output. */
static void end_stream(struct leader *ld, struct stream *st, json_object *end)
{
    st->end = end;
    st->epoch = gate_epoch(ld);
    json_object_object_add(st->end, "sub", json_object_new_int64(st->rq.id));
    finish_if_complete(ld, st);
}

static void reader_ended(struct leader *ld, struct stream *st, struct reader *r)
{
    if (r->ended)
        return;
    end_reader(ld, r);
    st->open_readers--;
    finish_if_complete(ld, st);
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

/* --- events and ends ---------------------------------------------------------------------- */

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

void stream_event(struct leader *ld, struct job *job, const char *line, size_t len)
{
    (void)ld;
    for (struct stream *st = job->streams; st; st = st->job_next)
        if (st->kind == ATTACH)
            send_event(st, line, len);
}

static json_object *describe_exception(const char *type, int severity, const char *note)
{
    json_object *e = json_object_new_object();
    json_object_object_add(e, "type", json_object_new_string(type));
    json_object_object_add(e, "severity", json_object_new_int(severity));
    json_object_object_add(e, "note", json_object_new_string(note ? note : ""));
    return e;
}

/* How a job ended: what job.end and job.wait tell. */
static json_object *describe_end(jobid_t id, int status, enum job_result result,
                                 const char *type, int severity, const char *note)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "state", json_object_new_string("INACTIVE"));
    json_object_object_add(o, "result",
                           json_object_new_string(job_result_name(result, false)));
    json_object_object_add(o, "status", json_object_new_int(status));
    int code = status >= 0 ? job_exit_code(status) : 0;
    if (code == 0 && result != JOB_COMPLETED)
        code = 1;
    json_object_object_add(o, "exit", json_object_new_int(code));
    if (type)
        json_object_object_add(o, "exception", describe_exception(type, severity, note));
    return o;
}

static json_object *describe_job(const struct job *job)
{
    const struct job_exception *e = job->exception;
    return describe_end(job->sj.id, job->status, job_result_of(job), e ? e->type : NULL,
                        e ? e->severity : 0, e ? e->note : NULL);
}

static json_object *describe_stored(const struct store_run *run)
{
    return describe_end(run->id, run->status, (enum job_result)run->result,
                        run->exception_type, run->exception_severity,
                        run->exception_note);
}

/* EXCEPTION, or NULL, is taken over. */
static void add_end(struct leader *ld, struct stream *st, jobid_t id, int status,
                    enum job_result result, json_object *exception)
{
    json_object *e = json_object_new_array_ext(exception ? 4 : 3);
    json_object_array_add(e, json_object_new_int64((int64_t)id));
    json_object_array_add(e, json_object_new_int(status));
    json_object_array_add(e, json_object_new_string(job_result_name(result, false)));
    if (exception)
        json_object_array_add(e, exception);
    if (!st->ends)
        st->ends = json_object_new_array();
    json_object_array_add(st->ends, e);
    leader_wake(ld);
}

void stream_job_over(struct leader *ld, struct job *job)
{
    while (job->streams) {
        struct stream *st = job->streams;
        unlink_from_job(st);
        if (st->kind == WAIT) {
            reply_when_safe(ld, &st->rq, describe_job(job));
            stream_destroy(ld, st);
            continue;
        }
        end_stream(ld, st, describe_job(job));
    }
    for (struct stream *st = ld->follows; st; st = st->next)
        if (jobid_position(st->first, st->count, job->sj.id) >= 0) {
            const struct job_exception *e = job->exception;
            add_end(ld, st, job->sj.id, job->status, job_result_of(job),
                    e ? describe_exception(e->type, e->severity, e->note) : NULL);
            st->left--;
        }
}

static void flush_ends(struct leader *ld, struct stream *st, uint64_t safe)
{
    if (!st->sealed && (st->ends || st->left == 0)) {
        st->sealed = st->ends ? take(st->ends) : json_object_new_array();
        st->epoch = gate_epoch(ld);
    }
    if (!st->sealed || st->epoch > safe)
        return;
    uint64_t left = st->left + (st->ends ? json_object_array_length(st->ends) : 0);
    json_object *params = json_object_new_object();
    json_object_object_add(params, "sub", json_object_new_int64(st->rq.id));
    json_object_object_add(params, "ends", take(st->sealed));
    json_object_object_add(params, "left", json_object_new_int64((int64_t)left));
    notify(st->rq.client, "job.ends", params);
    if (left == 0)
        stream_destroy(ld, st);
    else if (st->ends)
        flush_ends(ld, st, safe);
}

void stream_flush(struct leader *ld)
{
    uint64_t safe = gate_safe(ld);
    for (struct stream *st = TAILQ_FIRST(&ld->held_ends), *next; st; st = next) {
        next = TAILQ_NEXT(st, held_entry);
        if (st->epoch <= safe)
            tell_end(ld, st);
    }
    for (struct stream *st = ld->follows, *next; st; st = next) {
        next = st->next;
        flush_ends(ld, st, safe);
    }
}

bool stream_holds_ends(const struct leader *ld)
{
    for (const struct stream *st = ld->follows; st; st = st->next)
        if (st->sealed || st->ends)
            return true;
    return !TAILQ_EMPTY(&ld->held_ends);
}

/* --- input ------------------------------------------------------------------------------- */

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

/* Streams on a job read what its tasks spawn, too. */
void stream_launched(struct leader *ld, struct job *job)
{
    for (struct stream *st = job->streams; st; st = st->job_next)
        if (st->kind == ATTACH && st->output)
            open_readers(ld, st, job);
    struct job *parent =
        job->sub->parent ? jobtable_find(ld->jobs, job->sub->parent) : NULL;
    for (struct stream *st = parent ? parent->streams : NULL; st; st = st->job_next)
        if (st->kind == ATTACH && st->output)
            open_readers(ld, st, job);
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
            open_reader(ld, st, job->sj.id, rank, NULL);
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

struct finished {
    struct leader *ld;
    struct stream *st; /* FOLLOW: gets the ends; else NULL */
    bool *seen;        /* FOLLOW: by position in the block: that end was added */
    json_object *end;
};

static int on_finished(void *arg, const struct store_entry *entry)
{
    struct finished *f = arg;
    if (!entry->run)
        return 0;
    if (!f->st) {
        f->end = describe_stored(entry->run);
        return 0;
    }
    /* an array's id, which is that of its first job, stands for all of its jobs */
    int64_t i = jobid_position(f->st->first, f->st->count, entry->run->id);
    if (i >= 0 && !f->seen[i]) {
        const struct store_run *run = entry->run;
        f->seen[i] = true;
        add_end(f->ld, f->st, run->id, run->status, (enum job_result)run->result,
                run->exception_type
                    ? describe_exception(run->exception_type, run->exception_severity,
                                         run->exception_note)
                    : NULL);
    }
    return 0;
}

static int no_such_job(jobid_t id, struct error *err)
{
    char text[JOBID_BUFSIZE];
    return error_set(err, ENOENT, "no such job: %s",
                     jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text)));
}

/* The end of job ID from the store, or NULL with err set: there is no such job. */
static json_object *find_end(struct leader *ld, jobid_t id, struct error *err)
{
    struct finished f = {.ld = ld};
    struct store_filter filter = {
        .ids = &id, .nids = 1, .states = JOB_INACTIVE, .max = 1};
    filter.before =
        id + 1; /* not the later ones of the array that it may be the first of */
    if (store_list(ld->store, &filter, on_finished, &f, err) < 0)
        return NULL;
    if (!f.end)
        no_such_job(id, err);
    return f.end;
}

bool stream_is_over(struct leader *ld, jobid_t id, struct error *err)
{
    json_object *end = find_end(ld, id, err);
    json_object_put(end);
    return end != NULL;
}

static void open_stored_readers(struct leader *ld, struct stream *st, jobid_t id)
{
    cleanup_free char *text = store_job_info(ld->store, id, "output", NULL);
    cleanup_json json_object *list = text ? json_tokener_parse(text) : NULL;
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        json_object *pos = jsonutil_get(json_object_array_get_idx(entry, 1), "pos");
        int64_t rank;
        if (pos && jsonutil_int(json_object_array_get_idx(entry, 0), 0,
                                ld->config.size - 1, &rank))
            open_reader(ld, st, id, (unsigned)rank, pos);
    }
}

/* Of a job that runs, and of what its tasks have spawned so far. */
static void open_running(struct leader *ld, struct stream *st, const struct job *job)
{
    open_readers(ld, st, job);
    for (const struct job *j = jobtable_first(ld->jobs); j; j = j->next)
        if (j->sub->parent == job->sj.id && j->pl && j->map)
            open_readers(ld, st, j);
}

/* The last message of a stream of what there is, of a job that has not ended. */
static json_object *describe_state(const struct job *job)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "state",
                           json_object_new_string(job_state_name(job->state, false)));
    return o;
}

/* WINDOW: as for create_attach. NOW: as the stream's. */
static int attach(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                  bool now, struct window *window, struct error *err)
{
    struct job *job = jobtable_find(ld->jobs, id);
    if (job) {
        struct stream *st = create_attach(ld, rq, id, output, window);
        st->now = now;
        if (!now)
            link_to_job(st, job);
        send_log(st, job->log.s, job->log.len);
        if (output && job->pl && job->map)
            open_running(ld, st, job);
        if (now)
            end_stream(ld, st, describe_state(job));
        return 0;
    }
    json_object *end = find_end(ld, id, err);
    if (!end)
        return -1;
    struct stream *st = create_attach(ld, rq, id, output, window);
    cleanup_free char *log = store_job_info(ld->store, id, "eventlog", NULL);
    if (log)
        send_log(st, log, strlen(log));
    if (output)
        open_stored_readers(ld, st, id);
    end_stream(ld, st, end);
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

void stream_attach_array(struct leader *ld, const struct request *rq, jobid_t first,
                         uint64_t count)
{
    struct window *window = xcalloc(1, sizeof(*window));
    window->refs = 1; /* ours, until all are there */
    window->left = count;
    for (uint64_t i = 0; i < count; i++)
        attach(ld, rq, jobid_nth(first, i), true, false, window, NULL);
    if (--window->refs == 0)
        free(window);
}

int stream_follow(struct leader *ld, const struct request *rq, jobid_t first,
                  uint64_t count, struct error *err)
{
    struct stream *st = stream_create(ld, FOLLOW, rq, first);
    cleanup_free jobid_t *over = xcalloc(count, sizeof(*over));
    size_t nover = 0;
    st->count = count;
    for (uint64_t i = 0; i < count; i++) {
        jobid_t id = jobid_nth(first, i);
        if (jobtable_find(ld->jobs, id))
            st->left++;
        else
            over[nover++] = id;
    }
    leader_wake(ld);
    if (nover == 0)
        return 0;
    cleanup_free bool *seen = xcalloc(count, sizeof(*seen));
    struct finished f = {.ld = ld, .st = st, .seen = seen};
    struct store_filter filter = {.ids = over, .nids = nover, .states = JOB_INACTIVE};
    int64_t rc = store_list(ld->store, &filter, on_finished, &f, err);
    for (size_t i = 0; rc >= 0 && i < nover; i++)
        if (!seen[jobid_position(first, count, over[i])])
            rc = no_such_job(over[i], err);
    if (rc >= 0)
        return 0;
    stream_destroy(ld, st);
    return -1;
}

int stream_wait(struct leader *ld, const struct request *rq, jobid_t id,
                struct error *err)
{
    struct job *job = jobtable_find(ld->jobs, id);
    if (job) {
        link_to_job(stream_create(ld, WAIT, rq, id), job);
        return 0;
    }
    json_object *end = find_end(ld, id, err);
    if (!end)
        return -1;
    reply_when_safe(ld, rq, end);
    return 0;
}

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
        for (struct reader *r = st->readers; r; r = r->next)
            if (!r->ended)
                exec_send(ld, r->rank, reader_message("unread", r));
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
    for (size_t i = 0; i < n && !may_return; i++)
        tie_cut(ld, held[i]);
}

void stream_free_all(struct leader *ld)
{
    while (ld->streams)
        stream_destroy(ld, ld->streams);
    while (ld->follows)
        stream_destroy(ld, ld->follows);
}
