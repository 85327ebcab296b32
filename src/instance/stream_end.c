/* SPDX-License-Identifier: BSD-3-Clause */
/* stream_end: how jobs ended, told to who attached to them, waits for one, or follows many. */
#include "src/instance/stream_impl.h"

#include <errno.h>
#include "src/common/util.h"

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

/* The last message of a stream of what there is, of a job that has not ended. */
json_object *stream_describe_state(const struct job *job)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->sj.id));
    json_object_object_add(o, "state",
                           json_object_new_string(job_state_name(job->state, false)));
    return o;
}

static void tell_end(struct leader *ld, struct stream *st)
{
    uint64_t left = --st->window->left;
    struct stream *all = left == 0 ? st->window->all : NULL;
    json_object_object_add(st->end, "left", json_object_new_int64((int64_t)left));
    notify(st->rq.client, "job.end", take(st->end));
    stream_destroy(ld, st);
    if (all)
        stream_destroy(ld, all);
}

/* A job whose end was told must not run again: the end waits until it would survive the leader. */
void stream_finish_if_complete(struct leader *ld, struct stream *st)
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
void stream_end(struct leader *ld, struct stream *st, json_object *end)
{
    st->end = end;
    st->epoch = gate_epoch(ld);
    json_object_object_add(st->end, "sub", json_object_new_int64(st->rq.id));
    stream_finish_if_complete(ld, st);
}

/* Whether the end is one more of those that were told last: then it is. */
static bool joins_last(struct stream *st, jobid_t id, int status, enum job_result result)
{
    struct run_of_ends *last = &st->last;
    if (last->n == 0 || last->status != status || last->result != result)
        return false;
    size_t n = json_object_array_length(st->ends);
    json_object *e = json_object_array_get_idx(st->ends, n - 1);
    if (jobid_nth(id, 1) == last->first) { /* the store tells the newest first */
        last->first = id;
        json_object_array_put_idx(e, 0, json_object_new_int64((int64_t)id));
    } else if (jobid_nth(last->first, last->n) != id) {
        return false;
    }
    if (++last->n == 2)
        json_object_array_add(e, NULL); /* no exception */
    json_object_array_put_idx(e, 4, json_object_new_int64((int64_t)last->n));
    return true;
}

/* EXCEPTION, or NULL, is taken over.  N: how many jobs from ID on ended so; several have an exception. */
static void add_end(struct leader *ld, struct stream *st, jobid_t id, int status,
                    enum job_result result, json_object *exception, uint64_t n)
{
    leader_wake(ld);
    st->nends += n;
    if (st->kind == WHOLE && !st->held) {
        st->held = true;
        TAILQ_INSERT_TAIL(&ld->telling, st, held_entry);
    }
    if (!exception && joins_last(st, id, status, result))
        return;
    json_object *e = json_object_new_array_ext(n > 1 ? 5 : exception ? 4 : 3);
    json_object_array_add(e, json_object_new_int64((int64_t)id));
    json_object_array_add(e, json_object_new_int(status));
    json_object_array_add(e, json_object_new_string(job_result_name(result, false)));
    if (exception)
        json_object_array_add(e, exception);
    if (n > 1)
        json_object_array_add(e, json_object_new_int64((int64_t)n));
    if (!st->ends)
        st->ends = json_object_new_array();
    json_object_array_add(st->ends, e);
    st->last = (struct run_of_ends){id, exception ? 0 : n, status, result};
}

static void add_job_end(struct leader *ld, struct stream *st, const struct job *job)
{
    const struct job_exception *e = job->exception;
    add_end(ld, st, job->sj.id, job->status, job_result_of(job),
            e ? describe_exception(e->type, e->severity, e->note) : NULL, 1);
    st->left--;
}

void stream_missing(struct leader *ld, struct stream *st, jobid_t id,
                    const struct error *err)
{
    add_end(ld, st, id, -1, JOB_FAILED, describe_exception("purge", 0, err->text), 1);
}

void stream_job_over(struct leader *ld, struct job *job)
{
    bool told = false;
    while (job->streams) {
        struct stream *st = job->streams;
        stream_unlink_from_job(st);
        if (st->kind == WAIT) {
            told = true;
            reply_when_safe(ld, &st->rq, describe_job(job));
            stream_destroy(ld, st);
            continue;
        }
        if (st->kind == WHOLE) {
            told |= st->waits;
            add_job_end(ld, st, job);
            continue;
        }
        stream_end(ld, st, describe_job(job));
    }
    for (struct stream *st = job->sub->watchers; st; st = st->job_next)
        if (st->kind == WHOLE) {
            told |= st->waits;
            add_job_end(ld, st, job);
        }
    struct stream *one;
    while ((one = idmap_get(&ld->ones, job->sj.id))) {
        stream_unlink_from_one(ld, one);
        told |= one->waits;
        add_job_end(ld, one, job);
    }
    for (struct stream *st = ld->follows; st; st = st->next)
        if (st->kind == FOLLOW && jobid_position(st->first, st->count, job->sj.id) >= 0) {
            told |= st->waits;
            add_job_end(ld, st, job);
        }
    if (!told)
        waitable_over(ld, job->sub, job->sj.id, 1);
}

/* The part of RUN, of SUB, that ST follows. */
static struct array_run followed(const struct stream *st, const struct submission *sub,
                                 struct array_run run)
{
    if (st->kind == WHOLE)
        return st->array == sub ? run : (struct array_run){0, 0};
    uint64_t count = st->kind == BLOCK ? st->looked_at : st->count;
    if (count == 0)
        return (struct array_run){0, 0};
    struct array_run in =
        element_between(sub, st->first, jobid_nth(st->first, count - 1));
    uint64_t first = MAX(in.first, run.first);
    uint64_t end = MIN(in.first + in.n, run.first + run.n);
    return (struct array_run){first, end > first ? end - first : 0};
}

/* Whether nobody else is to be told. */
static bool tell_elements(struct leader *ld, struct stream *st, struct submission *sub,
                          struct array_run run, const struct element_end *end)
{
    struct array_run r = followed(st, sub, run);
    if (r.n == 0)
        return false;
    add_end(ld, st, jobid_nth(sub->first, r.first), -1, element_result(end),
            describe_exception(end->type, 0, end->note), r.n);
    if (st->kind != BLOCK)
        st->left -= r.n;
    return st->waits && r.n == run.n;
}

/* Elements that are followed one by one. */
static bool tell_ones(struct leader *ld, const struct submission *sub,
                      struct array_run run, const struct element_end *end)
{
    bool told = false;
    for (uint64_t i = run.first; i < run.first + run.n && ld->ones.used > 0; i++) {
        jobid_t id = jobid_nth(sub->first, i);
        struct stream *st;
        while ((st = idmap_get(&ld->ones, id))) {
            stream_unlink_from_one(ld, st);
            told |= st->waits && run.n == 1;
            add_end(ld, st, id, -1, element_result(end),
                    describe_exception(end->type, 0, end->note), 1);
            st->left--;
        }
    }
    return told;
}

void stream_elements_over(struct leader *ld, struct submission *sub, struct array_run run,
                          const struct element_end *end)
{
    bool told = tell_ones(ld, sub, run, end);
    for (struct stream *st = ld->follows; st; st = st->next)
        told |= tell_elements(ld, st, sub, run, end);
    for (struct stream *st = sub->watchers; st; st = st->job_next)
        if (st->kind == WHOLE)
            told |= tell_elements(ld, st, sub, run, end);
    if (!told)
        waitable_over(ld, sub, jobid_nth(sub->first, run.first), run.n);
}

static void flush_ends(struct leader *ld, struct stream *st, uint64_t safe)
{
    if (!st->sealed && (st->ends || st->left == 0)) {
        st->sealed = st->ends ? take(st->ends) : json_object_new_array();
        st->nsealed = st->nends;
        st->nends = st->last.n = 0;
        st->epoch = gate_epoch(ld);
    }
    if (!st->sealed || st->epoch > safe)
        return;
    uint64_t left = st->left + st->nends;
    if (st->kind == BLOCK)
        left = st->window->left -= st->nsealed;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "sub", json_object_new_int64(st->rq.id));
    json_object_object_add(params, "ends", take(st->sealed));
    json_object_object_add(params, "left", json_object_new_int64((int64_t)left));
    notify(st->rq.client, "job.ends", params);
    if (left == 0) {
        stream_destroy(ld, st);
    } else if (st->ends) {
        flush_ends(ld, st, safe);
    } else if (st->kind == WHOLE) {
        st->held = false;
        TAILQ_REMOVE(&ld->telling, st, held_entry);
    }
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
        if (st->kind != BLOCK || stream_look_on(ld, st))
            flush_ends(ld, st, safe);
    }
    for (struct stream *st = TAILQ_FIRST(&ld->telling), *next; st; st = next) {
        next = TAILQ_NEXT(st, held_entry);
        flush_ends(ld, st, safe);
    }
}

bool stream_holds_ends(const struct leader *ld)
{
    for (const struct stream *st = ld->follows; st; st = st->next)
        if (st->sealed || st->ends)
            return true;
    return !TAILQ_EMPTY(&ld->held_ends) || !TAILQ_EMPTY(&ld->telling);
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
    int64_t i = jobid_position(f->st->first, f->st->count, entry->run->id);
    if (i >= 0 && !f->seen[i]) {
        f->seen[i] = true;
        const struct store_run *run = entry->run;
        if (f->st->waits)
            waitable_told(f->ld, run->id);
        add_end(f->ld, f->st, run->id, run->status, (enum job_result)run->result,
                run->exception_type
                    ? describe_exception(run->exception_type, run->exception_severity,
                                         run->exception_note)
                    : NULL,
                1);
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
json_object *stream_find_end(struct leader *ld, jobid_t id, struct error *err)
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
    json_object *end = stream_find_end(ld, id, err);
    json_object_put(end);
    return end != NULL;
}

/* Mark those of a block that are active in SEEN; their number. */
static uint64_t mark_active(struct leader *ld, jobid_t first, uint64_t count, bool *seen)
{
    uint64_t position, n = 0;
    for (uint64_t i = 0; i < count; i++) {
        jobid_t id = jobid_nth(first, i);
        seen[i] =
            jobtable_find(ld->jobs, id) || elements_waiting(ld, id, &position) != NULL;
        n += seen[i];
    }
    return n;
}

/* The array that these are all elements of, none of which is over; or NULL. */
static struct submission *fresh_array(struct leader *ld, jobid_t first, uint64_t count)
{
    uint64_t position;
    struct submission *sub = jobtable_array_of(ld->jobs, first, &position);
    bool fresh = sub && position == 0 && sub->count == count && sub->left == count;
    return fresh ? sub : NULL;
}

static int follow(struct leader *ld, const struct request *rq, jobid_t first,
                  uint64_t count, bool waits, struct error *err)
{
    struct submission *sub = fresh_array(ld, first, count);
    struct job *job = count == 1 ? jobtable_find(ld->jobs, first) : NULL;
    uint64_t position;
    bool waits_alone =
        count == 1 && !sub && !job && elements_waiting(ld, first, &position);
    struct stream *st =
        stream_create(ld, sub || job || waits_alone ? WHOLE : FOLLOW, rq, first);
    st->count = st->left = count;
    st->waits = waits;
    leader_wake(ld);
    if (sub)
        stream_link_to_array(st, sub);
    if (job)
        stream_link_to_job(st, job);
    if (waits_alone)
        stream_link_to_one(ld, st);
    if (sub || job || waits_alone)
        return 0;
    cleanup_free bool *seen = xcalloc(count, sizeof(*seen));
    st->left = mark_active(ld, first, count, seen);
    if (st->left == count)
        return 0;
    struct finished f = {.ld = ld, .st = st, .seen = seen};
    struct store_filter filter = {
        .from = first, .before = jobid_nth(first, count - 1) + 1, .states = JOB_INACTIVE};
    int64_t rc = store_list(ld->store, &filter, on_finished, &f, err);
    for (uint64_t i = 0; rc >= 0 && i < count; i++)
        if (!seen[i])
            rc = no_such_job(jobid_nth(first, i), err);
    if (rc >= 0)
        return 0;
    stream_destroy(ld, st);
    return -1;
}

int stream_follow(struct leader *ld, const struct request *rq, jobid_t first,
                  uint64_t count, struct error *err)
{
    return follow(ld, rq, first, count, false, err);
}

int stream_wait_many(struct leader *ld, const struct request *rq, jobid_t first,
                     uint64_t count, struct error *err)
{
    return follow(ld, rq, first, count, true, err);
}
