/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/forms.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

double form_limit(const char *text, struct error *err)
{
    double v[4];
    int n = 0;
    bool days = false;
    if (strcasecmp(text, "UNLIMITED") == 0 || strcasecmp(text, "INFINITE") == 0)
        return 0;
    for (const char *p = text;; p++) {
        char *end;
        if (n == 4 || !isdigit((unsigned char)*p))
            return error_set(
                err, EINVAL,
                "'%s' is no time limit: give minutes, or [days-]hours:minutes:seconds",
                text);
        v[n++] = (double)strtoul(p, &end, 10);
        p = end;
        if (!*p)
            break;
        if (*p == '-' && n == 1)
            days = true;
        else if (*p != ':')
            return error_set(
                err, EINVAL,
                "'%s' is no time limit: give minutes, or [days-]hours:minutes:seconds",
                text);
    }
    if (days)
        return v[0] * 86400 + (n > 1 ? v[1] : 0) * 3600 + (n > 2 ? v[2] : 0) * 60 +
               (n > 3 ? v[3] : 0);
    if (n == 1)
        return v[0] * 60;
    return n == 2 ? v[0] * 60 + v[1] : v[0] * 3600 + v[1] * 60 + v[2];
}

static double unit_of(const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1},         {"s", 1},         {"second", 1},    {"seconds", 1},
                 {"m", 60},       {"min", 60},      {"minute", 60},   {"minutes", 60},
                 {"h", 3600},     {"hour", 3600},   {"hours", 3600},  {"day", 86400},
                 {"days", 86400}, {"week", 604800}, {"weeks", 604800}};
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcasecmp(units[i].name, text) == 0)
            return units[i].seconds;
    return 0;
}

/* now, now+1hour, now-2days */
static double relative_time(const char *text)
{
    double now = (double)time(NULL);
    if (!*text)
        return now;
    char *end;
    double n = strtod(text, &end), unit = unit_of(end);
    return (*text == '+' || *text == '-') && end != text && unit > 0 ? now + n * unit
                                                                     : -1;
}

static double clock_time(struct tm *tm, int hours)
{
    tm->tm_hour = hours;
    tm->tm_min = tm->tm_sec = 0;
    tm->tm_isdst = -1;
    return (double)mktime(tm);
}

double form_time(const char *text, struct error *err)
{
    static const char *const forms[] = {
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M",
        "%m/%d/%y",          "%m/%d"};
    time_t now = time(NULL);
    struct tm tm;
    if (strncasecmp(text, "now", 3) == 0 && relative_time(text + 3) >= 0)
        return relative_time(text + 3);
    localtime_r(&now, &tm);
    if (strcasecmp(text, "today") == 0 || strcasecmp(text, "midnight") == 0)
        return clock_time(&tm, 0);
    if (strcasecmp(text, "noon") == 0)
        return clock_time(&tm, 12);
    if (strcasecmp(text, "tomorrow") == 0)
        return clock_time(&tm, 24);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        localtime_r(&now, &tm);
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        const char *end = strptime(text, forms[i], &tm);
        tm.tm_isdst = -1;
        if (end && !*end)
            return (double)mktime(&tm);
    }
    return error_set(err, EINVAL,
                     "'%s' is no time: give HH:MM, YYYY-MM-DDTHH:MM:SS, or now+1hour",
                     text);
}

void form_duration(struct strbuf *out, double seconds, bool brief)
{
    uint64_t t = seconds > 0 ? (uint64_t)seconds : 0;
    unsigned days = (unsigned)(t / 86400), h = (unsigned)(t / 3600 % 24),
             m = (unsigned)(t / 60 % 60), s = (unsigned)(t % 60);
    if (days)
        strbuf_addf(out, "%u-%02u:%02u:%02u", days, h, m, s);
    else if (brief && h)
        strbuf_addf(out, "%u:%02u:%02u", h, m, s);
    else if (brief)
        strbuf_addf(out, "%u:%02u", m, s);
    else
        strbuf_addf(out, "%02u:%02u:%02u", h, m, s);
}

void form_date(struct strbuf *out, double t, const char *absent)
{
    char text[64];
    struct tm tm;
    time_t at = (time_t)t;
    if (t <= 0 || !localtime_r(&at, &tm) ||
        !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
        strbuf_add(out, absent);
    else
        strbuf_add(out, text);
}

int form_width(const char *text, char **end)
{
    long n = strtol(text, end, 10);
    return (int)MAX(MIN(n, 1000L), -1000L);
}

static int bad_id(const char *text, struct error *err)
{
    return error_set(err, EINVAL, "Invalid job id %s", text);
}

int form_id(const char *text, struct form_id *id, struct error *err)
{
    char *end;
    *id = (struct form_id){0};
    if (!isdigit((unsigned char)*text))
        return bad_id(text, err);
    errno = 0;
    id->id = strtoull(text, &end, 10);
    if (errno)
        return bad_id(text, err);
    if (*end == '_') {
        bool set = end[1] == '[';
        const char *first = end + 1 + set;
        size_t n = strspn(first, set ? "0123456789,-" : "0123456789");
        if (n == 0 || (set && first[n] != ']'))
            return bad_id(text, err);
        id->tasks = xstrndup(first, n);
        end = (char *)(uintptr_t)first + n + set;
    }
    if (*end == '.' && end[1]) {
        snprintf(id->step, sizeof(id->step), "%s", end + 1);
        return 0;
    }
    if (!*end)
        return 0;
    form_id_fini(id);
    return bad_id(text, err);
}

void form_id_fini(struct form_id *id)
{
    free(id->tasks);
    id->tasks = NULL;
}

static const char *tag_of(const struct form_names *n, char tag)
{
    switch (tag) {
    case 'j':
    case 'J':
        return n->job;
    case 'A':
        return n->array_job ? n->array_job : n->job;
    case 'a':
        return n->array_task ? n->array_task : "4294967294";
    case 'x':
        return n->name;
    case 'u':
        return n->user;
    case 'N':
        return n->host;
    case 'n':
        return n->node;
    case 't':
        return n->task;
    case 's':
        return n->step;
    default:
        return NULL;
    }
}

char *form_path(const char *pattern, const struct form_names *names)
{
    struct strbuf out = {0};
    if (strchr(pattern, '\\')) { /* then nothing is a tag */
        for (; *pattern; pattern++)
            if (*pattern != '\\')
                strbuf_addc(&out, *pattern);
        return strbuf_take(&out);
    }
    for (const char *p = pattern; *p; p++) {
        size_t digits = *p == '%' ? strspn(p + 1, "0123456789") : 0;
        const char *text =
            *p == '%' && p[1 + digits] ? tag_of(names, p[1 + digits]) : NULL;
        if (*p == '%' && p[1] == '%') {
            strbuf_addc(&out, *p++);
        } else if (!text) {
            strbuf_addc(&out, *p);
        } else {
            size_t width = digits ? strtoul(p + 1, NULL, 10) : 0;
            if (isdigit((unsigned char)*text))
                for (size_t n = strlen(text); n < width && n < 10; n++)
                    strbuf_addc(&out, '0');
            strbuf_add(&out, text);
            p += digits + 1;
        }
    }
    return strbuf_take(&out);
}
