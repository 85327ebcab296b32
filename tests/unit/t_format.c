/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "src/cli/format.h"
#include "src/common/util.h"

struct item {
    const char *name;
    long long n;
    double t;
};

static void get_name(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    const struct item *it = item;
    (void)f;
    v->type = it->name ? FORMAT_TEXT : FORMAT_NONE;
    v->text = it->name;
}

static void get_n(const void *item, const struct format_field *f, struct format_value *v)
{
    const struct item *it = item;
    (void)f;
    v->type = FORMAT_INT;
    v->i = it->n;
}

static void get_t(const void *item, const struct format_field *f, struct format_value *v)
{
    const struct item *it = item;
    (void)f;
    v->type = FORMAT_NUMBER;
    v->number = it->t;
}

static void get_wild(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    (void)item;
    v->type = FORMAT_TEXT;
    v->text = v->made = xasprintf("<%s>", f->name);
}

static const struct format_field fields[] = {
    {"name", "NAME", get_name, NULL}, {"n", "N", get_n, NULL},
    {"t", "TIME", get_t, NULL},       {"id.f58", "ID", get_name, NULL},
    {"wild.*", "", get_wild, NULL},
};

static struct format *compile(const char *text)
{
    struct error err = {0};
    struct format *f = format_create(text, fields, ARRAY_SIZE(fields), &err);
    ck_assert_msg(f != NULL, "'%s': %s", text, err.text);
    return f;
}

/* What Python's str.format makes of the same. */
START_TEST(lines)
{
    static const struct item it = {"hello", 42, 90.5}, florin = {"ƒabc", 1234567, 0.25};
    static const struct {
        const char *format;
        const struct item *item;
        const char *line;
    } table[] = {
        {"{name}", &it, "hello"},
        {"a{{b}}c {name}.", &it, "a{b}c hello."},
        {"{name:>8}|", &it, "   hello|"},
        {"{name:<8}|", &it, "hello   |"},
        {"{name:^8}|", &it, " hello  |"},
        {"{name:*^9}|", &it, "**hello**|"},
        {"{name:.3}|", &it, "hel|"},
        {"{name:6.3}|", &it, "hel   |"},
        {"{name:>6.4+}|", &it, "  hel+|"},
        {"{name:>6.6+}|", &it, " hello|"},
        {"{n}|{n:5}|{n:<5}|{n:05}|{n:x}|{n:+d}", &it, "42|   42|42   |00042|2a|+42"},
        {"{n:,}", &florin, "1,234,567"},
        {"{t}|{t:.1f}|{t:8.2f}|{t:g}", &it, "90.5|90.5|   90.50|90.5"},
        {"{t!F}|{t!F:>8}|{t!H}", &it, "1.508m|  1.508m|0:01:30"},
        {"{t!P}", &florin, "25%"},
        {"{id.f58:>6}|", &florin, "  ƒabc|"},
        {"{0.name}", &it, "hello"},
        {"{name!s:>7}|", &it, "  hello|"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct format *f = compile(table[i].format);
        cleanup_free char *line = format_line(f, table[i].item);
        ck_assert_msg(strcmp(line, table[i].line) == 0, "'%s': got '%s', wanted '%s'",
                      table[i].format, line, table[i].line);
        format_destroy(f);
    }
}
END_TEST

START_TEST(empty_values)
{
    static const struct item none = {NULL, 0, 0};
    static const struct {
        const char *format, *line;
    } table[] = {
        {"[{name}]", "[]"},
        {"[{name:h}]", "[-]"},
        {"[{t!F:>4h}]", "[   -]"},
        {"[{t!D}]", "[]"},
        {"[{t!D:h}]", "[-]"},
        {"[{t!F}]", "[0s]"},
        {"[{t!d:%F::>12}]", "[            ]"},
        {"[{name:>3}]", "[   ]"},
        {"[{t!H:h}]", "[-]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct format *f = compile(table[i].format);
        cleanup_free char *line = format_line(f, &none);
        ck_assert_str_eq(line, table[i].line);
        format_destroy(f);
    }
}
END_TEST

START_TEST(times)
{
    setenv("TZ", "UTC", 1);
    static const struct item it = {"x", 0, 1700000000.25};
    struct format *f = compile("{t!D} {t!d:%b%d %R::>12}|{t!d:%Y}");
    cleanup_free char *line = format_line(f, &it);
    ck_assert_str_eq(line, "2023-11-14T22:13:20  Nov14 22:13|2023");
    format_destroy(f);
}
END_TEST

START_TEST(columns)
{
    static const struct item items[] = {
        {"b", 2, 0}, {"a longer name", 10, 0}, {"c", 1, 0}};
    const void *rows[] = {&items[0], &items[1], &items[2]};
    struct format *f = compile("sort:-n ?:{t!F:>8} +:{name:<4.4} {n:>3}");
    format_prepare(f, rows, ARRAY_SIZE(rows));
    static const char *const wanted[] = {" a longer name  10", " b               2",
                                         " c               1"};
    cleanup_free char *header = format_header(f);
    ck_assert_str_eq(header, " NAME            N");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cleanup_free char *line = format_line(f, rows[i]);
        ck_assert_str_eq(line, wanted[i]);
    }
    struct error err;
    ck_assert_int_eq(format_set_sort(f, "name", &err), 0);
    format_prepare(f, rows, ARRAY_SIZE(rows));
    ck_assert_ptr_eq(rows[0], &items[1]);
    format_destroy(f);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        double t;
        const char *fsd, *clock;
    } table[] = {
        {0, "0s", "0:00:00"},         {0.5, "0.500s", "0:00:01"},
        {59.94, "59.94s", "0:01:00"}, {90, "1.5m", "0:01:30"},
        {5400, "1.5h", "1:30:00"},    {129600, "1.5d", "1 day, 12:00:00"},
    };
    char buf[64];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        ck_assert_str_eq(format_duration(table[i].t, buf, sizeof(buf)), table[i].fsd);
        ck_assert_str_eq(format_clock(table[i].t, buf, sizeof(buf)), table[i].clock);
    }
}
END_TEST

START_TEST(made_fields)
{
    static const struct item it = {"x", 7, 0};
    struct format *f = compile("{wild.a.b} {wild.c:>8}|");
    cleanup_free char *line = format_line(f, &it), *header = format_header(f);
    ck_assert_str_eq(line, "<wild.a.b> <wild.c>|");
    ck_assert_str_eq(header, "WILD.A.B   WILD.C|");
    format_destroy(f);
}
END_TEST

START_TEST(cut)
{
    static const struct {
        size_t width;
        const char *left;
    } table[] = {{0, ""}, {1, "ƒ"}, {2, "ƒa"}, {4, "ƒabc"}, {9, "ƒabc"}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char line[] = "ƒabc";
        format_cut(line, table[i].width);
        ck_assert_str_eq(line, table[i].left);
    }
}
END_TEST

START_TEST(rejects)
{
    static const char *const table[][2] = {
        {"{nosuch}", "there is no field 'nosuch' at character 2: '{>>nosuch<<}'"},
        {"{n} {nam}", "'nam' (is it 'name'?) at character 6: '{n} {>>nam<<}'"},
        {"ƒ{name", "not closed (write '{{' for one) at character 2: 'ƒ>>{<<name'"},
        {"{name}}", "a single '}' (write '}}' for one) at character 7: '{name}>>}<<'"},
        {"{name:>x8}|", "'8' is no part of a format at character 9: '{name:>x>>8<<}|'"},
        {"{name!Z}", "after '!' there must be one of"},
        {"{name!Z:>8}", "at character 6: '{name>>!Z<<:>8}'"},
        {"{name!dx}", "at character 6: '{name>>!d<<x}'"},
        {"{name:8q}", "'q' is no part of a format at character 8"},
        {"{name:{n}}", "'{n}' is no part of a format at character 7"},
        {"sort:nope {name}",
         "'nope' (is it 'name'?) at character 6: 'sort:>>nope<< {name}'"},
        {"sort:n,-x {name}", "'x' (is it 'n'?) at character 9"},
        {"{}", "there is no field ''"},
        {"{n!}", "at character 3: '{n>>!<<}'"},
        {"{wild.}", "there is no field 'wild.'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err = {0};
        struct format *f = format_create(table[i][0], fields, ARRAY_SIZE(fields), &err);
        ck_assert_msg(f == NULL, "'%s' was taken", table[i][0]);
        ck_assert_int_ne(err.code, 0);
        ck_error_names(err, table[i][1]);
    }
    struct error err = {0};
    struct format *f = compile("{n}");
    ck_assert_int_lt(format_set_sort(f, "n,nam", &err), 0);
    ck_error_names(err, "there is no field 'nam' (is it 'name'?) at character 3");
    format_destroy(f);
    cleanup_free char *text = xasprintf("%0300d{nosuch}%0300d", 0, 0);
    ck_assert_ptr_null(format_create(text, fields, ARRAY_SIZE(fields), &err));
    ck_error_names(err, "0{>>nosuch<<}0");
    ck_error_names(err, "at character 302");
}
END_TEST

UNIT_MAIN("format", lines, empty_values, times, columns, durations, made_fields, cut,
          rejects)
