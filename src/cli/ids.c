/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
#include "src/common/idranges.h"
#include "src/common/jobid.h"
#include "src/common/util.h"
#include "src/job/state.h"

static void add(struct ids *ids, uint64_t id)
{
    if ((ids->n & (ids->n - 1)) == 0) /* full: it has 0 or a power of two */
        ids->v = xrealloc(ids->v, MAX(2 * ids->n, (size_t)1) * sizeof(*ids->v));
    ids->v[ids->n++] = id;
}

enum { PAGE = 5000 };

/* Those on the page that begins below BEFORE, unless it is 0. Return the id of the last, 0: there is no
 * page after it. */
static uint64_t add_page(struct ids *ids, struct cli *cli, int states, uint64_t before,
                         uint64_t first, uint64_t last)
{
    uint64_t id = 0;
    json_object *q = json_object_new_object();
    json_object_object_add(q, "states", json_object_new_int(states));
    json_object_object_add(q, "max", json_object_new_int(PAGE));
    json_object_object_add(q, "keys", json_object_new_array()); /* but for the id */
    if (before)
        json_object_object_add(q, "before", json_object_new_uint64(before));
    cleanup_json json_object *result = cli_call(cli, "job.list", q);
    json_object *jobs = cli_list(cli, result, "jobs");
    size_t n = json_object_array_length(jobs);
    for (size_t i = 0; i < n; i++) {
        id = json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, i), "id"));
        if (id >= first && id <= last)
            add(ids, id);
    }
    return json_object_get_boolean(cli_get(result, "more")) && id > first ? id : 0;
}

static void add_between(struct ids *ids, struct cli *cli, int states, uint64_t first,
                        uint64_t last)
{
    uint64_t before = last < INT64_MAX ? last + 1 : 0;
    do
        before = add_page(ids, cli, states, before, first, last);
    while (before);
}

void ids_add_states(struct ids *ids, struct cli *cli, int states)
{
    add_between(ids, cli, states, 0, UINT64_MAX);
}

bool ids_range(struct cli *cli, const char *word, uint64_t *first, uint64_t *last)
{
    if (strcmp(word, "last") == 0 || jobid_decode(word, first, NULL) == 0)
        return false;
    /* Some forms have '-' inside: any of them may be the one between two ids. */
    for (const char *dash = word; (dash = strchr(dash, '-')); dash++) {
        cleanup_free char *before = xstrndup(word, (size_t)(dash - word));
        if (jobid_decode(before, first, NULL) < 0 ||
            jobid_decode(dash + 1, last, NULL) < 0)
            continue;
        if (*last < *first)
            cli_die(cli, "the range '%s' ends before it begins", word);
        return true;
    }
    return false;
}

/* The '_' between an array and its elements, or NULL. */
static const char *split(const char *word, jobid_t *array)
{
    const char *at = strrchr(word, '_');
    cleanup_free char *before = at ? xstrndup(word, (size_t)(at - word)) : NULL;
    bool is_id = before && jobid_decode(before, array, NULL) == 0 && *array > 0 &&
                 *array <= INT64_MAX;
    return is_id && (at[1] == '[' || (at[1] >= '0' && at[1] <= '9')) ? at : NULL;
}

/* The indices of ARRAY, as in its --cc; new. */
static char *indices(struct cli *cli, const char *word, jobid_t array)
{
    char buf[CLI_ID_SIZE];
    json_object *params = cli_id_params(array), *keys = json_object_new_array();
    json_object_array_add(keys, json_object_new_string("cc"));
    json_object_object_add(params, "keys", keys);
    cleanup_json json_object *result = cli_call(cli, "job.info", params);
    const char *cc = cli_get_string(result, "cc", NULL);
    if (!cc)
        cli_die(cli, "'%s': %s is not the id of an array", word, cli_id(cli, array, buf));
    return xstrdup(cc);
}

/* Append those elements of ARRAY, which has the indices TEXT, that are in SET.  Return their number. */
static size_t add_elements(struct ids *ids, jobid_t array, const char *text,
                           const struct idranges *set)
{
    size_t before = ids->n;
    struct idranges *all = idranges_decode(text, UINT64_MAX, NULL);
    uint64_t n = all ? idranges_count(all) : 0;
    bool few = n > idranges_count(set); /* then these are looked for */
    for (uint64_t i = 0; i < (few ? idranges_count(set) : n); i++) {
        int64_t at = few ? idranges_position(all, idranges_nth(set, i))
                         : idranges_position(set, idranges_nth(all, i));
        if (at >= 0)
            add(ids, jobid_nth(array, few ? (uint64_t)at : i));
    }
    idranges_destroy(all);
    return ids->n - before;
}

bool ids_is_elements(const char *word)
{
    jobid_t array;
    return split(word, &array) != NULL;
}

bool ids_elements(struct ids *ids, struct cli *cli, const char *word)
{
    jobid_t array;
    struct error err;
    const char *at = split(word, &array);
    if (!at)
        return false;
    struct idranges *chosen = idranges_decode(at + 1, UINT64_MAX, &err);
    if (!chosen)
        cli_die(cli, "'%s': %s", word, err.text);
    cleanup_free char *text = indices(cli, word, array);
    if (add_elements(ids, array, text, chosen) == 0)
        cli_die(cli, "'%s' is no element of its array, which has %.100s%s", word, text,
                strlen(text) > 100 ? "..." : "");
    idranges_destroy(chosen);
    return true;
}

static void add_range(json_object *list, jobid_t first, jobid_t last)
{
    json_object *range = json_object_new_array_ext(2);
    json_object_array_add(range, json_object_new_uint64(first));
    json_object_array_add(range, json_object_new_uint64(last));
    json_object_array_add(list, range);
}

json_object *ids_ranges(struct cli *cli, const char *word)
{
    jobid_t first, last;
    struct ids ids = {0};
    json_object *list = NULL;
    if (ids_range(cli, word, &first, &last)) {
        list = json_object_new_array();
        add_range(list, first, last);
    } else if (strchr(word, '[') && ids_elements(&ids, cli, word)) {
        list = json_object_new_array();
        ids_sort(&ids);
        for (size_t i = 0, n; i < ids.n; i += n) {
            n = ids_neighbours(&ids, i);
            add_range(list, ids.v[i], ids.v[i + n - 1]);
        }
        ids_fini(&ids);
    }
    return list;
}

void ids_add(struct ids *ids, struct cli *cli, const char *word)
{
    jobid_t first, last;
    if (ids_elements(ids, cli, word))
        return;
    if (ids_range(cli, word, &first, &last))
        add_between(ids, cli, JOB_ACTIVE, first, last);
    else
        add(ids, cli_jobid(cli, word)); /* or says what is wrong with it */
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void ids_sort(struct ids *ids)
{
    if (ids->n)
        qsort(ids->v, ids->n, sizeof(*ids->v), compare);
}

void ids_unique(struct ids *ids)
{
    size_t n = 0;
    ids_sort(ids);
    for (size_t i = 0; i < ids->n; i++)
        if (n == 0 || ids->v[n - 1] != ids->v[i])
            ids->v[n++] = ids->v[i];
    ids->n = n;
}

bool ids_have(const struct ids *ids, uint64_t id)
{
    return ids->n && bsearch(&id, ids->v, ids->n, sizeof(*ids->v), compare);
}

size_t ids_neighbours(const struct ids *ids, size_t i)
{
    size_t n = 1;
    while (i + n < ids->n && ids->v[i + n] == jobid_nth(ids->v[i], n))
        n++;
    return n;
}

bool ids_confirm(const struct cli *cli, size_t n, bool force, const char *what)
{
    if (n == 0)
        cli_error(cli, "no job matches");
    else if (!force)
        cli_error(cli, "this would %s %zu job%s: confirm with --force", what, n,
                  n == 1 ? "" : "s");
    return n > 0 && force;
}

void ids_fini(struct ids *ids)
{
    free(ids->v);
}
