/* SPDX-License-Identifier: BSD-3-Clause */
/* unit: the main() that every unit test shares. UNIT_MAIN("name", f, g, ...) runs the tests
 * f, g (START_TEST functions) in one suite. */
#ifndef HBATCH_TESTS_UNIT_H
#define HBATCH_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_MAIN(name, ...)                                                             \
    int main(void)                                                                       \
    {                                                                                    \
        const TTest *const tests[] = {__VA_ARGS__};                                      \
        Suite *suite = suite_create(name);                                               \
        TCase *tc = tcase_create(name);                                                  \
        tcase_set_timeout(tc, 60);                                                       \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                    \
            tcase_add_test(tc, tests[i]);                                                \
        suite_add_tcase(suite, tc);                                                      \
        SRunner *runner = srunner_create(suite);                                         \
        srunner_run_all(runner, CK_ENV);                                                 \
        int failed = srunner_ntests_failed(runner);                                      \
        srunner_free(runner);                                                            \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                     \
    }

/* Fails unless the error text holds PART: the thing that was wrong must be named. */
#define ck_error_names(err, part)                                                        \
    ck_assert_msg(strstr((err).text, (part)) != NULL, "error '%s' does not name '%s'",   \
                  (err).text, (part))

#endif
