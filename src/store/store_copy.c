/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole store as bytes, and back. */
#include "src/store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/idranges.h"
#include "src/common/util.h"
#include "src/job/state.h"

#define SMALLEST 512 /* bytes of a database: SQLite's smallest page */

int store_copy_out(struct store *store, unsigned char **data, size_t *len,
                   struct error *err)
{
    if (store_flush(store, err) < 0)
        return -1;
    /* page by page through SQLite's cache, so that what is in the WAL is in it */
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(store->db, "main", &size, 0);
    if (bytes == NULL)
        return error_set(err, ENOMEM,
                         "store '%s': cannot copy its %lld bytes: out of memory",
                         store->path, (long long)size);
    *len = (size_t)size;
    *data = memcpy(xmalloc(MAX(*len, 1)), bytes, *len);
    sqlite3_free(bytes);
    return 0;
}

static int file_error(const char *path, const char *what, struct error *err)
{
    int code = errno;
    return error_set(err, code, "store '%s': cannot %s: %s", path, what, strerror(code));
}

static int write_file(const char *path, const unsigned char *data, size_t len)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) < 0 || write_all(fd, data, len) < 0)
        return -1;
    int rc = close(fd);
    fd = -1;
    return rc;
}

static int remove_file(const char *path, const char *end, struct error *err)
{
    cleanup_free char *file = xasprintf("%s%s", path, end);
    if (unlink(file) < 0 && errno != ENOENT)
        return file_error(file, "remove what is left of the old one", err);
    return 0;
}

/* A WAL belongs to the file that it lies beside, and SQLite would apply it to any other: the file
 * goes first, so that at no moment there is a WAL beside a file that is not its own. */
static int remove_old(const char *path, struct error *err)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        cleanup_free char *file = xasprintf("%s%s", path, ends[i]);
        found |= access(file, F_OK) == 0;
    }
    if (!found)
        return 0;
    if (remove_file(path, "", err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (remove_file(path, ends[i], err) < 0)
            return -1;
    return 0;
}

int store_copy_in(const char *path, const unsigned char *data, size_t len,
                  struct error *err)
{
    if (len < SMALLEST) /* SQLite would take an empty file for a new store */
        return error_set(err, EINVAL,
                         "store '%s': a copy of %zu bytes is no store: copy it again",
                         path, len);
    cleanup_free char *fresh = xasprintf("%s.new", path);
    if (unlink(fresh) < 0 && errno != ENOENT)
        return file_error(fresh, "remove an unfinished copy", err);
    if (write_file(fresh, data, len) < 0)
        file_error(fresh, "write it", err);
    else if (remove_old(path, err) == 0) {
        if (rename(fresh, path) == 0)
            return 0;
        file_error(path, "put a copy in its place", err);
    }
    unlink(fresh);
    return -1;
}

/* --- in another place ---------------------------------------------------------------------------- */

static int vacuum_into(struct store *store, const char *path, struct error *err)
{
    sqlite3_stmt *st = NULL;
    /* made here: SQLite would let everybody read it, and jobs have secrets in their environment */
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, errno, "cannot write '%s': %s", path, strerror(errno));
    int rc = sqlite3_prepare_v2(store->db, "VACUUM INTO ?1", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, path, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_DONE)
        error_set(err, EIO, "cannot write '%s': %s", path, sqlite3_errmsg(store->db));
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int store_copy_to(struct store *store, const char *path, struct error *err)
{
    cleanup_free char *fresh = xasprintf("%s.new", path);
    if (store_flush(store, err) < 0)
        return -1;
    if (unlink(fresh) < 0 && errno != ENOENT)
        return file_error(fresh, "remove an unfinished copy", err);
    if (vacuum_into(store, fresh, err) == 0 && store_sync_file(fresh, err) == 0 &&
        remove_old(path, err) == 0) {
        if (rename(fresh, path) == 0)
            return 0;
        file_error(path, "put a copy in its place", err);
    }
    unlink(fresh);
    return -1;
}

int store_sync_file(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : file_error(path, "force it to the disk", err);
}

int store_copy_file(const char *from, const char *to, struct error *err)
{
    char buf[1 << 16];
    ssize_t n;
    cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return file_error(from, "read it", err);
    cleanup_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return file_error(to, "write it", err);
    while ((n = read_all(in, buf, sizeof(buf))) > 0)
        if (write_all(out, buf, (size_t)n) < 0)
            return file_error(to, "write it", err);
    return n < 0            ? file_error(from, "read it", err)
           : fsync(out) < 0 ? file_error(to, "force it to the disk", err)
                            : 0;
}

/* First all copies, then the names: whoever looks meanwhile sees the same content. */
int store_detach(const char *path, struct error *err)
{
    static const char *const ends[] = {"-wal", ""};
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
            cleanup_free char *file = xasprintf("%s%s", path, ends[i]);
            cleanup_free char *copy = xasprintf("%s.detached", file);
            if (access(file, F_OK) < 0)
                continue;
            if (pass == 0 && store_copy_file(file, copy, err) < 0)
                return -1;
            if (pass == 1 && rename(copy, file) < 0)
                return file_error(file, "put a copy in its place", err);
        }
    return 0;
}

/* --- a copy for others -------------------------------------------------------------------------- */

/* One of many jobs in one (bulk.h): its command is its own. */
#define IS_BULK "coalesce(j.flags, 0) & 8"
#define OF_ROW                                                                           \
    "json_set(json_remove(t.text, '$.attributes.system.bulk'), '$.tasks[0].command',"    \
    " (SELECT json_group_array(value) FROM"                                              \
    " (SELECT value FROM json_each(t.text, '$.tasks[0].command') UNION ALL"              \
    " SELECT value FROM json_each(t.text,"                                               \
    " '$.attributes.system.bulk[' || r.cc || ']'))))"
_Static_assert(JOB_BULK == 8, "IS_BULK says so");

static const char views[] =
    "CREATE VIEW jobs AS SELECT r.id AS id, j.name AS name,"
    " CASE r.result WHEN 1 THEN 'COMPLETED' WHEN 2 THEN 'FAILED' WHEN 4 THEN 'CANCELED'"
    "  WHEN 8 THEN 'TIMEOUT' END AS result,"
    " r.status AS waitstatus, j.t_submit AS t_submit, r.t_run AS t_run,"
    " r.t_inactive AS t_inactive, r.nnodes AS nnodes, r.ncores AS ncores,"
    " r.ngpus AS ngpus, j.cwd AS cwd, j.queue AS queue,"
    " CASE WHEN " IS_BULK " THEN NULL ELSE r.cc END AS cc,"
    " r.extype AS exception_type, r.exnote AS exception_note,"
    " (SELECT text FROM text WHERE n = r.nodelist) AS nodelist,"
    " (SELECT CASE WHEN " IS_BULK " THEN " OF_ROW " ELSE t.text END"
    "  FROM text t WHERE t.n = j.jobspec) AS jobspec,"
    " (SELECT text FROM text WHERE n = r.r) AS R,"
    " (SELECT lines FROM log WHERE id = r.id) AS eventlog"
    " FROM run r JOIN job j ON j.id = r.job ORDER BY r.id;";

/* A row of its own for each element of the span in ROW. */
static int expand_span(sqlite3_stmt *row, sqlite3_stmt *put)
{
    jobid_t first = (jobid_t)sqlite3_column_int64(row, 0);
    jobid_t job = (jobid_t)sqlite3_column_int64(row, 2);
    int64_t n = sqlite3_column_int64(row, 1),
            position = jobid_position(job, INT64_MAX, first);
    const char *cc = (const char *)sqlite3_column_text(row, 8);
    struct idranges *indices = cc ? idranges_decode(cc, UINT64_MAX, NULL) : NULL;
    int rc = SQLITE_DONE;
    for (int64_t i = position; indices && i < position + n && rc == SQLITE_DONE; i++) {
        sqlite3_bind_int64(put, 1, (int64_t)jobid_nth(job, (uint64_t)i));
        sqlite3_bind_int64(put, 2, (int64_t)job);
        sqlite3_bind_int64(put, 3, idranges_nth(indices, (uint64_t)i));
        for (int column = 3; column < 8; column++)
            sqlite3_bind_value(put, column + 1, sqlite3_column_value(row, column));
        rc = sqlite3_step(put);
        sqlite3_reset(put);
    }
    idranges_destroy(indices);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int expand_spans(sqlite3 *db)
{
    sqlite3_stmt *row = NULL, *put = NULL;
    int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(
            db,
            "SELECT s.first, s.count, s.job, s.t_inactive, s.result, s.extype,"
            " s.exseverity, s.exnote, j.cc FROM span s JOIN job j ON j.id = s.job",
            -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db,
                                "INSERT INTO run(id, job, cc, t_inactive, result, extype,"
                                " exseverity, exnote) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                                -1, &put, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW)
        rc = expand_span(row, put);
    sqlite3_finalize(row);
    sqlite3_finalize(put);
    return rc == SQLITE_DONE
               ? sqlite3_exec(db, "DELETE FROM span; COMMIT", NULL, NULL, NULL)
               : rc;
}

static int add_views(const char *path, struct error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = expand_spans(db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, views, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        error_set(err, EIO, "'%s': cannot add the view jobs: %s", path,
                  db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    sqlite3_close(db);
    return rc == SQLITE_OK ? 0 : -1;
}

int store_dump(struct store *store, const char *path, struct error *err)
{
    cleanup_free char *fresh = xasprintf("%s.part-%d", path, (int)getpid());
    if (store_flush(store, err) < 0)
        return -1;
    if (vacuum_into(store, fresh, err) == 0 && add_views(fresh, err) == 0) {
        if (rename(fresh, path) == 0)
            return 0;
        error_set(err, errno, "cannot write '%s': %s", path, strerror(errno));
    }
    unlink(fresh);
    return -1;
}
