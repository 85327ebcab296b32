/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"

#define RUN_COLUMNS                                                                      \
    "r.id, r.job, r.cc, r.t_depend, r.t_run, r.t_cleanup, r.t_inactive, r.expiration,"   \
    " r.status, r.result, r.nnodes, r.ncores, r.ngpus, r.extype, r.exseverity, "         \
    "r.exnote,"                                                                          \
    " r.uri, r.output,"                                                                  \
    " (SELECT text FROM text WHERE n = r.nodelist),"                                     \
    " (SELECT text FROM text WHERE n = r.ranks)"
#define JOB_COLUMNS                                                                      \
    "j.id, j.count, j.cc, j.userid, j.t_submit, j.urgency, j.priority, j.flags,"         \
    " j.ntasks, j.nnodes, j.ncores, j.ngpus, j.duration, j.name, j.cwd, j.queue,"        \
    " j.key, j.parent, j.parent_rank"
#define NO_RUN                                                                           \
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "     \
    "NULL,"                                                                              \
    " NULL, NULL, NULL, NULL, NULL, NULL"
/* in place, not INSERT OR REPLACE: that deletes the row, and inserts it anew */
#define RUN_PUT                                                                          \
    "INSERT INTO run VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"     \
    " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) ON CONFLICT(id) DO UPDATE SET"        \
    " job = ?2, cc = ?3, t_depend = ?4, t_run = ?5, t_cleanup = ?6, t_inactive = ?7,"    \
    " expiration = ?8, status = ?9, result = ?10, nnodes = ?11, ncores = ?12,"           \
    " ngpus = ?13, extype = ?14, exseverity = ?15, exnote = ?16, r = ?17,"               \
    " nodelist = ?18, ranks = ?19, taskmap = ?20, uri = ?21, output = ?22"
/* Of a million rows those that do not match must cost little: ?3 to ?6 are 0 or NULL for all. */
#define SELECTED                                                                         \
    "(?3 = 0 OR r.t_inactive IS NULL OR r.t_inactive >= ?3) AND"                         \
    " (?4 = 0 OR r.t_inactive IS NULL OR r.result & ?4) AND"                             \
    " (?5 IS NULL OR j.name = ?5) AND (?6 IS NULL OR j.queue = ?6)"
#define NOTED                                                                            \
    "n.id BETWEEN ?1 AND ?2 AND"                                                         \
    " NOT EXISTS (SELECT 1 FROM run WHERE id = n.id AND t_inactive IS NOT NULL)"
/* As RUN_COLUMNS: what the elements of a span have in common, under the id of the first. */
#define SPAN_RUN                                                                         \
    "r.first, r.job, r.cc, r.t_depend, NULL, NULL, r.t_inactive, NULL, NULL, r.result,"  \
    " NULL, NULL, NULL, r.extype, r.exseverity, r.exnote, NULL, NULL, NULL, NULL"
#define LONG_TEXTS                                                                       \
    "(SELECT text FROM text WHERE n = r.r), (SELECT text FROM text WHERE n = r.taskmap)"

/* Of a row of run: nothing of what was submitted with it is active, so it is not needed for a restart. */
#define OVER                                                                             \
    "t_inactive IS NOT NULL AND"                                                         \
    " NOT EXISTS (SELECT 1 FROM job WHERE job.id = run.job AND job.active = 1)"

static const char *const sql[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_ENV_PUT] = "INSERT OR IGNORE INTO env VALUES(?1, ?2)",
    [ST_ENV_GET] = "SELECT text FROM env WHERE hash = ?1",
    [ST_ATTR_PUT] = "INSERT OR REPLACE INTO attr VALUES(?1, ?2)",
    [ST_ATTR_GET] = "SELECT value FROM attr WHERE name = ?1",
    [ST_TEXT_FIND] = "SELECT n FROM text WHERE hash = ?1 AND text = ?2",
    [ST_TEXT_ADD] = "INSERT INTO text(hash, text) VALUES(?1, ?2)",
    [ST_JOB_ADD] = "INSERT OR IGNORE INTO job VALUES(?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                   " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    [ST_JOB_AGAIN] = "UPDATE job SET count = ?2, cc = ?3, userid = ?4, t_submit = ?5,"
                     " urgency = ?6, priority = ?7, flags = ?8, ntasks = ?9,"
                     " nnodes = ?10, ncores = ?11, ngpus = ?12, duration = ?13,"
                     " name = ?14, cwd = ?15, queue = ?16, jobspec = ?17, key = ?18,"
                     " parent = ?19, parent_rank = ?20 WHERE id = ?1",
    [ST_JOB_BY_KEY] = "SELECT id FROM job WHERE key = ?1 ORDER BY id DESC LIMIT 1",
    [ST_JOB_URGENCY] =
        "UPDATE job SET urgency = ?2, priority = ?3 WHERE id = ?1 AND count = 1",
    [ST_ELEMENTS_URGENCY] =
        "INSERT INTO urgencies(first, count, urgency, priority) VALUES(?1, ?2, ?3, ?4)",
    [ST_JOB_OVER] = "UPDATE job SET active = NULL WHERE id = ?1",
    /* an end is final: what is told of a start after it is a repetition */
    [ST_RUN_PUT] = RUN_PUT " WHERE t_inactive IS NULL",
    [ST_RUN_END] = RUN_PUT,
    [ST_RUN_RESULT] = "SELECT result FROM run WHERE id = ?1 AND t_inactive IS NOT NULL",
    [ST_RUN_REMOVE] = "DELETE FROM run WHERE id = ?1 AND t_inactive IS NULL",
    [ST_SPAN_ADD] = "INSERT OR REPLACE INTO span VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                    " ?9, ?10, ?11)",
    [ST_SPAN_OF] = "SELECT " SPAN_RUN ", NULL, NULL, r.last, r.count"
                   " FROM span r WHERE r.last >= ?1 ORDER BY r.last LIMIT 1",
    [ST_LOG_ADD] = "INSERT INTO log VALUES(?1, ?2)"
                   " ON CONFLICT(id) DO UPDATE SET lines = lines || excluded.lines",
    [ST_TALLY_PUT] = "INSERT OR REPLACE INTO tally VALUES(?1, ?2)",
    [ST_TALLY_ALL] = "SELECT result, n FROM tally",
    [ST_LIST] = "SELECT r.id, " RUN_COLUMNS ", " JOB_COLUMNS ", 1"
                " FROM run r LEFT JOIN job j ON j.id = r.job WHERE r.id BETWEEN ?1 AND ?2"
                " AND " SELECTED " UNION ALL SELECT r.last, " SPAN_RUN ", " JOB_COLUMNS
                ", r.count FROM span r LEFT JOIN job j ON j.id = r.job"
                " WHERE r.last >= ?1 AND r.first <= ?2 AND " SELECTED
                " UNION ALL SELECT j.id, " NO_RUN ", " JOB_COLUMNS
                ", 1 FROM job j WHERE j.active = 1 AND j.id BETWEEN ?1 AND ?2 AND"
                " (j.count > 1 OR NOT EXISTS (SELECT 1 FROM run WHERE id = j.id))"
                " ORDER BY 1 DESC",
    [ST_PENDING] = "SELECT " JOB_COLUMNS ", (SELECT text FROM text WHERE n = j.jobspec)"
                   " FROM job j WHERE j.active = 1 ORDER BY j.id",
    [ST_RUNS] = "SELECT " RUN_COLUMNS ", " LONG_TEXTS
                " FROM run r WHERE r.id BETWEEN ?1 AND ?2 AND r.job = ?3 AND"
                " r.t_inactive IS NULL ORDER BY r.id",
    [ST_ENDED] = "SELECT cc FROM run WHERE id BETWEEN ?1 AND ?2 AND job = ?3 AND"
                 " t_inactive IS NOT NULL",
    [ST_ENDED_SPANS] =
        "SELECT first, count FROM span WHERE last BETWEEN ?1 AND ?2 AND job = ?3",
    [ST_NOTES] = "SELECT n.id, n.lines FROM log n WHERE " NOTED " ORDER BY 1",
    [ST_URGENCIES] = "SELECT first, count, urgency, priority FROM urgencies"
                     " WHERE first BETWEEN ?1 AND ?2 ORDER BY n",
    [ST_JOB_OF] = "SELECT " JOB_COLUMNS ", (SELECT text FROM text WHERE n = j.jobspec),"
                  " j.active FROM job j WHERE j.id <= ?1 ORDER BY j.id DESC LIMIT 1",
    [ST_RUN_BY_ID] = "SELECT " RUN_COLUMNS ", " LONG_TEXTS " FROM run r WHERE r.id = ?1",
    [ST_LOG_GET] = "SELECT lines FROM log WHERE id = ?1",
    [ST_NEWEST_ENDS] = "SELECT t_inactive, id, id, 1 FROM run WHERE t_inactive IS NOT"
                       " NULL UNION ALL SELECT t_inactive, first, job, count FROM span"
                       " ORDER BY 1 DESC, 2 DESC LIMIT ?1",
    [ST_PURGEABLE] = "SELECT r.id, r.t_run, r.t_inactive, r.output, j.active IS NULL"
                     " FROM run r LEFT JOIN job j ON j.id = r.job"
                     " WHERE r.id BETWEEN ?1 AND ?2 AND r.t_inactive IS NOT NULL"
                     " ORDER BY r.id",
    [ST_PURGEABLE_SPANS] = "SELECT s.first, s.job, s.count, s.t_inactive FROM span s"
                           " LEFT JOIN job j ON j.id = s.job WHERE s.last >= ?1 AND"
                           " s.first <= ?2 AND j.active IS NULL ORDER BY s.last",
    [ST_PURGE_COUNT] =
        "SELECT result, count(*) FROM run WHERE id BETWEEN ?1 AND ?2 AND " OVER
        " GROUP BY result",
    [ST_PURGE_LOGS] = "DELETE FROM log WHERE id BETWEEN ?1 AND ?2 AND EXISTS"
                      " (SELECT 1 FROM run WHERE run.id = log.id AND " OVER ")",
    [ST_PURGE_RUNS] = "DELETE FROM run WHERE id BETWEEN ?1 AND ?2 AND " OVER,
    [ST_PURGE_JOBS] = "DELETE FROM job WHERE id BETWEEN ?1 AND ?2 AND count = 1 AND"
                      " active IS NULL AND"
                      " NOT EXISTS (SELECT 1 FROM run WHERE run.id = job.id)",
    [ST_ARRAYS_OVER] =
        "SELECT id, count FROM job WHERE count > 1 AND active IS NULL AND id"
        " BETWEEN (SELECT ifnull(max(id), ?1) FROM job WHERE id <= ?1) AND ?2",
    [ST_RUNS_LEFT] = "SELECT 1 FROM run WHERE id BETWEEN ?1 AND ?2 AND job = ?1 UNION ALL"
                     " SELECT 1 FROM span WHERE last BETWEEN ?1 AND ?2 AND job = ?1"
                     " LIMIT 1",
    [ST_JOB_REMOVE] = "DELETE FROM job WHERE id = ?1",
    [ST_URGENCIES_REMOVE] = "DELETE FROM urgencies WHERE first BETWEEN ?1 AND ?2",
    [ST_SPAN_AT] = "SELECT last, first, job, count, result FROM span WHERE last >= ?1"
                   " ORDER BY last LIMIT 1",
    [ST_SPAN_COPY] = "INSERT OR REPLACE INTO span SELECT ?2, first, ?3, job, cc,"
                     " t_depend, t_inactive, result, extype, exseverity, exnote"
                     " FROM span WHERE last = ?1",
    [ST_SPAN_CUT] = "UPDATE span SET first = ?2, count = ?3 WHERE last = ?1",
    [ST_SPAN_REMOVE] = "DELETE FROM span WHERE last = ?1",
    [ST_KEEP_BASE] = "INSERT OR IGNORE INTO attr SELECT '" STORE_BASE "' || j.id, t.text"
                     " FROM job j JOIN text t ON t.n = j.jobspec"
                     " WHERE j.id = ?1 AND j.jobspec <> ?2",
    [ST_PURGE_BASES] = "DELETE FROM attr WHERE name IN (SELECT '" STORE_BASE "' || id"
                       " FROM job WHERE id BETWEEN ?1 AND ?2 AND active IS NULL)",
    [ST_COUNT_RESULTS] =
        "SELECT r.result, sum(r.n) FROM (SELECT job, result, 1 AS n FROM run WHERE"
        " t_inactive IS NOT NULL UNION ALL SELECT job, result, count FROM span) r"
        " JOIN job j ON j.id = r.job WHERE (?1 IS NULL OR j.name = ?1) AND"
        " (?2 IS NULL OR j.queue = ?2) GROUP BY r.result",
    [ST_TEXT_SWEEP] = "DELETE FROM text WHERE n NOT IN (SELECT jobspec FROM job WHERE"
                      " jobspec IS NOT NULL UNION ALL SELECT r FROM run WHERE r IS NOT"
                      " NULL UNION ALL SELECT nodelist FROM run WHERE nodelist IS NOT"
                      " NULL UNION ALL SELECT ranks FROM run WHERE ranks IS NOT NULL"
                      " UNION ALL SELECT taskmap FROM run WHERE taskmap IS NOT NULL)",
};

/* --- the batch's memory: freed as a whole after its commit -------------------------------- */
struct arena {
    struct arena *next;
    size_t used, size;
    char data[];
};

static void *arena_get(struct store *store, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct arena *a = store->arena;
    if (a == NULL || a->size - a->used < size) {
        size_t chunk = MAX(size, 65536);
        a = xmalloc(sizeof(*a) + chunk);
        *a = (struct arena){.next = store->arena, .size = chunk};
        store->arena = a;
    }
    void *p = a->data + a->used;
    a->used += size;
    return p;
}

static const char *keep(struct store *store, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(arena_get(store, size), text, size);
}

static void batch_clear(struct store *store)
{
    while (store->arena != NULL) {
        struct arena *next = store->arena->next;
        free(store->arena);
        store->arena = next;
    }
    store->first = NULL;
    store->last = &store->first;
    store->nops = store->nevents = store->events_applied = 0;
}

/* --- SQLite ----------------------------------------------------------------------------------- */
static const struct {
    int sqlite, code;
    const char *remedy;
} problems[] = {
    {SQLITE_FULL, ENOSPC, "; free space on its file system, or raise its size limit"},
    {SQLITE_BUSY, EBUSY,
     "; another instance has it open: use another store, or end that one"},
    {SQLITE_NOTADB, EBADMSG, "; it is damaged or no store at all: move it away"},
    {SQLITE_CORRUPT, EBADMSG, "; it is damaged: move it away, or restore it from a copy"},
    {SQLITE_READONLY, EROFS, "; make it writable"},
    {SQLITE_PERM, EACCES, "; make it writable"},
    {SQLITE_NOMEM, ENOMEM, ""},
};

int store_sql_error(struct store *store, const char *what, struct error *err)
{
    int rc = sqlite3_errcode(store->db);
    int code = EIO;
    const char *remedy = "";
    for (size_t i = 0; i < ARRAY_SIZE(problems); i++)
        if (problems[i].sqlite == rc) {
            code = problems[i].code;
            remedy = problems[i].remedy;
        }
    int cause = sqlite3_system_errno(store->db);
    bool system = (rc == SQLITE_CANTOPEN || rc == SQLITE_IOERR) && cause != 0;
    if (system)
        code = cause;
    return error_set(err, code, "store '%s': cannot %s: %s%s", store->path, what,
                     system ? strerror(cause) : sqlite3_errmsg(store->db), remedy);
}

void store_bind_text(sqlite3_stmt *st, int column, const char *text)
{
    if (text != NULL)
        sqlite3_bind_text(st, column, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, column);
}

sqlite3_stmt *store_statement(struct store *store, enum store_statement which,
                              struct error *err)
{
    sqlite3_stmt **st = &store->statements[which];
    if (*st == NULL &&
        sqlite3_prepare_v3(store->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, st,
                           NULL) != SQLITE_OK) {
        store_sql_error(store, "read it", err);
        return NULL;
    }
    sqlite3_reset(*st);
    return *st;
}

int store_step(struct store *store, sqlite3_stmt *st, struct error *err)
{
    if (st == NULL)
        return -1;
    int rc = sqlite3_step(st);
    int result = rc == SQLITE_DONE || rc == SQLITE_ROW
                     ? 0
                     : store_sql_error(store, "write to it", err);
    sqlite3_reset(st);
    return result;
}

static int simple(struct store *store, enum store_statement which, struct error *err)
{
    return store_step(store, store_statement(store, which, err), err);
}

/* --- transactions ------------------------------------------------------------------------------ */
static void fall_behind(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        simple(store, ST_ROLLBACK, NULL);
    store_forget_texts(store);
    memcpy(store->tally, store->tally_stored, sizeof(store->tally));
    store->in_transaction = false;
    store->events_applied = 0;
    store->behind = true;
}

static int begin(struct store *store, struct error *err)
{
    if (store->in_transaction)
        return 0;
    if (simple(store, ST_BEGIN, err) < 0)
        return -1;
    store->in_transaction = true;
    return 0;
}

static void add(struct store *store, struct op *op)
{
    op->next = NULL;
    *store->last = op;
    store->last = &op->next;
    store->nops++;
    if (store->behind)
        return;
    if (begin(store, &store->failed) < 0 || store_apply(store, op, &store->failed) < 0)
        fall_behind(store);
}

size_t store_unflushed(const struct store *store)
{
    return store->nops + store->nevents;
}

bool store_is_behind(const struct store *store)
{
    return store->behind;
}

static int commit(struct store *store, struct error *err)
{
    if (begin(store, err) < 0)
        return -1;
    if (store->behind)
        for (const struct op *op = store->first; op != NULL; op = op->next)
            if (store_apply(store, op, err) < 0)
                return -1;
    if (store_apply_events(store, err) < 0 || store_apply_tally(store, err) < 0)
        return -1;
    return simple(store, ST_COMMIT, err);
}

int store_settle_events(struct store *store, struct error *err)
{
    if (store->behind || store->events_applied == store->nevents)
        return 0;
    if (begin(store, &store->failed) == 0 &&
        store_apply_events(store, &store->failed) == 0)
        return 0;
    fall_behind(store);
    if (err != NULL)
        *err = store->failed;
    return -1;
}

int store_flush(struct store *store, struct error *err)
{
    if (store_unflushed(store) == 0)
        return 0;
    if (commit(store, &store->failed) < 0) {
        fall_behind(store);
        if (err != NULL)
            *err = store->failed;
        return -1;
    }
    store->in_transaction = store->behind = false;
    memcpy(store->tally_stored, store->tally, sizeof(store->tally));
    batch_clear(store);
    return 0;
}

/* --- opening and closing ----------------------------------------------------------------------- */
static int load_tally(struct store *store, struct error *err)
{
    sqlite3_stmt *st = store_statement(store, ST_TALLY_ALL, err);
    if (st == NULL)
        return -1;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t key = sqlite3_column_int64(st, 0);
        if (key >= 0 && key <= TALLY_MAX)
            store->tally[key] = store->tally_stored[key] =
                (uint64_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : store_sql_error(store, "read it", err);
}

/* Create the file with a mode that keeps environments private. */
static int create_file(const char *path, bool *created, struct error *err)
{
    *created = true;
    if (strcmp(path, ":memory:") == 0)
        return 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return error_set(err, errno, "store '%s': cannot open it: %s", path,
                         strerror(errno));
    struct stat sb;
    if (fstat(fd, &sb) == 0 && !S_ISREG(sb.st_mode)) {
        close(fd);
        return error_set(err, EINVAL, "store '%s': not a regular file", path);
    }
    *created = sb.st_size == 0;
    close(fd);
    return 0;
}

struct store *store_open(const char *path, const struct store_options *options,
                         struct error *err)
{
    static const struct store_options defaults = {.sync = STORE_SYNC_NORMAL};
    bool created;
    if (create_file(path, &created, err) < 0)
        return NULL;
    struct store *store = xcalloc(1, sizeof(*store));
    store->path = xstrdup(path);
    batch_clear(store);
    int rc = sqlite3_open_v2(path, &store->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (store->db == NULL) {
        error_set(err, ENOMEM, "store '%s': out of memory", path);
    } else if (rc != SQLITE_OK) {
        store_sql_error(store, "open it", err);
    } else if (store_schema_init(store, options != NULL ? options : &defaults, created,
                                 err) == 0 &&
               load_tally(store, err) == 0) {
        return store;
    }
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    struct error err;
    if (store == NULL)
        return;
    if (store_flush(store, &err) < 0)
        log_error("%zu changes were not stored: %s", store_unflushed(store), err.text);
    for (size_t i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    store_forget_texts(store);
    batch_clear(store);
    free(store->events);
    free(store->path);
    free(store);
}

int store_check(struct store *store, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int result = -1;
    if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &st, NULL) !=
            SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        store_sql_error(store, "check it", err);
    } else {
        const char *verdict = (const char *)sqlite3_column_text(st, 0);
        if (verdict != NULL && strcmp(verdict, "ok") == 0)
            result = 0;
        else
            error_set(
                err, EBADMSG,
                "store '%s' is damaged: %s; move it away, or restore it from a copy",
                store->path, verdict != NULL ? verdict : "it cannot be read");
    }
    sqlite3_finalize(st);
    return result;
}

/* --- writing ---------------------------------------------------------------------------------- */
static struct op *op_create(struct store *store, enum op_type type)
{
    struct op *op = arena_get(store, sizeof(*op));
    memset(op, 0, sizeof(*op));
    op->type = type;
    return op;
}

void store_env(struct store *store, const char *hash, const char *text)
{
    if (store->last_env != NULL && strcmp(store->last_env, hash) == 0)
        return;
    free(store->last_env);
    store->last_env = xstrdup(hash);
    struct op *op = op_create(store, OP_ENV);
    op->pair.name = keep(store, hash);
    op->pair.value = keep(store, text);
    add(store, op);
}

void store_attr_set(struct store *store, const char *name, const char *value)
{
    struct op *op = op_create(store, OP_ATTR);
    op->pair.name = keep(store, name);
    op->pair.value = keep(store, value);
    add(store, op);
}

void store_job_submit(struct store *store, const struct store_job *job)
{
    struct op *op = op_create(store, OP_SUBMIT);
    op->job = *job;
    const char **texts[] = {&op->job.cc,    &op->job.name,    &op->job.cwd,
                            &op->job.queue, &op->job.jobspec, &op->job.key};
    op->job.eventlog = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        *texts[i] = keep(store, *texts[i]);
    add(store, op);
}

void store_job_urgency(struct store *store, jobid_t job, int urgency, int64_t priority)
{
    struct op *op = op_create(store, OP_URGENCY);
    op->urgency = (struct store_urgency){job, 1, urgency, priority};
    add(store, op);
}

void store_elements_urgency(struct store *store, jobid_t first, uint64_t n, int urgency,
                            int64_t priority)
{
    struct op *op = op_create(store, OP_URGENCIES);
    op->urgency = (struct store_urgency){first, n, urgency, priority};
    add(store, op);
}

/* N: of OP_SPAN. */
static void add_run(struct store *store, enum op_type type, const struct store_run *run,
                    uint64_t n, bool over)
{
    struct op *op = op_create(store, type);
    op->over = over;
    op->n = n;
    op->run = *run;
    const char **texts[] = {
        &op->run.exception_type, &op->run.exception_note, &op->run.R,   &op->run.nodelist,
        &op->run.ranks,          &op->run.taskmap,        &op->run.uri, &op->run.output};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        *texts[i] = keep(store, *texts[i]);
    add(store, op);
}

void store_job_update(struct store *store, const struct store_run *run)
{
    add_run(store, OP_RUN, run, 1, false);
}

void store_job_end(struct store *store, const struct store_run *run, bool last)
{
    add_run(store, OP_END, run, 1, last || run->cc < 0);
}

void store_elements_end(struct store *store, const struct store_run *run, uint64_t n,
                        bool last)
{
    add_run(store, n > 1 ? OP_SPAN : OP_END, run, n, last);
}

void store_job_requeue(struct store *store, jobid_t id)
{
    struct op *op = op_create(store, OP_REQUEUE);
    op->id = id;
    add(store, op);
}

void store_purge(struct store *store, const struct store_purge_range *range)
{
    struct op *op = op_create(store, OP_PURGE);
    op->range = *range;
    add(store, op);
}

void store_sweep(struct store *store)
{
    add(store, op_create(store, OP_SWEEP));
}

void store_event(struct store *store, jobid_t id, const char *line)
{
    size_t len = strlen(line);
    bool ended = len > 0 && line[len - 1] == '\n';
    char *copy = arena_get(store, len + 2);
    memcpy(copy, line, len);
    memcpy(copy + len, ended ? "" : "\n", ended ? 1 : 2);
    if (store->nevents == store->events_size) {
        store->events_size = MAX(2 * store->events_size, 64);
        store->events =
            xrealloc(store->events, store->events_size * sizeof(*store->events));
    }
    store->events[store->nevents] =
        (struct event_line){.id = id, .seq = store->nevents, .line = copy};
    store->nevents++;
}
