/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/progress.h"

#include <string.h>
#include "src/common/jobid.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

START_TEST(a_first_time_all_is_new)
{
    struct progress *p = progress_create();
    progress_block(p, 7, 1);
    for (int i = 0; i < 10; i++) {
        ck_assert(progress_event(p, 7, "submit"));
        ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 100), 0);
        ck_assert_uint_eq(progress_output(p, 7, "stderr", 5, 10), 0);
        ck_assert_uint_eq(progress_output(p, 8, "stdout", 0, 3), 0);
    }
    ck_assert(progress_eof(p, 7, "stdout", 0));
    ck_assert(progress_eof(p, 7, "stderr", 5));
    ck_assert(!progress_ended(p, 7));
    ck_assert(progress_end(p, 7));
    ck_assert(progress_ended(p, 7) && !progress_ended(p, 8));
    progress_destroy(p);
    progress_destroy(NULL);
}
END_TEST

START_TEST(a_second_time_what_was_told_is_old)
{
    struct progress *p = progress_create();
    progress_event(p, 7, "submit");
    progress_event(p, 7, "start");
    progress_output(p, 7, "stdout", 0, 100);
    progress_output(p, 7, "stdout", 3, 50);
    progress_eof(p, 7, "stdout", 3);
    for (int i = 0; i < 3; i++) {
        progress_restart(p);
        ck_assert(!progress_event(p, 7, "submit"));
        ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 30), 30);
        ck_assert_uint_eq(progress_output(p, 7, "stdout", 3, 20), 20);
        ck_assert(!progress_event(p, 7, "start"));
        /* in other portions than before: half old, half new; each time ten more */
        ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 80u + 10 * i), 70u + 10 * i);
        ck_assert_uint_eq(progress_output(p, 7, "stderr", 0, 10), i ? 10 : 0);
        ck_assert(!progress_eof(p, 7, "stdout", 3));
    }
    ck_assert(progress_event(p, 7, "finish"));
    ck_assert(progress_eof(p, 7, "stdout", 0));
    progress_destroy(p);
}
END_TEST

START_TEST(another_run_has_other_output)
{
    struct progress *p = progress_create();
    progress_event(p, 7, "submit");
    progress_output(p, 7, "stdout", 0, 100);
    progress_eof(p, 7, "stdout", 0);
    ck_assert(progress_event(p, 7, "requeue"));
    ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 10), 0);
    progress_restart(p); /* only the last run comes again */
    ck_assert(!progress_event(p, 7, "submit"));
    ck_assert(!progress_event(p, 7, "requeue"));
    ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 40), 10);
    ck_assert(progress_eof(p, 7, "stdout", 0));
    /* queued again meanwhile */
    progress_restart(p);
    progress_event(p, 7, "submit");
    progress_event(p, 7, "requeue");
    ck_assert(progress_event(p, 7, "requeue"));
    ck_assert_uint_eq(progress_output(p, 7, "stdout", 0, 30), 0);
    ck_assert(progress_eof(p, 7, "stdout", 0));
    progress_destroy(p);
}
END_TEST

START_TEST(ends_are_told_once)
{
    enum { N = 3000 };
    struct jobid_gen gen;
    struct progress *p = progress_create();
    jobid_gen_init(&gen, 0, 1000);
    jobid_t first = jobid_gen_next(&gen, 1234567, N);
    progress_block(p, first, N);
    for (uint64_t i = 0; i < N; i++)
        ck_assert(progress_event(p, jobid_nth(first, i), "submit"));
    for (uint64_t i = 0; i < N; i += 3)
        ck_assert(progress_end(p, jobid_nth(first, i)));
    progress_restart(p);
    for (uint64_t i = 0; i < N; i++) {
        jobid_t id = jobid_nth(first, i);
        ck_assert(!progress_event(p, id, "submit"));
        ck_assert_int_eq(progress_event(p, id, "finish"), i % 3 != 0);
        ck_assert_uint_eq(progress_output(p, id, "stdout", 0, 9), i % 3 ? 0 : 9);
        ck_assert_int_eq(progress_eof(p, id, "stdout", 0), i % 3 != 0);
        ck_assert_int_eq(progress_end(p, id), i % 3 != 0);
        ck_assert(!progress_end(p, id));
    }
    /* others are nobody's business */
    ck_assert(progress_end(p, first - 1) && progress_end(p, first - 1));
    ck_assert(progress_end(p, jobid_nth(first, N)));
    progress_destroy(p);
}
END_TEST

START_TEST(nonsense_is_not_counted)
{
    static const struct {
        const char *stream;
        unsigned task;
    } odd[] = {{"", 0}, {"stdin", 0}, {"stdout", UINT32_MAX}, {"stderr", 1u << 24}};
    struct progress *p = progress_create();
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        for (int k = 0; k < 2; k++) {
            ck_assert_uint_eq(progress_output(p, 1, odd[i].stream, odd[i].task, 5), 0);
            ck_assert(progress_eof(p, 1, odd[i].stream, odd[i].task));
            progress_restart(p);
        }
    ck_assert_uint_eq(progress_output(p, 1, "stdout", (1u << 24) - 1, 5), 0);
    progress_destroy(p);
}
END_TEST

UNIT_MAIN("progress", a_first_time_all_is_new, a_second_time_what_was_told_is_old,
          another_run_has_other_output, ends_are_told_once, nonsense_is_not_counted)
