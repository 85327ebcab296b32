/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/duration.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/common/util.h"

/* Largest first. A unit is MUL/DIV seconds: 1/1000 is exact so, and 0.001 is not. */
static const struct unit {
    const char *suffix;
    double mul, div;
} units[] = {
    {"d", 86400, 1}, {"h", 3600, 1}, {"m", 60, 1}, {"s", 1, 1}, {"ms", 1, 1000},
};
enum { UNIT_S = 3, UNIT_MS = 4 };

/* Numbers have a decimal point, whatever the user's locale says: run the calls between
 * these two in the C locale. */
struct c_locale {
    locale_t c, old;
};

static struct c_locale c_locale_enter(void)
{
    struct c_locale l = {.c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    l.old = uselocale(l.c);
    return l;
}

static void c_locale_leave(struct c_locale l)
{
    uselocale(l.old);
    if (l.c)
        freelocale(l.c);
}

static int fail(struct error *err, int code, const char *text, const char *what)
{
    return error_set(
        err, code,
        "duration '%.100s': %s (a duration is a number with one of the units "
        "ms, s, m, h, d, or 'infinity')",
        text, what);
}

int duration_decode(const char *text, double *seconds, struct error *err)
{
    if (isspace((unsigned char)*text))
        return fail(err, EINVAL, text, "blanks are not allowed");
    if (*text == '-')
        return fail(err, EINVAL, text, "must not be negative");
    char *end;
    struct c_locale locale = c_locale_enter();
    double n = strtod(text, &end);
    c_locale_leave(locale);
    if (end == text || isnan(n))
        return fail(err, EINVAL, text, "must start with a number");
    if (isinf(n)) {
        if (isdigit((unsigned char)end[-1]) || end[-1] == '.')
            return fail(err, ERANGE, text, "is too large");
        if (*end)
            return fail(err, EINVAL, text, "nothing may follow 'infinity'");
        *seconds = n;
        return 0;
    }
    const struct unit *unit = &units[UNIT_S];
    if (*end) {
        for (unit = units; unit < units + ARRAY_SIZE(units); unit++)
            if (!strcmp(unit->suffix, end))
                break;
        if (unit == units + ARRAY_SIZE(units))
            return fail(err, EINVAL, text, "the unit is unknown");
    }
    n = n * unit->mul / unit->div;
    if (isinf(n))
        return fail(err, ERANGE, text, "is too large");
    *seconds = n;
    return 0;
}

static double in_unit(double seconds, const struct unit *unit)
{
    return seconds * unit->div / unit->mul;
}

/* Whether N, written with DECIMALS decimals and no more than 6 digits in all, is itself. */
static bool is_short(double n, int decimals)
{
    double scaled = n * pow(10, decimals);
    return n < pow(10, 6 - decimals) && fabs(scaled - round(scaled)) <= scaled * 1e-12;
}

/* The largest unit in which it is 1 or more and has at most one decimal ("1.5h"); if there is
 * none, seconds where they say it all ("90.25s"); else the largest unit, rounded. */
static const struct unit *best_unit(double seconds)
{
    for (size_t i = 0; i < UNIT_MS; i++) {
        double n = in_unit(seconds, &units[i]);
        if (n >= 1 && (is_short(n, 0) || is_short(n, 1)))
            return &units[i];
    }
    for (int decimals = 2; decimals < 6 && seconds >= 1; decimals++)
        if (is_short(seconds, decimals))
            return &units[UNIT_S];
    for (size_t i = 0; i < UNIT_MS; i++)
        if (in_unit(seconds, &units[i]) >= 1)
            return &units[i];
    return &units[UNIT_MS];
}

char *duration_encode(double seconds, char *buf)
{
    if (!(seconds > 0))
        return strcpy(buf, "0s");
    if (isinf(seconds))
        return strcpy(buf, "infinity");
    const struct unit *unit = best_unit(seconds);
    struct c_locale locale = c_locale_enter();
    snprintf(buf, DURATION_BUFSIZE, "%.6g%s", in_unit(seconds, unit), unit->suffix);
    c_locale_leave(locale);
    return buf;
}
