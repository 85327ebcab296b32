/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/hostlist.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/common/strbuf.h"
#include "src/common/util.h"

/* More digits than this are not read as a number: it fits a uint64_t with room. */
enum { MAX_DIGITS = 18 };

struct hostlist {
    char **names;
    size_t count;
    size_t size;
};

/* --- the list ------------------------------------------------------------------------------ */

struct hostlist *hostlist_create(void)
{
    return xcalloc(1, sizeof(struct hostlist));
}

static void truncate_to(struct hostlist *hl, size_t count)
{
    while (hl->count > count)
        free(hl->names[--hl->count]);
}

void hostlist_destroy(struct hostlist *hl)
{
    if (!hl)
        return;
    truncate_to(hl, 0);
    free(hl->names);
    free(hl);
}

static void append_taken(struct hostlist *hl, char *name)
{
    if (hl->count == hl->size) {
        hl->size = MAX(hl->size * 2, 16U);
        hl->names = xrealloc(hl->names, hl->size * sizeof(*hl->names));
    }
    hl->names[hl->count++] = name;
}

void hostlist_append_name(struct hostlist *hl, const char *name)
{
    append_taken(hl, xstrdup(name));
}

size_t hostlist_count(const struct hostlist *hl)
{
    return hl->count;
}

const char *hostlist_nth(const struct hostlist *hl, size_t i)
{
    return i < hl->count ? hl->names[i] : NULL;
}

ptrdiff_t hostlist_find(const struct hostlist *hl, const char *name)
{
    for (size_t i = 0; i < hl->count; i++)
        if (!strcmp(hl->names[i], name))
            return (ptrdiff_t)i;
    return -1;
}

/* --- decode ---------------------------------------------------------------------------------- */

struct parse {
    struct hostlist *hl;
    const char *text;
    const char *p;
    struct error *err;
};

static int fail(const struct parse *ps, const char *at, const char *what)
{
    if (*at == '\0')
        return error_set(ps->err, EINVAL, "host list '%.200s': %s at its end", ps->text,
                         what);
    return error_set(ps->err, EINVAL, "host list '%.200s': %s at character %zu, '%.40s'",
                     ps->text, what, (size_t)(at - ps->text) + 1, at);
}

/* Length of the run of characters at P that may be part of a name. */
static size_t name_span(const char *p)
{
    size_t n = 0;
    while (isgraph((unsigned char)p[n]) && !strchr("[],", p[n]))
        n++;
    return n;
}

static int parse_number(struct parse *ps, uint64_t *n, unsigned *digits)
{
    const char *start = ps->p;
    *n = 0;
    for (; isdigit((unsigned char)*ps->p); ps->p++) {
        if (ps->p - start == MAX_DIGITS)
            return fail(ps, start, "a number has too many digits");
        *n = *n * 10 + (uint64_t)(*ps->p - '0');
    }
    *digits = (unsigned)(ps->p - start);
    return *digits ? 0 : fail(ps, start, "expected a number");
}

/* The id list at ps->p (after '['), up to and without its ']', between PREFIX and SUFFIX. */
static int parse_idlist(struct parse *ps, const char *prefix, size_t nprefix,
                        const char *suffix, size_t nsuffix)
{
    /* RFC 29: leading zeros in the first id hold for all. A later id's own are kept, too. */
    unsigned width = 0;
    for (bool first = true;; first = false) {
        const char *start = ps->p;
        unsigned digits, hi_digits;
        uint64_t lo, hi;
        if (parse_number(ps, &lo, &digits) < 0)
            return -1;
        hi = lo;
        if (*ps->p == '-') {
            ps->p++;
            if (parse_number(ps, &hi, &hi_digits) < 0)
                return -1;
        }
        if (hi < lo)
            return fail(ps, start, "a range must ascend, but does not");
        if (hi - lo >= HOSTLIST_MAX || ps->hl->count + (hi - lo) >= HOSTLIST_MAX)
            return error_set(ps->err, ERANGE,
                             "host list '%.200s': more than %u hosts at character %zu, "
                             "'%.40s'",
                             ps->text, HOSTLIST_MAX, (size_t)(start - ps->text) + 1,
                             start);
        unsigned own = *start == '0' ? digits : 0;
        if (first)
            width = own;
        own = MAX(own, width);
        for (uint64_t n = lo; n <= hi; n++) {
            char name[HOSTLIST_NAME_MAX + MAX_DIGITS + 2];
            snprintf(name, sizeof(name), "%.*s%0*llu%.*s", (int)nprefix, prefix, (int)own,
                     (unsigned long long)n, (int)nsuffix, suffix);
            hostlist_append_name(ps->hl, name);
        }
        if (*ps->p != ',')
            return 0;
        ps->p++;
    }
}

/* One expression, up to and without the comma that ends it: PREFIX[IDLIST]SUFFIX. */
static int parse_expression(struct parse *ps)
{
    const char *prefix = ps->p;
    size_t nprefix = name_span(prefix);
    const char *ids = prefix + nprefix;
    const char *suffix = NULL;
    size_t nsuffix = 0;
    if (*ids == '[') {
        const char *close = ids + 1 + strcspn(ids + 1, "[]");
        if (*close != ']')
            return fail(ps, ids, "a bracket is not closed");
        suffix = close + 1;
        nsuffix = name_span(suffix);
    }
    if (nprefix + nsuffix + (suffix ? MAX_DIGITS : 0) > HOSTLIST_NAME_MAX)
        return fail(ps, prefix, "a name is too long");
    if (suffix) {
        ps->p = ids + 1;
        if (parse_idlist(ps, prefix, nprefix, suffix, nsuffix) < 0)
            return -1;
        if (*ps->p != ']')
            return fail(ps, ps->p, "expected a number, ',' or ']'");
        ps->p = suffix + nsuffix;
    } else if (nprefix) {
        if (ps->hl->count >= HOSTLIST_MAX)
            return error_set(ps->err, ERANGE, "host list '%.200s': more than %u hosts",
                             ps->text, HOSTLIST_MAX);
        append_taken(ps->hl, xstrndup(prefix, nprefix));
        ps->p = ids;
    }
    if (*ps->p && *ps->p != ',')
        return fail(ps, ps->p,
                    *ps->p == '[' ? "only one bracket is allowed in a name, but"
                                    " another opens"
                                  : "a character is not allowed");
    return 0;
}

int hostlist_append(struct hostlist *hl, const char *text, struct error *err)
{
    size_t before = hl->count;
    struct parse ps = {.hl = hl, .text = text, .p = text, .err = err};
    for (;;) {
        if (parse_expression(&ps) < 0) {
            truncate_to(hl, before);
            return -1;
        }
        if (!*ps.p)
            return (int)(hl->count - before);
        ps.p++;
    }
}

struct hostlist *hostlist_decode(const char *text, struct error *err)
{
    struct hostlist *hl = hostlist_create();
    if (hostlist_append(hl, text, err) < 0) {
        hostlist_destroy(hl);
        return NULL;
    }
    return hl;
}

/* --- encode ------------------------------------------------------------------------------------ */

/* A name taken apart: what comes before its trailing digits, and their number. */
struct parts {
    const char *name;
    size_t nprefix;
    unsigned digits; /* 0: no number */
    uint64_t number;
};

static struct parts take_apart(const char *name)
{
    struct parts pt = {.name = name, .nprefix = strlen(name)};
    while (pt.nprefix && pt.digits < MAX_DIGITS &&
           isdigit((unsigned char)name[pt.nprefix - 1])) {
        pt.nprefix--;
        pt.digits++;
    }
    for (const char *p = name + pt.nprefix; *p; p++)
        pt.number = pt.number * 10 + (uint64_t)(*p - '0');
    return pt;
}

/* Whether PT's digits are what "%0*u" gives with the zero padding of FIRST. */
static bool same_padding(const struct parts *first, const struct parts *pt)
{
    char want[MAX_DIGITS + 2];
    unsigned width = first->name[first->nprefix] == '0' ? first->digits : 0;
    snprintf(want, sizeof(want), "%0*llu", (int)width, (unsigned long long)pt->number);
    return !strcmp(want, pt->name + pt->nprefix);
}

static bool folds_with(const struct parts *first, const struct parts *pt)
{
    return first->digits && pt->digits && first->nprefix == pt->nprefix &&
           !strncmp(first->name, pt->name, pt->nprefix) && same_padding(first, pt);
}

/* Append ids of the entries I..END-1, which fold. */
static void encode_ids(struct strbuf *b, const struct hostlist *hl, size_t i, size_t end)
{
    for (const char *comma = ""; i < end; comma = ",") {
        struct parts lo = take_apart(hl->names[i]), hi = lo;
        for (i++; i < end; i++) {
            struct parts next = take_apart(hl->names[i]);
            if (next.number != hi.number + 1)
                break;
            hi = next;
        }
        strbuf_addf(b, "%s%s", comma, lo.name + lo.nprefix);
        if (hi.number > lo.number)
            strbuf_addf(b, "-%s", hi.name + hi.nprefix);
    }
}

char *hostlist_encode(const struct hostlist *hl)
{
    cleanup_strbuf struct strbuf b = {0};
    for (size_t i = 0, end; i < hl->count; i = end) {
        struct parts first = take_apart(hl->names[i]);
        for (end = i + 1; end < hl->count; end++) {
            struct parts next = take_apart(hl->names[end]);
            if (!folds_with(&first, &next))
                break;
        }
        if (i)
            strbuf_addc(&b, ',');
        if (end - i == 1) {
            strbuf_add(&b, hl->names[i]);
            continue;
        }
        strbuf_addn(&b, first.name, first.nprefix);
        strbuf_addc(&b, '[');
        encode_ids(&b, hl, i, end);
        strbuf_addc(&b, ']');
    }
    return strbuf_take(&b);
}

/* --- order --------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    struct parts x = take_apart(*(char *const *)a), y = take_apart(*(char *const *)b);
    int c = strncmp(x.name, y.name, MIN(x.nprefix, y.nprefix));
    if (c)
        return c;
    if (x.nprefix != y.nprefix)
        return x.nprefix < y.nprefix ? -1 : 1;
    if (!x.digits != !y.digits)
        return x.digits ? 1 : -1;
    if (x.number != y.number)
        return x.number < y.number ? -1 : 1;
    return (int)x.digits - (int)y.digits; /* n1, n01, n001 */
}

void hostlist_sort(struct hostlist *hl)
{
    if (hl->count)
        qsort(hl->names, hl->count, sizeof(*hl->names), compare);
}

void hostlist_uniq(struct hostlist *hl)
{
    size_t kept = 0;
    hostlist_sort(hl);
    for (size_t i = 0; i < hl->count; i++) {
        if (kept && !strcmp(hl->names[kept - 1], hl->names[i]))
            free(hl->names[i]);
        else
            hl->names[kept++] = hl->names[i];
    }
    hl->count = kept;
}
