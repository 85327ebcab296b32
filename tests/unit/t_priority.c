/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/priority.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

static uint64_t of(const struct priority_weights *w, int urgency, double age, double size,
                   double share)
{
    const struct priority_factors f = {urgency, age, size, share};
    return priority_make(w, &f);
}

static double sum(const struct priority_weights *w, int urgency, double age, double size,
                  double share)
{
    const struct priority_factors f = {urgency, age, size, share};
    return priority_sum(w, &f);
}

START_TEST(factors)
{
    static const struct priority_weights
        all = {.urgency = 10, .age = 1, .size = 2, .fairshare = 3, .age_max = 100},
        size = {.urgency = 1000, .age = 1, .size = 1, .age_max = 7 * 86400.0},
        small = {.urgency = 1000,
                 .age = 1,
                 .size = 1,
                 .age_max = 7 * 86400.0,
                 .small_first = true};
    ck_assert_uint_eq(of(&all, 0, 50, 1, 1), 0);
    ck_assert_uint_eq(of(&all, 31, 0, 0, 0), UINT64_MAX);
    ck_assert_double_eq_tol(sum(&all, 16, 50, 0.25, 0.5),
                            10.0 * 16 / 31 + 0.5 + 0.5 + 1.5, 1e-6);
    ck_assert_uint_eq(of(&all, 16, 100, 0, 0), of(&all, 16, 100, -1, NAN));
    ck_assert_uint_gt(of(&all, 1, 0, 0, 0), 0); /* not held */
    ck_assert_uint_gt(of(&small, 16, 0, 0.1, 0), of(&small, 16, 0, 0.2, 0));
    ck_assert_uint_lt(of(&size, 16, 0, 0.1, 0), of(&size, 16, 0, 0.2, 0));
    /* a week makes up for less than a step of urgency */
    ck_assert_uint_gt(of(&priority_default, 17, 0, 0, 0),
                      of(&priority_default, 16, 7 * 86400, 0, 0));
    ck_assert_uint_gt(of(&priority_default, 16, 20, 0, 0),
                      of(&priority_default, 16, 10, 0, 0));
    /* the greatest weights there may be */
    static const struct priority_weights most = {.urgency = 1e9,
                                                 .age = 1e9,
                                                 .size = 1e9,
                                                 .fairshare = 1e9,
                                                 .age_max = 7 * 86400.0};
    ck_assert_uint_gt(of(&most, 30, 1e9, 1, 1), of(&most, 30, 1e9, 1, 0.5));
    ck_assert_uint_lt(of(&most, 30, 1e9, 1, 1), UINT64_MAX);
}
END_TEST

/* Ages from any moment make the same order, and it is that of the sums. */
START_TEST(order)
{
    static const struct priority_weights weights = {
        .urgency = 10, .age = 5, .size = 2, .fairshare = 3, .age_max = 100};
    enum { N = 200 };
    srand(7);
    for (int i = 0; i < N; i++) {
        int u = 1 + rand() % 30, v = 1 + rand() % 30;
        double a = rand() % 1000, b = rand() % 1000, s = rand() % 10 / 10.0,
               f = rand() % 10 / 10.0, x = sum(&weights, u, a, s, 0.5),
               y = sum(&weights, v, b, 0.5, f);
        if (x - y < 1e-6 && y - x < 1e-6)
            continue;
        for (int k = 0; k < 3; k++) {
            static const double moments[] = {0, -1800000000, 500};
            double t = moments[k];
            ck_assert_int_eq(
                of(&weights, u, a + t, s, 0.5) > of(&weights, v, b + t, 0.5, f), x > y);
        }
    }
}
END_TEST

UNIT_MAIN("priority", factors, order)
