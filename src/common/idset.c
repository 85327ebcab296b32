/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/idset.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "src/common/strbuf.h"
#include "src/common/util.h"

/* The set, its text, and where in it we are. */
struct parse {
    const char *text;
    const char *p;
    unsigned limit; /* greatest id; UINT_MAX: none */
    struct error *err;
};

static int fail(const struct parse *ps, const char *at, const char *what)
{
    if (*at == '\0')
        return error_set(ps->err, EINVAL, "id set '%.200s': %s at its end", ps->text,
                         what);
    return error_set(ps->err, EINVAL, "id set '%.200s': %s at character %zu, '%.40s'",
                     ps->text, what, (size_t)(at - ps->text) + 1, at);
}

static int parse_id(struct parse *ps, unsigned *id)
{
    const char *start = ps->p;
    uint64_t n = 0;
    if (!isdigit((unsigned char)*ps->p))
        return fail(ps, start, *start ? "expected an id" : "an id is missing");
    for (; isdigit((unsigned char)*ps->p); ps->p++) {
        n = MIN(n * 10 + (unsigned)(*ps->p - '0'), (uint64_t)UINT_MAX);
        if (n > ps->limit)
            return error_set(ps->err, ERANGE,
                             "id set '%.200s': the id at character %zu, '%.20s', is too "
                             "large: the limit is %u",
                             ps->text, (size_t)(start - ps->text) + 1, start, ps->limit);
    }
    if (*start == '0' && ps->p - start > 1)
        return fail(ps, start, "an id may not start with 0");
    *id = (unsigned)n;
    return 0;
}

static int parse_range(struct parse *ps, unsigned *lo, unsigned *hi)
{
    if (parse_id(ps, lo) < 0)
        return -1;
    *hi = *lo;
    if (*ps->p != '-')
        return 0;
    const char *start = ++ps->p;
    if (parse_id(ps, hi) < 0)
        return -1;
    if (*hi < *lo)
        return fail(ps, start, "a range must ascend, but does not");
    return 0;
}

int idset_walk(const char *text, unsigned limit, idset_range_f range, void *arg,
               struct error *err)
{
    struct parse ps = {.text = text, .p = text, .limit = limit, .err = err};
    bool brackets = *ps.p == '[';
    if (brackets)
        ps.p++;
    const char end = brackets ? ']' : '\0';
    unsigned lo, hi = 0;
    for (bool first = true; !(first && *ps.p == end); first = false) {
        unsigned last = hi;
        const char *start = ps.p;
        if (parse_range(&ps, &lo, &hi) < 0)
            return -1;
        if (!first && lo <= last)
            return fail(&ps, start, "ids must ascend without duplicates, but do not");
        int rc = range(lo, hi, arg);
        if (rc != 0)
            return rc;
        if (*ps.p != ',')
            break;
        ps.p++;
    }
    if (brackets && *ps.p++ != ']')
        return fail(&ps, ps.p - 1, "expected ',' or ']'");
    if (*ps.p)
        return fail(&ps, ps.p,
                    brackets ? "nothing may follow ']', but it does" : "expected ','");
    return 0;
}

static int add_range(unsigned lo, unsigned hi, void *arg)
{
    return hwloc_bitmap_set_range(arg, lo, (int)hi) < 0 ? 1 : 0;
}

hwloc_bitmap_t idset_decode(const char *text, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int rc = set ? idset_walk(text, IDSET_MAX, add_range, set, err) : 1;
    if (rc > 0)
        return error_null(err, ENOMEM, "id set '%.200s': out of memory", text);
    return rc == 0 ? take(set) : NULL;
}

char *idset_encode(hwloc_const_bitmap_t set, int flags)
{
    cleanup_strbuf struct strbuf b = {0};
    int lo = set ? hwloc_bitmap_first(set) : -1;
    if (lo < 0)
        return strbuf_take(&b);
    bool brackets = (flags & IDSET_BRACKETS) && hwloc_bitmap_next(set, lo) >= 0;
    if (brackets)
        strbuf_addc(&b, '[');
    const char *comma = "";
    /* A set may be infinite in hwloc: IDSET_MAX bounds what is written. */
    while (lo >= 0 && lo <= (int)IDSET_MAX) {
        int hi = lo;
        if (!(flags & IDSET_SPREAD)) {
            int gap = hwloc_bitmap_next_unset(set, lo);
            hi = gap < 0 ? (int)IDSET_MAX : MIN(gap - 1, (int)IDSET_MAX);
        }
        strbuf_addf(&b, hi > lo ? "%s%d-%d" : "%s%d", comma, lo, hi);
        comma = ",";
        lo = hwloc_bitmap_next(set, hi);
    }
    if (brackets)
        strbuf_addc(&b, ']');
    return strbuf_take(&b);
}
