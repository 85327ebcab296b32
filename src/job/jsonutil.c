/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/jsonutil.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/util.h"

/* Deep enough for any constraint a person or a tool writes; bounds the recursion of those who
 * walk the value. */
#define DEPTH_MAX 128

json_object *jsonutil_decode(const char *text, size_t len, struct error *err)
{
    if (len > INT_MAX)
        return error_null(err, EFBIG, "JSON text of %zu bytes is too long", len);
    struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
    if (!tok)
        return error_null(err, ENOMEM, "no memory for a JSON parser");
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *o = json_tokener_parse_ex(tok, text, (int)len);
    size_t end = json_tokener_get_parse_end(tok);
    /* A bare number or literal may go on until something ends it: a NUL does. */
    if (json_tokener_get_error(tok) == json_tokener_continue && end == len)
        o = json_tokener_parse_ex(tok, "", 1);
    enum json_tokener_error code = json_tokener_get_error(tok);
    json_tokener_free(tok);

    if (code == json_tokener_continue || code == json_tokener_error_parse_eof)
        return error_null(err, EINVAL, "JSON text ends too early after %zu bytes", len);
    if (code != json_tokener_success)
        return error_null(err, EINVAL, "JSON text: %s at byte %zu",
                          json_tokener_error_desc(code), end + 1);
    while (end < len && memchr(" \t\r\n", text[end], 4))
        end++;
    if (end < len) {
        json_object_put(o);
        return error_null(err, EINVAL,
                          "JSON text: something follows the value at byte %zu", end + 1);
    }
    if (!o)
        return error_null(err, EINVAL, "JSON text: null is no value here");
    return o;
}

struct jsonutil_shown jsonutil_show(json_object *o)
{
    struct jsonutil_shown shown;
    const char *text = json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    size_t len = strlen(text);
    if (len < sizeof(shown.text)) {
        memcpy(shown.text, text, len + 1);
        return shown;
    }
    size_t cut = sizeof(shown.text) - 4;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--; /* not in the middle of a UTF-8 sequence */
    memcpy(shown.text, text, cut);
    memcpy(shown.text + cut, "...", 4);
    return shown;
}

json_object *jsonutil_get(json_object *o, const char *name)
{
    json_object *value = NULL;
    if (json_object_is_type(o, json_type_object))
        json_object_object_get_ex(o, name, &value);
    return value;
}

json_object *jsonutil_at(json_object *o, const char *path)
{
    for (;; path++) {
        size_t len = strcspn(path, ".");
        cleanup_free char *name = xstrndup(path, len);
        o = jsonutil_get(o, name);
        path += len;
        if (!o || *path == '\0')
            return o;
    }
}

const char *jsonutil_stray_key(json_object *o, const char *const *allowed)
{
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        const char *const *a = allowed;
        while (*a && strcmp(*a, key) != 0)
            a++;
        if (!*a)
            return key;
    }
    return NULL;
}

bool jsonutil_int(json_object *o, int64_t low, int64_t high, int64_t *v)
{
    if (!json_object_is_type(o, json_type_int))
        return false;
    int64_t value = json_object_get_int64(o); /* saturates: out of range stays so */
    if (value < low || value > high)
        return false;
    if (v)
        *v = value;
    return true;
}

bool jsonutil_number(json_object *o, double *v)
{
    if (!json_object_is_type(o, json_type_int) &&
        !json_object_is_type(o, json_type_double))
        return false;
    double value = json_object_get_double(o);
    if (!isfinite(value))
        return false;
    if (v)
        *v = value;
    return true;
}

bool jsonutil_has_int(json_object *o, int64_t n)
{
    size_t len =
        json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    for (size_t i = 0; i < len; i++)
        if (json_object_get_int64(json_object_array_get_idx(o, i)) == n)
            return true;
    return false;
}

const char *jsonutil_string(json_object *o)
{
    if (!json_object_is_type(o, json_type_string))
        return NULL;
    const char *s = json_object_get_string(o);
    return strlen(s) == (size_t)json_object_get_string_len(o) ? s : NULL;
}

void jsonutil_add_string(json_object *o, const char *name, const char *text)
{
    if (text)
        json_object_object_add(o, name, json_object_new_string(text));
}

void jsonutil_add_idset(json_object *o, const char *name, hwloc_const_bitmap_t set)
{
    cleanup_free char *text = idset_encode(set, 0);
    json_object_object_add(o, name, json_object_new_string(text));
}
