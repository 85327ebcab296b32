/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/count.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static const struct count one_by_one = {.max = UINT_MAX, .operand = 1, .op = '+'};

/* What makes RANGE no count (RFC 14), or NULL. */
static const char *range_fault(const struct count *range)
{
    if (range->max < range->min)
        return "the maximum is less than the minimum";
    if (!strchr("+*^", range->op))
        return "the operator must be +, * or ^";
    if (range->op != '+' && range->operand < 2)
        return "the operand of * and ^ must be 2 or more";
    if (range->op == '^' && range->min < 2)
        return "the minimum must be 2 or more with the operator ^";
    return NULL;
}

void count_clear(struct count *c)
{
    hwloc_bitmap_free(c->ids);
    *c = (struct count){0};
}

/* --- from text ------------------------------------------------------------------------------- */

/* A positive number without leading zeros at *P; or NULL, or what is wrong. */
static const char *parse_number(const char **p, unsigned *n)
{
    if (!isdigit((unsigned char)**p))
        return "expected a number";
    if (**p == '0')
        return "a number must be 1 or more, without leading zeros";
    for (*n = 0; isdigit((unsigned char)**p); ++*p) {
        unsigned digit = (unsigned)(**p - '0');
        if (*n > (COUNT_MAX - digit) / 10)
            return "a number is too large";
        *n = *n * 10 + digit;
    }
    return NULL;
}

/* MIN, MIN-MAX or MIN+, then :OPERAND and :OPERATOR, from *P on. */
static const char *parse_range(const char **p, struct count *c)
{
    const char *wrong = parse_number(p, &c->min);
    if (wrong)
        return wrong;
    if (!**p) {
        c->max = c->min;
        return NULL;
    }
    if (**p != '-' && **p != '+')
        return "expected '-', '+' or ','";
    if (*(*p)++ == '-' && (wrong = parse_number(p, &c->max)))
        return wrong;
    if (**p == ':') {
        ++*p;
        if ((wrong = parse_number(p, &c->operand)))
            return wrong;
        if (**p == ':') {
            c->op = *++*p;
            if (!c->op)
                return "an operator is missing";
            ++*p;
        }
    }
    return **p ? "something follows the count" : range_fault(c);
}

/* Without gaps, an id set is a range. */
static int decode_idset(const char *text, struct count *c, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t ids = idset_decode(text, err);
    if (!ids)
        return error_prefix(err, "count '%.200s'", text);
    if (hwloc_bitmap_isset(ids, 0))
        return error_set(err, EINVAL, "count '%.200s': must not contain 0", text);
    int first = hwloc_bitmap_first(ids), last = hwloc_bitmap_last(ids);
    *c = one_by_one;
    c->min = (unsigned)first;
    c->max = (unsigned)last;
    if (hwloc_bitmap_weight(ids) != last - first + 1)
        c->ids = take(ids);
    return 0;
}

static int decode_object_text(const char *text, struct count *c, struct error *err)
{
    cleanup_json json_object *o = jsonutil_decode(text, strlen(text), err);
    if (!o)
        return error_prefix(err, "count '%.200s'", text);
    return count_from_json(o, c, err);
}

int count_decode(const char *text, struct count *c, struct error *err)
{
    *c = (struct count){0};
    if (*text == '{')
        return decode_object_text(text, c, err);
    if (strchr(text, ','))
        return decode_idset(text, c, err);
    size_t len = strlen(text);
    bool brackets = *text == '[';
    if (brackets && text[len - 1] != ']')
        return error_set(err, EINVAL, "count '%.200s': expected ']' at the end", text);
    cleanup_free char *inner = xstrndup(text + brackets, len - 2 * brackets);
    const char *p = inner;
    struct count range = one_by_one;
    const char *wrong = parse_range(&p, &range);
    if (wrong && *p == '\0')
        return error_set(err, EINVAL, "count '%.200s': %s%s", text, wrong,
                         strncmp(wrong, "expected", 8) == 0 ? " at its end" : "");
    if (wrong)
        return error_set(err, EINVAL, "count '%.200s': %s at character %zu, '%.40s'",
                         text, wrong, (size_t)(p - inner) + brackets + 1, p);
    *c = range;
    return 0;
}

/* --- from JSON ------------------------------------------------------------------------------- */

/* Member NAME, a positive integer, into *N; left alone where there is none. */
static int get_number(json_object *o, const char *name, unsigned *n, struct error *err)
{
    json_object *value;
    int64_t v;
    if (!json_object_object_get_ex(o, name, &value))
        return 0;
    if (!jsonutil_int(value, 1, COUNT_MAX, &v))
        return error_set(
            err, EINVAL, "count %s: \"%s\" must be an integer from 1 to %u, not %s",
            jsonutil_show(o).text, name, COUNT_MAX, jsonutil_show(value).text);
    *n = (unsigned)v;
    return 0;
}

static int from_object(json_object *o, struct count *c, struct error *err)
{
    static const char *const keys[] = {"min", "max", "operand", "operator", NULL};
    const char *stray = jsonutil_stray_key(o, keys);
    if (stray)
        return error_set(err, EINVAL, "count %s: the key \"%.40s\" is unknown",
                         jsonutil_show(o).text, stray);
    struct count range = one_by_one;
    if (get_number(o, "min", &range.min, err) < 0 ||
        get_number(o, "max", &range.max, err) < 0 ||
        get_number(o, "operand", &range.operand, err) < 0)
        return -1;
    if (!range.min)
        return error_set(err, EINVAL, "count %s: \"min\" is missing",
                         jsonutil_show(o).text);
    json_object *op;
    if (json_object_object_get_ex(o, "operator", &op)) {
        const char *s = jsonutil_string(op);
        if (!s || !*s || s[1])
            return error_set(
                err, EINVAL,
                "count %s: \"operator\" must be \"+\", \"*\" or \"^\", not %s",
                jsonutil_show(o).text, jsonutil_show(op).text);
        range.op = *s;
    }
    const char *wrong = range_fault(&range);
    if (wrong)
        return error_set(err, EINVAL, "count %s: %s", jsonutil_show(o).text, wrong);
    *c = range;
    return 0;
}

int count_from_json(json_object *o, struct count *c, struct error *err)
{
    *c = (struct count){0};
    int64_t v;
    if (jsonutil_int(o, 1, COUNT_MAX, &v)) {
        *c = one_by_one;
        c->min = c->max = (unsigned)v;
        return 0;
    }
    const char *text = jsonutil_string(o);
    if (text && *text != '{')
        return count_decode(text, c, err);
    if (json_object_is_type(o, json_type_object))
        return from_object(o, c, err);
    return error_set(
        err, EINVAL,
        "count %s: must be an integer from 1 to %u, a range such as \"2-4\", "
        "or an object with \"min\"",
        jsonutil_show(o).text, COUNT_MAX);
}

/* --- encode ---------------------------------------------------------------------------------- */

char *count_encode(const struct count *c)
{
    if (c->ids)
        return idset_encode(c->ids, 0);
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "%u", c->min);
    if (c->max == c->min)
        return strbuf_take(&b);
    if (c->max == UINT_MAX)
        strbuf_addc(&b, '+');
    else
        strbuf_addf(&b, "-%u", c->max);
    if (c->operand != 1 || c->op != '+')
        strbuf_addf(&b, ":%u", c->operand);
    if (c->op != '+')
        strbuf_addf(&b, ":%c", c->op);
    return strbuf_take(&b);
}

json_object *count_to_json(const struct count *c)
{
    if (c->ids) {
        cleanup_free char *text = count_encode(c);
        return json_object_new_string(text);
    }
    if (c->min == c->max)
        return json_object_new_int64(c->min);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "min", json_object_new_int64(c->min));
    if (c->max != UINT_MAX)
        json_object_object_add(o, "max", json_object_new_int64(c->max));
    /* RFC 14's schema wants all of them with a maximum. */
    if (c->max != UINT_MAX || c->operand != 1 || c->op != '+') {
        json_object_object_add(o, "operator", json_object_new_string_len(&c->op, 1));
        json_object_object_add(o, "operand", json_object_new_int64(c->operand));
    }
    return o;
}

/* --- values ---------------------------------------------------------------------------------- */

unsigned count_first(const struct count *c)
{
    return c->min;
}

/* The value that follows X in the range; beyond COUNT_MAX it may be any. */
static uint64_t step(const struct count *c, uint64_t x)
{
    switch (c->op) {
    case '*':
        return x * c->operand;
    case '^': {
        uint64_t power = x;
        for (unsigned i = 1; i < c->operand && power <= COUNT_MAX; i++)
            power *= x;
        return power;
    }
    default:
        return x + c->operand;
    }
}

unsigned count_next(const struct count *c, unsigned v)
{
    if (v < c->min)
        return c->min;
    if (v >= COUNT_MAX)
        return 0;
    if (c->ids) {
        int next = hwloc_bitmap_next(c->ids, (int)v);
        return next < 0 ? 0 : (unsigned)next;
    }
    uint64_t x = c->min;
    if (c->op == '+')
        x += (v - c->min) / c->operand * c->operand;
    while (x <= v)
        x = step(c, x);
    return x > MIN(c->max, COUNT_MAX) ? 0 : (unsigned)x;
}

bool count_contains(const struct count *c, unsigned v)
{
    return v > 0 && count_next(c, v - 1) == v;
}
