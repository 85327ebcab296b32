/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/idranges.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "src/common/idset.h"
#include "src/common/util.h"

/* N ids from FIRST on, each STEP after the one before; the first is at POSITION. */
struct range {
    unsigned first, step;
    uint64_t position, n;
};

struct idranges {
    struct range *v;
    size_t n, size;
    uint64_t count, max;
    unsigned last; /* id */
};

static int on_range(unsigned lo, unsigned hi, void *arg)
{
    struct idranges *r = arg;
    uint64_t n = (uint64_t)hi - lo + 1;
    struct range *last = r->n > 0 ? &r->v[r->n - 1] : NULL;
    r->count += n;
    r->last = hi;
    if (r->count > r->max || hi > IDSET_MAX)
        return 0; /* counted, for the message */
    if (last && n == 1 && last->n == 1)
        last->step = lo - last->first;
    if (last && n == 1 && lo == last->first + last->n * last->step) {
        last->n++;
    } else {
        if (r->n == r->size) {
            r->size = MAX(2 * r->size, (size_t)4);
            r->v = xrealloc(r->v, r->size * sizeof(*r->v));
        }
        r->v[r->n++] =
            (struct range){.first = lo, .step = 1, .position = r->count - n, .n = n};
    }
    return 0;
}

struct idranges *idranges_decode(const char *text, uint64_t max, struct error *err)
{
    struct idranges *r = xcalloc(1, sizeof(*r));
    r->max = max;
    int rc = idset_walk(text, UINT_MAX, on_range, r, err);
    if (rc == 0 && r->count > max)
        rc = error_set(err, ERANGE,
                       "'%.200s' has %s%llu elements, more than the %llu that are "
                       "possible: take several sets",
                       text, r->last == UINT_MAX ? "at least " : "",
                       (unsigned long long)r->count, (unsigned long long)max);
    else if (rc == 0 && r->count > 0 && r->last > IDSET_MAX)
        rc = error_set(err, ERANGE, "'%.200s': an id is too large: the limit is %u", text,
                       IDSET_MAX);
    else if (rc == 0 && r->count == 0)
        rc = error_set(err, EINVAL, "'%.200s': the set is empty", text);
    if (rc == 0) {
        r->v = xrealloc(r->v, r->n * sizeof(*r->v));
        return r;
    }
    idranges_destroy(r);
    return NULL;
}

void idranges_destroy(struct idranges *r)
{
    if (r)
        free(r->v);
    free(r);
}

uint64_t idranges_count(const struct idranges *r)
{
    return r->count;
}

/* The range that has POSITION. */
static const struct range *range_at(const struct idranges *r, uint64_t position)
{
    size_t low = 0, high = r->n;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (r->v[mid].position <= position)
            low = mid;
        else
            high = mid;
    }
    return &r->v[low];
}

static unsigned id_in(const struct range *at, uint64_t position)
{
    return at->first + (unsigned)(position - at->position) * at->step;
}

unsigned idranges_nth(const struct idranges *r, uint64_t position)
{
    return id_in(range_at(r, position), position);
}

int64_t idranges_position(const struct idranges *r, uint64_t id)
{
    size_t low = 0, high = r->n;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (r->v[mid].first <= id)
            low = mid;
        else
            high = mid;
    }
    const struct range *at = &r->v[low];
    if (id < at->first || (id - at->first) % at->step)
        return -1;
    uint64_t i = (id - at->first) / at->step;
    return i < at->n ? (int64_t)(at->position + i) : -1;
}

/* Behind the last position from FIRST on, before END, whose id follows the one before. */
static uint64_t neighbours(const struct idranges *r, uint64_t first, uint64_t end)
{
    for (uint64_t at = first;;) {
        const struct range *in = range_at(r, at);
        uint64_t next = MIN(in->step == 1 ? in->position + in->n : at + 1, end);
        if (next == end || idranges_nth(r, next) != id_in(in, next - 1) + 1)
            return next;
        at = next;
    }
}

void idranges_encode(const struct idranges *r, uint64_t first, uint64_t end,
                     struct strbuf *b)
{
    for (uint64_t next; first < end; first = next) {
        next = neighbours(r, first, end);
        unsigned lo = idranges_nth(r, first), hi = idranges_nth(r, next - 1);
        strbuf_addf(b, hi > lo ? "%s%u-%u" : "%s%u", b->len ? "," : "", lo, hi);
    }
}
