/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema, its upgrades, and the checks made on opening. */
#include "src/store/store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "src/common/util.h"

#define APPLICATION_ID 0x68626174 /* "hbat" */
#define CHECKED_BYTES (4 << 20)   /* a file up to this size is read whole on opening */

/* Of a new store: what version 1 had, changed by the scripts below as SQLite writes that itself. */
static const char schema[] =
    "CREATE TABLE attr(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE tally(result INTEGER PRIMARY KEY, n INTEGER);"
    "CREATE TABLE env(hash TEXT PRIMARY KEY, text TEXT);"
    "CREATE TABLE text(n INTEGER PRIMARY KEY, hash INTEGER, text TEXT);"
    "CREATE INDEX text_hash ON text(hash);"
    "CREATE TABLE job(id INTEGER PRIMARY KEY, active INTEGER, count INTEGER, cc TEXT,"
    " userid INTEGER, t_submit REAL, urgency INTEGER, priority INTEGER, flags INTEGER,"
    " ntasks INTEGER, nnodes INTEGER, ncores INTEGER, ngpus INTEGER, duration REAL,"
    " name TEXT, cwd TEXT, queue TEXT, jobspec INTEGER, key TEXT, parent INTEGER,"
    " parent_rank INTEGER);"
    "CREATE INDEX job_active ON job(id) WHERE active = 1;"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, job INTEGER, cc INTEGER, t_depend REAL,"
    " t_run REAL, t_cleanup REAL, t_inactive REAL, expiration REAL, status INTEGER,"
    " result INTEGER, nnodes INTEGER, ncores INTEGER, ngpus INTEGER, extype TEXT,"
    " exseverity INTEGER, exnote TEXT, r INTEGER, nodelist INTEGER, ranks INTEGER,"
    " taskmap INTEGER, uri TEXT, output TEXT);"
    "CREATE TABLE log(id INTEGER PRIMARY KEY, lines TEXT);"
    "CREATE INDEX job_key ON job(key) WHERE key IS NOT NULL;"
    "CREATE TABLE urgencies(n INTEGER PRIMARY KEY, first INTEGER, count INTEGER,"
    " urgency INTEGER, priority INTEGER);"
    "CREATE TABLE span(last INTEGER PRIMARY KEY, first INTEGER, count INTEGER,"
    " job INTEGER, cc INTEGER, t_depend REAL, t_inactive REAL, result INTEGER,"
    " extype TEXT, exseverity INTEGER, exnote TEXT);";

/* Script N takes a store of schema version N to N + 1: never change one that was released. */
static const char *const upgrades[] = {
    schema, /* an empty file has the last version at once */
    /* 1 to 2: what a job table is rebuilt from */
    "ALTER TABLE job ADD COLUMN key TEXT;"
    "ALTER TABLE job ADD COLUMN parent INTEGER;"
    "ALTER TABLE job ADD COLUMN parent_rank INTEGER;"
    "CREATE INDEX job_key ON job(key) WHERE key IS NOT NULL;"
    "CREATE TABLE urgency(id INTEGER PRIMARY KEY, urgency INTEGER, priority INTEGER);",
    /* 2 to 3: elements of arrays that are alike share a row */
    "CREATE TABLE urgencies(n INTEGER PRIMARY KEY, first INTEGER, count INTEGER,"
    " urgency INTEGER, priority INTEGER);"
    "INSERT INTO urgencies(first, count, urgency, priority)"
    " SELECT id, 1, urgency, priority FROM urgency;"
    "DROP TABLE urgency;"
    "CREATE TABLE span(last INTEGER PRIMARY KEY, first INTEGER, count INTEGER,"
    " job INTEGER, cc INTEGER, t_depend REAL, t_inactive REAL, result INTEGER,"
    " extype TEXT, exseverity INTEGER, exnote TEXT);",
};
#define SCHEMA_VERSION ((int64_t)ARRAY_SIZE(upgrades))

static int run_sql(struct store *store, const char *sql, const char *what,
                   struct error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_sql_error(store, what, err);
    return 0;
}

/* The first column of the first row as a number. */
static int get_number(struct store *store, const char *sql, int64_t *value,
                      struct error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *value = sqlite3_column_int64(st, 0);
    int result = rc == SQLITE_ROW ? 0 : store_sql_error(store, "read it", err);
    sqlite3_finalize(st);
    return result;
}

/* A file that lost its end is found here even if its first pages are sound. */
static int check_size(struct store *store, struct error *err)
{
    struct stat sb;
    int64_t pages, page_size;
    if (stat(store->path, &sb) < 0)
        return 0; /* in memory */
    if (get_number(store, "PRAGMA page_count", &pages, err) < 0 ||
        get_number(store, "PRAGMA page_size", &page_size, err) < 0)
        return -1;
    cleanup_free char *wal = xasprintf("%s-wal", store->path);
    struct stat wal_sb;
    bool have_wal = stat(wal, &wal_sb) == 0 && wal_sb.st_size > 0;
    if (!have_wal && pages * page_size > sb.st_size)
        return error_set(err, EBADMSG,
                         "store '%s' is damaged: it has %" PRId64
                         " bytes and should have "
                         "%" PRId64 "; move it away, or restore it from a copy",
                         store->path, (int64_t)sb.st_size, pages * page_size);
    return sb.st_size <= CHECKED_BYTES ? store_check(store, err) : 0;
}

static int upgrade(struct store *store, int64_t version, struct error *err)
{
    if (version == SCHEMA_VERSION)
        return 0;
    if (run_sql(store, "BEGIN IMMEDIATE", "write to it", err) < 0)
        return -1;
    int64_t end = version == 0 ? 1 : SCHEMA_VERSION;
    for (int64_t v = version; v < end; v++)
        if (run_sql(store, upgrades[v], "write its schema", err) < 0)
            return -1;
    cleanup_free char *marks =
        xasprintf("PRAGMA user_version = %" PRId64 "; PRAGMA application_id = %d; COMMIT",
                  SCHEMA_VERSION, APPLICATION_ID);
    return run_sql(store, marks, "write its schema", err);
}

int store_schema_check(const char *path, int64_t version, struct error *err)
{
    if (version > SCHEMA_VERSION || version < 0)
        return error_set(err, EINVAL,
                         "store '%s' has schema version %" PRId64 "; this hbatch knows "
                         "versions up to %" PRId64
                         ": use a newer hbatch, or another store",
                         path, version, SCHEMA_VERSION);
    return 0;
}

static int check_identity(struct store *store, int64_t *version, struct error *err)
{
    int64_t application, tables;
    if (get_number(store, "PRAGMA application_id", &application, err) < 0 ||
        get_number(store, "PRAGMA user_version", version, err) < 0 ||
        get_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (application != APPLICATION_ID &&
        (application != 0 || *version != 0 || tables != 0))
        return error_set(err, EINVAL,
                         "'%s' is an SQLite database of another program, not a store of "
                         "hbatch: choose another file",
                         store->path);
    return store_schema_check(store->path, *version, err);
}

static int set_limit(struct store *store, uint64_t max_bytes, struct error *err)
{
    int64_t page_size;
    if (max_bytes == 0)
        return 0;
    if (get_number(store, "PRAGMA page_size", &page_size, err) < 0)
        return -1;
    cleanup_free char *sql = xasprintf("PRAGMA max_page_count = %" PRIu64,
                                       MAX(max_bytes / (uint64_t)page_size, 1));
    return run_sql(store, sql, "limit its size", err);
}

int store_schema_init(struct store *store, const struct store_options *options,
                      bool created, struct error *err)
{
    static const char *const sync[] = {
        [STORE_SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
        [STORE_SYNC_FULL] = "PRAGMA synchronous = FULL",
        [STORE_SYNC_OFF] = "PRAGMA synchronous = OFF",
    };
    int64_t version;
    /* identity first: nothing may be written to a file that is not ours */
    if (run_sql(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -8000",
                "set it up", err) < 0 ||
        check_identity(store, &version, err) < 0)
        return -1;
    /* the change to WAL writes, too */
    if (run_sql(store, sync[options->sync], "set it up", err) < 0 ||
        run_sql(store, "PRAGMA journal_mode = WAL", "set its journal", err) < 0 ||
        (!created && check_size(store, err) < 0) || upgrade(store, version, err) < 0)
        return -1;
    /* a checkpoint forces the file to the disk, and a copy that is taken file by file is a good one only
     * between two of them */
    if (options->sync != STORE_SYNC_OFF &&
        run_sql(store, "PRAGMA wal_autocheckpoint = 4096", "set its journal", err) < 0)
        return -1;
    return set_limit(store, options->max_bytes, err);
}
