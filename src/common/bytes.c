/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char prefixes[] = "KMGTPE";

uint64_t bytes_unit(const char *name)
{
    uint64_t unit = 1;
    if (*name == '\0' || strcasecmp(name, "b") == 0)
        return 1;
    for (const char *p = prefixes; *p; p++) {
        unit <<= 10;
        if ((*name | 0x20) != (*p | 0x20))
            continue;
        const char *rest = name + 1;
        return *rest == '\0' || strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0
                   ? unit
                   : 0;
    }
    return 0;
}

int bytes_decode(const char *text, uint64_t unit, uint64_t *n, struct error *err)
{
    char *end;
    size_t digits = strspn(text, "0123456789.");
    double v = strtod(text, &end);
    uint64_t u = *end ? bytes_unit(end) : unit;
    if (digits == 0 || end != text + digits || u == 0)
        return error_set(
            err, EINVAL,
            "'%s' is no amount of memory: it must be a number with a unit, as "
            "in 512M, 4G or 1.5T",
            text);
    v = ceil(v * (double)u);
    if (!(v <= (double)BYTES_MAX))
        return error_set(err, ERANGE, "'%s' is more memory than there can be", text);
    *n = (uint64_t)v;
    return 0;
}

const char *bytes_split(uint64_t n, unsigned *count)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t u = 0;
    for (; u + 1 < sizeof(units) / sizeof(units[0]) &&
           ((n > 0 && n % 1024 == 0) || n > INT_MAX);
         u++)
        n = n / 1024 + (n % 1024 != 0);
    *count = (unsigned)n;
    return units[u];
}

struct bytes_text bytes_encode(uint64_t n)
{
    struct bytes_text t;
    unsigned shift = 0;
    while (shift < 60 && n >> (shift + 10))
        shift += 10;
    uint64_t whole = n >> shift, rest = shift ? n - (whole << shift) : 0;
    uint64_t tenth = rest ? (rest * 10) >> shift : 0;
    char prefix[2] = {shift ? prefixes[shift / 10 - 1] : '\0', '\0'};
    if (tenth && whole < 100)
        snprintf(t.s, sizeof(t.s), "%" PRIu64 ".%" PRIu64 "%s", whole, tenth, prefix);
    else
        snprintf(t.s, sizeof(t.s), "%" PRIu64 "%s", whole, prefix);
    return t;
}
