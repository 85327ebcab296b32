/* SPDX-License-Identifier: BSD-3-Clause */
/* What is not over yet, as a job table is rebuilt from it. */
#include "src/store/store_private.h"

#include <string.h>
#include "src/common/idranges.h"
#include "src/common/util.h"

struct runs {
    struct store_run *run;
    size_t n, size;
};

static void free_runs(struct runs *runs)
{
    for (size_t i = 0; i < runs->n; i++) {
        struct store_run *r = &runs->run[i];
        const char *texts[] = {r->exception_type, r->exception_note, r->R,   r->nodelist,
                               r->ranks,          r->taskmap,        r->uri, r->output,
                               r->eventlog};
        for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
            free((void *)(uintptr_t)texts[k]);
    }
    free(runs->run);
}

static const char *copy(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

static struct store_run *add_run(struct runs *runs)
{
    if (runs->n == runs->size) {
        runs->size = MAX(2 * runs->size, 8);
        runs->run = xrealloc(runs->run, runs->size * sizeof(*runs->run));
    }
    return &runs->run[runs->n++];
}

static sqlite3_stmt *of_job(struct store *store, enum store_statement which,
                            const struct store_job *job, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return NULL;
    sqlite3_bind_int64(st, 1, (int64_t)job->id);
    sqlite3_bind_int64(st, 2, (int64_t)store_last_id(job));
    if (sqlite3_bind_parameter_count(st) > 2)
        sqlite3_bind_int64(st, 3, (int64_t)job->id);
    return st;
}

/* Those that ended together.  INDICES: the array's, or NULL. */
static int get_spans(struct store *store, const struct store_job *job,
                     const struct idranges *indices, hwloc_bitmap_t ended, uint64_t *n,
                     struct error *err)
{
    sqlite3_stmt *st = of_job(store, ST_ENDED_SPANS, job, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        jobid_t first = (jobid_t)sqlite3_column_int64(st, 0);
        uint64_t count = (uint64_t)sqlite3_column_int64(st, 1);
        int64_t position = jobid_position(job->id, job->count, first);
        if (position < 0 || indices == NULL ||
            (uint64_t)position + count > idranges_count(indices))
            continue;
        *n += count;
        for (uint64_t i = 0; i < count; i++)
            hwloc_bitmap_set(ended, idranges_nth(indices, (uint64_t)position + i));
    }
    return store_rows_end(store, st, rc, err);
}

/* How many have ended goes to *N. */
static int get_ended(struct store *store, const struct store_job *job,
                     hwloc_bitmap_t ended, uint64_t *n, struct error *err)
{
    sqlite3_stmt *st = of_job(store, ST_ENDED, job, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        ++*n;
        int64_t cc = sqlite3_column_int64(st, 0);
        if (sqlite3_column_type(st, 0) != SQLITE_NULL && cc >= 0 && cc <= INT32_MAX)
            hwloc_bitmap_set(ended, (unsigned)cc);
    }
    return store_rows_end(store, st, rc, err);
}

static int get_runs(struct store *store, const struct store_job *job, struct runs *runs,
                    struct error *err)
{
    sqlite3_stmt *st = of_job(store, ST_RUNS, job, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_run run = store_row_run(st, 0);
        run.exception_type = copy(run.exception_type);
        run.exception_note = copy(run.exception_note);
        run.R = copy(store_row_text(st, RUN_WIDTH));
        run.taskmap = copy(store_row_text(st, RUN_WIDTH + 1));
        run.nodelist = copy(run.nodelist);
        run.ranks = copy(run.ranks);
        run.uri = copy(run.uri);
        run.output = copy(run.output);
        *add_run(runs) = run;
    }
    return store_rows_end(store, st, rc, err);
}

static int compare_runs(const void *a, const void *b)
{
    const struct store_run *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The run of the element ID, which is made if there is none. RUNS: the first SORTED are. */
static struct store_run *note_run(struct runs *runs, size_t sorted, jobid_t id,
                                  const struct store_job *job, int64_t cc)
{
    struct store_run wanted = {.id = id, .job = job->id, .cc = cc, .status = -1};
    struct store_run *run =
        sorted > 0 ? bsearch(&wanted, runs->run, sorted, sizeof(wanted), compare_runs)
                   : NULL;
    if (run != NULL)
        return run;
    if (runs->n > sorted && runs->run[runs->n - 1].id == id)
        return &runs->run[runs->n - 1];
    run = add_run(runs);
    *run = wanted;
    return run;
}

/* Event lines of an array's elements.  INDICES: the array's. */
static int get_notes(struct store *store, const struct store_job *job,
                     const struct idranges *indices, struct runs *runs, struct error *err)
{
    size_t sorted = runs->n;
    sqlite3_stmt *st = of_job(store, ST_NOTES, job, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        jobid_t id = (jobid_t)sqlite3_column_int64(st, 0);
        int64_t position = jobid_position(job->id, job->count, id);
        if (position < 0)
            continue;
        int64_t cc =
            indices != NULL ? (int64_t)idranges_nth(indices, (uint64_t)position) : -1;
        note_run(runs, sorted, id, job, cc)->eventlog = copy(store_row_text(st, 1));
    }
    if (runs->n > sorted)
        qsort(runs->run, runs->n, sizeof(*runs->run), compare_runs);
    return store_rows_end(store, st, rc, err);
}

/* What was made of the urgency of an array's elements: a new list of *N. */
static int get_urgencies(struct store *store, const struct store_job *job,
                         struct store_urgency **list, size_t *n, struct error *err)
{
    size_t size = 0;
    sqlite3_stmt *st = of_job(store, ST_URGENCIES, job, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (*n == size) {
            size = MAX(2 * size, (size_t)8);
            *list = xrealloc(*list, size * sizeof(**list));
        }
        (*list)[(*n)++] = (struct store_urgency){
            .first = (jobid_t)sqlite3_column_int64(st, 0),
            .n = (uint64_t)sqlite3_column_int64(st, 1),
            .urgency = sqlite3_column_int(st, 2),
            .priority = sqlite3_column_int64(st, 3),
        };
    }
    return store_rows_end(store, st, rc, err);
}

static char *get_log(struct store *store, const struct store_job *job, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_LOG_GET, err);
    if (st == NULL)
        return NULL;
    sqlite3_bind_int64(st, 1, (int64_t)job->id);
    int rc = sqlite3_step(st);
    char *text = rc == SQLITE_ROW ? xstrdup(store_row_text(st, 0)) : NULL;
    if (store_rows_end(store, st, rc, err) < 0)
        free(take(text));
    return text;
}

static void free_indices(struct idranges **indices)
{
    idranges_destroy(*indices);
}

static int pending_job(struct store *store, struct store_job *job, store_pending_f fn,
                       void *arg, bool *stop, struct error *err)
{
    __attribute__((cleanup(free_runs))) struct runs runs = {0};
    cleanup_bitmap hwloc_bitmap_t ended = hwloc_bitmap_alloc();
    cleanup_free char *log = NULL;
    struct error failed = {0};
    __attribute__((cleanup(free_indices))) struct idranges *indices = NULL;
    cleanup_free struct store_urgency *urgencies = NULL;
    uint64_t nended = 0;
    if (job->count > 1 && job->cc != NULL)
        indices = idranges_decode(job->cc, job->count, NULL);
    if (get_ended(store, job, ended, &nended, err) < 0 ||
        (job->count > 1 && get_spans(store, job, indices, ended, &nended, err) < 0))
        return -1;
    if (nended >= job->count) /* all ended, the array was not told so */
        return 0;
    if (get_runs(store, job, &runs, err) < 0)
        return -1;
    if (job->count > 1) {
        if (get_notes(store, job, indices, &runs, err) < 0 ||
            get_urgencies(store, job, &urgencies, &job->nurgencies, err) < 0)
            return -1;
        job->urgencies = urgencies;
    } else {
        job->eventlog = log = get_log(store, job, &failed);
        if (failed.code != 0) {
            if (err != NULL)
                *err = failed;
            return -1;
        }
    }
    *stop = fn(arg, job, ended, runs.run, runs.n) != 0;
    return 0;
}

int store_pending(struct store *store, store_pending_f fn, void *arg, struct error *err)
{
    if (store_settle_events(store, err) < 0)
        return -1;
    sqlite3_stmt *st = store_statement(store, ST_PENDING, err);
    if (st == NULL)
        return -1;
    int rc = SQLITE_DONE;
    bool stop = false;
    while (!stop && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_job job = store_row_job(st, 0);
        job.jobspec = store_row_text(st, JOB_WIDTH);
        if (pending_job(store, &job, fn, arg, &stop, err) < 0) {
            sqlite3_reset(st);
            return -1;
        }
    }
    return store_rows_end(store, st, rc, err);
}
