/* SPDX-License-Identifier: BSD-3-Clause */
/* format_parse: from text to a format. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "src/cli/format_impl.h"
#include "src/cli/nearest.h"
#include "src/common/util.h"

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
        from += format_bytes(head + from, 1);
    return error_set(err, EINVAL, "%s at character %zu: '%s%s>>%.*s<<%.*s%s'", what,
                     format_chars(head) + 1, from ? "..." : "", head + from, (int)len, at,
                     (int)format_bytes(at + len, AROUND), at + len,
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
    struct format_made_field *m = xmalloc(sizeof(*m));
    m->field = *wild;
    m->field.name = m->name = xstrndup(name, len);
    m->field.heading = m->heading = to_upper(name, len);
    f->made = xrealloc(f->made, (f->nmade + 1) * sizeof(struct format_made_field *));
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
                      struct format_spec *spec, struct error *err)
{
    *spec = (struct format_spec){.fill = " ", .width = -1, .precision = -1};
    size_t first = format_bytes(s, 1);
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
static int parse_field(struct format *f, struct format_piece *p, const char *text,
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
        size_t n = s + 1 < end ? 1 + format_bytes(s + 1, 1) : 1;
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

static void take_sentinel(struct format_piece *p)
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
        struct format_piece *p = &f->pieces[f->n++];
        *p = (struct format_piece){.text = NULL};
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
        f->keys[f->nkeys++] = (struct format_sort_key){field, reverse};
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
