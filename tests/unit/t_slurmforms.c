/* SPDX-License-Identifier: BSD-3-Clause */
/* How Slurm writes times, ids and file names. */
#include <string.h>
#include <time.h>
#include "compat/slurm/forms.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

START_TEST(limits)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {
        {"30", 1800},       {"2:30", 150},    {"1:00:00", 3600},
        {"1-0", 86400},     {"1-12", 129600}, {"2-03:30", 185400},
        {"1-2:3:4", 93784}, {"UNLIMITED", 0}, {"infinite", 0},
        {"0", 0},
    };
    static const char *const bad[] = {"",   "x",         "5x", "1:",   ":1",
                                      "1-", "1:2:3:4:5", "-5", "1:2-3"};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(form_limit(good[i].text, &err) == good[i].seconds, "%s",
                      good[i].text);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(form_limit(bad[i], &err) < 0, "%s", bad[i]);
        ck_assert_msg(strstr(err.text, bad[i]) != NULL, "%s: %s", bad[i], err.text);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct {
        double seconds;
        bool brief;
        const char *text;
    } table[] = {
        {0, true, "0:00"},       {59.9, true, "0:59"},
        {3600, true, "1:00:00"}, {90061, true, "1-01:01:01"},
        {59, false, "00:00:59"}, {90061, false, "1-01:01:01"},
        {-3, false, "00:00:00"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_strbuf struct strbuf out = {0};
        form_duration(&out, table[i].seconds, table[i].brief);
        ck_assert_str_eq(out.s, table[i].text);
    }
}
END_TEST

START_TEST(times)
{
    struct error err;
    setenv("TZ", "UTC", 1);
    tzset();
    ck_assert(form_time("2026-01-31T08:30:15", &err) == 1769848215);
    ck_assert(form_time("2026-01-31T08:30", &err) == 1769848200);
    ck_assert(form_time("2026-01-31", &err) == 1769817600);
    ck_assert(form_time("1970-01-01", &err) == 0);
    double now = (double)time(NULL), t = form_time("now+2hours", &err);
    ck_assert(t >= now + 7200 && t < now + 7300);
    t = form_time("now-10", &err);
    ck_assert(t >= now - 10 && t < now + 90);
    ck_assert(form_time("midnight", &err) <= now);
    ck_assert(form_time("tomorrow", &err) > now);
    static const char *const bad[] = {"",      "sometime",   "now+x",
                                      "25:99", "2026-13-01", "now+1fortnight"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(form_time(bad[i], &err) < 0, "%s", bad[i]);
        ck_assert(strstr(err.text, bad[i]) != NULL);
    }
    cleanup_strbuf struct strbuf out = {0};
    form_date(&out, 1769848215, "N/A");
    form_date(&out, 0, " N/A");
    ck_assert_str_eq(out.s, "2026-01-31T08:30:15 N/A");
}
END_TEST

START_TEST(ids)
{
    static const struct {
        const char *text;
        uint64_t id;
        const char *tasks, *step;
    } good[] = {
        {"12", 12, NULL, ""},
        {"18446744073709551615", UINT64_MAX, NULL, ""},
        {"12_3", 12, "3", ""},
        {"12_[1-3,5]", 12, "1-3,5", ""},
        {"12.batch", 12, NULL, "batch"},
        {"12_3.0", 12, "3", "0"},
    };
    static const char *const bad[] = {"",
                                      "x",
                                      "-1",
                                      "1x",
                                      "1_",
                                      "1_x",
                                      "1_[",
                                      "1_[]",
                                      "1_[1",
                                      "1.",
                                      "99999999999999999999"};
    struct form_id id;
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        ck_assert_msg(form_id(good[i].text, &id, &err) == 0, "%s", good[i].text);
        ck_assert_uint_eq(id.id, good[i].id);
        ck_assert_pstr_eq(id.tasks, good[i].tasks);
        ck_assert_str_eq(id.step, good[i].step);
        form_id_fini(&id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(form_id(bad[i], &id, &err) < 0, "%s", bad[i]);
        ck_assert_msg(strstr(err.text, bad[i]) != NULL, "%s: %s", bad[i], err.text);
    }
}
END_TEST

START_TEST(paths)
{
    const struct form_names of_array = {.job = "77",
                                        .array_job = "70",
                                        .array_task = "7",
                                        .name = "n",
                                        .user = "u",
                                        .host = "h1",
                                        .node = "0",
                                        .task = "3",
                                        .step = "batch"};
    const struct form_names plain = {.job = "77", .name = "n"};
    static const struct {
        const char *pattern, *of_array, *plain;
    } table[] = {
        {"slurm-%j.out", "slurm-77.out", "slurm-77.out"},
        {"%A_%a", "70_7", "77_4294967294"},
        {"%x-%5j-%3a", "n-00077-007", "n-00077-4294967294"},
        {"%u@%N.%n.%t.%s", "u@h1.0.3.batch", "%u@%N.%n.%t.%s"},
        {"100%%", "100%", "100%"},
        {"%q%", "%q%", "%q%"},
        {"%4x", "n", "n"},
        {"a\\%j", "a%j", "a%j"},
        {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_free char *a = form_path(table[i].pattern, &of_array),
                          *b = form_path(table[i].pattern, &plain);
        ck_assert_str_eq(a, table[i].of_array);
        ck_assert_str_eq(b, table[i].plain);
    }
}
END_TEST

UNIT_MAIN("slurmforms", limits, durations, times, ids, paths)
