/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/store/store.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>
#include "src/common/path.h"
#include "src/common/util.h"
#include "src/job/state.h"

enum { JOBS = 3000, ENDED = 2000, PAGE = 4096 };

#define SPEC                                                                             \
    "{\"version\":1,\"tasks\":[{\"command\":[\"true\",\"%d\"]}],\"attributes\":"         \
    "{\"system\":{\"environment\":\"%s\"}}}"

static const struct store_options fast = {.sync = STORE_SYNC_OFF};
static char dir[] = "/tmp/t_salvage.XXXXXX";
static char path[128];

static void setup(void)
{
    strcpy(dir, "/tmp/t_salvage.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/store.sqlite", dir);
}

static void teardown(void)
{
    path_remove_tree(dir);
}

static void fill(void)
{
    struct error err;
    struct store *s = store_open(path, &fast, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    store_env(s, "env-a", "{\"A\":\"1\"}");
    store_env(s, "env-b", "{\"B\":\"2\"}");
    store_attr_set(s, "info", "of the instance");
    for (int i = 0; i < JOBS; i++) {
        char spec[256], line[64];
        snprintf(spec, sizeof(spec), SPEC, i, i % 2 ? "env-a" : "env-b");
        struct store_job job = {.id = 1000 + (jobid_t)i * 7,
                                .count = 1,
                                .t_submit = 100,
                                .urgency = 16,
                                .name = "one",
                                .cwd = "/",
                                .jobspec = spec};
        store_job_submit(s, &job);
        snprintf(line, sizeof(line), "{\"timestamp\":1.0,\"name\":\"submit%d\"}", i);
        store_event(s, job.id, line);
        if (i >= ENDED)
            continue;
        struct store_run run = {.id = job.id,
                                .job = job.id,
                                .cc = -1,
                                .t_run = 101,
                                .t_cleanup = 102,
                                .t_inactive = 103,
                                .status = 0,
                                .result = JOB_COMPLETED};
        store_job_end(s, &run, true);
    }
    ck_assert_msg(store_flush(s, &err) == 0, "%s", err.text);
    store_close(s);
}

/* Overwrite LEN bytes at AT with what is no page. */
static void damage(off_t at, size_t len)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    cleanup_free unsigned char *junk = xmalloc(len);
    memset(junk, 0xa5, len);
    ck_assert_int_eq(pwrite(fd, junk, len, at), (ssize_t)len);
}

static off_t size_of(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 ? st.st_size : -1;
}

static int count_one(void *arg, const struct store_job *job, hwloc_const_bitmap_t ended,
                     const struct store_run *runs, size_t nruns)
{
    (void)ended, (void)runs, (void)nruns;
    ck_assert_ptr_nonnull(job->jobspec);
    ++*(size_t *)arg;
    return 0;
}

/* Salvage; what is in the new store is what was told, and it is sound. */
static struct store_salvaged must_salvage(const char *what)
{
    struct error err;
    struct store_salvaged found;
    struct store_stats stats;
    size_t pending = 0;
    ck_assert_msg(store_salvage(path, &found, &err) == 0, "%s: %s", what, err.text);
    ck_assert_msg(found.kept && size_of(found.kept) > 0, "%s: the old one is kept", what);
    struct store *s = store_open(path, &fast, &err);
    ck_assert_msg(s != NULL, "%s: %s", what, err.text);
    ck_assert_msg(store_check(s, &err) == 0, "%s: %s", what, err.text);
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, found.jobs);
    ck_assert_uint_eq(stats.completed, found.runs);
    ck_assert_msg(store_pending(s, count_one, &pending, &err) == 0, "%s: %s", what,
                  err.text);
    ck_assert_uint_eq(pending, found.active);
    store_close(s);
    return found;
}

START_TEST(takes_all_of_a_sound_one)
{
    fill();
    struct store_salvaged found = must_salvage("sound");
    ck_assert_uint_eq(found.jobs, JOBS);
    ck_assert_uint_eq(found.runs, ENDED);
    ck_assert_uint_eq(found.logs, JOBS);
    ck_assert_uint_eq(found.active, JOBS - ENDED);
    ck_assert_uint_eq(found.lost + found.unread, 0);
    free(found.kept);
    struct error err;
    struct store *s = store_open(path, &fast, &err);
    cleanup_free char *info = store_attr_get(s, "info", &err);
    cleanup_free char *env = store_env_get(s, "env-b", &err);
    cleanup_free char *log = store_job_info(s, 1000, "eventlog", &err);
    ck_assert_str_eq(info, "of the instance");
    ck_assert_str_eq(env, "{\"B\":\"2\"}");
    ck_assert_str_eq(log, "{\"timestamp\":1.0,\"name\":\"submit0\"}\n");
    store_close(s);
    found = must_salvage("a second time");
    ck_assert_msg(strstr(found.kept, ".damaged-2") != NULL, "%s", found.kept);
    free(found.kept);
}
END_TEST

START_TEST(takes_the_rest)
{
    fill();
    off_t pages = size_of(path) / PAGE;
    ck_assert_int_gt(pages, 40);
    /* one page after the other, in turns: each costs what it had, and no more */
    for (off_t page = 0; page < pages; page += MAX(pages / 8, (off_t)1)) {
        char what[64];
        snprintf(what, sizeof(what), "page %d of %d", (int)page, (int)pages);
        path_remove_tree(dir);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        fill();
        damage(page * PAGE, PAGE);
        struct store_salvaged found = must_salvage(what);
        /* an inner page has some hundred leaves below it */
        ck_assert_msg(found.jobs + found.runs + found.logs > ENDED, "%s: %zu %zu %zu",
                      what, found.jobs, found.runs, found.logs);
        ck_assert_msg(found.active + found.lost <= JOBS - ENDED, "%s", what);
        free(found.kept);
    }
}
END_TEST

START_TEST(takes_what_is_before_the_end)
{
    fill();
    ck_assert_int_eq(truncate(path, size_of(path) / PAGE / 2 * PAGE), 0);
    struct store_salvaged found = must_salvage("half of it");
    ck_assert_uint_gt(found.jobs + found.runs + found.logs, 100);
    ck_assert_uint_gt(found.unread, 0);
    free(found.kept);
}
END_TEST

/* A job is not started without its environment. */
START_TEST(loses_what_cannot_run)
{
    fill();
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "DELETE FROM env WHERE hash = 'env-a'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    struct store_salvaged found = must_salvage("an environment");
    ck_assert_uint_eq(found.lost, (JOBS - ENDED) / 2);
    ck_assert_uint_eq(found.active, (JOBS - ENDED) / 2);
    free(found.kept);
}
END_TEST

START_TEST(refuses)
{
    struct error err;
    struct store_salvaged found;
    ck_assert_int_eq(store_salvage(path, &found, &err), -1);
    ck_assert_msg(strstr(err.text, path) != NULL, "%s", err.text);
    FILE *f = fopen(path, "we");
    for (int i = 0; i < 2000; i++)
        fprintf(f, "this is a letter to my aunt, and not a store at all\n");
    fclose(f);
    off_t size = size_of(path);
    struct store *s = store_open(path, &fast, &err);
    ck_assert_ptr_null(s);
    int rc = store_salvage(path, &found, &err);
    /* its first page is mended, but nothing is found behind it */
    ck_assert(rc == -1 || found.jobs + found.runs + found.logs == 0);
    ck_assert_int_eq(size_of(rc < 0 ? path : found.kept), size);
    free(found.kept);
}
END_TEST

START_TEST(refuses_a_newer_one)
{
    struct error err;
    struct store_salvaged found;
    sqlite3 *db;
    fill();
    off_t size = size_of(path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 77", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(store_salvage(path, &found, &err), -1);
    ck_assert_msg(strstr(err.text, "has schema version 77") != NULL, "%s", err.text);
    ck_assert_int_eq(size_of(path), size);
}
END_TEST

/* --- stores of former versions, as they were written then ------------------------------------------ */

static const char version_2[] =
    "PRAGMA journal_mode = WAL;"
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
    "CREATE TABLE urgency(id INTEGER PRIMARY KEY, urgency INTEGER, priority INTEGER);"
    "INSERT INTO attr VALUES('info', 'old');"
    "INSERT INTO env VALUES('h', '{}');"
    "INSERT INTO text VALUES(1, 0, '{\"version\":1}');"
    "INSERT INTO job(id, active, count, t_submit, urgency, priority, name, jobspec, key)"
    " VALUES(10, 1, 1, 5.0, 16, 16, 'waits', 1, 'its key');"
    "INSERT INTO job(id, active, count, cc, t_submit, urgency, priority, name, jobspec)"
    " VALUES(20, 1, 3, '1-3', 6.0, 16, 16, 'array', 1);"
    "INSERT INTO run(id, job, cc, t_run, t_cleanup, t_inactive, status, result)"
    " VALUES(21, 20, 2, 7.0, 8.0, 9.0, 0, 1);"
    "INSERT INTO log VALUES(10, '{\"timestamp\":5.0,\"name\":\"submit\"}' || char(10));"
    "INSERT INTO urgency VALUES(22, 31, 31);"
    "INSERT INTO tally VALUES(0, 2), (1, 1);"
    "PRAGMA user_version = 2; PRAGMA application_id = 1751277940;";

static const struct {
    int64_t version;
    const char *sql;
} versions[] = {{2, version_2}};

static int look_at(void *arg, const struct store_job *job, hwloc_const_bitmap_t ended,
                   const struct store_run *runs, size_t nruns)
{
    ++*(size_t *)arg;
    ck_assert_str_eq(job->jobspec, "{\"version\":1}");
    if (job->id == 10) {
        ck_assert_str_eq(job->name, "waits");
        ck_assert_str_eq(job->key, "its key");
        ck_assert_str_eq(job->eventlog, "{\"timestamp\":5.0,\"name\":\"submit\"}\n");
        return 0;
    }
    ck_assert_uint_eq(job->id, 20);
    ck_assert_uint_eq(job->count, 3);
    ck_assert_str_eq(job->cc, "1-3");
    ck_assert_int_eq(hwloc_bitmap_weight(ended), 1);
    ck_assert(hwloc_bitmap_isset(ended, 2));
    (void)runs;
    ck_assert_uint_eq(nruns, 0);
    ck_assert_uint_eq(job->nurgencies, 1);
    ck_assert_uint_eq(job->urgencies[0].first, 22);
    ck_assert_uint_eq(job->urgencies[0].n, 1);
    ck_assert_int_eq(job->urgencies[0].urgency, 31);
    return 0;
}

static void check_upgraded(void)
{
    struct error err;
    struct store_stats stats;
    for (int twice = 0; twice < 2; twice++) {
        size_t n = 0;
        struct store *s = store_open(path, &fast, &err);
        ck_assert_msg(s != NULL, "%s", err.text);
        ck_assert_msg(store_pending(s, look_at, &n, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(n, 2);
        store_stats(s, &stats);
        ck_assert_uint_eq(stats.submitted, 2);
        ck_assert_uint_eq(stats.completed, 1);
        cleanup_free char *info = store_attr_get(s, "info", &err);
        ck_assert_str_eq(info, "old");
        ck_assert_uint_eq(store_find_key(s, "its key", &err), 10);
        store_close(s);
    }
}

static void write_version(size_t i)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, versions[i].sql, NULL, NULL, &text);
    ck_assert_msg(rc == SQLITE_OK, "%s", text);
    sqlite3_close(db);
}

START_TEST(upgrades)
{
    write_version((size_t)_i);
    check_upgraded();
}
END_TEST

START_TEST(salvages_former_versions)
{
    write_version((size_t)_i);
    struct store_salvaged found = must_salvage("former version");
    ck_assert_uint_eq(found.jobs, 2);
    ck_assert_uint_eq(found.runs, 1);
    free(found.kept);
    check_upgraded();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        takes_all_of_a_sound_one, takes_the_rest, takes_what_is_before_the_end,
        loses_what_cannot_run,    refuses,        refuses_a_newer_one};
    Suite *suite = suite_create("salvage");
    TCase *tc = tcase_create("salvage");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(tc, tests[i]);
    tcase_add_loop_test(tc, upgrades, 0, (int)ARRAY_SIZE(versions));
    tcase_add_loop_test(tc, salvages_former_versions, 0, (int)ARRAY_SIZE(versions));
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
