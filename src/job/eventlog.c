/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/eventlog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/common/util.h"
#include "src/job/jsonutil.h"

json_object *event_create(double timestamp, const char *name, json_object *context)
{
    char text[40];
    snprintf(text, sizeof(text), "%.6f", timestamp);
    json_object *event = json_object_new_object();
    /* The value is that of the text, so that decoding what was encoded changes nothing. */
    json_object_object_add(event, "timestamp",
                           json_object_new_double_s(strtod(text, NULL), text));
    json_object_object_add(event, "name", json_object_new_string(name));
    if (context)
        json_object_object_add(event, "context", context);
    return event;
}

int event_parse(json_object *o, double *timestamp, const char **name,
                json_object **context, struct error *err)
{
    if (!json_object_is_type(o, json_type_object))
        return error_set(err, EINVAL, "event: must be an object, not %s",
                         jsonutil_show(o).text);
    json_object *time = jsonutil_get(o, "timestamp");
    double t;
    if (!jsonutil_number(time, &t) || t <= 0)
        return error_set(err, EINVAL,
                         "event: timestamp must be a number greater than 0, not %s",
                         jsonutil_show(time).text);
    const char *s = jsonutil_string(jsonutil_get(o, "name"));
    if (!s || *s == '\0')
        return error_set(err, EINVAL, "event: name must be a string, not %s",
                         jsonutil_show(jsonutil_get(o, "name")).text);
    json_object *c = NULL;
    if (json_object_object_get_ex(o, "context", &c) &&
        !json_object_is_type(c, json_type_object))
        return error_set(err, EINVAL, "event: context of %s must be an object, not %s", s,
                         jsonutil_show(c).text);
    if (timestamp)
        *timestamp = t;
    if (name)
        *name = s;
    if (context)
        *context = c;
    return 0;
}

char *event_encode(json_object *event)
{
    return xasprintf("%s\n",
                     json_object_to_json_string_ext(
                         event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

json_object *event_decode(const char *line, size_t len, struct error *err)
{
    if (len > 0 && line[len - 1] == '\n')
        len--;
    if (memchr(line, '\n', len))
        return error_null(err, EINVAL, "event: there is a newline within the line");
    json_object *o = jsonutil_decode(line, len, err);
    if (!o) {
        error_prefix(err, "event");
        return NULL;
    }
    if (event_parse(o, NULL, NULL, NULL, err) == 0)
        return o;
    json_object_put(o);
    return NULL;
}

json_object *eventlog_decode(const char *text, size_t len, struct error *err)
{
    json_object *log = json_object_new_array();
    const char *end = text + len;
    for (size_t number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end;
        json_object *event = event_decode(text, (size_t)(next - text), err);
        if (!event) {
            error_prefix(err, "event log line %zu", number);
            json_object_put(log);
            return NULL;
        }
        json_object_array_add(log, event);
        text = next;
    }
    return log;
}
