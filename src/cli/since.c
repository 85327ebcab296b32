/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/since.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "src/common/duration.h"
#include "src/common/util.h"

enum { WORDS = 4 };

static bool is_number(const char *s)
{
    return *s && strlen(s) < 10 && !s[strspn(s, "0123456789")];
}

/* "2 hours ago" */
static int parse_ago(char **words, double now, double *t)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"second", 1},  {"sec", 1},     {"minute", 60},  {"min", 60},
                 {"hour", 3600}, {"day", 86400}, {"week", 604800}};
    size_t len = strlen(words[1]);
    if (strcasecmp(words[2], "ago") != 0 || !is_number(words[0]))
        return -1;
    len -= len > 1 && tolower((unsigned char)words[1][len - 1]) == 's';
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strlen(units[i].name) != len ||
            strncasecmp(units[i].name, words[1], len) != 0)
            continue;
        *t = now - atol(words[0]) * units[i].seconds;
        return 0;
    }
    return -1;
}

/* The day WORD is put into TM; NOW is in it. */
static bool parse_day(const char *word, struct tm *tm)
{
    static const char *const names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
    struct tm date = {0};
    const char *end = strptime(word, "%Y-%m-%d", &date);
    if (end && !*end) {
        tm->tm_year = date.tm_year;
        tm->tm_mon = date.tm_mon;
        tm->tm_mday = date.tm_mday;
        return true;
    }
    if (strcasecmp(word, "today") == 0)
        return true;
    if (strcasecmp(word, "yesterday") == 0) {
        tm->tm_mday--;
        return true;
    }
    for (int i = 0; i < 7; i++) {
        if (strcasecmp(word, names[i]) != 0 &&
            !(strlen(word) == 3 && strncasecmp(word, names[i], 3) == 0))
            continue;
        tm->tm_mday -= (tm->tm_wday - i + 6) % 7 + 1; /* the last one, not today */
        return true;
    }
    return false;
}

static bool parse_clock(const char *word, struct tm *tm)
{
    char *end;
    long hour = strtol(word, &end, 10), minute = 0, second = 0;
    if (strcasecmp(word, "noon") == 0 || strcasecmp(word, "midnight") == 0) {
        tm->tm_hour = *word == 'n' || *word == 'N' ? 12 : 0;
        tm->tm_min = tm->tm_sec = 0;
        return true;
    }
    if (!isdigit((unsigned char)*word) || hour > 24)
        return false;
    bool colon = *end == ':' && isdigit((unsigned char)end[1]);
    if (colon)
        minute = strtol(end + 1, &end, 10);
    if (colon && *end == ':' && isdigit((unsigned char)end[1]))
        second = strtol(end + 1, &end, 10);
    bool am = strcasecmp(end, "am") == 0, pm = strcasecmp(end, "pm") == 0;
    if ((am || pm) && (hour < 1 || hour > 12))
        return false;
    if (am || pm)
        hour = hour % 12 + (pm ? 12 : 0);
    else if (*end || !colon)
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    tm->tm_hour = (int)hour;
    tm->tm_min = (int)minute;
    tm->tm_sec = (int)second;
    return true;
}

/* The words of TEXT, up to WORDS + 1 of them. */
static size_t split(char *text, char **words)
{
    char *save = NULL;
    size_t n = 0;
    for (char *w = strtok_r(text, " ", &save); w && n <= WORDS;
         w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    return n;
}

static int parse_words(char **words, size_t n, double now, double *t)
{
    struct tm tm;
    time_t today = (time_t)now;
    size_t i = 0;
    if (n == 3 && parse_ago(words, now, t) == 0)
        return 0;
    localtime_r(&today, &tm);
    tm.tm_isdst = -1;
    i += n > 1 && strcasecmp(words[0], "last") == 0;
    bool day = i < n && parse_day(words[i], &tm);
    if (i && !day)
        return -1;
    i += day;
    if (day)
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    bool clock = i < n && parse_clock(words[i], &tm);
    i += clock;
    if (i < n || !(day || clock))
        return -1;
    *t = (double)mktime(&tm);
    if (!day && *t > now) {
        tm.tm_mday--; /* yesterday's */
        tm.tm_isdst = -1;
        *t = (double)mktime(&tm);
    }
    return 0;
}

int since_decode(const char *text, double now, double *t)
{
    char *words[WORDS + 1], *end;
    if (*text == '-') {
        if (duration_decode(text + 1, t, NULL) < 0)
            return -1;
        *t = now - *t;
        return 0;
    }
    if (strcasecmp(text, "now") == 0) {
        *t = now;
        return 0;
    }
    cleanup_free char *copy = xstrdup(text);
    if (strlen(copy) > 11 && copy[10] == 'T')
        copy[10] = ' ';
    size_t n = split(copy, words);
    if (n && n <= WORDS && parse_words(words, n, now, t) == 0)
        return 0;
    *t = strtod(text, &end);
    return isdigit((unsigned char)*text) && !*end ? 0 : -1;
}
