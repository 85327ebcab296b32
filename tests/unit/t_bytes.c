/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/bytes.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <string.h>

START_TEST(decodes)
{
    static const struct {
        const char *text;
        uint64_t unit, want;
    } cases[] = {
        {"4G", 1, UINT64_C(4) << 30},
        {"4g", 1, UINT64_C(4) << 30},
        {"4GB", 1, UINT64_C(4) << 30},
        {"4GiB", 1, UINT64_C(4) << 30},
        {"512M", 1, 512 << 20},
        {"1.5K", 1, 1536},
        {"0.3K", 1, 308}, /* 307.2 */
        {"17", 1, 17},
        {"17", 1 << 20, 17 << 20},
        {"17B", 1 << 20, 17},
        {"0", 1, 0},
        {"2T", 1, UINT64_C(2) << 40},
        {"1E", 1, BYTES_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t n = 99;
        struct error err;
        ck_assert_msg(bytes_decode(cases[i].text, cases[i].unit, &n, &err) == 0, "%s: %s",
                      cases[i].text, err.text);
        ck_assert_uint_eq(n, cases[i].want);
    }
}
END_TEST

START_TEST(encodes)
{
    static const struct {
        uint64_t n;
        const char *want;
    } cases[] = {
        {0, "0"},
        {1023, "1023"},
        {1024, "1K"},
        {1536, "1.5K"},
        {UINT64_C(4) << 30, "4G"},
        {(UINT64_C(4) << 30) - 1, "3.9G"},
        {UINT64_C(125) * 1000 * 1000 * 1000, "116G"},
        {BYTES_MAX, "1E"},
        {UINT64_MAX, "15.9E"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(bytes_encode(cases[i].n).s, cases[i].want);
}
END_TEST

START_TEST(units)
{
    ck_assert_uint_eq(bytes_unit("GiB"), 1 << 30);
    ck_assert_uint_eq(bytes_unit(""), 1);
    ck_assert_uint_eq(bytes_unit("GG"), 0);
    ck_assert_uint_eq(bytes_unit("Hz"), 0);
}
END_TEST

START_TEST(rejects)
{
    static const char *const bad[] = {
        "",     "G",    "-1",  "-1G", "4 G", "4X",   "1e3",
        "0x10", "1..5", "nan", "inf", "+4",  "1.1E", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t n;
        struct error err;
        ck_assert_int_eq(bytes_decode(bad[i], 1, &n, &err), -1);
        ck_assert_ptr_ne(strstr(err.text, bad[i]), NULL);
    }
}
END_TEST

UNIT_MAIN("bytes", decodes, encodes, units, rejects)
