/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include <stdlib.h>
#include "src/cli/since.h"
#include "src/common/util.h"

/* Wednesday, 2023-11-15, 14:30:00 UTC */
static const double now = 1700058600;

START_TEST(moments)
{
    static const struct {
        const char *text;
        double ago; /* seconds before now */
    } table[] = {
        {"now", 0},
        {"-90", 90},
        {"-1.5h", 5400},
        {"2 hours ago", 7200},
        {"1 day ago", 86400},
        {"10 min ago", 600},
        {"14:00", 1800},
        {"15:00", 86400 - 1800},
        {"14:29:30", 30},
        {"2pm", 1800},
        {"6:30pm", 20 * 3600},
        {"12am", 14.5 * 3600},
        {"noon", 2.5 * 3600},
        {"today", 14.5 * 3600},
        {"today 6am", 8.5 * 3600},
        {"yesterday", 38.5 * 3600},
        {"yesterday noon", 26.5 * 3600},
        {"Yesterday 23:59:59", 14.5 * 3600 + 1},
        {"monday", 2 * 86400 + 14.5 * 3600},
        {"last Monday", 2 * 86400 + 14.5 * 3600},
        {"wed", 7 * 86400 + 14.5 * 3600},
        {"2023-11-15", 14.5 * 3600},
        {"2023-11-14 6am", 86400 + 8.5 * 3600},
        {"2023-11-15 14:00", 1800},
        {"2023-11-15T14:00:10", 1790},
        {"1700058000", 600},
    };
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        double t = 0;
        ck_assert_msg(since_decode(table[i].text, now, &t) == 0, "'%s'", table[i].text);
        ck_assert_msg(now - t == table[i].ago, "'%s': %f s ago, not %f", table[i].text,
                      now - t, table[i].ago);
    }
}
END_TEST

START_TEST(rejects)
{
    static const char *const table[] = {
        "",
        "-",
        "-x",
        "soon",
        "25:00",
        "10:61",
        "13pm",
        "0am",
        "last",
        "last noon",
        "two hours ago",
        "2 moons ago",
        "2 hours",
        "2023-13-01",
        "noon noon",
        "today today",
        "1 2 3 4 5 6",
        "12:00x",
        "1700058000x",
        "nan",
        "99999999999999999999 days ago",
    };
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        double t;
        ck_assert_msg(since_decode(table[i], now, &t) < 0, "'%s' was taken", table[i]);
    }
}
END_TEST

UNIT_MAIN("since", moments, rejects)
