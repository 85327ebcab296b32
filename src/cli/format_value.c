/* SPDX-License-Identifier: BSD-3-Clause */
/* format_value: a field of a line: converted, rendered, aligned. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "src/cli/format_impl.h"
#include "src/common/util.h"

/* --- widths ------------------------------------------------------------------------------ */

size_t format_chars(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

size_t format_bytes(const char *s, size_t n)
{
    const char *at = s;
    while (*at && n) {
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
        n--;
    }
    return (size_t)(at - s);
}

/* --- values ------------------------------------------------------------------------------ */

char *format_duration(double t, char *buf, size_t size)
{
    if (isinf(t))
        snprintf(buf, size, "inf");
    else if (t < 1e-3)
        snprintf(buf, size, "0s");
    else if (t < 10)
        snprintf(buf, size, "%.03fs", t);
    else if (t < 60)
        snprintf(buf, size, "%.4gs", t);
    else if (t < 3600)
        snprintf(buf, size, "%.4gm", t / 60);
    else if (t < 86400)
        snprintf(buf, size, "%.4gh", t / 3600);
    else
        snprintf(buf, size, "%.4gd", t / 86400);
    return buf;
}

char *format_clock(double t, char *buf, size_t size)
{
    if (t > 0 && t < 1)
        t = 1; /* not zero: do not show it as zero */
    long s = lrint(t), days = s / 86400;
    s %= 86400;
    int n = days ? snprintf(buf, size, "%ld day%s, ", days, days == 1 ? "" : "s") : 0;
    snprintf(buf + n, size - (size_t)n, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return buf;
}

double format_as_number(const struct format_value *v)
{
    return v->type == FORMAT_INT      ? (double)v->i
           : v->type == FORMAT_NUMBER ? v->number
                                      : 0;
}

static void as_text(struct format_value *v)
{
    v->type = FORMAT_TEXT;
    v->text = v->buf;
}

static void format_time(struct format_value *v, const char *format)
{
    time_t t = (time_t)format_as_number(v);
    struct tm tm;
    localtime_r(&t, &tm);
    if (t == 0 || strftime(v->buf, sizeof(v->buf), *format ? format : "%FT%T", &tm) == 0)
        v->buf[0] = '\0';
    as_text(v);
}

static void convert(const struct format_piece *p, struct format_value *v)
{
    double x = format_as_number(v);
    if (v->type == FORMAT_TEXT || v->type == FORMAT_NONE)
        return;
    switch (p->conv) {
    case 'd':
        format_time(v, p->time_format);
        break;
    case 'D':
        format_time(v, "%FT%T");
        break;
    case 'F':
        format_duration(x, v->buf, sizeof(v->buf));
        as_text(v);
        break;
    case 'H':
        format_clock(x, v->buf, sizeof(v->buf));
        as_text(v);
        break;
    case 'P':
        snprintf(v->buf, sizeof(v->buf), x > 0 && x < 0.01 ? "%.2f%%" : "%.3g%%",
                 x * 100);
        as_text(v);
        break;
    default:
        break;
    }
}

bool format_is_empty(const char *s)
{
    static const char *const empty[] = {"", "0s", "0.0", "0:00:00",
                                        "1970-01-01T00:00:00"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        if (strcmp(s, empty[i]) == 0)
            return true;
    }
    return false;
}

static void add_commas(char *digits, size_t size)
{
    size_t start = *digits == '-', len = strspn(digits + start, "0123456789");
    for (size_t at = len; at > 3;) {
        at -= 3;
        size_t total = strlen(digits) + 1;
        if (total + 1 > size)
            return;
        memmove(digits + start + at + 1, digits + start + at, total - start - at);
        digits[start + at] = ',';
    }
}

/* The value's text before alignment. */
static void render(const struct format_value *v, const struct format_spec *spec,
                   char *buf, size_t size, const char **text)
{
    char type = spec->type;
    *text = buf;
    if (v->type == FORMAT_NONE || v->type == FORMAT_TEXT) {
        *text = v->type == FORMAT_TEXT && v->text ? v->text : "";
        return;
    }
    bool is_float = v->type == FORMAT_NUMBER || (type && strchr("eEfFgG%", type));
    double x = format_as_number(v);
    long long i = v->type == FORMAT_INT ? v->i : llround(x);
    const char *sign = spec->sign && x >= 0 ? (spec->sign == '+' ? "+" : " ") : "";
    int precision = spec->precision >= 0 ? spec->precision : 6;
    int n = snprintf(buf, size, "%s", sign);
    char *at = buf + n;
    size -= (size_t)n;
    if (type == 'x')
        snprintf(at, size, "%llx", i);
    else if (type == 'X')
        snprintf(at, size, "%llX", i);
    else if (type == 'o')
        snprintf(at, size, "%llo", i);
    else if (!is_float || type == 'd')
        snprintf(at, size, "%lld", i);
    else if (type == '%')
        snprintf(at, size, "%.*f%%", precision, x * 100);
    else if (type == 'f' || type == 'F')
        snprintf(at, size, "%.*f", precision, x);
    else if (type == 'e' || type == 'E')
        snprintf(at, size, "%.*e", precision, x);
    else if (spec->precision >= 0 || type == 'g' || type == 'G')
        snprintf(at, size, "%.*g", precision ? precision : 1, x);
    else if (x == floor(x) && fabs(x) < 1e15)
        snprintf(at, size, "%.1f", x);
    else
        snprintf(at, size, "%.15g", x);
    if (spec->comma)
        add_commas(at, size);
}

static void add_fill(struct strbuf *out, const struct format_spec *spec, size_t n)
{
    while (n--)
        strbuf_add(out, spec->fill);
}

void format_add_aligned(struct strbuf *out, const struct format_spec *spec,
                        const char *text, bool number)
{
    size_t len = format_chars(text), width = spec->width > 0 ? (size_t)spec->width : 0;
    size_t room = width > len ? width - len : 0;
    char align = spec->align ? spec->align : number ? '>' : '<';
    if (align == '=' && !number)
        align = '<';
    if (align == '=' && strchr("+- ", *text) && *text)
        strbuf_addc(out, *text++);
    if (align == '>' || align == '=')
        add_fill(out, spec, room);
    if (align == '^')
        add_fill(out, spec, room / 2);
    strbuf_add(out, text);
    if (align == '<')
        add_fill(out, spec, room);
    if (align == '^')
        add_fill(out, spec, room - room / 2);
}

void format_add_value(struct strbuf *out, const struct format_piece *p, const void *item)
{
    struct format_value v = {0};
    struct format_spec spec = p->spec;
    char buf[160];
    const char *text;
    p->field->get(item, p->field, &v);
    convert(p, &v);
    bool number = v.type == FORMAT_INT || v.type == FORMAT_NUMBER;
    render(&v, &spec, buf, sizeof(buf), &text);
    if (spec.hyphen && format_is_empty(text)) {
        text = "-";
        number = false;
    } else if (spec.hyphen) {
        number = false;
    }
    cleanup_free char *cut = NULL;
    if (!number && spec.precision >= 0 && format_chars(text) > (size_t)spec.precision) {
        size_t keep = (size_t)spec.precision - (spec.plus && spec.precision > 0);
        cut = xasprintf("%.*s%s", (int)format_bytes(text, keep), text,
                        keep < (size_t)spec.precision ? "+" : "");
        text = cut;
    }
    format_add_aligned(out, &spec, text, number);
    free(v.made);
}
