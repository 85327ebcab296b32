/* SPDX-License-Identifier: BSD-3-Clause */
/* What an instance is rebuilt from: pending jobs, things told twice, stores of older versions. */
#include "tests/unit/storejobs.h"

#include <errno.h>
#include <sqlite3.h>

/* --- pending --------------------------------------------------------------------------- */

START_TEST(gives_all_of_a_job)
{
    struct store *s = must_open(&fast);
    struct store_job waits = single, runs = single,
                     bare = {.id = 40, .count = 1, .jobspec = SPEC};
    struct store_run run = started, pending = {.id = 40,
                                               .job = 40,
                                               .cc = -1,
                                               .t_depend = 7,
                                               .status = -1,
                                               .exception_type = "note",
                                               .exception_severity = 5};
    store_env(s, "h1", "{}");
    store_job_submit(s, &waits);
    runs.id = run.id = run.job = 30;
    store_job_submit(s, &runs);
    store_event(s, 30, LINE(1));
    store_job_update(s, &run);
    store_job_submit(s, &bare);
    store_job_update(s, &pending);
    runs.eventlog = LINE(1) LINE(2);
    for (int reopened = 0; reopened < 2; reopened++) {
        if (reopened == 0)
            store_event(s, 30, LINE(2));
        const struct expected expected[] = {
            {.job = &waits, .ended = "", .runs = NULL, .nruns = 0},
            {.job = &runs, .ended = "", .runs = &run, .nruns = 1},
            {.job = &bare, .ended = "", .runs = &pending, .nruns = 1}};
        check_pending(s, expected, ARRAY_SIZE(expected));
        s = reopen(s);
    }
    store_job_urgency(s, 30, 31, 99);
    runs.urgency = 31;
    runs.priority = 99;
    store_job_requeue(s, 30);
    end_single(s, JOB_COMPLETED);
    const struct expected expected[] = {
        {.job = &runs, .ended = "", .runs = NULL, .nruns = 0},
        {.job = &bare, .ended = "", .runs = &pending, .nruns = 1}};
    check_pending(s, expected, ARRAY_SIZE(expected));
    s = reopen(s);
    check_pending(s, expected, ARRAY_SIZE(expected));
    store_close(s);
}
END_TEST

START_TEST(gives_all_of_an_array)
{
    struct store *s = must_open(&fast);
    struct store_run done = element(1, 300, JOB_COMPLETED), runs = element(3, 0, 0),
                     again = element(2, 0, 0);
    const struct store_run noted[] = {
        {.id = again.id, .job = 20, .cc = 4, .status = -1, .eventlog = LINE(2)},
        runs,
        {.id = jobid_nth(20, 4), .job = 20, .cc = 9, .status = -1, .eventlog = LINE(9)}};
    store_env(s, "h1", "{}");
    store_job_submit(s, &array);
    store_job_urgency(s, jobid_nth(20, 1), 5, 5);
    store_event(s, jobid_nth(20, 1), LINE(5));
    store_job_end(s, &done, false);
    store_job_update(s, &again);
    store_event(s, again.id, LINE(2));
    store_job_requeue(s, again.id);
    store_job_urgency(s, again.id, 30, 76);
    store_elements_urgency(s, 20, 3, 31, 77);
    store_job_urgency(s, 20, 0, 0);
    store_event(s, jobid_nth(20, 4), LINE(9));
    store_job_update(s, &runs);
    const struct store_urgency urgencies[] = {{jobid_nth(20, 1), 1, 5, 5},
                                              {again.id, 1, 30, 76},
                                              {20, 3, 31, 77},
                                              {20, 1, 0, 0}};
    const struct expected expected = {.job = &array,
                                      .ended = "3",
                                      .runs = noted,
                                      .nruns = ARRAY_SIZE(noted),
                                      .urgencies = urgencies,
                                      .nurgencies = 4};
    check_pending(s, &expected, 1);
    s = reopen(s);
    check_pending(s, &expected, 1);
    /* it starts anew: its log goes on */
    store_job_update(s, &again);
    store_event(s, again.id, LINE(3));
    store_job_end(s, &runs, false);
    runs = element(3, 400, JOB_FAILED);
    store_job_end(s, &runs, false);
    again.eventlog = LINE(2) LINE(3);
    const struct store_run later[] = {again, noted[2]};
    check_pending(s,
                  &(struct expected){.job = &array,
                                     .ended = "3,5",
                                     .runs = later,
                                     .nruns = 2,
                                     .urgencies = urgencies,
                                     .nurgencies = 4},
                  1);
    for (uint64_t i = 0; i < 5; i++) {
        struct store_run end = element(i, 500, JOB_COMPLETED);
        store_job_end(s, &end, false);
    }
    check_pending(s, NULL, 0);
    store_close(s);
}
END_TEST

struct listed {
    int64_t cc[8];
    jobid_t id[8];
    size_t n;
};

static int on_listed(void *arg, const struct store_entry *entry)
{
    struct listed *l = arg;
    l->cc[l->n] = entry->run ? entry->run->cc : -1;
    l->id[l->n++] = entry->run ? entry->run->id : entry->job.id;
    return 0;
}

static void lists(struct store *s, const struct store_filter *filter, const char *wanted)
{
    static const int64_t indices[] = {1, 3, 4, 5, 9};
    struct listed l = {.n = 0};
    char text[64] = "";
    struct error err;
    int64_t n = store_list(s, filter, on_listed, &l, &err);
    ck_assert_int_eq(n, (int64_t)l.n);
    for (size_t i = 0; i < l.n; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i ? " " : "",
                 (int)l.cc[i]);
        if (l.cc[i] >= 0)
            ck_assert_int_eq(l.cc[i], indices[l.id[i] - 20]);
    }
    ck_assert_str_eq(text, wanted);
}

/* Elements that end together without having started share a row; who looks sees each. */
START_TEST(elements_that_end_alike)
{
    struct store *s = must_open(&fast);
    struct error err;
    struct store_stats stats;
    store_env(s, "h1", "{}");
    store_job_submit(s, &array);
    struct store_run end = {.id = jobid_nth(20, 1),
                            .job = 20,
                            .cc = 3,
                            .t_depend = 201,
                            .t_inactive = 300,
                            .status = -1,
                            .result = JOB_CANCELED,
                            .exception_type = "cancel",
                            .exception_note = "why"};
    store_elements_end(s, &end, 3, false);
    check_pending(
        s, &(struct expected){.job = &array, .ended = "3-5", .runs = NULL, .nruns = 0},
        1);
    s = reopen(s);
    check_pending(
        s, &(struct expected){.job = &array, .ended = "3-5", .runs = NULL, .nruns = 0},
        1);
    lists(s, NULL, "5 4 3 -1");
    lists(s, &(struct store_filter){.max = 2}, "5 4");
    lists(s, &(struct store_filter){.before = 23, .states = JOB_INACTIVE}, "4 3");
    lists(s, &(struct store_filter){.before = 22, .states = JOB_INACTIVE}, "3");
    const jobid_t ids[] = {22, 24};
    lists(s, &(struct store_filter){.ids = ids, .nids = 1}, "4");
    lists(s, &(struct store_filter){.ids = &array.id, .nids = 1}, "5 4 3 -1");
    lists(s, &(struct store_filter){.ids = ids, .nids = 2}, "-1 4");
    lists(s, &(struct store_filter){.results = JOB_FAILED}, "");
    lists(s, &(struct store_filter){.results = JOB_CANCELED, .since = 300}, "5 4 3");
    lists(s, &(struct store_filter){.since = 301}, "-1");
    cleanup_free char *log = store_job_info(s, 23, "eventlog", &err);
    ck_assert_msg(log && strstr(log, "\"why\"") && strstr(log, "clean"), "%s", log);
    cleanup_free char *waits = store_job_info(s, 24, "eventlog", &err);
    ck_assert_msg(waits && !strstr(waits, "clean"), "%s", waits);
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.canceled, 3);
    struct store_run rest = end;
    rest.id = 20;
    rest.cc = 1;
    store_elements_end(s, &rest, 1, false);
    rest.id = 24;
    rest.cc = 9;
    store_elements_end(s, &rest, 1, true);
    check_pending(s, NULL, 0);
    lists(s, NULL, "9 5 4 3 1");
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.canceled, 5);
    store_close(s);
}
END_TEST

static int stop_at_first(void *arg, const struct store_job *job,
                         hwloc_const_bitmap_t ended, const struct store_run *runs,
                         size_t nruns)
{
    (void)job, (void)ended, (void)runs, (void)nruns;
    ++*(int *)arg;
    return -1;
}

START_TEST(stops_and_finds_keys)
{
    struct error err;
    struct store_job job = single;
    int n = 0;
    struct store *s = must_open(&fast);
    store_job_submit(s, &job);
    end_single(s, JOB_COMPLETED);
    store_job_submit(s, &array);
    job.id = 50;
    job.key = "other";
    store_job_submit(s, &job);
    ck_assert_int_eq(store_pending(s, stop_at_first, &n, &err), 0);
    ck_assert_int_eq(n, 1);
    s = reopen(s);
    ck_assert_uint_eq(store_find_key(s, "a8f1-7", &err), 10);
    ck_assert_uint_eq(store_find_key(s, "other", &err), 50);
    ck_assert_uint_eq(store_find_key(s, "nobody's", &err), 0);
    ck_assert_int_eq(err.code, ENOENT);
    ck_error_names(err, "nobody's");
    store_close(s);
}
END_TEST

/* --- told twice ------------------------------------------------------------------------- */

START_TEST(takes_a_repetition)
{
    struct store_job job = single;
    struct store_run run = started;
    struct store *s = must_open(&fast);
    for (int times = 0; times < 3; times++) {
        job.name = times == 0 ? "first" : "last";
        store_env(s, "h1", "{}");
        store_env(s, "h2", "{}");
        store_job_submit(s, &job);
        check_stats(s, 1, 0, 0);
        if (times == 1)
            s = reopen(s);
    }
    check_entry(s, "10S0 last");
    store_job_requeue(s, 10);
    store_job_update(s, &run);
    store_job_requeue(s, 10);
    store_job_requeue(s, 10);
    check_entry(s, "10S0 last");
    store_job_update(s, &run);
    check_entry(s, "10R0 last");
    end_single(s, JOB_FAILED);
    check_stats(s, 1, 0, 1);
    end_single(s, JOB_FAILED);
    check_stats(s, 1, 0, 1);
    s = reopen(s);
    check_stats(s, 1, 0, 1);
    /* all of it, as after a loss: what is over stays so, whatever part of it is told */
    store_job_submit(s, &job);
    check_entry(s, "10I2 last");
    store_job_update(s, &run);
    check_entry(s, "10I2 last");
    store_job_requeue(s, 10);
    check_entry(s, "10I2 last");
    check_pending(s, NULL, 0);
    s = reopen(s);
    end_single(s, JOB_COMPLETED);
    check_entry(s, "10I1 last");
    check_stats(s, 1, 1, 0);
    s = reopen(s);
    check_stats(s, 1, 1, 0);
    store_close(s);
}
END_TEST

/* The counts of a batch that is written anew, since its flush failed, are right. */
START_TEST(counts_once_after_a_failure)
{
    struct store_options options = {.max_bytes = 100000};
    struct error err;
    struct store_stats stats;
    struct store *s = store_open(path, &options, &err);
    ck_assert_ptr_nonnull(s);
    jobid_t id = 0;
    int rc = 0;
    while (rc == 0 && id < 10000) {
        struct store_job job = single;
        job.id = ++id;
        store_job_submit(s, &job);
        if (id % 10 == 0)
            rc = store_flush(s, &err);
    }
    ck_assert_int_eq(rc, -1);
    ck_assert_int_eq(store_flush(s, &err), -1);
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, id - 10);
    store_close(s);
    s = must_open(&fast);
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, id - 10);
    store_close(s);
}
END_TEST

/* --- upgrades --------------------------------------------------------------------------- */
static int add_text(void *arg, int n, char **columns, char **names)
{
    char **all = arg;
    (void)n, (void)names;
    char *more = xasprintf("%s%s\n", *all, columns[0] ? columns[0] : "");
    free(*all);
    *all = more;
    return 0;
}

/* All of the schema, as SQLite keeps it; to be freed. */
static char *read_schema(void)
{
    sqlite3 *db;
    char *all = xstrdup("");
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "SELECT sql FROM sqlite_schema ORDER BY name",
                                  add_text, &all, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    return all;
}

START_TEST(upgrades_version_1)
{
    sqlite3 *db;
    struct store *s = must_open(&fast);
    store_env(s, "h1", "{}");
    store_job_submit(s, &single);
    must_flush(s);
    store_close(s);
    char *new = read_schema();
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    char *text = NULL;
    int rc = sqlite3_exec(db,
                          "DROP INDEX job_key; DROP TABLE urgencies; DROP TABLE span;"
                          "ALTER TABLE job DROP COLUMN key;"
                          "ALTER TABLE job DROP COLUMN parent;"
                          "ALTER TABLE job DROP COLUMN parent_rank;"
                          "PRAGMA user_version = 1",
                          NULL, NULL, &text);
    ck_assert_msg(rc == SQLITE_OK, "%s", text);
    sqlite3_close(db);
    s = must_open(&fast);
    struct store_job old = single, young = single;
    old.key = NULL;
    old.parent = 0;
    old.parent_rank = 0;
    young.id = 11;
    store_job_submit(s, &young);
    const struct expected expected[] = {
        {.job = &old, .ended = "", .runs = NULL, .nruns = 0},
        {.job = &young, .ended = "", .runs = NULL, .nruns = 0}};
    check_pending(s, expected, 2);
    s = reopen(s);
    check_pending(s, expected, 2);
    ck_assert_uint_eq(store_find_key(s, single.key, NULL), 11);
    store_close(s);
    char *upgraded = read_schema();
    ck_assert_str_eq(upgraded, new);
    free(upgraded);
    free(new);
}
END_TEST

START_TEST(upgrades_version_2)
{
    sqlite3 *db;
    struct store *s = must_open(&fast);
    store_env(s, "h1", "{}");
    store_job_submit(s, &array);
    must_flush(s);
    store_close(s);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db,
                          "DROP TABLE urgencies; DROP TABLE span;"
                          "CREATE TABLE urgency(id INTEGER PRIMARY KEY, urgency INTEGER,"
                          " priority INTEGER);"
                          "INSERT INTO urgency VALUES(22, 3, 4); PRAGMA user_version = 2",
                          NULL, NULL, NULL);
    ck_assert_int_eq(rc, SQLITE_OK);
    sqlite3_close(db);
    s = must_open(&fast);
    const struct store_urgency own = {22, 1, 3, 4};
    const struct expected expected = {
        .job = &array, .ended = "", .urgencies = &own, .nurgencies = 1};
    check_pending(s, &expected, 1);
    store_close(s);
}
END_TEST

STORE_MAIN("store_rebuild", gives_all_of_a_job, gives_all_of_an_array,
           elements_that_end_alike, stops_and_finds_keys, takes_a_repetition,
           counts_once_after_a_failure, upgrades_version_1, upgrades_version_2)
