/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "src/cli/format.h"
#include "src/cli/nearest.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

struct spec {
    char fill[5]; /* one character, UTF-8 */
    char align;   /* < > ^ = or 0 */
    char sign;    /* '+', ' ' or 0 */
    bool zero, comma;
    int width, precision; /* -1: not given */
    char type;
    bool hyphen, plus;
};

struct piece {
    char *text;                       /* before the field */
    const struct format_field *field; /* NULL: only text */
    char conv;
    char *time_format; /* for !d */
    struct spec spec;
    bool if_any, expand; /* ?: and +: */
    bool hidden;
};

struct sort_key {
    const struct format_field *field;
    bool reverse;
};

struct format {
    const char *source; /* of what is being compiled: for messages */
    const struct format_field *fields;
    size_t nfields;
    struct made_field { /* "a.b", of a field "a.*" */
        struct format_field field;
        char *name, *heading;
    } * *made; /* [nmade] */
    size_t nmade;
    struct piece *pieces;
    size_t n;
    struct sort_key *keys;
    size_t nkeys;
};

/* --- widths ------------------------------------------------------------------------------ */

static size_t char_count(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Bytes of the first N characters. */
static size_t char_bytes(const char *s, size_t n)
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

/* --- parsing ----------------------------------------------------------------------------- */

/* What is wrong with LEN bytes from AT on: the text with a mark around them. */
static int wrong(const struct format *f, const char *at, size_t len, struct error *err,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int wrong(const struct format *f, const char *at, size_t len, struct error *err,
                 const char *fmt, ...)
{
    enum { AROUND = 60 }; /* bytes of the text that are shown on each side */
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    size_t before = (size_t)(at - f->source), from = 0;
    cleanup_free char *head = xstrndup(f->source, before);
    while (before - from > AROUND)
        from += char_bytes(head + from, 1);
    return error_set(err, EINVAL, "%s at character %zu: '%s%s>>%.*s<<%.*s%s'", what,
                     char_count(head) + 1, from ? "..." : "", head + from, (int)len, at,
                     (int)char_bytes(at + len, AROUND), at + len,
                     strlen(at + len) > AROUND ? "..." : "");
}

static char *to_upper(const char *text, size_t len)
{
    char *s = xstrndup(text, len);
    for (char *c = s; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return s;
}

/* NAME, as WILD is the field "a.*" and NAME "a.b". */
static const struct format_field *make_field(struct format *f,
                                             const struct format_field *wild,
                                             const char *name, size_t len)
{
    struct made_field *m = xmalloc(sizeof(*m));
    m->field = *wild;
    m->field.name = m->name = xstrndup(name, len);
    m->field.heading = m->heading = to_upper(name, len);
    f->made = xrealloc(f->made, (f->nmade + 1) * sizeof(struct made_field *));
    f->made[f->nmade++] = m;
    return &m->field;
}

static const struct format_field *find_field(struct format *f, const char *name,
                                             size_t len)
{
    for (size_t i = 0; i < f->nfields; i++) {
        const char *known = f->fields[i].name;
        size_t n = strlen(known);
        if (n == len && strncmp(known, name, len) == 0)
            return &f->fields[i];
        if (n > 2 && strcmp(known + n - 2, ".*") == 0 && len > n - 1 &&
            strncmp(known, name, n - 1) == 0)
            return make_field(f, &f->fields[i], name, len);
    }
    return NULL;
}

/* There is no field of that name: an error that says which one it may be. */
static int unknown_field(const struct format *f, const char *name, size_t len,
                         struct error *err)
{
    cleanup_free const char **names = xcalloc(f->nfields, sizeof(*names));
    cleanup_free char *word = xstrndup(name, len);
    for (size_t i = 0; i < f->nfields; i++)
        names[i] = f->fields[i].name;
    const char *near = nearest_name(word, names, f->nfields);
    if (near)
        return wrong(f, name, len, err, "there is no field '%s' (is it '%s'?)", word,
                     near);
    return wrong(f, name, len, err, "there is no field '%s'", word);
}

static const char *parse_number(const char *s, int *value)
{
    long v = 0;
    while (isdigit((unsigned char)*s) && v < 10000)
        v = v * 10 + (*s++ - '0');
    *value = (int)v;
    return s;
}

/* Up to END. */
static int parse_spec(const struct format *f, const char *s, const char *end,
                      struct spec *spec, struct error *err)
{
    *spec = (struct spec){.fill = " ", .width = -1, .precision = -1};
    size_t first = char_bytes(s, 1);
    if (s + first < end && strchr("<>^=", s[first])) {
        memcpy(spec->fill, s, first);
        spec->fill[first] = '\0';
        spec->align = s[first];
        s += first + 1;
    } else if (s < end && strchr("<>^=", *s)) {
        spec->align = *s++;
    }
    if (s < end && strchr("+- ", *s) && !(s[0] == '+' && s + 1 == end)) {
        spec->sign = *s == '-' ? 0 : *s;
        s++;
    }
    if (*s == '0' && !spec->align) {
        spec->zero = true;
        strcpy(spec->fill, "0");
        spec->align = '=';
        s++;
    }
    if (isdigit((unsigned char)*s))
        s = parse_number(s, &spec->width);
    if (*s == ',' || *s == '_') {
        spec->comma = true;
        s++;
    }
    if (*s == '.' && isdigit((unsigned char)s[1]))
        s = parse_number(s + 1, &spec->precision);
    if (*s && strchr("bcdeEfFgGnosxX%", *s))
        spec->type = *s++;
    if (*s == 'h') {
        spec->hyphen = true;
        s++;
    }
    if (*s == '+') {
        spec->plus = true;
        s++;
    }
    if (s == end)
        return 0;
    return wrong(f, s, (size_t)(end - s), err, "'%.*s' is no part of a format",
                 (int)(end - s), s);
}

/* The inside of {...}, up to END: NAME[!CONV][:SPEC]. */
static int parse_field(struct format *f, struct piece *p, const char *text,
                       const char *end, struct error *err)
{
    size_t len = strcspn(text, "!:}");
    const char *s = text + len;
    if (strncmp(text, "0.", 2) == 0)
        text += 2, len -= 2;
    p->field = find_field(f, text, len);
    if (!p->field)
        return unknown_field(f, text, len, err);
    if (*s == '!') {
        p->conv = s[1];
        size_t n = s + 1 < end ? 1 + char_bytes(s + 1, 1) : 1;
        if (s + 1 >= end || !strchr("dDFHPsra", p->conv) || (s + 2 < end && s[2] != ':'))
            return wrong(f, s, n, err,
                         "after '!' there must be one of d, D, F, H, P, s and r");
        s += 2;
    }
    s += *s == ':';
    if (p->conv == 'd') {
        const char *colons = strstr(s, "::");
        const char *stop = colons && colons < end ? colons : end;
        p->time_format = xstrndup(s, (size_t)(stop - s));
        s = stop == end ? end : stop + 2;
    }
    return parse_spec(f, s, end, &p->spec, err);
}

static void take_sentinel(struct piece *p)
{
    static const struct {
        const char *text;
        bool if_any, expand;
    } sentinels[] = {{"?+:", true, true}, {"?:", true, false}, {"+:", false, true}};
    size_t len = strlen(p->text);
    for (size_t i = 0; i < ARRAY_SIZE(sentinels); i++) {
        size_t n = strlen(sentinels[i].text);
        if (len < n || strcmp(p->text + len - n, sentinels[i].text) != 0)
            continue;
        p->text[len - n] = '\0';
        p->if_any = sentinels[i].if_any;
        p->expand = sentinels[i].expand;
        return;
    }
}

static const char *field_end(const char *s)
{
    int depth = 1;
    for (; *s; s++) {
        if (*s == '{')
            depth++;
        if (*s == '}' && --depth == 0)
            return s;
    }
    return NULL;
}

static int parse(struct format *f, const char *text, struct error *err)
{
    for (const char *s = text; *s;) {
        cleanup_strbuf struct strbuf before = {0};
        f->pieces = xrealloc(f->pieces, (f->n + 1) * sizeof(*f->pieces));
        struct piece *p = &f->pieces[f->n++];
        *p = (struct piece){.text = NULL};
        while (*s && (*s != '{' || s[1] == '{') && (*s != '}' || s[1] == '}')) {
            strbuf_addc(&before, *s);
            s += *s == '{' || *s == '}' ? 2 : 1;
        }
        p->text = strbuf_take(&before);
        if (*s == '}')
            return wrong(f, s, 1, err, "a single '}' (write '}}' for one)");
        if (*s == '\0')
            return 0;
        const char *end = field_end(s + 1);
        if (!end)
            return wrong(f, s, 1, err, "a '{' that is not closed (write '{{' for one)");
        if (parse_field(f, p, s + 1, end, err) < 0)
            return -1;
        take_sentinel(p);
        s = end + 1;
    }
    return 0;
}

/* Of f->source, from KEYS to END. */
static int parse_sort(struct format *f, const char *keys, const char *end,
                      struct error *err)
{
    free(f->keys);
    f->keys = NULL;
    f->nkeys = 0;
    for (const char *s = keys; s < end; s += s < end && *s == ',') {
        bool reverse = *s == '-';
        s += reverse;
        size_t len = MIN(strcspn(s, ","), (size_t)(end - s));
        const struct format_field *field = find_field(f, s, len);
        if (!field)
            return unknown_field(f, s, len, err);
        f->keys = xrealloc(f->keys, (f->nkeys + 1) * sizeof(*f->keys));
        f->keys[f->nkeys++] = (struct sort_key){field, reverse};
        s += len;
    }
    return 0;
}

int format_set_sort(struct format *f, const char *keys, struct error *err)
{
    f->source = keys;
    return parse_sort(f, keys, keys + strlen(keys), err);
}

struct format *format_create(const char *text, const struct format_field *fields,
                             size_t n, struct error *err)
{
    struct format *f = xcalloc(1, sizeof(*f));
    f->source = text;
    f->fields = fields;
    f->nfields = n;
    int rc = 0;
    if (strncmp(text, "sort:", 5) == 0) {
        size_t len = strcspn(text + 5, " {");
        rc = parse_sort(f, text + 5, text + 5 + len, err);
        text += 5 + len;
        text += *text == ' ';
    }
    if (rc == 0 && parse(f, text, err) == 0)
        return f;
    format_destroy(f);
    return NULL;
}

void format_destroy(struct format *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->pieces[i].text);
        free(f->pieces[i].time_format);
    }
    for (size_t i = 0; i < f->nmade; i++) {
        free(f->made[i]->name);
        free(f->made[i]->heading);
        free(f->made[i]);
    }
    free(f->made);
    free(f->pieces);
    free(f->keys);
    free(f);
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

static double as_number(const struct format_value *v)
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
    time_t t = (time_t)as_number(v);
    struct tm tm;
    localtime_r(&t, &tm);
    if (t == 0 || strftime(v->buf, sizeof(v->buf), *format ? format : "%FT%T", &tm) == 0)
        v->buf[0] = '\0';
    as_text(v);
}

static void convert(const struct piece *p, struct format_value *v)
{
    double x = as_number(v);
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

static bool is_empty(const char *s)
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
static void render(const struct format_value *v, const struct spec *spec, char *buf,
                   size_t size, const char **text)
{
    char type = spec->type;
    *text = buf;
    if (v->type == FORMAT_NONE || v->type == FORMAT_TEXT) {
        *text = v->type == FORMAT_TEXT && v->text ? v->text : "";
        return;
    }
    bool is_float = v->type == FORMAT_NUMBER || (type && strchr("eEfFgG%", type));
    double x = as_number(v);
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

static void add_fill(struct strbuf *out, const struct spec *spec, size_t n)
{
    while (n--)
        strbuf_add(out, spec->fill);
}

static void add_aligned(struct strbuf *out, const struct spec *spec, const char *text,
                        bool number)
{
    size_t len = char_count(text), width = spec->width > 0 ? (size_t)spec->width : 0;
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

static void add_value(struct strbuf *out, const struct piece *p, const void *item)
{
    struct format_value v = {0};
    struct spec spec = p->spec;
    char buf[160];
    const char *text;
    p->field->get(item, p->field, &v);
    convert(p, &v);
    bool number = v.type == FORMAT_INT || v.type == FORMAT_NUMBER;
    render(&v, &spec, buf, sizeof(buf), &text);
    if (spec.hyphen && is_empty(text)) {
        text = "-";
        number = false;
    } else if (spec.hyphen) {
        number = false;
    }
    cleanup_free char *cut = NULL;
    if (!number && spec.precision >= 0 && char_count(text) > (size_t)spec.precision) {
        size_t keep = (size_t)spec.precision - (spec.plus && spec.precision > 0);
        cut = xasprintf("%.*s%s", (int)char_bytes(text, keep), text,
                        keep < (size_t)spec.precision ? "+" : "");
        text = cut;
    }
    add_aligned(out, &spec, text, number);
    free(v.made);
}

/* --- lines ------------------------------------------------------------------------------- */

char *format_header(const struct format *f)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < f->n; i++) {
        const struct piece *p = &f->pieces[i];
        if (p->hidden)
            continue;
        strbuf_add(&out, p->text);
        if (!p->field)
            continue;
        struct spec spec = {.fill = " ", .align = p->spec.align, .width = p->spec.width};
        add_aligned(&out, &spec, p->field->heading, false);
    }
    return strbuf_take(&out);
}

char *format_line(const struct format *f, const void *item)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < f->n; i++) {
        const struct piece *p = &f->pieces[i];
        if (p->hidden)
            continue;
        strbuf_add(&out, p->text);
        if (p->field)
            add_value(&out, p, item);
    }
    return strbuf_take(&out);
}

void format_each_field(const struct format *f,
                       void (*fn)(const struct format_field *field, void *arg), void *arg)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->pieces[i].field)
            fn(f->pieces[i].field, arg);
    for (size_t i = 0; i < f->nkeys; i++)
        fn(f->keys[i].field, arg);
}

void format_cut(char *line, size_t width)
{
    line[char_bytes(line, width)] = '\0';
}

/* --- all lines together ------------------------------------------------------------------ */

/* Order: empty, numbers, texts. */
static int compare_values(const struct format_value *a, const struct format_value *b)
{
    static const int order[] = {
        [FORMAT_NONE] = 0, [FORMAT_TEXT] = 2, [FORMAT_INT] = 1, [FORMAT_NUMBER] = 1};
    int x = a->type == FORMAT_TEXT && !*a->text ? 0 : order[a->type];
    int y = b->type == FORMAT_TEXT && !*b->text ? 0 : order[b->type];
    if (x != y)
        return x - y;
    if (x == 0)
        return 0;
    if (x == 2)
        return strcmp(a->text, b->text);
    if (a->type == FORMAT_INT && b->type == FORMAT_INT)
        return (a->i > b->i) - (a->i < b->i);
    double p = as_number(a), q = as_number(b);
    return (p > q) - (p < q);
}

static int compare_items(const void *a, const void *b, void *arg)
{
    const struct format *f = arg;
    for (size_t i = 0; i < f->nkeys; i++) {
        const struct format_field *field = f->keys[i].field;
        struct format_value x = {0}, y = {0};
        field->get(*(const void *const *)a, field, &x);
        field->get(*(const void *const *)b, field, &y);
        int c = compare_values(&x, &y);
        free(x.made);
        free(y.made);
        if (c)
            return f->keys[i].reverse ? -c : c;
    }
    return 0;
}

static void prepare_piece(struct piece *p, const void **items, size_t n)
{
    struct piece bare = *p;
    size_t widest = 0;
    bool any = false;
    bare.spec = (struct spec){.fill = " ",
                              .width = -1,
                              .precision = -1,
                              .type = p->spec.type,
                              .hyphen = p->spec.hyphen};
    for (size_t i = 0; i < n; i++) {
        cleanup_strbuf struct strbuf value = {0};
        add_value(&value, &bare, items[i]);
        const char *text = value.s ? value.s : "";
        any |= !is_empty(text) && strcmp(text, "-") != 0;
        widest = MAX(widest, char_count(text));
    }
    p->hidden = p->if_any && !any;
    if (p->expand) {
        int width = (int)MAX(widest, strlen(p->field->heading));
        p->spec.width = MAX(p->spec.width, width);
        if (p->spec.precision >= 0)
            p->spec.precision = MAX(p->spec.precision, p->spec.width);
    }
}

static void sort_items(struct format *f, const void **items, size_t n)
{
    if (f->nkeys) /* qsort_r of glibc sorts by merging: equal ones keep their order */
        qsort_r(items, n, sizeof(*items), compare_items, f);
}

void format_prepare(struct format *f, const void **items, size_t n)
{
    sort_items(f, items, n);
    for (size_t i = 0; i < f->n; i++) {
        struct piece *p = &f->pieces[i];
        if (p->field && (p->if_any || p->expand))
            prepare_piece(p, items, n);
    }
}
