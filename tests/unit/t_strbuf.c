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

UNIT_MAIN("strbuf", an_empty_buffer_gives_an_empty_string, pieces_of_every_kind_add_up,
          grows_at_every_length)
