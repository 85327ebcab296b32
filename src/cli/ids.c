/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
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

void ids_add(struct ids *ids, struct cli *cli, const char *word)
{
    jobid_t first, last;
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
