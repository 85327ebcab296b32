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
}

struct expected {
    const struct store_job *job;
    const char *ended;
    const struct store_run *runs;
    size_t nruns;
    const struct store_urgency *urgencies;
    size_t nurgencies;
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
    ck_assert_uint_eq(job->nurgencies, e->nurgencies);
    for (size_t i = 0; i < e->nurgencies; i++) {
        ck_assert_uint_eq(job->urgencies[i].first, e->urgencies[i].first);
        ck_assert_uint_eq(job->urgencies[i].n, e->urgencies[i].n);
        ck_assert_int_eq(job->urgencies[i].urgency, e->urgencies[i].urgency);
        ck_assert_int_eq(job->urgencies[i].priority, e->urgencies[i].priority);
    }
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
    struct store *s = must_open();
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
    struct store *s = must_open();
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
    struct store *s = must_open();
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
    s = must_open();
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
    struct store *s = must_open();
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
    s = must_open();
    const struct store_urgency own = {22, 1, 3, 4};
    const struct expected expected = {
        .job = &array, .ended = "", .urgencies = &own, .nurgencies = 1};
    check_pending(s, &expected, 1);
    store_close(s);
}
END_TEST

/* --- copies ------------------------------------------------------------------------------ */
static bool exists(const char *end)
{
    char file[160];
    snprintf(file, sizeof(file), "%s%s", path, end);
    return access(file, F_OK) == 0;
}

static void copy_in(const unsigned char *data, size_t len)
{
    struct error err;
    ck_assert_msg(store_copy_in(path, data, len, &err) == 0, "%s", err.text);
}

static unsigned char *copy_out(struct store *s, size_t *len)
{
    struct error err;
    unsigned char *data;
    ck_assert_msg(store_copy_out(s, &data, len, &err) == 0, "%s", err.text);
    return data;
}

/* A store of COUNT jobs, all of them ended, as bytes. */
static unsigned char *make_copy(uint64_t count, size_t *len)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct store *s = store_open(":memory:", &options, NULL);
    ck_assert_ptr_nonnull(s);
    for (uint64_t i = 0; i < count; i++) {
        struct store_job job = single;
        struct store_run run = element(1, 300, JOB_COMPLETED);
        job.id = run.id = run.job = 10 + i;
        job.key = NULL;
        run.cc = -1;
        store_job_submit(s, &job);
        store_job_end(s, &run, true);
    }
    unsigned char *data = copy_out(s, len);
    store_close(s);
    return data;
}

START_TEST(copies)
{
    size_t len, again;
    struct stat sb;
    struct error err;
    struct store_run run = started;
    struct store *s = must_open();
    store_env(s, "h1", "{}");
    store_job_submit(s, &single);
    must_flush(s);
    store_job_update(s, &run); /* not flushed yet: the copy has it */
    ck_assert(exists("-wal"));
    cleanup_free unsigned char *data = copy_out(s, &len);
    ck_assert_uint_eq(store_unflushed(s), 0);
    end_single(s, JOB_COMPLETED); /* the store goes on, the copy does not have it */
    s = reopen(s);
    check_pending(s, NULL, 0);
    store_close(s);
    mode_t mask = umask(0);
    copy_in(data, len);
    umask(mask);
    ck_assert_int_eq(stat(path, &sb), 0);
    ck_assert_uint_eq(sb.st_mode & 0777, 0600);
    ck_assert_int_eq(sb.st_size, (off_t)len);
    ck_assert(!exists(".new"));
    s = must_open();
    ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
    const struct expected expected = {
        .job = &single, .ended = "", .runs = &run, .nruns = 1};
    check_pending(s, &expected, 1);
    check_stats(s, 1, 0, 0);
    end_single(s, JOB_FAILED);
    cleanup_free unsigned char *second = copy_out(s, &again);
    store_close(s);
    copy_in(second, again);
    s = must_open();
    check_entry(s, "10I2 ten");
    store_close(s);
}
END_TEST

/* A store whose writer was killed leaves its WAL, which must not be applied to a copy. */
START_TEST(copies_over_a_killed_one)
{
    size_t len;
    cleanup_free unsigned char *data = make_copy(3, &len);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct store *s = must_open();
        for (jobid_t id = 1000; id < 1500; id++) {
            struct store_job job = single;
            job.id = id;
            store_job_submit(s, &job);
        }
        must_flush(s);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(exists("-wal"));
    copy_in(data, len);
    ck_assert(!exists("-wal"));
    struct error err;
    struct store *s = must_open();
    ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
    check_stats(s, 3, 3, 0);
    store_close(s);
}
END_TEST

/* A process that puts copies in place is killed at a random moment: one of them is there. */
START_TEST(copies_whole_or_not_at_all)
{
    size_t len[2];
    unsigned char *data[2] = {make_copy(50, &len[0]), make_copy(2000, &len[1])};
    unsigned seed = 20240917;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        char byte;
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            for (int i = 0; store_copy_in(path, data[i % 2], len[i % 2], NULL) == 0; i++)
                if (i == 0 && write_all(fds[1], "x", 1) < 0)
                    break;
            _exit(1);
        }
        ck_assert_int_eq(read_all(fds[0], &byte, 1), 1);
        usleep(rand_r(&seed) % 3000); /* not to wait for something: a random moment */
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        close(fds[0]);
        close(fds[1]);
        struct error err;
        struct store_stats stats;
        struct store *s = must_open();
        ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
        store_stats(s, &stats);
        ck_assert_msg(stats.submitted == 50 || stats.submitted == 2000, "%d jobs",
                      (int)stats.submitted);
        store_close(s);
    }
    free(data[0]);
    free(data[1]);
}
END_TEST

START_TEST(refuses_bad_copies)
{
    size_t len;
    size_t small_len;
    cleanup_free unsigned char *small = make_copy(200, &small_len);
    cleanup_free unsigned char *good = make_copy(30000, &len);
    ck_assert_uint_gt(len, 4 << 20); /* beyond what is read whole on opening */
    ck_assert_uint_lt(small_len, 4 << 20);
    unsigned char letter[1000];
    for (size_t i = 0; i < sizeof(letter); i++)
        letter[i] = (unsigned char)"this is a letter to my aunt, not a store\n"[i % 41];
    cleanup_free unsigned char *noise = xcalloc(1, 100000);
    unsigned seed = 7;
    for (size_t i = 0; i < 100000; i++)
        noise[i] = (unsigned char)rand_r(&seed);
    cleanup_free unsigned char *zeros = xcalloc(1, 100000);
    cleanup_free unsigned char *headed = xcalloc(1, 100000);
    memcpy(headed, noise, 100000);
    memcpy(headed, good, 100);
    const struct {
        const char *what;
        const unsigned char *data;
        size_t len;
        const char *part;
    } cases[] = {
        {"a letter", letter, sizeof(letter), "not a database"},
        {"noise", noise, 100000, "not a database"},
        {"zeros", zeros, 100000, "not a database"},
        {"noise with a store's header", headed, 100000, "damaged"},
        {"a header alone", good, 512, "damaged"},
        {"one page", good, 4096, "damaged"},
        {"half of a small store", small, small_len / 2, "damaged"},
        {"a small store that lacks a byte", small, small_len - 1, "damaged"},
        {"half of a big store", good, len / 2, "damaged"},
        {"a big store that lacks a page", good, len - 4096, "damaged"},
        {"a big store that lacks a byte", good, len - 1, "damaged"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        copy_in(cases[i].data, cases[i].len);
        struct store *s = store_open(path, NULL, &err);
        ck_assert_msg(s == NULL, "%s was opened", cases[i].what);
        ck_error_names(err, path);
        ck_assert_msg(strstr(err.text, cases[i].part) != NULL, "%s: %s", cases[i].what,
                      err.text);
    }
    struct error err;
    copy_in(small, small_len);
    static const size_t short_len[] = {0, 1, 511};
    for (size_t i = 0; i < ARRAY_SIZE(short_len); i++) {
        char part[64];
        ck_assert_int_eq(store_copy_in(path, small, short_len[i], &err), -1);
        snprintf(part, sizeof(part), "copy of %zu bytes", short_len[i]);
        ck_error_names(err, part);
        ck_error_names(err, path);
    }
    ck_assert_int_eq(store_copy_in("/nonexistent/store.db", small, small_len, &err), -1);
    ck_error_names(err, "/nonexistent/store.db");
    ck_assert_int_eq(err.code, ENOENT);
    struct store *s = must_open(); /* what was there is there still */
    check_stats(s, 200, 200, 0);
    store_close(s);
}
END_TEST

/* --- killed writers ---------------------------------------------------------------------- */
struct killed {
    jobid_t flushed; /* jobs up to this one */
    unsigned running, waiting;
};

/* Job I: one in three ends, one runs, one is queued again. */
static int count_killed(void *arg, const struct store_job *job,
                        hwloc_const_bitmap_t ended, const struct store_run *runs,
                        size_t nruns)
{
    struct killed *k = arg;
    (void)ended;
    if (job->id > k->flushed) /* committed, and its writer was killed before it said so */
        return 0;
    ck_assert_uint_ne(job->id % 3, 0);
    ck_assert_str_eq(job->eventlog, LINE(1));
    if (job->id % 3 == 1) {
        k->running++;
        ck_assert_uint_eq(nruns, 1);
        ck_assert_str_eq(runs[0].R, started.R);
    } else {
        k->waiting++;
        ck_assert_uint_eq(nruns, 0);
    }
    return 0;
}

static void write_killed(struct store *s, jobid_t id)
{
    struct store_job job = single;
    struct store_run run = started;
    job.id = run.id = run.job = id;
    store_job_submit(s, &job);
    store_event(s, id, LINE(1));
    store_job_update(s, &run);
    if (id % 3 == 2)
        store_job_requeue(s, id);
    if (id % 3 == 0) {
        run.t_inactive = 300;
        run.result = JOB_COMPLETED;
        store_job_end(s, &run, true);
    }
}

/* The store of a killed process opens at once, with all that was flushed, and goes on. */
START_TEST(goes_on_after_kills)
{
    unsigned seed = 20240918;
    jobid_t flushed = 0;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            struct store *s = must_open();
            for (jobid_t id = flushed + 1; s != NULL; id++) {
                write_killed(s, id);
                if (id % 30 == 0 &&
                    (store_flush(s, NULL) < 0 || write_all(fds[1], &id, sizeof(id)) < 0))
                    break;
            }
            _exit(1);
        }
        close(fds[1]);
        jobid_t id;
        ck_assert_int_eq(read_all(fds[0], &id, sizeof(id)), sizeof(id));
        flushed = id;
        usleep(rand_r(&seed) % 4000); /* not to wait for something: a random moment */
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        while (read_all(fds[0], &id, sizeof(id)) == sizeof(id))
            flushed = id;
        close(fds[0]);
        struct store *s = must_open();
        struct killed k = {.flushed = flushed};
        struct store_stats stats;
        ck_assert_int_eq(store_pending(s, count_killed, &k, NULL), 0);
        ck_assert_uint_eq(k.running, flushed / 3);
        ck_assert_uint_eq(k.waiting, flushed / 3);
        store_stats(s, &stats);
        ck_assert_uint_ge(stats.submitted, flushed);
        ck_assert_uint_ge(stats.completed, flushed / 3);
        ck_assert_uint_le(stats.submitted, flushed + 30);
        flushed = stats.submitted; /* ids have no gaps: the next one goes on from there */
        store_close(s);
    }
}
END_TEST

/* --- figures ------------------------------------------------------------------------------- */
static uint64_t written_bytes(void)
{
    cleanup_free char *text = read_file("/proc/self/io", NULL);
    const char *p = text != NULL ? strstr(text, "wchar: ") : NULL;
    return p != NULL ? strtoull(p + 7, NULL, 10) : 0;
}

static int count_pending(void *arg, const struct store_job *job,
                         hwloc_const_bitmap_t ended, const struct store_run *runs,
                         size_t nruns)
{
    (void)job, (void)ended, (void)runs;
    *(size_t *)arg += nruns;
    return 0;
}

/* S is closed, its copy takes its place, and can be gone on with. */
static void must_copy(struct store *s, bool print)
{
    size_t len, n = 0;
    double t[5] = {time_mono()};
    cleanup_free unsigned char *data = copy_out(s, &len);
    t[1] = time_mono();
    store_close(s);
    double closed = time_mono() - t[1];
    copy_in(data, len);
    t[2] = time_mono() - closed;
    s = must_open();
    t[3] = time_mono() - closed;
    ck_assert_int_eq(store_pending(s, count_pending, &n, NULL), 0);
    t[4] = time_mono() - closed;
    if (print)
        printf("  copy of %.1f MB: out %.1f ms, in %.1f ms, opened in %.1f ms, pending in"
               " %.1f ms\n",
               (double)len / 1e6, (t[1] - t[0]) * 1e3, (t[2] - t[1]) * 1e3,
               (t[3] - t[2]) * 1e3, (t[4] - t[3]) * 1e3);
    store_close(s);
}

/* What each element of a big array costs: STORE_BENCH=N prints figures for N elements. */
START_TEST(costs)
{
    static const char *const what[] = {"end alone", "start and end",
                                       "all, all told twice"};
    const char *env = getenv("STORE_BENCH");
    uint64_t count = env != NULL ? strtoull(env, NULL, 10) : 10000;
    for (size_t kind = 0; kind < ARRAY_SIZE(what); kind++) {
        struct jobid_gen gen;
        struct store_stats stats;
        struct store *s = must_open();
        jobid_gen_init(&gen, 0, 0);
        struct store_job job = {.id = jobid_gen_next(&gen, 3600000, count),
                                .count = count,
                                .cc = "0-999999",
                                .jobspec = SPEC};
        store_job_submit(s, &job);
        must_flush(s);
        double start = time_mono();
        uint64_t bytes = written_bytes();
        for (uint64_t i = 0; i < count + 64; i++) {
            char R[256];
            for (int again = 0; again <= (kind == 2); again++) {
                struct store_run run = element(1, 0, 0);
                snprintf(R, sizeof(R),
                         "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\","
                         "\"children\":{\"core\":\"%d\"}}],\"nodelist\":[\"node0\"]}}",
                         (int)(i % 64));
                run.exception_type = run.exception_note = run.uri = run.output = NULL;
                run.R = R;
                run.job = job.id;
                run.id = jobid_nth(job.id, i);
                run.cc = (int64_t)i;
                run.t_run = 1726563000.123 + (double)i * 0.001;
                if (kind > 0 && i < count)
                    store_job_update(s, &run);
                if (i < 64) /* 64 run at a time */
                    continue;
                snprintf(R, sizeof(R),
                         "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\","
                         "\"children\":{\"core\":\"%d\"}}],\"nodelist\":[\"node0\"]}}",
                         (int)((i - 64) % 64));
                run.id = jobid_nth(job.id, i - 64);
                run.cc = (int64_t)(i - 64);
                run.t_cleanup = run.t_run + 0.01;
                run.t_inactive = run.t_run + 0.02;
                run.status = 0;
                run.result = JOB_COMPLETED;
                run.output = "[[0,{\"size\":12}]]";
                store_job_end(s, &run, i == count + 63);
            }
            if (i % 100 == 99)
                must_flush(s);
        }
        must_flush(s);
        double seconds = time_mono() - start;
        bytes = written_bytes() - bytes;
        store_stats(s, &stats);
        ck_assert_uint_eq(stats.completed, count);
        ck_assert_uint_lt(stats.bytes, 300 * count);
        if (env != NULL)
            printf("%s: %.2f us, %.0f bytes in the file, %.0f bytes written\n",
                   what[kind], seconds * 1e6 / (double)count,
                   (double)stats.bytes / (double)count, (double)bytes / (double)count);
        must_copy(s, env != NULL);
        unlink(path);
    }
}
END_TEST

/* The same for jobs that were submitted one by one; half of them is over. */
START_TEST(costs_of_single_jobs)
{
    const char *env = getenv("STORE_BENCH");
    uint64_t count = env != NULL ? strtoull(env, NULL, 10) : 10000;
    struct store *s = must_open();
    double start = time_mono();
    for (uint64_t i = 0; i < count; i++) {
        struct store_job job = single;
        struct store_run run = started;
        char key[32];
        snprintf(key, sizeof(key), "a8f1-%" PRIu64, i);
        job.id = run.id = run.job = 1 + i;
        job.key = key;
        store_job_submit(s, &job);
        store_event(s, job.id, LINE(1));
        store_event(s, job.id, LINE(2));
        store_job_update(s, &run);
        run.t_inactive = 300;
        run.result = JOB_COMPLETED;
        if (i % 2 == 0)
            store_job_end(s, &run, true);
        if (i % 100 == 99)
            must_flush(s);
    }
    must_flush(s);
    if (env != NULL)
        printf("single jobs: %.2f us\n", (time_mono() - start) * 1e6 / (double)count);
    must_copy(s, env != NULL);
    s = must_open();
    check_stats(s, (unsigned)count, (unsigned)count / 2, 0);
    store_close(s);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        gives_all_of_a_job,
        gives_all_of_an_array,
        elements_that_end_alike,
        stops_and_finds_keys,
        takes_a_repetition,
        counts_once_after_a_failure,
        upgrades_version_1,
        upgrades_version_2,
        copies,
        copies_over_a_killed_one,
        copies_whole_or_not_at_all,
        refuses_bad_copies,
        goes_on_after_kills,
        costs,
        costs_of_single_jobs,
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
