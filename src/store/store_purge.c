/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that are over, and are to be forgotten. */
#include "src/store/store_private.h"

#include <string.h>
#include "src/common/util.h"

/* Whether CUT takes one that ended at T. */
static bool takes(const struct store_cut *cut, double t, jobid_t id)
{
    return t < cut->t || (t <= cut->t && id <= cut->id);
}

int store_cut_after(struct store *store, uint64_t n, struct store_cut *cut,
                    struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_NEWEST_ENDS, err);
    uint64_t kept = 0;
    int rc = SQLITE_DONE;
    *cut = (struct store_cut){0};
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)MIN(n, (uint64_t)INT64_MAX - 1) + 1);
    while (kept <= n && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t alike = (uint64_t)sqlite3_column_int64(st, 3);
        if (alike > n - kept) { /* the oldest of them go, those with the lowest ids */
            jobid_t first = (jobid_t)sqlite3_column_int64(st, 1),
                    job = (jobid_t)sqlite3_column_int64(st, 2);
            int64_t at = alike > 1 ? jobid_position(job, UINT32_MAX, first) : -1;
            cut->t = sqlite3_column_double(st, 0);
            cut->id =
                at < 0 ? first : jobid_nth(job, (uint64_t)at + alike - (n - kept) - 1);
        }
        kept += alike;
    }
    return store_rows_end(store, st, rc, err);
}

/* --- what is to go --------------------------------------------------------------------------- */
struct walk {
    const struct store_cut *cut;
    store_purge_f fn;
    void *arg;
    struct store_purge_range range; /* the last one that was begun; first 0: none */
};

static void end_range(struct walk *w)
{
    if (w->range.first > 0)
        w->fn(w->arg, &w->range, NULL);
    w->range = (struct store_purge_range){0};
}

static void take_run(struct walk *w, const struct store_run *run, uint64_t n,
                     jobid_t last)
{
    struct store_purge_range *r = &w->range;
    if (r->first == 0)
        *r = (struct store_purge_range){.first = run->id};
    r->last = last;
    r->n += n;
    w->fn(w->arg, NULL, run);
}

/* WHICH statement, for the jobs between FIRST and LAST. */
static sqlite3_stmt *select_between(struct store *store, enum store_statement which,
                                    jobid_t first, jobid_t last, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st != NULL) {
        sqlite3_bind_int64(st, 1, (int64_t)first);
        sqlite3_bind_int64(st, 2, (int64_t)last);
    }
    return st;
}

/* Runs one by one, by their ids: a range goes on until one comes that stays. */
static int walk_runs(struct store *store, struct walk *w, jobid_t first, jobid_t last,
                     size_t max, jobid_t *next, struct error *err)
{
    sqlite3_stmt *st = select_between(store, ST_PURGEABLE, first, last, err);
    int rc = SQLITE_DONE;
    if (st == NULL)
        return -1;
    for (size_t seen = 0; (rc = sqlite3_step(st)) == SQLITE_ROW; seen++) {
        struct store_run run = {
            .id = (jobid_t)sqlite3_column_int64(st, 0),
            .t_run = sqlite3_column_double(st, 1),
            .t_inactive = sqlite3_column_double(st, 2),
            .output = store_row_text(st, 3),
        };
        bool may = sqlite3_column_int(st, 4) != 0;
        if (seen == max) {
            *next = run.id;
            break;
        }
        if (may && takes(w->cut, run.t_inactive, run.id))
            take_run(w, &run, 1, run.id);
        else
            end_range(w);
    }
    end_range(w);
    return store_rows_end(store, st, rc, err);
}

/* Those that ended alike: of each span, what is between FIRST and LAST, from its beginning. */
static int walk_spans(struct store *store, struct walk *w, jobid_t first, jobid_t last,
                      struct error *err)
{
    sqlite3_stmt *st = select_between(store, ST_PURGEABLE_SPANS, first, last, err);
    int rc = SQLITE_DONE;
    if (st == NULL)
        return -1;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        jobid_t id = (jobid_t)sqlite3_column_int64(st, 0),
                job = (jobid_t)sqlite3_column_int64(st, 1);
        uint64_t count = (uint64_t)sqlite3_column_int64(st, 2), n = 0;
        double t = sqlite3_column_double(st, 3);
        int64_t at = jobid_position(job, UINT32_MAX, id);
        if (at < 0)
            continue;
        uint64_t skip = 0;
        while (skip < count && jobid_nth(job, (uint64_t)at + skip) < first)
            skip++;
        while (skip + n < count) {
            jobid_t one = jobid_nth(job, (uint64_t)at + skip + n);
            if (one > last || !takes(w->cut, t, one))
                break;
            n++;
        }
        if (n == 0)
            continue;
        w->range = (struct store_purge_range){
            .first = jobid_nth(job, (uint64_t)at + skip),
            .last = jobid_nth(job, (uint64_t)at + skip + n - 1),
            .n = n,
            .alike = true};
        end_range(w);
    }
    return store_rows_end(store, st, rc, err);
}

int store_purge_find(struct store *store, const struct store_cut *cut, jobid_t first,
                     jobid_t last, size_t max, store_purge_f fn, void *arg, jobid_t *next,
                     struct error *err)
{
    struct walk w = {.cut = cut, .fn = fn, .arg = arg};
    *next = 0;
    if (walk_runs(store, &w, first, last, max, next, err) < 0)
        return -1;
    return walk_spans(store, &w, first, *next ? *next - 1 : last, err);
}

/* --- making it so ---------------------------------------------------------------------------- */
static int change_between(struct store *store, enum store_statement which, jobid_t first,
                          jobid_t last, struct error *err)
{
    sqlite3_stmt *st = select_between(store, which, first, last, err);
    return st ? store_step(store, st, err) : -1;
}

/* The counts without what WHICH tells: rows of result and number. */
static int uncount(struct store *store, enum store_statement which, jobid_t first,
                   jobid_t last, struct error *err)
{
    sqlite3_stmt *st = select_between(store, which, first, last, err);
    int rc;
    if (st == NULL)
        return -1;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t result = sqlite3_column_int64(st, 0), n = sqlite3_column_int64(st, 1);
        if (result > 0 && result <= TALLY_MAX)
            store->tally[result] -= MIN((uint64_t)n, store->tally[result]);
    }
    return store_rows_end(store, st, rc, err);
}

/* Whether anything is left of JOB, an array. */
static int is_left(struct store *store, const struct store_job *job, bool *left,
                   struct error *err)
{
    sqlite3_stmt *st =
        select_between(store, ST_RUNS_LEFT, job->id, store_last_id(job), err);
    if (st == NULL)
        return -1;
    int rc = sqlite3_step(st);
    *left = rc == SQLITE_ROW;
    return store_rows_end(store, st, rc, err);
}

/* Arrays of which nothing is left go, too; the last of them may have begun before FIRST. */
static int purge_arrays(struct store *store, jobid_t first, jobid_t last,
                        struct error *err)
{
    sqlite3_stmt *st = select_between(store, ST_ARRAYS_OVER, first, last, err);
    struct store_job *jobs = NULL;
    size_t n = 0;
    int rc;
    if (st == NULL)
        return -1;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        jobs = xrealloc(jobs, (n + 1) * sizeof(*jobs));
        jobs[n++] = (struct store_job){.id = (jobid_t)sqlite3_column_int64(st, 0),
                                       .count = (uint64_t)sqlite3_column_int64(st, 1)};
    }
    int result = store_rows_end(store, st, rc, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        bool left;
        result = is_left(store, &jobs[i], &left, err);
        jobid_t end = store_last_id(&jobs[i]);
        if (result == 0 && !left &&
            (change_between(store, ST_JOB_REMOVE, jobs[i].id, end, err) < 0 ||
             change_between(store, ST_URGENCIES_REMOVE, jobs[i].id, end, err) < 0))
            result = -1;
    }
    free(jobs);
    return result;
}

/* The part of a span from FIRST to LAST goes; what is before and after it stays, as spans of their own. */
static int purge_span(struct store *store, jobid_t first, jobid_t last, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_SPAN_AT, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)last);
    if (sqlite3_step(st) != SQLITE_ROW || (jobid_t)sqlite3_column_int64(st, 1) > last) {
        sqlite3_reset(st); /* it is gone already: this is a repetition */
        return 0;
    }
    jobid_t end = (jobid_t)sqlite3_column_int64(st, 0),
            begin = (jobid_t)sqlite3_column_int64(st, 1),
            job = (jobid_t)sqlite3_column_int64(st, 2);
    int64_t count = sqlite3_column_int64(st, 3), result = sqlite3_column_int64(st, 4);
    sqlite3_reset(st);
    int64_t at = jobid_position(job, UINT32_MAX, begin),
            from = jobid_position(job, UINT32_MAX, MAX(first, begin)),
            to = jobid_position(job, UINT32_MAX, last);
    if (at < 0 || from < at || to < from)
        return 0;
    int64_t before = from - at, after = count - before - (to - from + 1);
    if (result > 0 && result <= TALLY_MAX)
        store->tally[result] -= MIN((uint64_t)(to - from + 1), store->tally[result]);
    if (before > 0) {
        st = store_statement(store, ST_SPAN_COPY, err);
        if (st == NULL)
            return -1;
        sqlite3_bind_int64(st, 1, (int64_t)end);
        sqlite3_bind_int64(st, 2, (int64_t)jobid_nth(job, (uint64_t)from - 1));
        sqlite3_bind_int64(st, 3, before);
        if (store_step(store, st, err) < 0)
            return -1;
    }
    if (after <= 0)
        return change_between(store, ST_SPAN_REMOVE, end, end, err);
    st = store_statement(store, ST_SPAN_CUT, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)end);
    sqlite3_bind_int64(st, 2, (int64_t)jobid_nth(job, (uint64_t)to + 1));
    sqlite3_bind_int64(st, 3, after);
    return store_step(store, st, err);
}

int store_apply_purge(struct store *store, const struct store_purge_range *range,
                      struct error *err)
{
    jobid_t first = range->first, last = range->last;
    if (store_apply_events(store, err) < 0)
        return -1;
    if (range->alike)
        return purge_span(store, first, last, err) < 0
                   ? -1
                   : purge_arrays(store, first, last, err);
    if (uncount(store, ST_PURGE_COUNT, first, last, err) < 0 ||
        change_between(store, ST_PURGE_LOGS, first, last, err) < 0 ||
        change_between(store, ST_PURGE_RUNS, first, last, err) < 0 ||
        change_between(store, ST_PURGE_BASES, first, last, err) < 0 ||
        change_between(store, ST_PURGE_JOBS, first, last, err) < 0)
        return -1;
    return purge_arrays(store, first, last, err);
}

int store_apply_sweep(struct store *store, struct error *err)
{
    store_forget_texts(store);
    return store_step(store, store_statement(store, ST_TEXT_SWEEP, err), err);
}
