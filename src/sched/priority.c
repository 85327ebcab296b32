/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/priority.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"

enum { URGENCY_MAX = 31 };

const struct priority_weights priority_default = {
    .urgency = 1000, .age = 1, .age_max = 7 * 86400.0};

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
