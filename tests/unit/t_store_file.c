/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of a store: on a full disk, at its limit, that is none or is damaged, without memory that is shared. */
#include "tests/unit/storekit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sqlite3.h>

static int count_entries(void *arg, const struct store_entry *e)
{
    (void)e;
    ++*(int *)arg;
    return 0;
}

/* A full disk: the flush says so, nothing is lost, and it goes on when there is room. */
START_TEST(waits_out_a_full_disk)
{
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct error err;
    int n = 0;
    struct store *s = must_open(NULL);
    submit(s, 1, 1, "first");
    must_flush(s);
    struct rlimit limit, old;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 200000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    jobid_t id = 1;
    int rc = 0;
    while (rc == 0 && id < 100000) {
        id++;
        submit(s, id, 1, "a job with a name that takes some room in the file");
        store_event(s, id, "{\"timestamp\":1,\"name\":\"submit\"}");
        if (id % 100 == 0)
            rc = store_flush(s, &err);
    }
    ck_assert_int_eq(rc, -1);
    ck_error_names(err, path);
    submit(s, ++id, 1, "while it is full");
    store_event(s, id, "{\"timestamp\":1,\"name\":\"submit\"}");
    ck_assert_uint_gt(store_unflushed(s), 100);
    ck_assert_int_eq(store_flush(s, &err), -1);
    ck_assert_int_ge(store_list(s, NULL, count_entries, &n, &err), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    must_flush(s);
    ck_assert_uint_eq(store_unflushed(s), 0);
    store_close(s);
    s = must_open(NULL);
    n = 0;
    ck_assert_int_eq(store_list(s, NULL, count_entries, &n, NULL), (int64_t)id);
    check_info(s, id, "eventlog", "submit");
    check_info(s, id, "jobspec", SPEC);
    struct store_stats stats;
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, id);
    store_close(s);
}
END_TEST

START_TEST(keeps_its_limit)
{
    struct store_options options = {.max_bytes = 300000};
    struct error err;
    struct store_stats stats;
    struct store *s = must_open(&options);
    int rc = 0;
    jobid_t id;
    for (id = 1; rc == 0 && id < 100000; id++) {
        submit(s, id, 1, "limited");
        if (id % 50 == 0)
            rc = store_flush(s, &err);
    }
    ck_assert_int_eq(rc, -1);
    ck_assert_int_eq(err.code, ENOSPC);
    ck_error_names(err, "raise its size limit");
    store_stats(s, &stats);
    ck_assert_uint_le(stats.bytes, 300000);
    store_close(s);
}
END_TEST

static void write_text(const char *text, size_t size, off_t at)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, text, size, at), (ssize_t)size);
    close(fd);
}

static void write_sql(const char *text)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void make_store(void)
{
    struct store *s = must_open(NULL);
    for (jobid_t id = 10; id < 20; id++)
        submit(s, id, id % 2 ? 3 : 1, "some");
    must_flush(s);
    store_close(s);
}

static void make_garbage(void)
{
    static const char text[] = "this is a letter to my aunt, and not a store at all\n";
    write_text(text, sizeof(text), 0);
}

static void make_foreign(void)
{
    write_sql("CREATE TABLE aunt(name TEXT)");
}

static void make_newer(void)
{
    make_store();
    write_sql("PRAGMA user_version = 77");
}

static void make_short(void)
{
    make_store();
    ck_assert_int_eq(truncate(path, 3 * 4096), 0);
}

static void make_damaged(void)
{
    static const char zeros[4096] = "";
    make_store();
    for (int page = 1; page < 6; page++)
        write_text(zeros, sizeof(zeros), page * 4096);
}

static void make_directory(void)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static struct store *other;

static void make_open(void)
{
    other = must_open(NULL);
}

START_TEST(refuses)
{
    static const struct {
        const char *what;
        void (*make)(void);
        const char *part;
    } cases[] = {
        {"garbage", make_garbage, "not a database"},
        {"another program's database", make_foreign, "of another program"},
        {"a newer store", make_newer,
         "schema version 77; this hbatch knows versions up to 3"},
        {"a cut store", make_short, "damaged"},
        {"a damaged store", make_damaged, "damaged"},
        {"a directory", make_directory, "Is a directory"},
        {"a store in use", make_open, "another instance has it open"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        cases[i].make();
        struct stat before, after;
        ck_assert_int_eq(stat(path, &before), 0);
        ck_assert_msg(store_open(path, NULL, &err) == NULL, "%s was opened",
                      cases[i].what);
        ck_error_names(err, path);
        ck_error_names(err, cases[i].part);
        ck_assert_int_eq(stat(path, &after), 0);
        ck_assert_int_eq(before.st_size, after.st_size);
        store_close(other);
        other = NULL;
        remove(path);
    }
    struct error err;
    ck_assert_ptr_null(store_open("/nonexistent/store.db", NULL, &err));
    ck_error_names(err, "/nonexistent/store.db");
    ck_assert_int_eq(err.code, ENOENT);
}
END_TEST

/* Network file systems have no memory that is shared between hosts: neither a -shm file, nor a mapping of any. */
START_TEST(needs_no_shared_memory)
{
    char shm[160];
    snprintf(shm, sizeof(shm), "%s-shm", path);
    for (int round = 0; round < 2; round++) {
        struct store *s = must_open(NULL);
        for (jobid_t id = 1; id <= 100; id++)
            submit(s, 1000u * (unsigned)round + id, 1, "a");
        must_flush(s);
        ck_assert_int_eq(access(shm, F_OK), -1);
        cleanup_free char *maps = read_file("/proc/self/maps", NULL);
        ck_assert_ptr_nonnull(maps);
        ck_assert_ptr_null(strstr(maps, path));
        store_close(s);
        ck_assert_int_eq(access(shm, F_OK), -1);
    }
}
END_TEST

STORE_MAIN("store_file", waits_out_a_full_disk, keeps_its_limit, refuses,
           needs_no_shared_memory)
