/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows to structs: lists, one job's texts. */
#include "src/store/store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "src/common/idranges.h"
#include "src/common/util.h"
#include "src/job/bulk.h"
#include "src/job/eventlog.h"
#include "src/job/state.h"

const char *store_row_text(sqlite3_stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st, column);
}

struct store_job store_row_job(sqlite3_stmt *st, int at)
{
    return (struct store_job){
        .id = (jobid_t)sqlite3_column_int64(st, at),
        .count = (uint64_t)sqlite3_column_int64(st, at + 1),
        .cc = store_row_text(st, at + 2),
        .userid = (unsigned)sqlite3_column_int64(st, at + 3),
        .t_submit = sqlite3_column_double(st, at + 4),
        .urgency = sqlite3_column_int(st, at + 5),
        .priority = sqlite3_column_int64(st, at + 6),
        .flags = (unsigned)sqlite3_column_int64(st, at + 7),
        .ntasks = sqlite3_column_int(st, at + 8),
        .nnodes = sqlite3_column_int(st, at + 9),
        .ncores = sqlite3_column_int(st, at + 10),
        .ngpus = sqlite3_column_int(st, at + 11),
        .duration = sqlite3_column_double(st, at + 12),
        .name = store_row_text(st, at + 13),
        .cwd = store_row_text(st, at + 14),
        .queue = store_row_text(st, at + 15),
        .key = store_row_text(st, at + 16),
        .parent = (uint64_t)sqlite3_column_int64(st, at + 17),
        .parent_rank = (unsigned)sqlite3_column_int64(st, at + 18),
    };
}

static bool null_at(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL;
}

struct store_run store_row_run(sqlite3_stmt *st, int at)
{
    return (struct store_run){
        .id = (jobid_t)sqlite3_column_int64(st, at),
        .job = (jobid_t)sqlite3_column_int64(st, at + 1),
        .cc = null_at(st, at + 2) ? -1 : sqlite3_column_int64(st, at + 2),
        .t_depend = sqlite3_column_double(st, at + 3),
        .t_run = sqlite3_column_double(st, at + 4),
        .t_cleanup = sqlite3_column_double(st, at + 5),
        .t_inactive = sqlite3_column_double(st, at + 6),
        .expiration = sqlite3_column_double(st, at + 7),
        .status = null_at(st, at + 8) ? -1 : sqlite3_column_int(st, at + 8),
        .result = sqlite3_column_int(st, at + 9),
        .nnodes = sqlite3_column_int(st, at + 10),
        .ncores = sqlite3_column_int(st, at + 11),
        .ngpus = sqlite3_column_int(st, at + 12),
        .exception_type = store_row_text(st, at + 13),
        .exception_severity = sqlite3_column_int(st, at + 14),
        .exception_note = store_row_text(st, at + 15),
        .uri = store_row_text(st, at + 16),
        .output = store_row_text(st, at + 17),
        .nodelist = store_row_text(st, at + 18),
        .ranks = store_row_text(st, at + 19),
    };
}

static int run_state(const struct store_run *run)
{
    if (run == NULL)
        return JOB_SCHED;
    if (run->t_inactive > 0)
        return JOB_INACTIVE;
    if (run->t_cleanup > 0)
        return JOB_CLEANUP;
    return run->t_run > 0 ? JOB_RUN : JOB_SCHED;
}

jobid_t store_last_id(const struct store_job *job)
{
    return job->count > 1 ? jobid_nth(job->id, job->count - 1) : job->id;
}

int store_rows_end(struct store *store, sqlite3_stmt *st, int rc, struct error *err)
{
    int result = rc == SQLITE_DONE || rc == SQLITE_ROW
                     ? 0
                     : store_sql_error(store, "read it", err);
    sqlite3_reset(st);
    return result;
}

/* --- lists -------------------------------------------------------------------------------------- */
struct list {
    struct store *store;
    const struct store_filter *filter;
    store_entry_f fn;
    void *arg;
    int64_t calls;
    bool rest_only; /* what is left of an array, none of its elements */
    bool stop;
    jobid_t array; /* whose INDICES these are */
    struct idranges *indices;
};

static bool same_text(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

static bool matches(const struct store_filter *f, const struct store_entry *e)
{
    bool ended = e->state == JOB_INACTIVE;
    return (f->states == 0 || (f->states & e->state) != 0) &&
           (f->results == 0 || (ended && (f->results & e->run->result) != 0)) &&
           (!ended || e->run->t_inactive >= f->since) &&
           same_text(f->name, e->job.name) && same_text(f->queue, e->job.queue);
}

/* The index of the element at POSITION of JOB. */
static int64_t index_of(struct list *l, const struct store_job *job, uint64_t position)
{
    if (l->array != job->id) {
        idranges_destroy(l->indices);
        l->indices = job->cc ? idranges_decode(job->cc, UINT64_MAX, NULL) : NULL;
        l->array = job->id;
    }
    return l->indices && position < idranges_count(l->indices)
               ? (int64_t)idranges_nth(l->indices, position)
               : -1;
}

static void tell(struct list *l, const struct store_entry *entry)
{
    if ((l->rest_only && entry->run != NULL) || !matches(l->filter, entry))
        return;
    l->calls++;
    l->stop = l->fn(l->arg, entry) != 0 ||
              (l->filter->max > 0 && (size_t)l->calls >= l->filter->max);
}

/* How many of the N ids from position START of JOB on are not above LAST. */
static uint64_t count_up_to(const struct store_job *job, uint64_t start, uint64_t n,
                            jobid_t last)
{
    uint64_t below = 0; /* ids ascend: so many are surely not above it, and N at most */
    while (below < n) {
        uint64_t middle = below + (n - below) / 2;
        if (jobid_nth(job->id, start + middle) <= last)
            below = middle + 1;
        else
            n = middle;
    }
    return below;
}

/* The elements of a span with FIRST <= id <= LAST, each by itself; RUN: the first of N. Return their number. */
static size_t tell_span(struct list *l, struct store_entry *entry, struct store_run *run,
                        uint64_t n, jobid_t first, jobid_t last)
{
    const struct store_job *job = &entry->job;
    int64_t start = jobid_position(job->id, job->count, run->id);
    size_t told = 0;
    if (start >= 0)
        n = count_up_to(job, (uint64_t)start, n, last);
    for (uint64_t i = n; start >= 0 && i-- > 0 && !l->stop;) {
        run->id = jobid_nth(job->id, (uint64_t)start + i);
        if (run->id < first)
            break;
        run->cc = index_of(l, job, (uint64_t)start + i);
        told++;
        tell(l, entry);
    }
    return told;
}

/* Entries with FIRST <= id <= LAST.  Adds to *FOUND, if the filter has ids, what there is, whether it matches or
 * not. */
static int list_range(struct list *l, jobid_t first, jobid_t last, size_t *found,
                      struct error *err)
{
    sqlite3_stmt *st = store_statement(l->store, ST_LIST, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)first);
    sqlite3_bind_int64(st, 2, (int64_t)last);
    bool ids = l->filter->nids > 0; /* then *FOUND is asked for */
    sqlite3_bind_double(st, 3, ids ? 0 : l->filter->since);
    sqlite3_bind_int(st, 4, ids ? 0 : l->filter->results);
    store_bind_text(st, 5, ids ? NULL : l->filter->name);
    store_bind_text(st, 6, ids ? NULL : l->filter->queue);
    int rc = SQLITE_DONE;
    while (!l->stop && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_run run;
        struct store_entry entry = {.job = store_row_job(st, 1 + RUN_WIDTH)};
        if (!null_at(st, 1)) {
            run = store_row_run(st, 1);
            entry.run = &run;
        }
        entry.state = run_state(entry.run);
        uint64_t n = (uint64_t)sqlite3_column_int64(st, 1 + RUN_WIDTH + JOB_WIDTH);
        if (n > 1) {
            *found += tell_span(l, &entry, &run, n, first, last);
            continue;
        }
        ++*found;
        tell(l, &entry);
    }
    return store_rows_end(l->store, st, l->stop ? SQLITE_DONE : rc, err);
}

/* What was submitted that ID belongs to: 1 and *JOB (only id, count, flags), 0 if nothing. */
static int job_of(struct store *store, jobid_t id, struct store_job *job, bool *active,
                  struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_JOB_OF, err);
    if (st == NULL)
        return -1;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    int rc = sqlite3_step(st);
    bool found = false;
    if (rc == SQLITE_ROW) {
        struct store_job j = store_row_job(st, 0);
        found = j.id == id || (j.count > 1 && jobid_position(j.id, j.count, id) >= 0);
        *job = (struct store_job){.id = j.id, .count = j.count, .flags = j.flags};
        *active = sqlite3_column_int(st, JOB_WIDTH + 1) != 0;
    }
    return store_rows_end(store, st, rc, err) < 0 ? -1 : found;
}

static int compare_ids(const void *a, const void *b)
{
    jobid_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x > y ? -1 : x < y;
}

static int list_ids(struct list *l, struct error *err)
{
    size_t n = l->filter->nids;
    cleanup_free jobid_t *ids = xmalloc(n * sizeof(*ids));
    memcpy(ids, l->filter->ids, n * sizeof(*ids));
    qsort(ids, n, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < n && !l->stop; i++) {
        struct store_job job;
        bool active;
        size_t found = 0;
        if (i > 0 && ids[i] == ids[i - 1])
            continue;
        int is_job = job_of(l->store, ids[i], &job, &active, err);
        if (is_job < 0)
            return -1;
        if (is_job == 0)
            continue;
        bool all = job.id == ids[i] && !(job.flags & JOB_BULK);
        jobid_t last = all ? store_last_id(&job) : ids[i];
        if (l->filter->before > 0 && last >= l->filter->before)
            last = l->filter->before - 1;
        if (list_range(l, ids[i], last, &found, err) < 0)
            return -1;
        /* an element that has not started is part of what is left of its array */
        l->rest_only = found == 0 && !all && active;
        if (l->rest_only && list_range(l, job.id, job.id, &found, err) < 0)
            return -1;
        l->rest_only = false;
    }
    return 0;
}

int64_t store_list(struct store *store, const struct store_filter *filter,
                   store_entry_f fn, void *arg, struct error *err)
{
    static const struct store_filter all = {0};
    struct list l = {
        .store = store, .filter = filter != NULL ? filter : &all, .fn = fn, .arg = arg};
    size_t found = 0;
    jobid_t last = l.filter->before > 0 ? l.filter->before - 1 : INT64_MAX;
    int rc = l.filter->nids > 0 ? list_ids(&l, err)
                                : list_range(&l, l.filter->from, last, &found, err);
    idranges_destroy(l.indices);
    return rc < 0 ? -1 : l.calls;
}

/* --- one job ------------------------------------------------------------------------------------ */
static void log_line(char **log, double t, const char *name, json_object *context)
{
    cleanup_json json_object *event = event_create(t, name, context);
    cleanup_free char *line = event_encode(event);
    cleanup_free char *old = *log;
    *log = xasprintf("%s%s", old != NULL ? old : "", line);
}

static void add_int(json_object *o, const char *key, int64_t value)
{
    json_object_object_add(o, key, json_object_new_int64(value));
}

static json_object *exception_context(const struct store_run *run)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "type", json_object_new_string(run->exception_type));
    add_int(o, "severity", run->exception_severity);
    json_object_object_add(
        o, "note",
        json_object_new_string(run->exception_note != NULL ? run->exception_note : ""));
    return o;
}

/* The log that a job of these times has had: replaying it gives its state and result. */
static char *make_log(const struct store_job *job, const struct store_run *run)
{
    char *log = NULL;
    json_object *submit = json_object_new_object();
    add_int(submit, "userid", job->userid);
    add_int(submit, "urgency", job->urgency);
    add_int(submit, "flags", job->flags & ~(unsigned)JOB_BULK);
    add_int(submit, "version", 1);
    log_line(&log, job->t_submit, "submit", submit);
    if (run == NULL)
        return log;
    double t_depend = run->t_depend > 0 ? run->t_depend : job->t_submit;
    if (run->t_run > 0) {
        json_object *priority = json_object_new_object();
        add_int(priority, "priority", job->priority);
        log_line(&log, t_depend, "depend", NULL);
        log_line(&log, t_depend, "priority", priority);
        log_line(&log, run->t_run, "alloc", NULL);
        log_line(&log, run->t_run, "start", NULL);
    }
    double t_end = run->t_cleanup > 0 ? run->t_cleanup : run->t_inactive;
    if (run->exception_type != NULL)
        log_line(&log, t_end > 0 ? t_end : run->t_run, "exception",
                 exception_context(run));
    if (t_end > 0 && run->t_run > 0 && run->status >= 0) {
        json_object *finish = json_object_new_object();
        add_int(finish, "status", run->status);
        log_line(&log, t_end, "finish", finish);
    }
    if (run->t_inactive > 0 && run->t_run > 0) {
        json_object *release = json_object_new_object();
        json_object_object_add(release, "ranks", json_object_new_string("all"));
        json_object_object_add(release, "final", json_object_new_boolean(1));
        log_line(&log, run->t_inactive, "release", release);
        log_line(&log, run->t_inactive, "free", NULL);
    }
    if (run->t_inactive > 0)
        log_line(&log, run->t_inactive, "clean", NULL);
    return log;
}

/* R with the times that belong to this job. */
static char *make_R(const char *text, const struct store_run *run)
{
    cleanup_json json_object *r = json_tokener_parse(text);
    json_object *execution;
    if (r == NULL || !json_object_object_get_ex(r, "execution", &execution))
        return xstrdup(text);
    if (run->t_run > 0 && !json_object_object_get_ex(execution, "starttime", NULL)) {
        json_object_object_add(execution, "starttime",
                               json_object_new_double(run->t_run));
        json_object_object_add(execution, "expiration",
                               json_object_new_double(run->expiration));
    }
    return xstrdup(json_object_to_json_string_ext(r, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* Of many jobs in one, that of row ROW. */
static char *make_jobspec(const char *text, const struct store_job *job, int64_t row)
{
    cleanup_json json_object *o = NULL;
    if (!(job->flags & JOB_BULK) || (o = json_tokener_parse(text)) == NULL)
        return xstrdup(text);
    bulk_apply(o, row);
    return xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *store_log_get(struct store *store, jobid_t id, struct error *err)
{
    if (store_settle_events(store, err) < 0)
        return NULL;
    sqlite3_stmt *st = store_statement(store, ST_LOG_GET, err);
    if (st == NULL)
        return NULL;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    char *text = sqlite3_step(st) == SQLITE_ROW ? xstrdup(store_row_text(st, 0)) : NULL;
    sqlite3_reset(st);
    return text;
}

static const char *const info_keys[] = {
    "jobspec", "R", "eventlog", "taskmap", "output", "jobspec-base", "cc"};
enum info_key {
    KEY_JOBSPEC,
    KEY_R,
    KEY_EVENTLOG,
    KEY_TASKMAP,
    KEY_OUTPUT,
    KEY_BASE,
    KEY_CC,
    KEY_COUNT
};

/* The text of KEY of job ID, NULL if there is none. JOB is a row of ST_JOB_OF, RUN one of ST_RUN_BY_ID. */
static char *info_text(enum info_key key, jobid_t id, sqlite3_stmt *job,
                       sqlite3_stmt *run)
{
    struct store_job j = store_row_job(job, 0);
    struct store_run r;
    const char *text = NULL;
    if (run != NULL)
        r = store_row_run(run, 0);
    if (key == KEY_EVENTLOG)
        return make_log(&j, run != NULL ? &r : NULL);
    if (key == KEY_CC)
        text = j.id == id ? j.cc : NULL;
    else if (key == KEY_JOBSPEC)
        text = store_row_text(job, JOB_WIDTH);
    else if (run != NULL)
        text = key == KEY_R         ? store_row_text(run, RUN_WIDTH)
               : key == KEY_TASKMAP ? store_row_text(run, RUN_WIDTH + 1)
                                    : r.output;
    if (text == NULL)
        return NULL;
    if (key == KEY_JOBSPEC)
        return make_jobspec(text, &j, jobid_position(j.id, j.count, id));
    return key == KEY_R ? make_R(text, &r) : xstrdup(text);
}

/* The row of the span that has element ID of JOB, or NULL. */
static sqlite3_stmt *span_of(struct store *store, const struct store_job *job, jobid_t id,
                             struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_SPAN_OF, err);
    if (st == NULL)
        return NULL;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    if (sqlite3_step(st) == SQLITE_ROW &&
        (jobid_t)sqlite3_column_int64(st, 1) == job->id &&
        jobid_position((jobid_t)sqlite3_column_int64(st, 0),
                       (uint64_t)sqlite3_column_int64(st, RUN_WIDTH + 3), id) >= 0)
        return st;
    sqlite3_reset(st);
    return NULL;
}

static char *no_such_job(jobid_t id, struct error *err)
{
    char buf[JOBID_BUFSIZE];
    return error_null(err, ENOENT, "job %s: no such job",
                      jobid_encode(id, JOBID_F58, buf, sizeof(buf)));
}

char *store_job_info(struct store *store, jobid_t id, const char *key, struct error *err)
{
    enum info_key k = 0;
    struct store_job job;
    bool active, purged = false;
    while (k < KEY_COUNT && strcmp(key, info_keys[k]) != 0)
        k++;
    if (k == KEY_COUNT)
        return error_null(err, EINVAL,
                          "'%s' is not known of a job: it must be jobspec, R, eventlog, "
                          "taskmap, output or cc",
                          key);
    int known = job_of(store, id, &job, &active, err);
    if (known < 0)
        return NULL;
    if (known == 0)
        return no_such_job(id, err);
    if (k == KEY_BASE) { /* if it never had another one, there is none of its own */
        char name[40];
        snprintf(name, sizeof(name), STORE_BASE "%" PRIu64, id);
        char *base = store_attr_get(store, name, NULL);
        if (base != NULL)
            return base;
        k = KEY_JOBSPEC;
    }
    if (k == KEY_EVENTLOG) {
        struct error failed = {0};
        char *log = store_log_get(store, id, &failed);
        if (log != NULL || failed.code != 0) {
            if (log == NULL && err != NULL)
                *err = failed;
            return log;
        }
    }
    sqlite3_stmt *js = store_statement(store, ST_JOB_OF, err);
    sqlite3_stmt *rs = store_statement(store, ST_RUN_BY_ID, err);
    if (js == NULL || rs == NULL)
        return NULL;
    sqlite3_bind_int64(js, 1, (int64_t)id);
    sqlite3_bind_int64(rs, 1, (int64_t)id);
    char *text = NULL;
    if (sqlite3_step(js) == SQLITE_ROW) {
        bool has_run = sqlite3_step(rs) == SQLITE_ROW;
        if (!has_run && job.count > 1) { /* it may be one of many that ended alike */
            sqlite3_reset(rs);
            rs = span_of(store, &job, id, err);
            has_run = rs != NULL;
        }
        purged = !has_run && job.count > 1 && !active;
        if (!purged)
            text = info_text(k, id, js, has_run ? rs : NULL);
    }
    sqlite3_reset(js);
    sqlite3_reset(rs);
    if (purged)
        return no_such_job(id, err);
    if (text == NULL) {
        char buf[JOBID_BUFSIZE];
        return error_null(err, ENODATA, "job %s has no %s",
                          jobid_encode(id, JOBID_F58, buf, sizeof(buf)), key);
    }
    return text;
}

static char *get_named(struct store *store, enum store_statement which, const char *what,
                       const char *name, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, which, err);
    if (st == NULL)
        return NULL;
    store_bind_text(st, 1, name);
    int rc = sqlite3_step(st);
    char *text =
        rc == SQLITE_ROW && !null_at(st, 0) ? xstrdup(store_row_text(st, 0)) : NULL;
    if (store_rows_end(store, st, rc, err) < 0)
        return NULL;
    if (text == NULL)
        return error_null(err, ENOENT, "store '%s' has no %s '%s'", store->path, what,
                          name);
    return text;
}

char *store_env_get(struct store *store, const char *hash, struct error *err)
{
    return get_named(store, ST_ENV_GET, "environment", hash, err);
}

char *store_attr_get(struct store *store, const char *name, struct error *err)
{
    return get_named(store, ST_ATTR_GET, "attribute", name, err);
}

jobid_t store_find_key(struct store *store, const char *key, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_JOB_BY_KEY, err);
    if (st == NULL)
        return 0;
    store_bind_text(st, 1, key);
    int rc = sqlite3_step(st);
    jobid_t id = rc == SQLITE_ROW ? (jobid_t)sqlite3_column_int64(st, 0) : 0;
    if (store_rows_end(store, st, rc, err) < 0)
        return 0;
    if (id == 0)
        error_set(err, ENOENT, "store '%s' has no job with the key '%s'", store->path,
                  key);
    return id;
}

static void sum_up(const uint64_t *n, struct store_stats *stats)
{
    stats->completed = n[JOB_COMPLETED];
    stats->failed = n[JOB_FAILED];
    stats->canceled = n[JOB_CANCELED];
    stats->timeout = n[JOB_TIMEOUT];
    stats->inactive = stats->completed + stats->failed + stats->canceled + stats->timeout;
}

int store_count(struct store *store, const char *name, const char *queue,
                struct store_stats *stats, struct error *err)
{
    uint64_t n[TALLY_MAX + 1] = {0};
    int rc;
    sqlite3_stmt *st = store_statement(store, ST_COUNT_RESULTS, err);
    if (st == NULL)
        return -1;
    store_bind_text(st, 1, name);
    store_bind_text(st, 2, queue);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t result = sqlite3_column_int64(st, 0);
        if (result > 0 && result <= TALLY_MAX)
            n[result] = (uint64_t)sqlite3_column_int64(st, 1);
    }
    sum_up(n, stats);
    return store_rows_end(store, st, rc, err);
}

void store_stats(struct store *store, struct store_stats *stats)
{
    int64_t pages = 0;
    sqlite3_stmt *st = NULL;
    const char *size_sql = "SELECT page_count * page_size FROM pragma_page_count,"
                           " pragma_page_size";
    if (sqlite3_prepare_v2(store->db, size_sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        pages = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    const uint64_t *n = store->tally;
    *stats = (struct store_stats){
        .submitted = n[TALLY_SUBMITTED],
        .bytes = (uint64_t)pages,
        .unflushed = store_unflushed(store),
    };
    sum_up(n, stats);
}
