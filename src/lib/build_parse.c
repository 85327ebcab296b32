/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "src/common/duration.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/shape.h"
#include "src/lib/build.h"

int build_keyval(const char *text, char **key, json_object **value, struct error *err)
{
    const char *eq = strchr(text, '=');
    bool from_file = *text == '^';
    const char *start = text + from_file;
    size_t len = eq ? (size_t)(eq - start) : strlen(start);
    *key = NULL;
    if (len == 0 || (eq && eq < start))
        return error_set(err, EINVAL, "'%s': there is no key before '='", text);
    if (from_file) {
        if (!eq)
            return error_set(err, EINVAL, "'%s': must be ^KEY=FILE", text);
        *value = json_object_from_file(eq + 1);
        if (!*value)
            return error_set(err, EINVAL, "'%s': cannot read JSON from %s", text, eq + 1);
    } else if (!eq) {
        *value = json_object_new_int(1);
    } else {
        json_tokener *tok = json_tokener_new();
        json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
        size_t n = strlen(eq + 1);
        json_object *o = json_tokener_parse_ex(tok, eq + 1, (int)n + 1);
        bool ok = json_tokener_get_error(tok) == json_tokener_success &&
                  json_tokener_get_parse_end(tok) == n && n > 0;
        json_tokener_free(tok);
        if (!ok) {
            json_object_put(o);
            o = json_object_new_string(eq + 1);
        }
        *value = o;
    }
    *key = xstrndup(start, len);
    return 0;
}

/* --- RFC 26 ------------------------------------------------------------------------------ */

static char *percent_decode(const char *s, size_t len)
{
    char *out = xmalloc(len + 1), *at = out;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '+') {
            *at++ = ' ';
        } else if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
                   isxdigit((unsigned char)s[i + 2])) {
            char hex[3] = {s[i + 1], s[i + 2], '\0'};
            *at++ = (char)strtoul(hex, NULL, 16);
            i += 2;
        } else {
            *at++ = s[i];
        }
    }
    *at = '\0';
    return out;
}

static json_object *number_or_string(const char *s)
{
    char *end;
    errno = 0;
    long long i = strtoll(s, &end, 10);
    if (!errno && end != s && !*end)
        return json_object_new_int64(i);
    errno = 0;
    double d = strtod(s, &end);
    if (!errno && end != s && !*end && (isdigit((unsigned char)*s) || strchr("+-.", *s)))
        return json_object_new_double(d);
    return json_object_new_string(s);
}

static void add_query(json_object *dep, const char *key, json_object *value)
{
    json_object *old;
    if (!json_object_object_get_ex(dep, key, &old)) {
        json_object_object_add(dep, key, value);
        return;
    }
    if (!json_object_is_type(old, json_type_array)) {
        json_object *array = json_object_new_array();
        json_object_array_add(array, json_object_get(old));
        json_object_object_add(dep, key, array);
        old = array;
    }
    json_object_array_add(old, value);
}

json_object *build_dependency(const char *text, struct error *err)
{
    size_t scheme = strcspn(text, ":?");
    for (size_t i = 0; i < scheme; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("+-.", text[i]))
            return error_null(err, EINVAL, "must be SCHEME:VALUE, as in afterok:JOBID");
    }
    if (scheme == 0)
        return error_null(err, EINVAL, "must be SCHEME:VALUE, as in afterok:JOBID");
    const char *value = text + scheme + (text[scheme] == ':');
    size_t len = strcspn(value, "?");
    if (text[scheme] == ':' && len == 0)
        return error_null(err, EINVAL, "must be SCHEME:VALUE, as in afterok:JOBID");
    if (strncmp(text, "after", 5) == 0 && strcspn(value, ",:") < len)
        return error_null(err, EINVAL,
                          "is of one job, or of elements A-B of an array: give "
                          "--dependency once for each");
    cleanup_free char *word = xstrndup(value, len);
    if (strncmp(text, "begin-time:", 11) == 0) {
        double t;
        if (build_begin_time(word, time_now(), &t, err) < 0)
            return NULL;
        free(word);
        word = xasprintf("%.6f", t);
    }
    json_object *dep = json_object_new_object();
    json_object_object_add(dep, "scheme", json_object_new_string_len(text, (int)scheme));
    json_object_object_add(dep, "value", json_object_new_string(word));
    const char *at = value + len;
    while (*at) {
        at++;
        size_t n = strcspn(at, "&");
        const char *eq = memchr(at, '=', n);
        if (eq) {
            cleanup_free char *key = percent_decode(at, (size_t)(eq - at));
            cleanup_free char *val = percent_decode(eq + 1, n - (size_t)(eq + 1 - at));
            if (strcmp(key, "scheme") == 0 || strcmp(key, "value") == 0) {
                json_object_put(dep);
                return error_null(err, EINVAL, "'%s' cannot be given twice", key);
            }
            add_query(dep, key, number_or_string(val));
        }
        at += n;
    }
    return dep;
}

/* --- signals and times ------------------------------------------------------------------- */

int build_signal_number(const char *text, struct error *err)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (!errno && end != text && !*end && n > 0 && n <= SIGRTMAX)
        return (int)n;
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < NSIG; i++) {
        const char *abbrev = sigabbrev_np(i);
        if (abbrev && strcasecmp(abbrev, name) == 0)
            return i;
    }
    return error_set(
        err, EINVAL,
        "'%s' is not a signal: give a number or a name, as in USR1 or SIGTERM", text);
}

json_object *build_signal(const char *text, struct error *err)
{
    size_t len = strcspn(text, "@");
    int signum = SIGUSR1;
    double timeleft = 60;
    if (len) {
        cleanup_free char *name = xstrndup(text, len);
        signum = build_signal_number(name, err);
        if (signum < 0)
            return NULL;
    }
    if (text[len] == '@' && text[len + 1] &&
        duration_decode(text + len + 1, &timeleft, err) < 0)
        return NULL;
    json_object *o = json_object_new_object();
    json_object_object_add(o, "signum", json_object_new_int(signum));
    json_object_object_add(o, "timeleft", json_object_new_double(timeleft));
    return o;
}

static bool parse_time(const char *text, const char *format, struct tm *tm)
{
    const char *end = strptime(text, format, tm);
    return end && !*end;
}

static int decode_begin(const char *text, double now, double *t, struct error *err)
{
    static const char *const dated[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    static const char *const timed[] = {"%H:%M:%S", "%H:%M"};
    if (*text == '+') {
        double offset;
        if (duration_decode(text + 1, &offset, err) < 0)
            return -1;
        *t = now + offset;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(dated); i++) {
        struct tm tm = {.tm_isdst = -1};
        if (parse_time(text, dated[i], &tm)) {
            *t = (double)mktime(&tm);
            return 0;
        }
    }
    time_t today = (time_t)now;
    for (size_t i = 0; i < ARRAY_SIZE(timed); i++) {
        struct tm tm;
        localtime_r(&today, &tm);
        tm.tm_sec = 0;
        if (!parse_time(text, timed[i], &tm))
            continue;
        tm.tm_isdst = -1;
        *t = (double)mktime(&tm);
        if (*t < now) {
            tm.tm_mday++;
            *t = (double)mktime(&tm);
        }
        return 0;
    }
    char *end;
    *t = strtod(text, &end);
    if (end != text && !*end && *t >= 0)
        return 0;
    return error_set(err, EINVAL,
                     "must be +DURATION (as in +1h), YYYY-MM-DD HH:MM, HH:MM or seconds "
                     "since the epoch");
}

int build_begin_time(const char *text, double now, double *t, struct error *err)
{
    if (decode_begin(text, now, t, err) < 0)
        return -1;
    return *t < 1e12 ? 0 : error_set(err, EINVAL, "is too far away");
}

/* --- RFC 46 ------------------------------------------------------------------------------ */

json_object *build_shape(const char *text, struct error *err)
{
    return shape_decode(text, err);
}

const char *build_slot_label(json_object *resources)
{
    size_t n = resources ? json_object_array_length(resources) : 0;
    const char *label = NULL;
    for (size_t i = 0; i < n && !label; i++) {
        json_object *o = json_object_array_get_idx(resources, i), *v;
        if (json_object_object_get_ex(o, "type", &v) &&
            strcmp(json_object_get_string(v), "slot") == 0)
            label = json_object_object_get_ex(o, "label", &v) ? json_object_get_string(v)
                                                              : NULL;
        else if (json_object_object_get_ex(o, "with", &v))
            label = build_slot_label(v);
    }
    return label;
}
