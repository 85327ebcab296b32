/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations to rows. Zero and empty values become NULL, which takes no room. */
#include "src/store/store_private.h"

#include <string.h>
#include "src/common/util.h"

static void bind_int(sqlite3_stmt *st, int column, int64_t value)
{
    if (value != 0)
        sqlite3_bind_int64(st, column, value);
    else
        sqlite3_bind_null(st, column);
}

static void bind_real(sqlite3_stmt *st, int column, double value)
{
    if (value > 0)
        sqlite3_bind_double(st, column, value);
    else
        sqlite3_bind_null(st, column);
}

/* --- texts that are stored once ------------------------------------------------------------ */
/* FNV-1a. Texts are compared as well, so that a collision only costs time. */
static uint64_t text_hash(const char *text, size_t len)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211U;
    return h;
}

void store_forget_texts(struct store *store)
{
    for (size_t i = 0; i < TEXT_SLOTS; i++)
        free(store->texts[i].text);
    memset(store->texts, 0, sizeof(store->texts));
    free(store->last_env);
    store->last_env = NULL;
}

static void remember_text(struct text_slot *slot, uint64_t hash, const char *text,
                          size_t len, int64_t n)
{
    if (len > TEXT_CACHED)
        return;
    free(slot->text);
    *slot =
        (struct text_slot){.hash = hash, .n = n, .text = xstrndup(text, len), .len = len};
}

/* The number of a text, which is added if it is new. */
static int text_number(struct store *store, const char *text, int64_t *n,
                       struct error *err)
{
    *n = 0;
    if (text == NULL || *text == '\0')
        return 0;
    size_t len = strlen(text);
    uint64_t hash = text_hash(text, len);
    struct text_slot *slot = &store->texts[hash % TEXT_SLOTS];
    if (slot->text != NULL && slot->hash == hash && slot->len == len &&
        memcmp(slot->text, text, len) == 0) {
        *n = slot->n;
        return 0;
    }
    sqlite3_stmt *st = store_statement(store, ST_TEXT_FIND, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)hash);
    store_bind_text(st, 2, text);
    if (sqlite3_step(st) == SQLITE_ROW) {
        *n = sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    } else {
        sqlite3_reset(st);
        st = store_statement(store, ST_TEXT_ADD, err);
        if (st == NULL)
            return -1;
        sqlite3_bind_int64(st, 1, (int64_t)hash);
        store_bind_text(st, 2, text);
        if (store_step(store, st, err) < 0)
            return -1;
        *n = sqlite3_last_insert_rowid(store->db);
    }
    remember_text(slot, hash, text, len, *n);
    return 0;
}

/* --- operations ------------------------------------------------------------------------------ */
static int put_pair(struct store *store, enum store_statement which, const char *name,
                    const char *value, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return -1;
    store_bind_text(st, 1, name);
    store_bind_text(st, 2, value);
    return store_step(store, st, err);
}

static int put_job_by(struct store *store, enum store_statement which,
                      const struct store_job *job, int64_t jobspec, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)job->id);
    sqlite3_bind_int64(st, 2, (int64_t)job->count);
    store_bind_text(st, 3, job->cc);
    bind_int(st, 4, job->userid);
    bind_real(st, 5, job->t_submit);
    sqlite3_bind_int64(st, 6, job->urgency);
    sqlite3_bind_int64(st, 7, job->priority);
    bind_int(st, 8, job->flags);
    bind_int(st, 9, job->ntasks);
    bind_int(st, 10, job->nnodes);
    bind_int(st, 11, job->ncores);
    bind_int(st, 12, job->ngpus);
    bind_real(st, 13, job->duration);
    store_bind_text(st, 14, job->name);
    store_bind_text(st, 15, job->cwd);
    store_bind_text(st, 16, job->queue);
    bind_int(st, 17, jobspec);
    store_bind_text(st, 18, job->key);
    bind_int(st, 19, (int64_t)job->parent);
    bind_int(st, 20, job->parent_rank);
    return store_step(store, st, err);
}

/* The jobspec that the one of number JOBSPEC is about to replace, if it was the first. */
static int keep_base(struct store *store, jobid_t id, int64_t jobspec, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_KEEP_BASE, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    sqlite3_bind_int64(st, 2, jobspec);
    return store_step(store, st, err);
}

/* One that is told again counts once, and stays over if it was. */
static int put_job(struct store *store, const struct store_job *job, struct error *err)
{
    int64_t jobspec;
    if (text_number(store, job->jobspec, &jobspec, err) < 0 ||
        put_job_by(store, ST_JOB_ADD, job, jobspec, err) < 0)
        return -1;
    if (sqlite3_changes(store->db) == 0)
        return keep_base(store, job->id, jobspec, err) < 0
                   ? -1
                   : put_job_by(store, ST_JOB_AGAIN, job, jobspec, err);
    store->tally[TALLY_SUBMITTED]++;
    return 0;
}

static int put_urgencies(struct store *store, const struct op *op, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_ELEMENTS_URGENCY, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)op->urgency.first);
    sqlite3_bind_int64(st, 2, (int64_t)op->urgency.n);
    sqlite3_bind_int64(st, 3, op->urgency.urgency);
    sqlite3_bind_int64(st, 4, op->urgency.priority);
    return store_step(store, st, err);
}

/* In the job's row, or beside its array's. */
static int put_urgency(struct store *store, const struct op *op, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_JOB_URGENCY, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)op->urgency.first);
    sqlite3_bind_int64(st, 2, op->urgency.urgency);
    sqlite3_bind_int64(st, 3, op->urgency.priority);
    if (store_step(store, st, err) < 0)
        return -1;
    return sqlite3_changes(store->db) > 0 ? 0 : put_urgencies(store, op, err);
}

static int put_run(struct store *store, enum store_statement which,
                   const struct store_run *run, struct error *err)
{
    int64_t r, nodelist, ranks, taskmap;
    if (text_number(store, run->R, &r, err) < 0 ||
        text_number(store, run->nodelist, &nodelist, err) < 0 ||
        text_number(store, run->ranks, &ranks, err) < 0 ||
        text_number(store, run->taskmap, &taskmap, err) < 0)
        return -1;
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)run->id);
    sqlite3_bind_int64(st, 2, (int64_t)run->job);
    if (run->cc >= 0)
        sqlite3_bind_int64(st, 3, run->cc);
    else
        sqlite3_bind_null(st, 3);
    const double times[] = {run->t_depend, run->t_run, run->t_cleanup, run->t_inactive,
                            run->expiration};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        bind_real(st, 4 + (int)i, times[i]);
    if (run->status >= 0)
        sqlite3_bind_int64(st, 9, run->status);
    else
        sqlite3_bind_null(st, 9);
    bind_int(st, 10, run->result);
    bind_int(st, 11, run->nnodes);
    bind_int(st, 12, run->ncores);
    bind_int(st, 13, run->ngpus);
    store_bind_text(st, 14, run->exception_type);
    bind_int(st, 15, run->exception_severity);
    store_bind_text(st, 16, run->exception_note);
    bind_int(st, 17, r);
    bind_int(st, 18, nodelist);
    bind_int(st, 19, ranks);
    bind_int(st, 20, taskmap);
    store_bind_text(st, 21, run->uri);
    store_bind_text(st, 22, run->output);
    return store_step(store, st, err);
}

/* Add N to the count of RESULT, if it is one. */
static void count_result(struct store *store, int64_t result, int64_t n)
{
    if (result > 0 && result <= TALLY_MAX)
        store->tally[result] += (uint64_t)n;
}

/* An end that is told again replaces the old one, also in the counts. */
static int put_end(struct store *store, const struct store_run *run, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_RUN_RESULT, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)run->id);
    int rc = sqlite3_step(st);
    int64_t before = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    if (store_rows_end(store, st, rc, err) < 0 ||
        put_run(store, ST_RUN_END, run, err) < 0)
        return -1;
    count_result(store, before, -1);
    count_result(store, run->result, 1);
    return 0;
}

static int put_span(struct store *store, const struct op *op, struct error *err)
{
    const struct store_run *run = &op->run;
    uint64_t first = (uint64_t)jobid_position(run->job, UINT32_MAX, run->id);
    sqlite3_stmt *st = store_statement(store, ST_SPAN_ADD, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)jobid_nth(run->job, first + op->n - 1));
    sqlite3_bind_int64(st, 2, (int64_t)run->id);
    sqlite3_bind_int64(st, 3, (int64_t)op->n);
    sqlite3_bind_int64(st, 4, (int64_t)run->job);
    sqlite3_bind_int64(st, 5, run->cc);
    bind_real(st, 6, run->t_depend);
    bind_real(st, 7, run->t_inactive);
    sqlite3_bind_int64(st, 8, run->result);
    store_bind_text(st, 9, run->exception_type);
    bind_int(st, 10, run->exception_severity);
    store_bind_text(st, 11, run->exception_note);
    if (store_step(store, st, err) < 0)
        return -1;
    count_result(store, run->result, (int64_t)op->n);
    return 0;
}

static int by_id(struct store *store, enum store_statement which, jobid_t id,
                 struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    return store_step(store, st, err);
}

int store_apply(struct store *store, const struct op *op, struct error *err)
{
    switch (op->type) {
    case OP_ENV:
        return put_pair(store, ST_ENV_PUT, op->pair.name, op->pair.value, err);
    case OP_ATTR:
        return put_pair(store, ST_ATTR_PUT, op->pair.name, op->pair.value, err);
    case OP_SUBMIT:
        return put_job(store, &op->job, err);
    case OP_URGENCY:
        return put_urgency(store, op, err);
    case OP_URGENCIES:
        return put_urgencies(store, op, err);
    case OP_RUN:
        return put_run(store, ST_RUN_PUT, &op->run, err);
    case OP_END:
        if (put_end(store, &op->run, err) < 0)
            return -1;
        return op->over ? by_id(store, ST_JOB_OVER, op->run.job, err) : 0;
    case OP_SPAN:
        if (put_span(store, op, err) < 0)
            return -1;
        return op->over ? by_id(store, ST_JOB_OVER, op->run.job, err) : 0;
    case OP_REQUEUE:
        return by_id(store, ST_RUN_REMOVE, op->id, err);
    case OP_PURGE:
        return store_apply_purge(store, &op->range, err);
    case OP_SWEEP:
        return store_apply_sweep(store, err);
    }
    return 0;
}

/* --- event logs ------------------------------------------------------------------------------- */
static int compare_lines(const void *a, const void *b)
{
    const struct event_line *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int put_lines(struct store *store, const struct event_line *lines, size_t n,
                     struct error *err)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += strlen(lines[i].line);
    cleanup_free char *text = xmalloc(len + 1);
    char *end = text;
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, lines[i].line);
    sqlite3_stmt *st = store_statement(store, ST_LOG_ADD, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)lines[0].id);
    sqlite3_bind_text(st, 2, text, (int)len, SQLITE_STATIC);
    int result = store_step(store, st, err);
    sqlite3_clear_bindings(st);
    return result;
}

int store_apply_events(struct store *store, struct error *err)
{
    struct event_line *lines = store->events + store->events_applied;
    size_t n = store->nevents - store->events_applied;
    if (n == 0)
        return 0;
    qsort(lines, n, sizeof(*lines), compare_lines);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && lines[to].id == lines[from].id;)
            to++;
        if (put_lines(store, lines + from, to - from, err) < 0)
            return -1;
    }
    store->events_applied = store->nevents;
    return 0;
}

int store_apply_tally(struct store *store, struct error *err)
{
    for (int key = 0; key <= TALLY_MAX; key++) {
        if (store->tally[key] == store->tally_stored[key])
            continue;
        sqlite3_stmt *st = store_statement(store, ST_TALLY_PUT, err);
        if (st == NULL)
            return -1;
        sqlite3_bind_int64(st, 1, key);
        sqlite3_bind_int64(st, 2, (int64_t)store->tally[key]);
        if (store_step(store, st, err) < 0)
            return -1;
    }
    return 0;
}
