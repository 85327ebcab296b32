/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/error.h"
#include "tests/unit/unit.h"

#include <errno.h>

START_TEST(sets_code_and_text)
{
    struct error err;
    ck_assert_int_eq(error_set(&err, ENOENT, "job %d: no such job", 7), -1);
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_str_eq(err.text, "job 7: no such job");
    ck_assert_ptr_null(error_null(&err, 0, "x"));
    ck_assert_int_ne(err.code, 0);
    ck_assert_int_eq(error_set(NULL, EINVAL, "nobody listens"), -1);
}
END_TEST

START_TEST(prefixes)
{
    struct error err;
    error_set(&err, EPERM, "denied");
    error_prefix(&err, "%s", "/dev/x");
    ck_assert_str_eq(err.text, "/dev/x: denied");
    ck_assert_int_eq(err.code, EPERM);
}
END_TEST

START_TEST(cuts_long_text)
{
    struct error err;
    char text[2000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&err, EINVAL, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    ck_assert_str_eq(err.text + sizeof(err.text) - 4, "...");
}
END_TEST

UNIT_MAIN("error", sets_code_and_text, prefixes, cuts_long_text)
