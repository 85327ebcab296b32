/* SPDX-License-Identifier: BSD-3-Clause */
/* What is purged is gone, and nothing else. */
#include "src/store/store.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "src/common/util.h"
#include "src/job/state.h"

#define LAST ((jobid_t)INT64_MAX)

static const struct store_cut all = {INFINITY, INT64_MAX};

static struct store *must_open(void)
{
    struct error err;
    struct store *s = store_open(":memory:", NULL, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    return s;
}

static void submit(struct store *s, jobid_t id, uint64_t count)
{
    char spec[64];
    snprintf(spec, sizeof(spec), "{\"spec\":%" PRIu64 "}", id);
    struct store_job job = {
        .id = id,
        .count = count,
        .cc = count == 3    ? "1-3"
              : count == 10 ? "0-9"
                            : NULL,
        .t_submit = 1,
        .jobspec = spec,
    };
    store_job_submit(s, &job);
}

static void end(struct store *s, jobid_t id, jobid_t job, int64_t cc, double t, bool last)
{
    struct store_run run = {
        .id = id,
        .job = job,
        .cc = cc,
        .t_run = t - 1,
        .t_inactive = t,
        .status = 0,
        .result = JOB_COMPLETED,
        .R = "{\"R\":1}",
        .output = "[[0,{\"pos\":8}]]",
    };
    store_job_end(s, &run, last);
    store_event(s, id, "{\"timestamp\":1,\"name\":\"submit\"}\n");
}

static void end_alike(struct store *s, jobid_t job, uint64_t first, uint64_t n, double t,
                      bool last)
{
    struct store_run run = {
        .id = jobid_nth(job, first),
        .job = job,
        .cc = (int64_t)first,
        .t_inactive = t,
        .status = -1,
        .result = JOB_CANCELED,
        .exception_type = "cancel",
    };
    store_elements_end(s, &run, n, last);
}

/* Jobs 10, 11 (t 100, 101); 20: an array of 3 that is over (102, 103, 104); 30: one that is not, of which one
 * has ended (105); 40 waits; 50 (t 90); 1024: an array of 10, canceled at 200. */
static void fill(struct store *s)
{
    submit(s, 10, 1);
    end(s, 10, 10, -1, 100, true);
    submit(s, 11, 1);
    end(s, 11, 11, -1, 101, true);
    submit(s, 20, 3);
    for (int i = 0; i < 3; i++)
        end(s, jobid_nth(20, (uint64_t)i), 20, i + 1, 102 + i, i == 2);
    submit(s, 30, 3);
    end(s, 30, 30, 1, 105, false);
    submit(s, 40, 1);
    submit(s, 50, 1);
    end(s, 50, 50, -1, 90, true);
    submit(s, 1024, 10);
    end_alike(s, 1024, 0, 10, 200, true);
}

static int collect(void *arg, const struct store_entry *e)
{
    char *text = arg;
    sprintf(text + strlen(text), "%s%" PRIu64, *text ? " " : "",
            e->run ? e->run->id : e->job.id);
    return 0;
}

static void check_list(struct store *s, int states, const char *expected)
{
    char text[512] = "";
    struct error err;
    const struct store_filter f = {.states = states};
    ck_assert_msg(store_list(s, &f, collect, text, &err) >= 0, "%s", err.text);
    ck_assert_str_eq(text, expected);
}

struct found {
    struct store_purge_range v[32];
    size_t n, runs;
    uint64_t jobs;
};

static void on_purge(void *arg, const struct store_purge_range *range,
                     const struct store_run *run)
{
    struct found *f = arg;
    ck_assert((range == NULL) != (run == NULL));
    if (run) {
        ck_assert_str_eq(run->output, "[[0,{\"pos\":8}]]");
        f->runs++;
        return;
    }
    ck_assert_uint_lt(f->n, ARRAY_SIZE(f->v));
    f->v[f->n++] = *range;
    f->jobs += range->n;
}

/* All that CUT takes, MAX rows at a time. Return the number of jobs. */
static uint64_t purge(struct store *s, const struct store_cut *cut, jobid_t first,
                      jobid_t last, size_t max)
{
    uint64_t jobs = 0;
    for (jobid_t next = first; next; first = next) {
        struct found f = {0};
        struct error err;
        ck_assert_msg(
            store_purge_find(s, cut, first, last, max, on_purge, &f, &next, &err) == 0,
            "%s", err.text);
        for (size_t i = 0; i < f.n; i++)
            store_purge(s, &f.v[i]);
        jobs += f.jobs;
    }
    store_sweep(s);
    return jobs;
}

static uint64_t inactive(struct store *s)
{
    struct store_stats st;
    store_stats(s, &st);
    ck_assert_uint_eq(st.inactive, st.completed + st.canceled);
    return st.inactive;
}

#define ARRAY "1033 1032 1031 1030 1029 1028 1027 1026 1025 1024"

START_TEST(takes_what_the_cut_takes)
{
    static const struct {
        struct store_cut cut;
        jobid_t first, last;
        uint64_t jobs;
        const char *left;
    } cases[] = {
        {{INFINITY, INT64_MAX}, 1, LAST, 16, "30"},
        {{0, 0}, 1, LAST, 0, ARRAY " 50 30 22 21 20 11 10"},
        {{101, 0}, 1, LAST, 2, ARRAY " 30 22 21 20 11"},
        {{101, 11}, 1, LAST, 3, ARRAY " 30 22 21 20"},
        {{103.5, 0}, 1, LAST, 5, ARRAY " 30 22"},
        {{200, 1027}, 1, LAST, 10, "1033 1032 1031 1030 1029 1028 30"},
        {{INFINITY, 0}, 11, 11, 1, ARRAY " 50 30 22 21 20 10"},
        {{INFINITY, 0}, 21, 21, 1, ARRAY " 50 30 22 20 11 10"},
        {{INFINITY, 0}, 30, 40, 0, ARRAY " 50 30 22 21 20 11 10"},
        {{INFINITY, 0},
         1026,
         1028,
         3,
         "1033 1032 1031 1030 1029 1025 1024 50 30 22 21 20 11 10"},
        {{INFINITY, 0},
         1030,
         LAST,
         4,
         "1029 1028 1027 1026 1025 1024 50 30 22 21 20 11 10"},
    };
    for (size_t max = 1; max <= 3; max += 2) /* and in how many pieces does not matter */
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct store *s = must_open();
            fill(s);
            uint64_t before = inactive(s);
            ck_assert_uint_eq(purge(s, &cases[i].cut, cases[i].first, cases[i].last, max),
                              cases[i].jobs);
            check_list(s, JOB_INACTIVE, cases[i].left);
            check_list(s, JOB_SCHED, "40 30");
            ck_assert_uint_eq(inactive(s), before - cases[i].jobs);
            store_close(s);
        }
}
END_TEST

START_TEST(leaves_the_newest)
{
    static const struct {
        uint64_t n;
        const char *left;
    } cases[] = {
        {0, "30"},
        {1, "1033 30"},
        {4, "1033 1032 1031 1030 30"},
        {10, ARRAY " 30"},
        {11, ARRAY " 30"},
        {12, ARRAY " 30 22"},
        {16, ARRAY " 30 22 21 20 11 10"},
        {17, ARRAY " 50 30 22 21 20 11 10"},
        {1000000, ARRAY " 50 30 22 21 20 11 10"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct store *s = must_open();
        struct store_cut cut;
        struct error err;
        fill(s);
        ck_assert_int_eq(store_cut_after(s, cases[i].n, &cut, &err), 0);
        purge(s, &cut, 1, LAST, 1000);
        check_list(s, JOB_INACTIVE, cases[i].left);
        store_close(s);
    }
}
END_TEST

static void check_gone(struct store *s, jobid_t id)
{
    static const char *const keys[] = {"jobspec", "eventlog", "R"};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        ck_assert_ptr_null(store_job_info(s, id, keys[i], &err));
        ck_assert_int_eq(err.code, ENOENT);
        ck_error_names(err, "no such job");
    }
}

START_TEST(leaves_no_trace)
{
    static const jobid_t gone[] = {10, 11, 20, 21, 22, 50, 1024, 1033};
    struct store *s = must_open();
    struct error err;
    fill(s);
    ck_assert_int_eq(store_flush(s, &err), 0);
    purge(s, &all, 21, 21, 100); /* of an array that is over, one element */
    check_gone(s, 21);
    cleanup_free char *spec = store_job_info(s, 20, "jobspec", &err);
    ck_assert_str_eq(spec, "{\"spec\":20}");
    purge(s, &all, 1, LAST, 100);
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        check_gone(s, gone[i]);
    cleanup_free char *active = store_job_info(s, 30, "jobspec", &err);
    ck_assert_str_eq(active, "{\"spec\":30}");
    cleanup_free char *log = store_job_info(s, 30, "eventlog", &err);
    ck_assert_ptr_nonnull(log);
    submit(s, 60, 1); /* texts that were dropped are stored anew */
    end(s, 60, 60, -1, 300, true);
    submit(s, 10, 1);
    end(s, 10, 10, -1, 300, true);
    cleanup_free char *again = store_job_info(s, 10, "jobspec", &err);
    ck_assert_str_eq(again, "{\"spec\":10}");
    cleanup_free char *R = store_job_info(s, 60, "R", &err);
    ck_assert_str_eq(R, "{\"R\":1}");
    ck_assert_int_eq(store_flush(s, &err), 0);
    ck_assert_int_eq(store_check(s, &err), 0);
    store_close(s);
}
END_TEST

/* A survivor replays what it does not know to be stored. */
START_TEST(may_be_told_again)
{
    struct store *s = must_open();
    struct error err;
    fill(s);
    uint64_t before = inactive(s);
    const struct store_purge_range ranges[] = {
        {.first = 10, .last = 11}, {.first = 1026, .last = 1027, .alike = true}};
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(ranges); k++)
            store_purge(s, &ranges[k]);
        ck_assert_uint_eq(inactive(s), before - 4);
        if (i == 1)
            ck_assert_int_eq(store_flush(s, &err), 0);
    }
    check_list(s, JOB_INACTIVE, "1033 1032 1031 1030 1029 1028 1025 1024 50 30 22 21 20");
    store_close(s);
}
END_TEST

UNIT_MAIN("store_purge", takes_what_the_cut_takes, leaves_the_newest, leaves_no_trace,
          may_be_told_again)
