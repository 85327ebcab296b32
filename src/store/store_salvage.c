/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be read of a damaged store, in a new one.
 *
 * A table is read from both ends until the damage; what is between is halved and tried again, breadth
 * first, so that what is sound between two damaged pages is found, and the tries are spread evenly.  Indexes
 * are not read, but made anew. */
#include "src/store/store_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum {
    TRIES = 4096, /* ranges of a table that are looked at */
    PAGE_COUNT_AT = 28,
    CHANGED_AT = 24,
    VALID_FOR_AT = 92
};

struct range {
    int64_t low, high;
};

struct table {
    const char *name, *columns, *to; /* where its rows go */
};

static const struct table tables[] = {
    {"text", "*", "text"},
    {"env", "*", "env"},
    {"urgency", "id AS first, 1 AS count, urgency, priority",
     "urgencies"}, /* version 2 */
    {"urgencies", "*", "urgencies"},
    {"job", "*", "job"},
    {"run", "*", "run"},
    {"span", "*", "span"},
    {"log", "*", "log"},
};

struct salvage {
    sqlite3 *old;
    struct store *fresh;
    size_t rows, unread; /* of the present table, of all */
};

/* --- one table -------------------------------------------------------------------------------- */

/* "INSERT OR IGNORE INTO TABLE(columns of ST)": a store of an older version has fewer of them. */
static sqlite3_stmt *prepare_insert(struct salvage *sv, const char *table,
                                    sqlite3_stmt *st)
{
    cleanup_strbuf struct strbuf sql = {0};
    sqlite3_stmt *insert = NULL;
    int n = sqlite3_column_count(st);
    strbuf_addf(&sql, "INSERT OR IGNORE INTO %s(", table);
    for (int i = 1; i < n; i++)
        strbuf_addf(&sql, "%s%s", i > 1 ? ", " : "", sqlite3_column_name(st, i));
    strbuf_add(&sql, ") VALUES(");
    for (int i = 1; i < n; i++)
        strbuf_addf(&sql, "%s?%d", i > 1 ? ", " : "", i);
    strbuf_add(&sql, ")");
    sqlite3_prepare_v2(sv->fresh->db, sql.s, -1, &insert, NULL);
    return insert;
}

static void copy_row(struct salvage *sv, const char *table, sqlite3_stmt *st,
                     sqlite3_stmt **insert)
{
    if (!*insert && !(*insert = prepare_insert(sv, table, st)))
        return;
    for (int i = 1; i < sqlite3_column_count(st); i++)
        sqlite3_bind_value(*insert, i, sqlite3_column_value(st, i));
    if (sqlite3_step(*insert) == SQLITE_DONE && sqlite3_changes(sv->fresh->db) > 0)
        sv->rows++;
    sqlite3_reset(*insert);
}

/* Read from one end of R to the other, or to the first thing that cannot be read, which R begins (or
 * ends) with then.  True: there was none. */
static bool read_range(struct salvage *sv, const struct table *table, struct range *r,
                       bool backwards, sqlite3_stmt **insert)
{
    sqlite3_stmt *st = NULL;
    cleanup_free char *sql =
        xasprintf("SELECT rowid, %s FROM %s NOT INDEXED WHERE rowid BETWEEN ?1 AND ?2"
                  " ORDER BY rowid%s",
                  table->columns, table->name, backwards ? " DESC" : "");
    int rc = sqlite3_prepare_v2(sv->old, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, r->low);
        sqlite3_bind_int64(st, 2, r->high);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            int64_t id = sqlite3_column_int64(st, 0);
            copy_row(sv, table->to, st, insert);
            if ((backwards ? id == r->low : id == r->high)) {
                rc = SQLITE_DONE;
                break;
            }
            if (backwards)
                r->high = id - 1;
            else
                r->low = id + 1;
        }
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

/* Neighbours count as one gap. */
static size_t count_gaps(struct range *gaps, size_t n)
{
    size_t count = 0;
    if (n > 1)
        qsort(gaps, n, sizeof(*gaps), compare_ranges);
    for (size_t i = 0; i < n; i++)
        count += i == 0 || gaps[i - 1].high != gaps[i].low - 1;
    return count;
}

static bool has_table(sqlite3 *db, const char *name)
{
    sqlite3_stmt *st = NULL;
    cleanup_free char *sql = xasprintf("SELECT 1 FROM %s", name);
    bool has = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;
    sqlite3_finalize(st);
    return has;
}

/* The rows that could be read. */
static size_t copy_table(struct salvage *sv, const struct table *table)
{
    if (!has_table(sv->old, table->name)) /* it is of another version */
        return 0;
    struct range *todo = xcalloc(2 * TRIES + 1, sizeof(*todo));
    struct range *gaps = xcalloc(2 * TRIES + 1, sizeof(*gaps));
    size_t ntodo = 1, ngaps = 0;
    sqlite3_stmt *insert = NULL;
    sv->rows = 0;
    todo[0] = (struct range){INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < ntodo; i++) {
        struct range r = todo[i];
        if (i < TRIES && (read_range(sv, table, &r, false, &insert) ||
                          read_range(sv, table, &r, true, &insert)))
            continue;
        if (i >= TRIES || r.low >= r.high) {
            gaps[ngaps++] = r;
            continue;
        }
        int64_t middle = r.low / 2 + r.high / 2;
        middle = MAX(middle, r.low);
        todo[ntodo++] = (struct range){r.low, middle};
        todo[ntodo++] = (struct range){middle + 1, r.high};
    }
    sqlite3_finalize(insert);
    sv->unread += count_gaps(gaps, ngaps);
    free(todo);
    free(gaps);
    return sv->rows;
}

/* It has no row ids, and few rows: what can be read from either end. */
static void copy_attrs(struct salvage *sv)
{
    static const char *const orders[] = {"", " DESC"};
    sqlite3_stmt *insert = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        sqlite3_stmt *st = NULL;
        cleanup_free char *sql =
            xasprintf("SELECT 0, * FROM attr ORDER BY name%s", orders[i]);
        int rc = sqlite3_prepare_v2(sv->old, sql, -1, &st, NULL);
        while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
            copy_row(sv, "attr", st, &insert);
        sqlite3_finalize(st);
    }
    sqlite3_finalize(insert);
}

/* --- what does not fit together any more -------------------------------------------------------- */

/* Jobs that cannot run again, as what they need cannot be read. */
static const char end_lost[] =
    "UPDATE job SET active = NULL WHERE active = 1 AND NOT EXISTS ("
    " SELECT 1 FROM text WHERE n = job.jobspec AND json_valid(text) AND ("
    "  json_type(text, '$.attributes.system.environment') IS NOT 'text' OR EXISTS ("
    "   SELECT 1 FROM env"
    "   WHERE hash = json_extract(text.text, '$.attributes.system.environment'))))";
static const char make_tally[] =
    "DELETE FROM tally; INSERT INTO tally SELECT 0, count(*) FROM job;"
    "INSERT INTO tally SELECT result, sum(n) FROM ("
    " SELECT result, count(*) AS n FROM run WHERE t_inactive IS NOT NULL GROUP BY result"
    " UNION ALL SELECT result, sum(count) FROM span GROUP BY result)"
    " WHERE result > 0 GROUP BY result;";

static size_t count_rows(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    size_t n = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        n = (size_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static int copy_all(struct salvage *sv, struct store_salvaged *found, struct error *err)
{
    sqlite3 *db = sv->fresh->db;
    if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return store_sql_error(sv->fresh, "write to it", err);
    copy_attrs(sv);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const struct table *t = &tables[i];
        size_t n = copy_table(sv, t);
        if (strcmp(t->name, "job") == 0)
            found->jobs = n;
        else if (strcmp(t->name, "run") == 0 || strcmp(t->name, "span") == 0)
            found->runs += n;
        else if (strcmp(t->name, "log") == 0)
            found->logs = n;
    }
    found->unread = sv->unread;
    if (sqlite3_exec(db, end_lost, NULL, NULL, NULL) != SQLITE_OK)
        return store_sql_error(sv->fresh, "write to it", err);
    found->lost = (size_t)sqlite3_changes(db);
    if (sqlite3_exec(db, make_tally, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return store_sql_error(sv->fresh, "write to it", err);
    found->active = count_rows(db, "SELECT count(*) FROM job WHERE active = 1");
    return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

static void put_u32(unsigned char *at, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

/* The first page tells what is where.  A new store has the same there, unless the old one was brought
 * up from another version. */
static void mend_first_page(const char *path, const char *model)
{
    unsigned char page[4096];
    struct stat st;
    FILE *from = fopen(model, "re"), *to = fopen(path, "r+e");
    if (from && to && fstat(fileno(to), &st) == 0 &&
        fread(page, sizeof(page), 1, from) == 1) {
        put_u32(page + PAGE_COUNT_AT, (uint32_t)((size_t)st.st_size / sizeof(page)));
        memcpy(page + VALID_FOR_AT, page + CHANGED_AT, 4);
        fwrite(page, sizeof(page), 1, to);
    }
    if (from)
        fclose(from);
    if (to)
        fclose(to);
}

static sqlite3 *open_old(const char *copy, const char *model)
{
    sqlite3 *db = NULL;
    for (int pass = 0; pass < 2; pass++) {
        /* not shared: no file for the index of the WAL */
        if (sqlite3_open_v2(copy, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) ==
                SQLITE_OK &&
            has_table(db, "job"))
            return db;
        sqlite3_close(take(db));
        if (pass == 0)
            mend_first_page(copy, model);
    }
    return NULL;
}

static void remove_all(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        cleanup_free char *file = xasprintf("%s%s", path, ends[i]);
        unlink(file);
    }
}

/* Its WAL, if there is one, goes along. */
static int move_store(const char *from, const char *to, struct error *err)
{
    cleanup_free char *wal = xasprintf("%s-wal", from);
    cleanup_free char *to_wal = xasprintf("%s-wal", to);
    if (rename(from, to) < 0 || (rename(wal, to_wal) < 0 && errno != ENOENT))
        return error_set(err, errno, "store '%s': cannot rename it to %s: %s", from, to,
                         strerror(errno));
    return 0;
}

static char *free_name(const char *path)
{
    for (unsigned n = 1;; n++) {
        char *name = xasprintf("%s.damaged-%u", path, n);
        if (access(name, F_OK) < 0)
            return name;
        free(name);
    }
}

static int copy_old(const char *path, const char *copy, struct error *err)
{
    cleanup_free char *wal = xasprintf("%s-wal", path);
    cleanup_free char *copy_wal = xasprintf("%s-wal", copy);
    remove_all(copy);
    if (store_copy_file(path, copy, err) < 0)
        return -1;
    return access(wal, F_OK) == 0 ? store_copy_file(wal, copy_wal, err) : 0;
}

/* Who does not know what is in it would leave things out, and there is no need: it may be sound. */
static int check_version(sqlite3 *db, const char *path, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t version = 0;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        version = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return store_schema_check(path, version, err);
}

static int salvage_to(const char *path, const char *copy, const char *fresh,
                      struct store_salvaged *found, struct error *err)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct salvage sv = {0};
    /* closed and opened again: then its first page is in the file, as a model */
    remove_all(fresh);
    store_close(store_open(fresh, &options, err));
    if (!(sv.fresh = store_open(fresh, &options, err)))
        return -1;
    sv.old = open_old(copy, fresh);
    int rc = sv.old
                 ? check_version(sv.old, path, err)
                 : error_set(err, EINVAL,
                             "store '%s': nothing can be read of it: it is no store, or "
                             "its beginning is lost; move it away",
                             path);
    if (rc == 0)
        rc = copy_all(&sv, found, err);
    sqlite3_close(sv.old);
    store_close(sv.fresh);
    return rc == 0 ? store_sync_file(fresh, err) : -1;
}

int store_salvage(const char *path, struct store_salvaged *found, struct error *err)
{
    *found = (struct store_salvaged){0};
    cleanup_free char *copy = xasprintf("%s.reading", path);
    cleanup_free char *fresh = xasprintf("%s.salvaged", path);
    cleanup_free char *kept = free_name(path);
    int rc = copy_old(path, copy, err);
    if (rc == 0)
        rc = salvage_to(path, copy, fresh, found, err);
    if (rc == 0)
        rc = move_store(path, kept, err);
    if (rc == 0)
        rc = move_store(fresh, path, err);
    remove_all(copy);
    remove_all(fresh);
    if (rc == 0)
        found->kept = take(kept);
    return rc;
}
