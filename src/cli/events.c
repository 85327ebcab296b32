/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "src/cli/events.h"
#include "src/common/util.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

void event_parse_format(struct event_style *style, const struct cli *cli,
                        const char *text)
{
    if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
        cli_die(cli, "--format: '%s' is neither text nor json", text);
    style->format = *text == 'j' ? EVENT_JSON : EVENT_TEXT;
}

void event_parse_time(struct event_style *style, const struct cli *cli, const char *text)
{
    static const char *const names[] = {"raw", "iso", "offset", "human"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], text) == 0) {
            style->time = i;
            return;
        }
    }
    cli_die(cli, "--time-format: '%s' must be raw, iso, offset or human", text);
}

static void print_time(struct event_style *s, FILE *f, double t)
{
    char buf[64];
    time_t sec = (time_t)t;
    struct tm tm;
    localtime_r(&sec, &tm);
    switch (s->time) {
    case TIME_RAW:
        fprintf(f, "%.6f", t);
        break;
    case TIME_ISO:
        gmtime_r(&sec, &tm);
        strftime(buf, sizeof(buf), "%FT%T", &tm);
        fprintf(f, "%s.%06dZ", buf, (int)((t - (double)sec) * 1e6));
        break;
    case TIME_OFFSET:
        fprintf(f, "%.6f", t - s->t0);
        break;
    case TIME_HUMAN: /* a date when the minute is another, else how long after the last */
        if (s->last == 0 || (long)(s->last / 60) != (long)(t / 60)) {
            strftime(buf, sizeof(buf), "[%b%d %R]", &tm);
            fputs(buf, f);
        } else {
            fprintf(f, "[%+11.6f]", t - s->last);
        }
        break;
    }
}

void event_print(struct event_style *s, FILE *f, double time, const char *name,
                 const char *context)
{
    cleanup_json json_object *o = context ? json_tokener_parse(context) : NULL;
    if (s->t0 == 0)
        s->t0 = time;
    if (s->format == EVENT_JSON) {
        cleanup_json json_object *e = json_object_new_object();
        json_object_object_add(e, "timestamp", json_object_new_double(time));
        json_object_object_add(e, "name", json_object_new_string(name));
        if (o)
            json_object_object_add(e, "context", take(o));
        fprintf(f, "%s\n", json_object_to_json_string_ext(e, PLAIN));
        return;
    }
    const char *reset = s->color ? "\033[0m" : "";
    fputs(s->color ? "\033[32m" : "", f);
    print_time(s, f, time);
    s->last = time;
    fprintf(f, "%s %s%s%s", reset, s->color ? "\033[33m" : "", name, reset);
    if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, key, value)
        {
            fprintf(f, " %s%s%s=%s", s->color ? "\033[34m" : "", key, reset,
                    json_object_to_json_string_ext(value, PLAIN));
        }
    }
    fputc('\n', f);
}

/* --- contexts ---------------------------------------------------------------------------- */

void event_match_add(json_object **match, const struct cli *cli, const char *text)
{
    const char *is = strchr(text, '=');
    if (!is || is == text)
        cli_die(cli, "--match-context: '%s' must be KEY=VALUE", text);
    cleanup_free char *key = xstrndup(text, (size_t)(is - text));
    if (!*match)
        *match = json_object_new_object();
    json_object_object_add(*match, key, json_object_new_string(is + 1));
}

/* A value as it would be typed. */
static bool is_same(json_object *wanted, json_object *value)
{
    double a = json_object_get_double(wanted), b = json_object_get_double(value);
    if (json_object_is_type(value, json_type_double))
        return fabs(a - b) < 1e-5;
    return value &&
           strcmp(json_object_get_string(wanted), json_object_get_string(value)) == 0;
}

bool event_match(json_object *match, json_object *context)
{
    if (!match)
        return true;
    json_object_object_foreach(match, key, wanted)
    {
        if (!is_same(wanted, cli_get(context, key)))
            return false;
    }
    return true;
}
