/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/linebuf.h"
#include "tests/unit/unit.h"

static void feed(struct linebuf *lb, const char *data, size_t len)
{
    while (len > 0) {
        size_t room, n;
        char *p = linebuf_reserve(lb, &room);
        n = len < room ? len : room;
        memcpy(p, data, n);
        linebuf_commit(lb, n);
        data += n;
        len -= n;
    }
}

/* What comes in, in pieces of any size, goes out in the same lines. */
START_TEST(lines_in_pieces)
{
    static const char text[] = "one\n\ntwo two\nx\n";
    static const char *const lines[] = {"one", "", "two two", "x"};
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct linebuf lb;
        size_t next = 0, len;
        char *line;
        linebuf_init(&lb);
        for (size_t pos = 0; pos < sizeof(text) - 1; pos += piece) {
            size_t n = sizeof(text) - 1 - pos < piece ? sizeof(text) - 1 - pos : piece;
            feed(&lb, text + pos, n);
            while ((line = linebuf_next(&lb, &len))) {
                ck_assert_uint_lt(next, 4);
                ck_assert_str_eq(line, lines[next]);
                ck_assert_uint_eq(len, strlen(lines[next++]));
            }
        }
        ck_assert_uint_eq(next, 4);
        linebuf_fini(&lb);
    }
}
END_TEST

START_TEST(long_lines)
{
    struct linebuf lb;
    size_t len;
    enum { LONG = 3000000 };
    char *text = malloc(LONG);
    linebuf_init(&lb);
    memset(text, 'a', LONG);
    text[LONG - 1] = '\n';
    for (int i = 0; i < 3; i++) {
        feed(&lb, text, LONG);
        char *line = linebuf_next(&lb, &len);
        ck_assert_ptr_nonnull(line);
        ck_assert_uint_eq(len, LONG - 1);
        ck_assert_int_eq(line[LONG - 2], 'a');
        ck_assert_ptr_null(linebuf_next(&lb, &len));
        feed(&lb, "short\n", 6);
        ck_assert_str_eq(linebuf_next(&lb, &len), "short");
    }
    linebuf_fini(&lb);
    free(text);
}
END_TEST

/* A peer that never ends its line is found out before memory is. */
START_TEST(overflow)
{
    struct linebuf lb;
    static char block[1 << 20];
    size_t len;
    linebuf_init(&lb);
    memset(block, 'b', sizeof(block));
    for (size_t done = 0; done <= LINEBUF_MAX; done += sizeof(block)) {
        ck_assert(!linebuf_overflow(&lb));
        feed(&lb, block, sizeof(block));
        ck_assert_ptr_null(linebuf_next(&lb, &len));
    }
    ck_assert(linebuf_overflow(&lb));
    linebuf_fini(&lb);
}
END_TEST

UNIT_MAIN("linebuf", lines_in_pieces, long_lines, overflow)
