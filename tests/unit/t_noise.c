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
    {"a\n" NO_HOST EXIT_1 "b\n", "a\nb\n"},
    /* what the instance tells hbatch start, and what mpirun's PMIx says to no effect */
    {"a\n" NOISE_STATUS "7\nb\n", "a\nb\n"},
    {"a\nhbatch-instance: ready local:///x\nhbatch-instance: lost n1\nhbatch-instance: "
     "restart\nb\n",
     "a\nb\n"},
    {"hbatch-instance: restarting\nhbatch-instance: losses\nhbatch-instance: ready\n",
     "hbatch-instance: restarting\nhbatch-instance: losses\nhbatch-instance: ready\n"},
    {"[vm:01014] PMIX ERROR: BAD-PARAM in file ../src/event/pmix_event_notification.c at "
     "line 1033\nrest\n",
     "rest\n"},
    {"[head:772] plm:rsh: Warning: setpgid(778,778) failed in parent with "
     "errno=Permission denied(13)\nrest\n",
     "rest\n"},
    {"[head:772] plm:rsh: Warning: something else\n",
     "[head:772] plm:rsh: Warning: something else\n"},
    {B NOISE_STATUS
     "7\nPrimary job  terminated normally, but 1 process returned\n"
     "a non-zero exit code. Per user-direction, the job has been aborted.\n" B,
     ""},
    {"hbatch-instance: something else\n", "hbatch-instance: something else\n"},
    {"[vm:1] PMIX ERROR: OUT-OF-RESOURCE in file x.c at line 1\n",
     "[vm:1] PMIX ERROR: OUT-OF-RESOURCE in file x.c at line 1\n"},
    {"[root@host ~]# ", "[root@host ~]# "},
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
    struct noise n = {.write = collect, .arg = &b, .status = -1};
    const char *text = in;
    size_t left = strlen(in);
    for (size_t part; left > 0; in += part, left -= part) {
        part = MIN(step, left);
        noise_feed(&n, in, part);
    }
    noise_flush(&n);
    bool starts = strstr(text, "ORTE was unable") != NULL;
    ck_assert_msg(starts ? n.kept && strcmp(n.kept, NO_HOST) == 0 : !n.kept, "kept: %s",
                  n.kept);
    free(n.kept);
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
    struct noise n = {.write = collect, .arg = &b, .status = -1};
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

START_TEST(the_status_is_taken)
{
    cleanup_strbuf struct strbuf b = {0};
    struct noise n = {.write = collect, .arg = &b, .status = -1};
    noise_feed(&n, NOISE_STATUS "4", sizeof(NOISE_STATUS));
    ck_assert_int_eq(n.status, -1);
    noise_feed(&n, "2\n", 2);
    ck_assert_int_eq(n.status, 42);
    /* a prompt is not held back */
    noise_feed(&n, "[root@host ~]# ", 15);
    ck_assert_str_eq(b.s, "[root@host ~]# ");
    noise_flush(&n);
}
END_TEST

static void on_said(void *arg, enum noise_word word, const char *rest)
{
    strbuf_addf(arg, "<%d %s>", word, rest);
}

START_TEST(what_an_instance_says_is_told)
{
    cleanup_strbuf struct strbuf b = {0};
    struct noise n = {.write = collect, .said = on_said, .arg = &b, .status = -1};
    const char text[] =
        "x\nhbatch-instance: ready local:///a b\n" NOISE_STATUS
        "3\nhbatch-instance: lost n1.cluster\nhbatch-instance: restart\ny\n";
    noise_feed(&n, text, strlen(text));
    noise_flush(&n);
    cleanup_free char *wanted =
        xasprintf("x\n<%d local:///a b><%d 3><%d n1.cluster><%d >y\n", NOISE_READY,
                  NOISE_ENDED, NOISE_LOST, NOISE_RESTART);
    ck_assert_str_eq(b.s, wanted);
    ck_assert_int_eq(n.status, 3);
}
END_TEST

START_TEST(last_words_are_told_and_shown)
{
    cleanup_strbuf struct strbuf b = {0};
    struct noise n = {.write = collect, .said = on_said, .arg = &b, .status = -1};
    static const char *const parts[] = {"x\nhbatch-inst",
                                        "ance: nobody answers: ", "this one ends", "\n",
                                        "hbatch-instance: this one goes on\n"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        noise_feed(&n, parts[i], strlen(parts[i]));
    noise_flush(&n);
    cleanup_free char *wanted =
        xasprintf("x\n<%d >hbatch-instance: nobody answers: this one ends\n"
                  "hbatch-instance: this one goes on\n",
                  NOISE_RESTART);
    ck_assert_str_eq(b.s, wanted);
}
END_TEST

UNIT_MAIN("noise", last_words_are_told_and_shown, the_status_is_taken,
          what_an_instance_says_is_told, boxes_about_exit_codes_are_left_out,
          what_is_no_box_passes_at_once)
