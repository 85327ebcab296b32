/* SPDX-License-Identifier: BSD-3-Clause */
/* mutate_json: spoiled copies of JSON values, the same ones in each run; and JSON written with
 * single quotes, which keeps tables of it readable in C. */
#ifndef HBATCH_TESTS_MUTATE_JSON_H
#define HBATCH_TESTS_MUTATE_JSON_H

#include <json-c/json.h>
#include "tests/unit/mutate.h"

/* TEXT with each ' made a ": a new string. */
static inline char *json_quotes(const char *text)
{
    char *s = strdup(text);
    for (char *c = s; *c; c++)
        if (*c == '\'')
            *c = '"';
    return s;
}

static inline json_object *json_quoted(const char *text)
{
    char *s = json_quotes(text);
    json_object *o = json_tokener_parse(s);
    free(s);
    return o;
}

static inline json_object *mutate_json_value(uint32_t *state)
{
    static const char *const values[] = {
        "null",
        "true",
        "0",
        "-1",
        "2",
        "2147483648",
        "18446744073709551615",
        "0.5",
        "1e999",
        "\"\"",
        "\"x\"",
        "\"2-4\"",
        "\"4-2\"",
        "\"a\\u0000b\"",
        "\"\\u00e4\"",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "{\"a\":null}",
        "\"0-16777216\"",
        "\"n[0-99999999]\"",
        "[0,1,1,1]",
    };
    return json_tokener_parse(
        values[mutate_random(state) % (sizeof(values) / sizeof(values[0]))]);
}

/* Change one member or element of container O, or go into one and change there. */
static inline void mutate_json_inside(json_object *o, uint32_t *state)
{
    size_t n = json_object_is_type(o, json_type_array)
                   ? json_object_array_length(o)
                   : (size_t)json_object_object_length(o);
    if (n == 0) {
        if (json_object_is_type(o, json_type_array))
            json_object_array_add(o, mutate_json_value(state));
        else
            json_object_object_add(o, "x", mutate_json_value(state));
        return;
    }
    size_t pick = mutate_random(state) % n;
    uint32_t what = mutate_random(state) % 12;
    json_object *child = NULL;
    char *key = NULL;
    if (json_object_is_type(o, json_type_array)) {
        child = json_object_array_get_idx(o, pick);
    } else {
        json_object_object_foreach(o, k, v)
        {
            if (pick-- == 0) {
                key = strdup(k);
                child = v;
                break;
            }
        }
    }
    if (what < 8 && (json_object_is_type(child, json_type_array) ||
                     json_object_is_type(child, json_type_object))) {
        mutate_json_inside(child, state);
    } else if (what < 10) { /* replace */
        if (key)
            json_object_object_add(o, key, mutate_json_value(state));
        else
            json_object_array_put_idx(o, pick, mutate_json_value(state));
    } else if (what < 11) { /* remove */
        if (key)
            json_object_object_del(o, key);
        else
            json_object_array_del_idx(o, pick, 1);
    } else { /* repeat, or rename */
        json_object *again = json_object_get(child);
        if (key) {
            json_object_object_del(o, key);
            json_object_object_add(o, mutate_random(state) % 2 ? "" : "count", again);
        } else {
            json_object_array_add(o, again);
        }
    }
    free(key);
}

/* A copy of O (an object or array) with one or two changes. */
static inline json_object *mutate_json(json_object *o, uint32_t *state)
{
    json_object *copy = NULL;
    json_object_deep_copy(o, &copy, NULL);
    for (uint32_t changes = 1 + mutate_random(state) % 2; changes; changes--)
        mutate_json_inside(copy, state);
    return copy;
}

#endif
