/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/noise.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#define B "--------------------------------------------------------------------------\n"
#define EXIT_1                                                                           \
    B "Primary job  terminated normally, but 1 process returned\n"                       \
      "a non-zero exit code. Per user-direction, the job has been aborted.\n" B
#define EXIT_2(rank)                                                                     \
    B "mpirun.openmpi detected that one or more processes exited with non-zero status, " \
      "thus causing\nthe job to be terminated. The first process to do so was:\n\n"      \
      "  Process name: [[622,1]," rank "]\n  Exit code:    6\n" B
#define KILLED                                                                           \
    B "mpirun noticed that process rank 0 with PID 0 on node vm exited on signal 9 "     \
      "(Killed).\n" B
#define NO_HOST B "ORTE was unable to reliably start one or more daemons.\n" B

static const struct {
    const char *in, *out;
} cases[] = {
    {"", ""},
    {"a line\nand a part", "a line\nand a part"},
    {EXIT_1, ""},
    {EXIT_2("0"), ""},
    {"before\n" EXIT_1 EXIT_2("0") "after\n", "before\nafter\n"},
    /* not the leader: something is wrong */
    {EXIT_2("3"), EXIT_2("3")},
    {KILLED, KILLED},
    {NO_HOST EXIT_1, NO_HOST},
    /* no boxes */
    {"-\n--\n- item\n", "-\n--\n- item\n"},
    {B, B},
    {B "text\n", B "text\n"},
    {"x" B "y\n", "x" B "y\n"},
    {"-" B "y\n", "-" B "y\n"},
    {"------", "------"},
    {B "\n" EXIT_1,
     B "\n" B "Primary job  terminated normally, but 1 process returned\n"
       "a non-zero exit code. Per user-direction, the job has been aborted.\n" B},
};

static void collect(void *arg, const char *data, size_t len)
{
    strbuf_addn(arg, data, len);
}

/* However the text is cut into parts, the same comes out. */
static void check(const char *in, const char *out, size_t step)
{
    cleanup_strbuf struct strbuf b = {0};
    struct noise n = {.write = collect, .arg = &b};
    const char *text = in;
    size_t left = strlen(in);
    for (size_t part; left > 0; in += part, left -= part) {
        part = MIN(step, left);
        noise_feed(&n, in, part);
    }
    noise_flush(&n);
    ck_assert_msg(strcmp(b.s ? b.s : "", out) == 0, "step %zu of:\n%s\ngave:\n%s", step,
                  text, b.s ? b.s : "");
}

START_TEST(boxes_about_exit_codes_are_left_out)
{
    static const size_t steps[] = {1, 2, 7, 74, 75, 76, 4096};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
            check(cases[i].in, cases[i].out, steps[k]);
}
END_TEST

/* What can be no box goes out at once: a prompt, or a line of dashes and much text. */
START_TEST(what_is_no_box_passes_at_once)
{
    cleanup_strbuf struct strbuf b = {0};
    struct noise n = {.write = collect, .arg = &b};
    noise_feed(&n, "Password: ", 10);
    ck_assert_str_eq(b.s, "Password: ");
    noise_feed(&n, "\n" B, 1 + strlen(B));
    for (int i = 0; i < 1000; i++)
        noise_feed(&n, "a line of text\n", 15);
    ck_assert_uint_gt(b.len, 10000);
    noise_flush(&n);
    ck_assert_uint_eq(b.len, 11 + strlen(B) + 15000);
}
END_TEST

UNIT_MAIN("noise", boxes_about_exit_codes_are_left_out, what_is_no_box_passes_at_once)
