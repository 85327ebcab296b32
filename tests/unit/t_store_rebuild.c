/* SPDX-License-Identifier: BSD-3-Clause */
/* What an instance is rebuilt from: pending jobs, things told twice, copies, killed writers. */
#include "src/store/store.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sqlite3.h>
#include "src/common/util.h"
#include "src/job/state.h"

#define SPEC "{\"version\":1,\"tasks\":[{\"command\":[\"true\"]}]}"
#define LINE(n) "{\"timestamp\":" #n ",\"name\":\"submit\"}\n"

static char dir[] = "/tmp/t_store_rebuild.XXXXXX";
static char path[128];

static void setup(void)
{
    strcpy(dir, "/tmp/t_store_rebuild.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/store.db", dir);
}

static void teardown(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".new"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        char file[160];
        snprintf(file, sizeof(file), "%s%s", path, ends[i]);
        unlink(file);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

static struct store *must_open(void)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct error err;
    struct store *s = store_open(path, &options, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    return s;
}

static void must_flush(struct store *s)
{
    struct error err;
    ck_assert_msg(store_flush(s, &err) == 0, "%s", err.text);
}

static struct store *reopen(struct store *s)
{
    must_flush(s);
    store_close(s);
    return must_open();
}

static const struct store_job single = {
    .id = 10,
    .count = 1,
    .userid = 1000,
    .t_submit = 100.5,
    .urgency = 20,
    .priority = 4000000000,
    .flags = 6,
    .ntasks = 4,
    .nnodes = 2,
    .ncores = 8,
    .ngpus = 1,
    .duration = 60,
    .name = "ten",
    .cwd = "/home/u",
    .queue = "debug",
    .jobspec = SPEC,
    .key = "a8f1-7",
    .parent = UINT64_C(1) << 60,
    .parent_rank = 3,
};

static const struct store_job array = {
    .id = 20,
    .count = 5,
    .cc = "1,3-5,9",
    .t_submit = 200,
    .urgency = 16,
    .priority = 16,
    .jobspec = SPEC,
};

static const struct store_run started = {
    .id = 10,
    .job = 10,
    .cc = -1,
    .t_depend = 100.6,
    .t_run = 101.25,
    .expiration = 161.25,
    .status = -1,
    .nnodes = 2,
    .ncores = 8,
    .ngpus = 1,
    .exception_type = "mine",
    .exception_severity = 3,
    .exception_note = "a note",
    .R = "{\"version\":1}",
    .nodelist = "node[0-1]",
    .ranks = "0-1",
    .taskmap = "[[0,2,2,1]]",
    .uri = "local:///tmp/x",
    .output = "[[0,{\"size\":12}]]",
};

/* Element I of the array. */
static struct store_run element(uint64_t i, double t_inactive, int result)
{
    static const int64_t cc[] = {1, 3, 4, 5, 9};
    struct store_run run = started;
    run.id = jobid_nth(array.id, i);
    run.job = array.id;
    run.cc = cc[i];
    run.t_inactive = t_inactive;
    run.status = t_inactive > 0 ? 0 : -1;
    run.result = result;
    return run;
}

static void end_single(struct store *s, int result)
{
    struct store_run run = started;
    run.t_cleanup = 110;
    run.t_inactive = 111;
    run.status = result == JOB_COMPLETED ? 0 : 256;
    run.result = result;
    store_job_end(s, &run, true);
}

/* --- pending --------------------------------------------------------------------------- */
static void same_text(const char *a, const char *b)
{
    ck_assert_msg(a == b || (a != NULL && b != NULL && strcmp(a, b) == 0),
                  "'%s' is not '%s'", a != NULL ? a : "NULL", b != NULL ? b : "NULL");
}

static void same_job(const struct store_job *a, const struct store_job *b)
{
    const char *texts[][2] = {{a->cc, b->cc},
                              {a->name, b->name},
                              {a->cwd, b->cwd},
                              {a->queue, b->queue},
                              {a->key, b->key},
                              {a->jobspec, b->jobspec},
                              {a->eventlog, b->eventlog}};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        same_text(texts[i][0], texts[i][1]);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->userid, b->userid);
    ck_assert_double_eq(a->t_submit, b->t_submit);
    ck_assert_int_eq(a->urgency, b->urgency);
    ck_assert_int_eq(a->priority, b->priority);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_int_eq(a->ntasks, b->ntasks);
    ck_assert_int_eq(a->nnodes, b->nnodes);
    ck_assert_int_eq(a->ncores, b->ncores);
    ck_assert_int_eq(a->ngpus, b->ngpus);
    ck_assert_double_eq(a->duration, b->duration);
    ck_assert_uint_eq(a->parent, b->parent);
    ck_assert_uint_eq(a->parent_rank, b->parent_rank);
}

static void same_run(const struct store_run *a, const struct store_run *b)
{
    const char *texts[][2] = {{a->exception_type, b->exception_type},
                              {a->exception_note, b->exception_note},
                              {a->R, b->R},
                              {a->nodelist, b->nodelist},
                              {a->ranks, b->ranks},
                              {a->taskmap, b->taskmap},
                              {a->uri, b->uri},
                              {a->output, b->output},
                              {a->eventlog, b->eventlog}};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        same_text(texts[i][0], texts[i][1]);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->job, b->job);
    ck_assert_int_eq(a->cc, b->cc);
    ck_assert_double_eq(a->t_depend, b->t_depend);
    ck_assert_double_eq(a->t_run, b->t_run);
    ck_assert_double_eq(a->t_cleanup, b->t_cleanup);
    ck_assert_double_eq(a->t_inactive, b->t_inactive);
    ck_assert_double_eq(a->expiration, b->expiration);
    ck_assert_int_eq(a->status, b->status);
    ck_assert_int_eq(a->result, b->result);
    ck_assert_int_eq(a->nnodes, b->nnodes);
    ck_assert_int_eq(a->ncores, b->ncores);
    ck_assert_int_eq(a->ngpus, b->ngpus);
    ck_assert_int_eq(a->exception_severity, b->exception_severity);
    ck_assert_int_eq(a->urgency_set, b->urgency_set);
    ck_assert_int_eq(a->urgency, b->urgency);
    ck_assert_int_eq(a->priority, b->priority);
}

struct expected {
    const struct store_job *job;
    const char *ended;
    const struct store_run *runs;
    size_t nruns;
};

struct walk {
    struct store *store;
    const struct expected *expected;
    size_t n, at;
};

static int check_one(void *arg, const struct store_job *job, hwloc_const_bitmap_t ended,
                     const struct store_run *runs, size_t nruns)
{
    struct walk *w = arg;
    char set[64];
    struct error err;
    ck_assert_uint_lt(w->at, w->n);
    const struct expected *e = &w->expected[w->at++];
    same_job(job, e->job);
    hwloc_bitmap_list_snprintf(set, sizeof(set), ended);
    ck_assert_str_eq(set, e->ended);
    ck_assert_uint_eq(nruns, e->nruns);
    for (size_t i = 0; i < nruns; i++)
        same_run(&runs[i], &e->runs[i]);
    /* what reads may be called from here, and does not end the walk */
    cleanup_free char *log = store_job_info(w->store, job->id, "eventlog", &err);
    ck_assert_msg(log != NULL, "%s", err.text);
    if (job->eventlog != NULL)
        ck_assert_str_eq(log, job->eventlog);
    cleanup_free char *spec = store_job_info(w->store, job->id, "jobspec", &err);
    ck_assert_str_eq(spec, SPEC);
    cleanup_free char *env = store_env_get(w->store, "h1", &err);
    ck_assert_str_eq(env, "{}");
    return 0;
}

static void check_pending(struct store *s, const struct expected *expected, size_t n)
{
    struct error err;
    struct walk w = {.store = s, .expected = expected, .n = n};
    ck_assert_msg(store_pending(s, check_one, &w, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(w.at, n);
}

START_TEST(gives_all_of_a_job)
{
    struct store *s = must_open();
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
            {&waits, "", NULL, 0}, {&runs, "", &run, 1}, {&bare, "", &pending, 1}};
        check_pending(s, expected, ARRAY_SIZE(expected));
        s = reopen(s);
    }
    store_job_urgency(s, 30, 31, 99);
    runs.urgency = 31;
    runs.priority = 99;
    store_job_requeue(s, 30);
    end_single(s, JOB_COMPLETED);
    const struct expected expected[] = {{&runs, "", NULL, 0}, {&bare, "", &pending, 1}};
    check_pending(s, expected, ARRAY_SIZE(expected));
    s = reopen(s);
    check_pending(s, expected, ARRAY_SIZE(expected));
    store_close(s);
}
END_TEST

START_TEST(gives_all_of_an_array)
{
    struct store *s = must_open();
    struct store_run done = element(1, 300, JOB_COMPLETED), runs = element(3, 0, 0),
                     again = element(2, 0, 0), first = element(0, 0, 0);
    const struct store_run noted[] = {
        {.id = first.id,
         .job = 20,
         .cc = 1,
         .status = -1,
         .urgency_set = true,
         .urgency = 0,
         .priority = 0},
        {.id = again.id,
         .job = 20,
         .cc = 4,
         .status = -1,
         .eventlog = LINE(2),
         .urgency_set = true,
         .urgency = 31,
         .priority = 77},
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
    store_job_urgency(s, again.id, 31, 77);
    store_job_urgency(s, first.id, 0, 0);
    store_event(s, jobid_nth(20, 4), LINE(9));
    store_job_update(s, &runs);
    const struct expected expected = {&array, "3", noted, ARRAY_SIZE(noted)};
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
    again.urgency_set = true;
    again.urgency = 31;
    again.priority = 77;
    const struct store_run later[] = {noted[0], again, noted[3]};
    check_pending(s, &(struct expected){&array, "3,5", later, 3}, 1);
    for (uint64_t i = 0; i < 5; i++) {
        struct store_run end = element(i, 500, JOB_COMPLETED);
        store_job_end(s, &end, false);
    }
    check_pending(s, NULL, 0);
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
    struct store *s = must_open();
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
static void check_stats(struct store *s, unsigned submitted, unsigned completed,
                        unsigned failed)
{
    struct store_stats stats;
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, submitted);
    ck_assert_uint_eq(stats.completed, completed);
    ck_assert_uint_eq(stats.failed, failed);
    ck_assert_uint_eq(stats.inactive, completed + failed);
}

static int last_entry(void *arg, const struct store_entry *e)
{
    snprintf(arg, 64, "%" PRIu64 "%s%d %s", e->job.id, job_state_name(e->state, true),
             e->run != NULL ? e->run->result : 0, e->job.name);
    return 0;
}

static void check_entry(struct store *s, const char *expected)
{
    char text[64] = "";
    struct store_filter filter = {.ids = &single.id, .nids = 1};
    ck_assert_int_eq(store_list(s, &filter, last_entry, text, NULL), 1);
    ck_assert_str_eq(text, expected);
}

START_TEST(takes_a_repetition)
{
    struct store_job job = single;
    struct store_run run = started;
    struct store *s = must_open();
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
    s = must_open();
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, id - 10);
    store_close(s);
}
END_TEST

/* --- upgrades --------------------------------------------------------------------------- */
START_TEST(upgrades_version_1)
{
    sqlite3 *db;
    struct store *s = must_open();
    store_env(s, "h1", "{}");
    store_job_submit(s, &single);
    must_flush(s);
    store_close(s);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    char *text = NULL;
    int rc = sqlite3_exec(db,
                          "DROP INDEX job_key; DROP TABLE urgency;"
                          "ALTER TABLE job DROP COLUMN key;"
                          "ALTER TABLE job DROP COLUMN parent;"
                          "ALTER TABLE job DROP COLUMN parent_rank;"
                          "PRAGMA user_version = 1",
                          NULL, NULL, &text);
    ck_assert_msg(rc == SQLITE_OK, "%s", text);
    sqlite3_close(db);
    s = must_open();
    struct store_job old = single, young = single;
    old.key = NULL;
    old.parent = 0;
    old.parent_rank = 0;
    young.id = 11;
    store_job_submit(s, &young);
    const struct expected expected[] = {{&old, "", NULL, 0}, {&young, "", NULL, 0}};
    check_pending(s, expected, 2);
    s = reopen(s);
    check_pending(s, expected, 2);
    ck_assert_uint_eq(store_find_key(s, single.key, NULL), 11);
    store_close(s);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        gives_all_of_a_job, gives_all_of_an_array,       stops_and_finds_keys,
        takes_a_repetition, counts_once_after_a_failure, upgrades_version_1,
    };
    Suite *suite = suite_create("store_rebuild");
    TCase *tc = tcase_create("store_rebuild");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
