/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/duration.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>

/* RFC 23's test vectors, and more. */
static const struct {
    const char *text;
    double seconds;
} vectors[] = {
    {"2ms", 0.002},    {"0.1s", 0.1},
    {"30", 30},        {"1.2h", 4320},
    {"5m", 300},       {"0s", 0},
    {"5d", 432000},    {"inf", INFINITY},
    {"INF", INFINITY}, {"infinity", INFINITY},
    {"0", 0},          {"0ms", 0},
    {"0d", 0},         {"500ms", 0.5},
    {".5", 0.5},       {"7ms", 0.007},
    {"0.2ms", 0.0002}, {"1e3", 1000},
    {"1E1m", 600},     {"0x10", 16},
    {"+5s", 5},        {"Infinity", INFINITY},
    {"1.", 1},
};

START_TEST(decodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct error err;
        double seconds = -1;
        ck_assert_msg(duration_decode(vectors[i].text, &seconds, &err) == 0, "%s",
                      err.text);
        ck_assert_msg(seconds == vectors[i].seconds, "%s is %.17g", vectors[i].text,
                      seconds);
    }
}
END_TEST

static const struct {
    double seconds;
    const char *text;
} encodes[] = {
    {0, "0s"},
    {0.002, "2ms"},
    {0.03, "30ms"},
    {0.5, "500ms"},
    {0.0001234, "0.1234ms"},
    {1, "1s"},
    {30, "30s"},
    {60, "1m"},
    {66, "1.1m"},
    {63, "63s"},
    {90, "1.5m"},
    {90.5, "90.5s"},
    {90.25, "90.25s"},
    {100, "100s"},
    {300, "5m"},
    {3599, "3599s"},
    {3600, "1h"},
    {4320, "1.2h"},
    {4500, "75m"},
    {5400, "1.5h"},
    {86400, "1d"},
    {86401, "86401s"},
    {129600, "1.5d"},
    {432000, "5d"},
    {31536000, "365d"},
    {12345678.9, "142.89d"},
    {1.0 / 3, "333.333ms"},
    {1e30, "1.15741e+25d"},
    {DBL_MAX, "2.08066e+303d"},
    {INFINITY, "infinity"},
    {-1, "0s"},
    {NAN, "0s"},
};

START_TEST(encodes_readably)
{
    for (size_t i = 0; i < ARRAY_SIZE(encodes); i++) {
        char buf[DURATION_BUFSIZE];
        ck_assert_ptr_eq(duration_encode(encodes[i].seconds, buf), buf);
        ck_assert_str_eq(buf, encodes[i].text);
    }
}
END_TEST

/* Within the six digits, what is encoded decodes equal. */
static void check_round_trip(double seconds)
{
    char buf[DURATION_BUFSIZE];
    struct error err;
    double again;
    duration_encode(seconds, buf);
    ck_assert_msg(duration_decode(buf, &again, &err) == 0, "%.17g: %s", seconds,
                  err.text);
    ck_assert_msg(fabs(again - seconds) <= seconds * 5.1e-6 || again == seconds,
                  "%.17g became '%s', %.17g", seconds, buf, again);
}

START_TEST(encodes_what_it_decodes)
{
    for (int s = 0; s < 200000; s += 7) {
        check_round_trip(s);
        char buf[DURATION_BUFSIZE];
        double again;
        duration_decode(duration_encode(s, buf), &again, NULL);
        ck_assert_msg(fabs(again - s) < 1e-6, "%d became '%s'", s, buf);
    }
}
END_TEST

START_TEST(the_locale_does_not_matter)
{
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"};
    for (size_t i = 0; i < ARRAY_SIZE(commas); i++)
        if (setlocale(LC_NUMERIC, commas[i]))
            break;
    double seconds;
    char buf[DURATION_BUFSIZE];
    ck_assert_int_eq(duration_decode("1.5h", &seconds, NULL), 0);
    ck_assert_str_eq(duration_encode(seconds, buf), "1.5h");
    setlocale(LC_NUMERIC, "C");
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    uint32_t state = 2323;
    size_t accepted = 0;
    for (int i = 0; i < 6000; i++) {
        cleanup_free char *text = mutate_text(vectors[i % (int)ARRAY_SIZE(vectors)].text,
                                              "0123456789.e-+mshdinfxp", &state);
        struct error err = {0};
        double seconds = -1;
        if (duration_decode(text, &seconds, &err) < 0) {
            ck_assert_int_ne(err.code, 0);
            continue;
        }
        accepted++;
        ck_assert_msg(seconds >= 0, "'%s' is %g", text, seconds);
        /* very large and denormal numbers do not keep six digits */
        if (isinf(seconds) || (seconds < 1e300 && (seconds > 1e-300 || seconds == 0)))
            check_round_trip(seconds);
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *text;
    const char *names;
    int code;
} rejects[] = {
    {"", "''", EINVAL},
    {"s", "'s'", EINVAL},
    {"-1", "negative", EINVAL},
    {"-0", "'-0'", EINVAL},
    {"-inf", "negative", EINVAL},
    {"1.0f", "'1.0f'", EINVAL},
    {"1.0sec", "unit", EINVAL},
    {"5 m", "'5 m'", EINVAL},
    {"5M", "'5M'", EINVAL},
    {"5mm", "'5mm'", EINVAL},
    {" 5", "blanks", EINVAL},
    {"5 ", "'5 '", EINVAL},
    {"nan", "'nan'", EINVAL},
    {"NaNs", "'NaNs'", EINVAL},
    {"infinites", "'infinites'", EINVAL},
    {"infd", "'infd'", EINVAL},
    {"inf ", "nothing may follow", EINVAL},
    {"1,5h", "'1,5h'", EINVAL},
    {"1e400", "too large", ERANGE},
    {"1e308d", "too large", ERANGE},
    {"1:30", "'1:30'", EINVAL},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        double seconds = 42;
        ck_assert_msg(duration_decode(rejects[i].text, &seconds, &err) == -1,
                      "'%s' was accepted as %g", rejects[i].text, seconds);
        ck_assert(seconds == 42);
        ck_error_names(err, rejects[i].names);
        ck_assert_int_eq(err.code, rejects[i].code);
    }
}
END_TEST

UNIT_MAIN("duration", decodes, encodes_readably, encodes_what_it_decodes,
          the_locale_does_not_matter, survives_spoiled_texts, rejects_bad_texts)
