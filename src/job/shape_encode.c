/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/shape.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/count.h"
#include "src/job/jsonutil.h"
#include "src/job/shape_impl.h"

/* DEPTH counts as in shape.c, so that what is written can be read. */
struct print {
    struct strbuf b;
    int nslots;
    int depth;
    struct error *err;
};

enum word { WORD_TYPE, WORD_KEY, WORD_VALUE };

/* Whether S, unquoted, is read as itself. */
static bool is_plain(const char *s, enum word word)
{
    static const char *const stops[] = {
        [WORD_TYPE] = SHAPE_TYPE_STOPS,
        [WORD_KEY] = SHAPE_KEY_STOPS,
        [WORD_VALUE] = SHAPE_VALUE_STOPS,
    };
    size_t len = strlen(s);
    if (!len || strcspn(s, stops[word]) < len)
        return false;
    if (*s == ' ' || s[len - 1] == ' ')
        return false;
    for (const char *p = s; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    if (word == WORD_KEY && (*s == '+' || *s == '-' || !strcmp(s, "x")))
        return false;
    json_object *o = NULL;
    bool other = word == WORD_VALUE && shape_word_value(s, len, &o);
    json_object_put(o);
    return !other;
}

static void print_json(struct print *pr, json_object *o)
{
    strbuf_add(&pr->b, json_object_to_json_string_ext(
                           o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_word(struct print *pr, const char *s, enum word word)
{
    if (is_plain(s, word)) {
        strbuf_add(&pr->b, s);
        return;
    }
    cleanup_json json_object *quoted = json_object_new_string(s);
    print_json(pr, quoted);
}

static int too_deep(const struct print *pr)
{
    return error_set(pr->err, EINVAL, "resources: nested deeper than %d",
                     SHAPE_DEPTH_MAX);
}

static int print_value(struct print *pr, json_object *value);

static int print_item(struct print *pr, const char *key, json_object *value, bool vertex)
{
    bool boolean = json_object_is_type(value, json_type_boolean);
    if (vertex && boolean && !strcmp(key, "exclusive")) {
        strbuf_add(&pr->b, json_object_get_boolean(value) ? "x" : "-x");
        return 0;
    }
    if (boolean)
        strbuf_addc(&pr->b, json_object_get_boolean(value) ? '+' : '-');
    print_word(pr, key, WORD_KEY);
    if (boolean)
        return 0;
    strbuf_addc(&pr->b, ':');
    return print_value(pr, value);
}

static int print_object(struct print *pr, json_object *o)
{
    char sep = '{';
    json_object_object_foreach(o, key, value)
    {
        strbuf_addc(&pr->b, sep);
        sep = ',';
        if (print_item(pr, key, value, false) < 0)
            return -1;
    }
    strbuf_add(&pr->b, sep == '{' ? "{}" : "}");
    return 0;
}

static int print_array(struct print *pr, json_object *o)
{
    strbuf_addc(&pr->b, '[');
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        if (i)
            strbuf_addc(&pr->b, ',');
        if (print_value(pr, json_object_array_get_idx(o, i)) < 0)
            return -1;
    }
    strbuf_addc(&pr->b, ']');
    return 0;
}

static int print_value(struct print *pr, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
    case json_type_array: {
        if (++pr->depth > SHAPE_DEPTH_MAX)
            return too_deep(pr);
        int rc = json_object_is_type(value, json_type_object) ? print_object(pr, value)
                                                              : print_array(pr, value);
        pr->depth--;
        return rc;
    }
    case json_type_string:
        if (!jsonutil_string(value))
            return error_set(pr->err, EINVAL,
                             "resources: %s: a NUL byte has no place here",
                             jsonutil_show(value).text);
        print_word(pr, json_object_get_string(value), WORD_VALUE);
        return 0;
    case json_type_double:
        if (!jsonutil_number(value, NULL))
            return error_set(pr->err, EINVAL, "resources: %s is not a JSON number",
                             jsonutil_show(value).text);
        break;
    default:
        break;
    }
    print_json(pr, value);
    return 0;
}

/* --- vertices -------------------------------------------------------------------------------- */

static bool is_slot(json_object *vertex)
{
    const char *type = jsonutil_string(jsonutil_get(vertex, "type"));
    return type && !strcmp(type, "slot");
}

static int count_slots(json_object *list, int depth)
{
    if (!json_object_is_type(list, json_type_array) || depth > SHAPE_DEPTH_MAX)
        return 0;
    int n = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *vertex = json_object_array_get_idx(list, i);
        n += is_slot(vertex) + count_slots(jsonutil_get(vertex, "with"), depth + 1);
    }
    return n;
}

static bool is_own_key(const char *key, bool slot)
{
    return !strcmp(key, "type") || !strcmp(key, "count") || !strcmp(key, "with") ||
           (slot && !strcmp(key, "label"));
}

/* The braces, where there is something to put into them. */
static int print_braces(struct print *pr, json_object *vertex)
{
    bool slot = is_slot(vertex);
    bool others = false;
    json_object_object_foreach(vertex, k, v)
    {
        (void)v;
        others = others || !is_own_key(k, slot);
    }
    char sep = '{';
    if (slot) {
        const char *label = jsonutil_string(jsonutil_get(vertex, "label"));
        if (!label)
            return error_set(pr->err, EINVAL,
                             "resources: a slot must have a label, a string, not %s",
                             jsonutil_show(jsonutil_get(vertex, "label")).text);
        if (others || pr->nslots > 1 || strcmp(label, SHAPE_DEFAULT_LABEL) != 0) {
            strbuf_addc(&pr->b, sep);
            print_word(pr, label, WORD_KEY);
            sep = ',';
        }
    }
    if (others && ++pr->depth > SHAPE_DEPTH_MAX)
        return too_deep(pr);
    json_object_object_foreach(vertex, key, value)
    {
        if (is_own_key(key, slot))
            continue;
        strbuf_addc(&pr->b, sep);
        sep = ',';
        if (print_item(pr, key, value, true) < 0)
            return -1;
    }
    pr->depth -= others;
    if (sep == ',')
        strbuf_addc(&pr->b, '}');
    return 0;
}

static int print_list(struct print *pr, json_object *list);

static int print_vertex(struct print *pr, json_object *vertex)
{
    const char *type = jsonutil_string(jsonutil_get(vertex, "type"));
    if (!type || !*type)
        return error_set(pr->err, EINVAL, "resources: %s: \"type\" must be a string",
                         jsonutil_show(vertex).text);
    struct count c;
    if (count_from_json(jsonutil_get(vertex, "count"), &c, pr->err) < 0)
        return error_prefix(pr->err, "resources: %s", type);
    print_word(pr, type, WORD_TYPE);
    if (c.min != 1 || c.max != 1) {
        cleanup_free char *count = count_encode(&c);
        strbuf_addf(&pr->b, "=%s", count);
    }
    count_clear(&c);
    if (print_braces(pr, vertex) < 0)
        return -1;
    json_object *with = NULL;
    if (!json_object_object_get_ex(vertex, "with", &with)) {
        if (is_slot(vertex))
            return error_set(pr->err, EINVAL, "resources: a slot must have \"with\"");
        return 0;
    }
    strbuf_addc(&pr->b, '/');
    return print_list(pr, with);
}

static int print_list(struct print *pr, json_object *list)
{
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!n)
        return error_set(pr->err, EINVAL,
                         "resources: must be an array of at least one resource, not %s",
                         jsonutil_show(list).text);
    if (++pr->depth > SHAPE_DEPTH_MAX)
        return too_deep(pr);
    for (size_t i = 0; i < n; i++) {
        if (n > 1)
            strbuf_addc(&pr->b, i ? ';' : '[');
        if (print_vertex(pr, json_object_array_get_idx(list, i)) < 0)
            return -1;
    }
    if (n > 1)
        strbuf_addc(&pr->b, ']');
    pr->depth--;
    return 0;
}

char *shape_encode(json_object *resources, struct error *err)
{
    struct print pr = {.nslots = count_slots(resources, 0), .err = err};
    int rc = print_list(&pr, resources);
    cleanup_free char *text = strbuf_take(&pr.b);
    return rc < 0 ? NULL : take(text);
}
