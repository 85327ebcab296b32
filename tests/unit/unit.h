/* SPDX-License-Identifier: BSD-3-Clause */
/* unit: the main() that every unit test shares. UNIT_MAIN("name", f, g, ...) runs the tests
 * f, g (START_TEST functions) in one suite.  UNIT_MAIN_WITH("name", before, after, f, g, ...) calls a function before
 * and one after each of them, in its process.
 * UNIT_LOOP_MAIN("name", f, first, end) runs f with _i from FIRST to END - 1. */
#ifndef HBATCH_TESTS_UNIT_H
#define HBATCH_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* All of SUITE, which is freed; main's exit code. */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN_WITH(name, before, after, ...)                                         \
    int main(void)                                                                       \
    {                                                                                    \
        const TTest *const tests[] = {__VA_ARGS__};                                      \
        Suite *suite = suite_create(name);                                               \
        TCase *tc = tcase_create(name);                                                  \
        tcase_set_timeout(tc, 120);                                                      \
        tcase_add_checked_fixture(tc, before, after);                                    \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                    \
            tcase_add_test(tc, tests[i]);                                                \
        suite_add_tcase(suite, tc);                                                      \
        return unit_run(suite);                                                          \
    }

#define UNIT_MAIN(name, ...) UNIT_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

#define UNIT_LOOP_MAIN(name, f, first, end)                                              \
    int main(void)                                                                       \
    {                                                                                    \
        Suite *suite = suite_create(name);                                               \
        TCase *tc = tcase_create(name);                                                  \
        tcase_set_timeout(tc, 120);                                                      \
        tcase_add_loop_test(tc, f, first, end);                                          \
        suite_add_tcase(suite, tc);                                                      \
        return unit_run(suite);                                                          \
    }

/* Fails unless the error text holds PART: the thing that was wrong must be named. */
#define ck_error_names(err, part)                                                        \
    ck_assert_msg(strstr((err).text, (part)) != NULL, "error '%s' does not name '%s'",   \
                  (err).text, (part))

#endif
