/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/bulk.h"

#include <errno.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jobspec_impl.h"
#include "src/job/jsonutil.h"

static json_object *system_of(json_object *o)
{
    return jsonutil_get(jsonutil_get(o, "attributes"), "system");
}

json_object *bulk_rows(json_object *o)
{
    return jsonutil_get(system_of(o), "bulk");
}

static int check_row(const char *path, size_t i, json_object *row, struct error *err)
{
    if (!json_object_is_type(row, json_type_array))
        return jobspec_bad(err, jobspec_at("%s[%zu]", path, i).text, "an array of words",
                           row);
    size_t n = json_object_array_length(row);
    for (size_t k = 0; k < n; k++) {
        json_object *word = json_object_array_get_idx(row, k);
        if (!jsonutil_string(word))
            return jobspec_bad(err, jobspec_at("%s[%zu][%zu]", path, i, k).text,
                               "a string without NUL bytes", word);
    }
    return 0;
}

int bulk_check(const char *path, json_object *value, struct error *err)
{
    size_t n =
        json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    if (n == 0)
        return jobspec_bad(err, path, "an array of one or more rows of words", value);
    if (n > BULK_MAX)
        return error_set(err, EINVAL,
                         "jobspec: %s: has %zu rows; there may be %d at most", path, n,
                         BULK_MAX);
    for (size_t i = 0; i < n; i++)
        if (check_row(path, i, json_object_array_get_idx(value, i), err) < 0)
            return -1;
    return 0;
}

static json_object *nth(json_object *list, size_t i)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, i)
                                                      : NULL;
}

void bulk_apply(json_object *o, int64_t i)
{
    json_object *rows = bulk_rows(o);
    json_object *row = rows && i >= 0 ? nth(rows, (size_t)i) : NULL;
    json_object *command = jsonutil_get(nth(jsonutil_get(o, "tasks"), 0), "command");
    size_t n = json_object_is_type(row, json_type_array) &&
                       json_object_is_type(command, json_type_array)
                   ? json_object_array_length(row)
                   : 0;
    for (size_t k = 0; k < n; k++)
        json_object_array_add(command,
                              json_object_get(json_object_array_get_idx(row, k)));
    if (rows)
        json_object_object_del(system_of(o), "bulk");
}

struct bulk_words {
    size_t n;
    struct strbuf text;
    struct {
        unsigned at, n; /* the first word's place in the text; how many there are */
    } rows[];
};

struct bulk_words *bulk_words_create(json_object *rows)
{
    size_t n = json_object_array_length(rows);
    struct bulk_words *w = xcalloc(1, sizeof(*w) + n * sizeof(w->rows[0]));
    w->n = n;
    for (size_t i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        w->rows[i].at = (unsigned)w->text.len;
        w->rows[i].n = (unsigned)json_object_array_length(row);
        for (unsigned k = 0; k < w->rows[i].n; k++) {
            json_object *word = json_object_array_get_idx(row, k);
            strbuf_addn(&w->text, json_object_get_string(word),
                        (size_t)json_object_get_string_len(word) + 1);
        }
    }
    return w;
}

void bulk_words_destroy(struct bulk_words *w)
{
    if (!w)
        return;
    free(w->text.s);
    free(w);
}

size_t bulk_words_count(const struct bulk_words *w)
{
    return w->n;
}

const char *bulk_words_row(const struct bulk_words *w, uint64_t i, unsigned *n)
{
    if (i >= w->n)
        return NULL;
    *n = w->rows[i].n;
    return w->text.s ? w->text.s + w->rows[i].at : "";
}
