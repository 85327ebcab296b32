/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies of a store, killed writers, and what jobs cost. */
#include "tests/unit/storejobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
    struct store *s = store_open(":memory:", &fast, NULL);
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
    struct store *s = must_open(&fast);
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
    s = must_open(&fast);
    ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
    const struct expected expected = {
        .job = &single, .ended = "", .runs = &run, .nruns = 1};
    check_pending(s, &expected, 1);
    check_stats(s, 1, 0, 0);
    end_single(s, JOB_FAILED);
    cleanup_free unsigned char *second = copy_out(s, &again);
    store_close(s);
    copy_in(second, again);
    s = must_open(&fast);
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
        struct store *s = must_open(&fast);
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
    struct store *s = must_open(&fast);
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
        struct store *s = must_open(&fast);
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
    struct store *s = must_open(&fast); /* what was there is there still */
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
            struct store *s = must_open(&fast);
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
        struct store *s = must_open(&fast);
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
    s = must_open(&fast);
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
        struct store *s = must_open(&fast);
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
    struct store *s = must_open(&fast);
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
    s = must_open(&fast);
    check_stats(s, (unsigned)count, (unsigned)count / 2, 0);
    store_close(s);
}
END_TEST

STORE_MAIN("store_copy", copies, copies_over_a_killed_one, copies_whole_or_not_at_all,
           refuses_bad_copies, goes_on_after_kills, costs, costs_of_single_jobs)
