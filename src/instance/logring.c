/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/logring.h"

#include <string.h>
#include "src/common/util.h"

struct line {
    double t;
    enum log_level level;
    unsigned rank;
    char *text;
};

struct logring {
    size_t max, n;
    uint64_t last;      /* its number; numbers begin with 1 */
    struct line *lines; /* [max], number N in N % max */
};

static const char *const names[] = {[LOG_L_ERROR] = "err",
                                    [LOG_L_WARNING] = "warning",
                                    [LOG_L_INFO] = "info",
                                    [LOG_L_DEBUG] = "debug"};

const char *logring_level_name(enum log_level level)
{
    return names[level];
}

enum log_level logring_level(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return (enum log_level)i;
    return LOG_L_INFO;
}

struct logring *logring_create(size_t max)
{
    struct logring *r = xcalloc(1, sizeof(*r));
    r->max = max;
    r->lines = xcalloc(max, sizeof(*r->lines));
    return r;
}

void logring_destroy(struct logring *r)
{
    if (!r)
        return;
    logring_clear(r);
    free(r->lines);
    free(r);
}

void logring_add(struct logring *r, double t, enum log_level level, unsigned rank,
                 const char *text)
{
    if (!r)
        return;
    struct line *line = &r->lines[++r->last % r->max];
    free(line->text);
    *line = (struct line){t, level, rank, xstrdup(text)};
    r->n = MIN(r->n + 1, r->max);
}

json_object *logring_to_json(const struct logring *r, uint64_t since)
{
    json_object *o = json_object_new_object(), *lines = json_object_new_array();
    uint64_t last = r ? r->last : 0, first = r ? last - r->n + 1 : 1;
    for (uint64_t i = MAX(first, since + 1); i <= last; i++) {
        const struct line *line = &r->lines[i % r->max];
        json_object *one = json_object_new_object();
        json_object_object_add(one, "seq", json_object_new_uint64(i));
        json_object_object_add(one, "t", json_object_new_double(line->t));
        json_object_object_add(one, "level", json_object_new_string(names[line->level]));
        json_object_object_add(one, "rank", json_object_new_int64(line->rank));
        json_object_object_add(one, "text", json_object_new_string(line->text));
        json_object_array_add(lines, one);
    }
    json_object_object_add(o, "lines", lines);
    json_object_object_add(o, "seq", json_object_new_uint64(last));
    return o;
}

void logring_clear(struct logring *r)
{
    for (size_t i = 0; r && i < r->max; i++)
        free(take(r->lines[i].text));
    if (r)
        r->n = 0;
}
