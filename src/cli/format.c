/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include "src/cli/format_impl.h"
#include "src/common/util.h"

/* --- lines ------------------------------------------------------------------------------- */

char *format_header(const struct format *f)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < f->n; i++) {
        const struct format_piece *p = &f->pieces[i];
        if (p->hidden)
            continue;
        strbuf_add(&out, p->text);
        if (!p->field)
            continue;
        struct format_spec spec = {
            .fill = " ", .align = p->spec.align, .width = p->spec.width};
        format_add_aligned(&out, &spec, p->field->heading, false);
    }
    return strbuf_take(&out);
}

char *format_line(const struct format *f, const void *item)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < f->n; i++) {
        const struct format_piece *p = &f->pieces[i];
        if (p->hidden)
            continue;
        strbuf_add(&out, p->text);
        if (p->field)
            format_add_value(&out, p, item);
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
    line[format_bytes(line, width)] = '\0';
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
    double p = format_as_number(a), q = format_as_number(b);
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

static void prepare_piece(struct format_piece *p, const void **items, size_t n)
{
    struct format_piece bare = *p;
    size_t widest = 0;
    bool any = false;
    bare.spec = (struct format_spec){.fill = " ",
                                     .width = -1,
                                     .precision = -1,
                                     .type = p->spec.type,
                                     .hyphen = p->spec.hyphen};
    for (size_t i = 0; i < n; i++) {
        cleanup_strbuf struct strbuf value = {0};
        format_add_value(&value, &bare, items[i]);
        const char *text = value.s ? value.s : "";
        any |= !format_is_empty(text) && strcmp(text, "-") != 0;
        widest = MAX(widest, format_chars(text));
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
        struct format_piece *p = &f->pieces[i];
        if (p->field && (p->if_any || p->expand))
            prepare_piece(p, items, n);
    }
}
