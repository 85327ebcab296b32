/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/shape.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/job/count.h"
#include "src/job/jsonutil.h"
#include "src/job/shape_impl.h"

struct parse {
    const char *text;
    const char *p;
    int depth;
    int nslots;
    const char *unlabelled; /* where a slot without a label stands, or NULL */
    struct error *err;
};

static int fail(const struct parse *ps, const char *at, const char *what)
{
    if (*at == '\0')
        return error_set(ps->err, EINVAL, "shape '%.200s': %s at its end", ps->text,
                         what);
    return error_set(ps->err, EINVAL, "shape '%.200s': %s at character %zu, '%.40s'",
                     ps->text, what, (size_t)(at - ps->text) + 1, at);
}

static void *fail_null(const struct parse *ps, const char *at, const char *what)
{
    fail(ps, at, what);
    return NULL;
}

/* The character at the next part, after blanks. */
static char peek(struct parse *ps)
{
    ps->p += strspn(ps->p, SHAPE_BLANKS);
    return *ps->p;
}

static bool accept(struct parse *ps, char c)
{
    if (peek(ps) != c)
        return false;
    ps->p++;
    return true;
}

static int enter(struct parse *ps)
{
    if (++ps->depth > SHAPE_DEPTH_MAX)
        return fail(ps, ps->p, "nested too deep");
    return 0;
}

/* --- words ----------------------------------------------------------------------------------- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && isdigit((unsigned char)*p))
        p++;
    return p;
}

/* Whether the word is a number as JSON writes it; *INTEGER: without fraction and exponent. */
static bool is_number(const char *p, size_t len, bool *integer)
{
    const char *end = p + len;
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        return false;
    *integer = p == end;
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return false;
    }
    return p == end;
}

static json_object *word_number(const char *word, size_t len)
{
    bool integer;
    if (!is_number(word, len, &integer))
        return NULL;
    /* An integer that might not fit 64 bits is one, too, but a floating point number. */
    cleanup_free char *text =
        xasprintf("%.*s%s", (int)len, word, integer && len > 18 ? "e0" : "");
    cleanup_json json_object *o = jsonutil_decode(text, strlen(text), NULL);
    return jsonutil_number(o, NULL) ? take(o) : NULL;
}

bool shape_word_value(const char *word, size_t len, json_object **o)
{
    *o = NULL;
    if (len == 4 && !strncasecmp(word, "null", len))
        return true;
    if (len == 4 && !strncasecmp(word, "true", len))
        *o = json_object_new_boolean(true);
    else if (len == 5 && !strncasecmp(word, "false", len))
        *o = json_object_new_boolean(false);
    else
        *o = word_number(word, len);
    return *o != NULL;
}

/* A string in single quotes, as it is, or in double quotes, as JSON has it. */
static char *parse_quoted(struct parse *ps)
{
    const char *start = ps->p;
    const char *end = start + 1;
    while (*end && *end != *start)
        end += *start == '"' && *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return fail_null(ps, start, "a quote is not closed");
    ps->p = end + 1;
    if (*start == '\'')
        return xstrndup(start + 1, (size_t)(end - start) - 1);
    struct error why;
    cleanup_json json_object *o = jsonutil_decode(start, (size_t)(end + 1 - start), &why);
    if (!jsonutil_string(o))
        return fail_null(ps, start, "not a JSON string");
    return xstrdup(jsonutil_string(o));
}

/* Length of an unquoted word, without the blanks at its end. */
static size_t word_len(const char *p, const char *stops)
{
    size_t len = strcspn(p, stops);
    while (len && strchr(SHAPE_BLANKS, p[len - 1]))
        len--;
    return len;
}

/* A type, label or key; *QUOTED says how it was written. WHAT: "expected a ...". */
static char *parse_name(struct parse *ps, const char *stops, const char *what,
                        bool *quoted)
{
    char c = peek(ps);
    *quoted = c == '"' || c == '\'';
    if (*quoted)
        return parse_quoted(ps);
    size_t len = word_len(ps->p, stops);
    if (!len)
        return fail_null(ps, ps->p, what);
    ps->p += len;
    return xstrndup(ps->p - len, len);
}

/* --- what is in braces ----------------------------------------------------------------------- */

static int parse_dict(struct parse *ps, json_object *into, bool vertex);

static int parse_array(struct parse *ps, json_object **value);

/* A value; *VALUE is NULL for null. */
static int parse_value(struct parse *ps, json_object **value)
{
    *value = NULL;
    char c = peek(ps);
    if (c == '{') {
        cleanup_json json_object *o = json_object_new_object();
        if (parse_dict(ps, o, false) < 0)
            return -1;
        *value = take(o);
        return 0;
    }
    if (c == '[')
        return parse_array(ps, value);
    if (c == '"' || c == '\'') {
        cleanup_free char *s = parse_quoted(ps);
        if (s)
            *value = json_object_new_string(s);
        return s ? 0 : -1;
    }
    size_t len = word_len(ps->p, SHAPE_VALUE_STOPS);
    if (!len)
        return fail(ps, ps->p, "expected a value");
    if (!shape_word_value(ps->p, len, value))
        *value = json_object_new_string_len(ps->p, (int)len);
    ps->p += len;
    return 0;
}

static int parse_array(struct parse *ps, json_object **value)
{
    const char *start = ps->p++;
    if (enter(ps) < 0)
        return -1;
    cleanup_json json_object *array = json_object_new_array();
    if (!accept(ps, ']')) {
        do {
            json_object *element;
            if (parse_value(ps, &element) < 0)
                return -1;
            json_object_array_add(array, element);
        } while (accept(ps, ','));
        if (!accept(ps, ']'))
            return *ps->p ? fail(ps, ps->p, "expected ',' or ']'")
                          : fail(ps, start, "a bracket is not closed");
    }
    ps->depth--;
    *value = take(array);
    return 0;
}

/* KEY:VALUE, KEY, +KEY or -KEY.  VERTEX: among a vertex's own keys, where x is short for
 * exclusive, and some have their place elsewhere. */
static int parse_item(struct parse *ps, json_object *into, bool vertex)
{
    char sign = peek(ps);
    const char *start = ps->p;
    if (sign == '+' || sign == '-')
        ps->p++;
    bool quoted;
    cleanup_free char *key = parse_name(ps, SHAPE_KEY_STOPS, "expected a key", &quoted);
    if (!key)
        return -1;
    const char *name = vertex && !quoted && !strcmp(key, "x") ? "exclusive" : key;
    if (vertex &&
        (!strcmp(name, "type") || !strcmp(name, "count") || !strcmp(name, "with")))
        return fail(ps, start,
                    "type, count and with have no place in braces, but one is");
    if (json_object_object_get_ex(into, name, NULL))
        return fail(ps, start, "a key is given twice");
    json_object *value = NULL;
    if (sign == '+' || sign == '-' || peek(ps) != ':') {
        value = json_object_new_boolean(sign != '-');
    } else {
        ps->p++;
        if (parse_value(ps, &value) < 0)
            return -1;
    }
    json_object_object_add(into, name, value);
    return 0;
}

/* The items after the first part of the braces that START opened, and the closing brace. */
static int parse_items(struct parse *ps, const char *start, json_object *into,
                       bool vertex)
{
    while (accept(ps, ','))
        if (parse_item(ps, into, vertex) < 0)
            return -1;
    if (!accept(ps, '}'))
        return *ps->p ? fail(ps, ps->p, "expected ',' or '}'")
                      : fail(ps, start, "a brace is not closed");
    return 0;
}

static int parse_dict(struct parse *ps, json_object *into, bool vertex)
{
    const char *start = ps->p++;
    if (enter(ps) < 0)
        return -1;
    if (!accept(ps, '}')) {
        if (!peek(ps))
            return fail(ps, start, "a brace is not closed");
        if (parse_item(ps, into, vertex) < 0 || parse_items(ps, start, into, vertex) < 0)
            return -1;
    }
    ps->depth--;
    return 0;
}

/* --- vertices -------------------------------------------------------------------------------- */

/* {LABEL,ITEM,...}, or nothing for the default label. */
static int parse_slot_dict(struct parse *ps, const char *slot, json_object *into)
{
    ps->nslots++;
    if (peek(ps) != '{') {
        if (!ps->unlabelled)
            ps->unlabelled = slot;
        json_object_object_add(into, "label",
                               json_object_new_string(SHAPE_DEFAULT_LABEL));
        return 0;
    }
    const char *start = ps->p++;
    if (enter(ps) < 0)
        return -1;
    static const char what[] = "a slot's braces start with its label: expected one";
    if (strchr("+-", peek(ps)))
        return fail(ps, ps->p, what);
    bool quoted;
    cleanup_free char *label = parse_name(ps, SHAPE_KEY_STOPS, what, &quoted);
    if (!label)
        return -1;
    if (peek(ps) == ':')
        return fail(ps, ps->p,
                    "a slot's braces start with its label alone: unexpected ':'");
    json_object_object_add(into, "label", json_object_new_string(label));
    if (parse_items(ps, start, into, true) < 0)
        return -1;
    ps->depth--;
    return 0;
}

static int parse_count(struct parse *ps, json_object *into)
{
    if (!accept(ps, '=')) {
        json_object_object_add(into, "count", json_object_new_int(1));
        return 0;
    }
    static const char chars[] = "0123456789,-+:*^";
    bool brackets = peek(ps) == '[';
    size_t len = brackets + strspn(ps->p + brackets, chars);
    if (brackets && ps->p[len] == ']')
        len++;
    if (!len)
        return fail(ps, ps->p, "expected a count");
    cleanup_free char *text = xstrndup(ps->p, len);
    struct count c;
    struct error why;
    if (count_decode(text, &c, &why) < 0)
        return error_set(ps->err, why.code,
                         "shape '%.200s': %s (the count is at character %zu)", ps->text,
                         why.text, (size_t)(ps->p - ps->text) + 1);
    ps->p += len;
    json_object_object_add(into, "count", count_to_json(&c));
    count_clear(&c);
    return 0;
}

static json_object *parse_list(struct parse *ps);

static json_object *parse_vertex(struct parse *ps)
{
    bool quoted;
    peek(ps);
    const char *start = ps->p;
    cleanup_free char *type =
        parse_name(ps, SHAPE_TYPE_STOPS, "expected a resource type", &quoted);
    if (!type)
        return NULL;
    if (!*type)
        return fail_null(ps, start, "a resource type must not be empty");
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "type", json_object_new_string(type));
    if (parse_count(ps, o) < 0)
        return NULL;
    bool slot = !strcmp(type, "slot");
    if (slot ? parse_slot_dict(ps, start, o) < 0
             : peek(ps) == '{' && parse_dict(ps, o, true) < 0)
        return NULL;
    if (accept(ps, '/')) {
        json_object *with = parse_list(ps);
        if (!with)
            return NULL;
        json_object_object_add(o, "with", with);
    } else if (slot) {
        return fail_null(ps, ps->p, "a slot needs resources: expected '/'");
    }
    return take(o);
}

static json_object *parse_list(struct parse *ps)
{
    if (enter(ps) < 0)
        return NULL;
    bool brackets = peek(ps) == '[';
    const char *start = ps->p;
    ps->p += brackets;
    cleanup_json json_object *list = json_object_new_array();
    do {
        json_object *vertex = parse_vertex(ps);
        if (!vertex)
            return NULL;
        json_object_array_add(list, vertex);
    } while (brackets && accept(ps, ';'));
    if (brackets && !accept(ps, ']'))
        return *ps->p ? fail_null(ps, ps->p, "expected '/', ';' or ']'")
                      : fail_null(ps, start, "a bracket is not closed");
    ps->depth--;
    return take(list);
}

json_object *shape_decode(const char *text, struct error *err)
{
    if (!utf8_valid(text, strlen(text)))
        return error_null(err, EINVAL, "shape: the text is not valid UTF-8");
    struct parse ps = {.text = text, .p = text, .err = err};
    cleanup_json json_object *list = parse_list(&ps);
    if (!list)
        return NULL;
    if (peek(&ps))
        return fail_null(&ps, ps.p,
                         *ps.p == ';' ? "several resources need brackets around them: "
                                        "unexpected ';'"
                                      : "expected '=', '{', '/' or the end");
    if (ps.unlabelled && ps.nslots > 1)
        return fail_null(&ps, ps.unlabelled,
                         "of several slots, each needs a label: none");
    return take(list);
}
