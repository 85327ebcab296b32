/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/priority.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include "src/common/util.h"

static const double weight_max = 1e9;
enum { URGENCY_MAX = 31 };

const struct priority_weights priority_default = {
    .urgency = 1000, .age = 1, .age_max = 7 * 86400.0};

static const struct {
    const char *name;
    size_t offset;
    double least; /* above which it must be, or which it must be */
} keys[] = {
    {"urgency", offsetof(struct priority_weights, urgency), 0},
    {"age", offsetof(struct priority_weights, age), 0},
    {"size", offsetof(struct priority_weights, size), 0},
    {"fairshare", offsetof(struct priority_weights, fairshare), 0},
    {"age-max", offsetof(struct priority_weights, age_max), 1},
};

static int set(struct priority_weights *w, char *word, struct error *err)
{
    char *value = strchr(word, '='), *end;
    if (strcmp(word, "small-first") == 0) {
        w->small_first = true;
        return 0;
    }
    if (value)
        *value++ = '\0';
    for (size_t i = 0; value && i < ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i].name, word) != 0)
            continue;
        double v = strtod(value, &end);
        if (end == value || *end || !(v >= keys[i].least && v <= weight_max))
            return error_set(err, EINVAL,
                             "priority: %s=%s: must be a number from %g to %g", word,
                             value, keys[i].least, weight_max);
        *(double *)(void *)((char *)w + keys[i].offset) = v;
        return 0;
    }
    return error_set(err, EINVAL,
                     "priority: there is no weight '%s'; there are urgency=N, age=N, "
                     "size=N, fairshare=N, age-max=SECONDS and small-first",
                     word);
}

int priority_weights_parse(struct priority_weights *w, const char *text,
                           struct error *err)
{
    cleanup_free char *copy = xstrdup(text);
    struct priority_weights parsed = priority_default;
    char *rest = copy;
    for (char *word; (word = strsep(&rest, ","));)
        if (set(&parsed, word, err) < 0)
            return -1;
    *w = parsed;
    return 0;
}

static double share(double v)
{
    return v >= 1 ? 1 : v > 0 ? v : 0; /* NAN: 0 */
}

double priority_sum(const struct priority_weights *w, const struct priority_factors *f)
{
    double size = share(f->size);
    return w->urgency * share((double)f->urgency / URGENCY_MAX) +
           w->age * f->age / w->age_max + w->size * (w->small_first ? 1 - size : size) +
           w->fairshare * share(f->fairshare);
}

/* The bits of a number, but that those of a smaller one are smaller. */
static uint64_t in_order(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

uint64_t priority_make(const struct priority_weights *w, const struct priority_factors *f)
{
    if (f->urgency <= 0)
        return 0;
    if (f->urgency >= URGENCY_MAX)
        return UINT64_MAX;
    return in_order(priority_sum(w, f));
}
