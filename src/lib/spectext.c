/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/spectext.h"

static const char *blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static bool is_hex(char c)
{
    return c && strchr("0123456789abcdefABCDEF", c);
}

/* Behind the string at P, or NULL: there is none, or one with a NUL or half a character of UTF-16 in it. */
static const char *string_end(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < ' ')
            return NULL;
        if (*p != '\\')
            continue;
        p++;
        if (*p != 'u') {
            if (!*p || !strchr("\"\\/bfnrt", *p))
                return NULL;
            continue;
        }
        for (int i = 1; i <= 4; i++)
            if (!is_hex(p[i]))
                return NULL;
        if (strncmp(p + 1, "0000", 4) == 0 ||
            ((p[1] == 'd' || p[1] == 'D') && strchr("89abcdefABCDEF", p[2])))
            return NULL;
        p += 4;
    }
    return p + 1;
}

/* Behind the value at P, which is part of a valid text; or NULL. */
static const char *value_end(const char *p)
{
    int depth = 0;
    for (; *p; p++) {
        if (*p == '"') {
            const char *end = p + 1;
            while (*end && *end != '"')
                end += end[0] == '\\' && end[1] ? 2 : 1;
            if (!*end)
                return NULL;
            p = end;
        } else if (*p == '[' || *p == '{') {
            depth++;
        } else if (*p == ']' || *p == '}') {
            if (depth-- == 0)
                return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
        if (depth == 0 && strchr("]}\"", *p))
            return p + 1;
    }
    return NULL;
}

/* The value of KEY in the object at P, the last one if there are several; or NULL. */
static const char *member(const char *p, const char *key)
{
    const char *found = NULL;
    size_t len = strlen(key);
    if (!p || *p != '{')
        return NULL;
    p = blanks(p + 1);
    while (*p == '"') {
        const char *end = string_end(p);
        if (!end)
            return NULL;
        bool same = (size_t)(end - p) == len + 2 && memcmp(p + 1, key, len) == 0;
        p = blanks(end);
        if (*p++ != ':')
            return NULL;
        p = blanks(p);
        if (same)
            found = p;
        if (!(p = value_end(p)))
            return NULL;
        p = blanks(p);
        if (*p == ',')
            p = blanks(p + 1);
    }
    return *p == '}' ? found : NULL;
}

/* Behind the words at P, each with a comma before it; NULL: something is wrong with one of them. */
static const char *words_end(const char *p)
{
    for (;;) {
        const char *q = blanks(p);
        if (*q != ',')
            return p;
        if (!(p = string_end(blanks(q + 1))))
            return NULL;
    }
}

bool spectext_init(struct spectext *s, const char *text)
{
    const char *start = blanks(text);
    const char *tasks = member(start, "tasks");
    const char *command =
        tasks && *tasks == '[' ? member(blanks(tasks + 1), "command") : NULL;
    const char *head =
        command && *command == '[' ? string_end(blanks(command + 1)) : NULL;
    const char *end = head ? words_end(head) : NULL;
    if (!end || *blanks(end) != ']' || strstr(end, "\"command\":"))
        return false; /* or there are several, each with words of its own */
    s->text = xstrdup(text);
    s->len = strlen(text);
    s->head = (size_t)(head - text);
    s->tail = strlen(end);
    return true;
}

void spectext_fini(struct spectext *s)
{
    free(take(s->text));
}

const char *spectext_match(const struct spectext *s, const char *text, size_t len,
                           size_t *words_len)
{
    if (!s->text || len < s->head + s->tail || memcmp(text, s->text, s->head) != 0 ||
        memcmp(text + len - s->tail, s->text + s->len - s->tail, s->tail) != 0)
        return NULL;
    const char *words = text + s->head, *end = text + len - s->tail;
    *words_len = (size_t)(end - words);
    return words_end(words) == end && utf8_valid(words, *words_len) ? words : NULL;
}
