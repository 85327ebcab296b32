/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

START_TEST(an_empty_buffer_gives_an_empty_string)
{
    struct strbuf b = {0};
    cleanup_free char *s = strbuf_take(&b);
    ck_assert_str_eq(s, "");
}
END_TEST

START_TEST(pieces_of_every_kind_add_up)
{
    cleanup_strbuf struct strbuf b = {0};
    strbuf_add(&b, "ab");
    strbuf_add(&b, "");
    strbuf_addn(&b, "cdef", 2);
    strbuf_addc(&b, 'e');
    strbuf_addf(&b, "%d%s", 12, "x");
    strbuf_addf(&b, "%s", "");
    ck_assert_str_eq(b.s, "abcde12x");
    ck_assert_uint_eq(b.len, 8);
    cleanup_free char *s = strbuf_take(&b);
    ck_assert_str_eq(s, "abcde12x");
    ck_assert_uint_eq(b.len, 0);
    strbuf_addc(&b, 'y');
    ck_assert_str_eq(b.s, "y");
}
END_TEST

/* Each length ends a growth step once; a piece may be much larger than the buffer. */
START_TEST(grows_at_every_length)
{
    cleanup_free char *large = xmalloc(5000);
    memset(large, 'z', 4999);
    large[4999] = '\0';
    for (size_t n = 0; n < 300; n++) {
        cleanup_strbuf struct strbuf b = {0};
        for (size_t i = 0; i < n; i++)
            strbuf_addc(&b, 'a');
        strbuf_addf(&b, "%s", large);
        strbuf_addc(&b, 'b');
        ck_assert_uint_eq(b.len, n + 5000);
        ck_assert_uint_eq(strlen(b.s), b.len);
        ck_assert_uint_eq(strspn(b.s, "a"), n);
    }
}
END_TEST

START_TEST(numbers_and_times_are_as_printf_writes_them)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 99, 4294967296, UINT64_MAX};
    static const double times[] = {0,
                                   0.5,
                                   0.0078125,
                                   0.0234375,
                                   1e-9,
                                   0.9999999,
                                   12.000001,
                                   1763902323.25,
                                   1e12 + 0.5,
                                   9e12,
                                   1700000000.0078125,
                                   4294967295.999999,
                                   -1.5,
                                   1e13,
                                   1e300};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        cleanup_strbuf struct strbuf b = {0};
        cleanup_free char *wanted = xasprintf("%ju", (uintmax_t)numbers[i]);
        strbuf_addu(&b, numbers[i]);
        ck_assert_str_eq(b.s, wanted);
    }
    for (size_t i = 0; i < ARRAY_SIZE(times) + 20000; i++) {
        cleanup_strbuf struct strbuf b = {0};
        double t = i < ARRAY_SIZE(times) ? times[i] : 1.7e9 + (double)i * 1234.56789012;
        cleanup_free char *wanted = xasprintf("%.6f", t);
        strbuf_add_time(&b, t);
        ck_assert_str_eq(b.s, wanted);
    }
}
END_TEST

START_TEST(json_strings_are_quoted)
{
    static const char *const table[][2] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"tab\tnl\nesc\033del\177", "\"tab\\u0009nl\\u000aesc\\u001bdel\177\""},
        {"\303\251 \360\237\230\200", "\"\303\251 \360\237\230\200\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_strbuf struct strbuf b = {0};
        strbuf_add_json(&b, table[i][0]);
        ck_assert_str_eq(b.s, table[i][1]);
    }
}
END_TEST

UNIT_MAIN("strbuf", json_strings_are_quoted, an_empty_buffer_gives_an_empty_string,
          pieces_of_every_kind_add_up, grows_at_every_length,
          numbers_and_times_are_as_printf_writes_them)
