/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/jobquery.h"

#include <pwd.h>
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/since.h"
#include "src/common/idset.h"
#include "src/job/state.h"

#define ALL_STATES 127

void jobquery_filter(struct jobquery *q, const struct cli *cli, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        int states = job_state_decode(w), results = job_result_decode(w);
        if (!states && !results)
            cli_die(
                cli,
                "--filter: '%s' is neither a state (pending, running, inactive, depend, "
                "priority, sched, run, cleanup) nor a result (completed, failed, "
                "canceled, "
                "timeout)",
                w);
        q->states |= states;
        q->results |= states ? 0 : results;
    }
}

double jobquery_since(const struct cli *cli, const char *text)
{
    double t, now = time_now();
    if (since_decode(text, now, &t) < 0)
        cli_die(cli,
                "--since=%s: must be -DURATION (as in -1h), HH:MM, YYYY-MM-DD HH:MM, "
                "yesterday, a day of the week, or as in '2 hours ago'",
                text);
    if (t > now)
        cli_die(cli, "--since=%s is in the future", text);
    return t;
}

void jobquery_add_id(struct jobquery *q, struct cli *cli, const char *word)
{
    struct ids ids = {0};
    if (!ids_elements(&ids, cli, word)) {
        q->ids = xrealloc(q->ids, (q->nids + 1) * sizeof(*q->ids));
        q->ids[q->nids++] = cli_jobid(cli, word);
        return;
    }
    q->ids = xrealloc(q->ids, (q->nids + ids.n) * sizeof(*q->ids));
    memcpy(q->ids + q->nids, ids.v, ids.n * sizeof(*q->ids));
    q->nids += ids.n;
    q->elements = true;
    ids_fini(&ids);
}

void jobquery_sort_ids(struct jobquery *q)
{
    ids_sort(&(struct ids){q->ids, q->nids});
}

void jobquery_queue(struct jobquery *q, const char *text)
{
    char *before = take(q->queues);
    q->queues = before ? xasprintf("%s,%s", before, text) : xstrdup(text);
    free(before);
}

void jobquery_user(struct jobquery *q, const struct cli *cli, const char *text)
{
    if (strcmp(text, "all") == 0) {
        q->one_user = false;
        return;
    }
    bool number = *text && !text[strspn(text, "0123456789")];
    struct passwd *pw = number ? NULL : getpwnam(text);
    if (!number && !pw)
        cli_die(cli, "--user=%s: there is no such user on this host", text);
    q->one_user = true;
    q->userid =
        number ? (unsigned)cli_number(cli, "--user", text, 0, UINT32_MAX) : pw->pw_uid;
}

void jobquery_include(struct jobquery *q, const struct cli *cli, const char *text)
{
    struct error err;
    hwloc_bitmap_free(q->ranks);
    hostlist_destroy(q->hosts);
    q->hosts = NULL;
    q->ranks = *text ? idset_decode(text, NULL) : NULL;
    if (!q->ranks && !(*text && (q->hosts = hostlist_decode(text, &err))))
        cli_die(cli,
                "--include=%s: must be ranks, as 0-3,7, or a list of hosts, as node[1-4]",
                text);
}

void jobquery_forget_ids(struct jobquery *q)
{
    free(take(q->ids));
    q->nids = 0;
}

void jobquery_fini(struct jobquery *q)
{
    jobquery_forget_ids(q);
    free(take(q->queues));
    hostlist_destroy(take(q->hosts));
    hwloc_bitmap_free(take(q->ranks));
    json_object_put(take(q->keys));
}

/* States and results together: active ones in those states, inactive ones with those results. */
static bool both(const struct jobquery *q)
{
    return q->results && q->states && !q->nids;
}

static int states_asked(const struct jobquery *q)
{
    if (q->nids)
        return ALL_STATES;
    if (both(q))
        return q->states | JOB_INACTIVE;
    if (q->results)
        return 0;
    if (q->states)
        return q->states;
    return q->all || q->since > 0 ? ALL_STATES : JOB_ACTIVE;
}

/* job.list knows one queue; of several, or of jobs by id, the answer is looked through. */
static bool picks_queues(const struct jobquery *q)
{
    return q->queues && (q->nids || strchr(q->queues, ','));
}

/* Whether job.list may give more than what is asked for. */
static bool is_picky(const struct jobquery *q)
{
    return both(q) || q->elements || picks_queues(q) || q->one_user || q->ranks ||
           q->hosts;
}

/* Ids that follow each other are those of elements: a line of them all would be of others, too. */
static bool names_elements(const struct jobquery *q)
{
    const struct ids ids = {q->ids, q->nids};
    bool any = q->elements;
    for (size_t i = 0; i + 1 < q->nids && !any; i++)
        any = ids_neighbours(&ids, i) > 1;
    return any;
}

json_object *jobquery_params(const struct jobquery *q)
{
    json_object *o = json_object_new_object();
    int states = states_asked(q);
    if (q->nids) {
        json_object *ids = json_object_new_array();
        for (size_t i = 0; i < q->nids; i++)
            json_object_array_add(ids, json_object_new_uint64(q->ids[i]));
        json_object_object_add(o, "ids", ids);
    }
    if (states)
        json_object_object_add(o, "states", json_object_new_int(states));
    if (q->results && !q->nids && !states)
        json_object_object_add(o, "results", json_object_new_int(q->results));
    if (q->name)
        json_object_object_add(o, "name", json_object_new_string(q->name));
    if (q->queues && !strchr(q->queues, ','))
        json_object_object_add(o, "queue", json_object_new_string(q->queues));
    if (q->since > 0)
        json_object_object_add(o, "since", json_object_new_double(q->since));
    if (q->keys && !is_picky(q)) /* else others are looked at, too */
        json_object_object_add(o, "keys", json_object_get(q->keys));
    if (q->fold && !names_elements(q))
        json_object_object_add(o, "fold", json_object_new_boolean(true));
    json_object_object_add(o, "max", json_object_new_int64(q->count));
    return o;
}

static bool is_in_queue(const struct jobquery *q, const char *queue);

void jobquery_expand_queues(struct jobquery *q, struct cli *cli)
{
    if (!q->queues)
        return;
    cleanup_json json_object *result = cli_call(cli, "queue.list", NULL);
    json_object *queues = cli_list(cli, result, "queues");
    for (size_t i = 0; i < json_object_array_length(queues); i++) {
        json_object *o = json_object_array_get_idx(queues, i);
        const char *name = cli_get_string(o, "queue", "");
        if (is_in_queue(q, cli_get_string(o, "parent", "")) && !is_in_queue(q, name))
            jobquery_queue(q, name);
    }
}

static bool is_in_queue(const struct jobquery *q, const char *queue)
{
    size_t len = strlen(queue);
    for (const char *s = q->queues; len && s; s = strchr(s, ','), s += s != NULL)
        if (strncmp(s, queue, len) == 0 && (s[len] == ',' || !s[len]))
            return true;
    return false;
}

static bool is_there(const struct jobquery *q, json_object *job)
{
    if (q->ranks) {
        cleanup_bitmap hwloc_bitmap_t ranks =
            idset_decode(cli_get_string(job, "ranks", ""), NULL);
        return ranks && hwloc_bitmap_intersects(ranks, q->ranks);
    }
    struct hostlist *hosts = hostlist_decode(cli_get_string(job, "nodelist", ""), NULL);
    bool any = false;
    for (size_t i = 0; hosts && !any && i < hostlist_count(hosts); i++)
        any = hostlist_find(q->hosts, hostlist_nth(hosts, i)) >= 0;
    hostlist_destroy(hosts);
    return any;
}

static bool is_named(const struct jobquery *q, uint64_t id)
{
    return ids_have(&(struct ids){q->ids, q->nids}, id);
}

bool jobquery_selects(const struct jobquery *q, json_object *job)
{
    if (q->elements && !is_named(q, json_object_get_uint64(cli_get(job, "id"))))
        return false;
    int state = job_state_decode(cli_get_string(job, "state", ""));
    int result = job_result_decode(cli_get_string(job, "result", ""));
    if (both(q) && !(state & q->states) && !(result & q->results))
        return false;
    if (picks_queues(q) && !is_in_queue(q, cli_get_string(job, "queue", "")))
        return false;
    if (q->one_user && cli_get_number(job, "userid", -1) != q->userid)
        return false;
    return !(q->ranks || q->hosts) || is_there(q, job);
}

/* How many to ask for, where HAVE of them are there. */
static long page_of(const struct jobquery *q, bool picky, size_t have)
{
    enum { PAGE = 5000, PICKY_PAGE = 2000 };
    if (picky)
        return PICKY_PAGE;
    return q->count ? MIN(q->count - (long)have, PAGE) : PAGE;
}

json_object *jobquery_fetch(const struct jobquery *q, jobquery_ask ask, void *arg,
                            bool *more)
{
    uint64_t before = 0, last = 0;
    json_object *all = json_object_new_array();
    bool picky = is_picky(q), left = true;
    *more = false;
    while (left && !*more) {
        struct jobquery page = *q;
        page.count = page_of(q, picky, json_object_array_length(all));
        json_object *params = jobquery_params(&page);
        if (before)
            json_object_object_add(params, "before", json_object_new_uint64(before));
        cleanup_json json_object *result = ask(arg, params);
        json_object *jobs = cli_get(result, "jobs");
        if (!json_object_is_type(jobs, json_type_array)) {
            json_object_put(all);
            return NULL;
        }
        size_t n = json_object_array_length(jobs);
        left = json_object_get_boolean(cli_get(result, "more"));
        for (size_t i = 0; i < n && !*more; i++) {
            json_object *job = json_object_array_get_idx(jobs, i);
            uint64_t id = json_object_get_uint64(cli_get(job, "id"));
            bool again = id == before; /* by its own id, and by that of its array */
            before = id;
            if (again || !jobquery_selects(q, job))
                continue;
            if (q->count && json_object_array_length(all) == (size_t)q->count)
                *more = true;
            else
                json_object_array_add(all, json_object_get(job));
        }
        bool full = q->count && json_object_array_length(all) == (size_t)q->count;
        if (full && !picky) /* what is left is what is asked for */
            *more = left;
        if ((full && !picky) || n == 0 || (last && before >= last))
            break;
        last = before;
    }
    return all;
}

/* The ids that jobs of LIST have, sorted. The id of an array's first job stands for the array, of which that job may
 * not be among what is shown. */
static struct ids ids_shown(json_object *list)
{
    size_t n = json_object_array_length(list);
    struct ids ids = {.v = xcalloc(2 * n + 1, sizeof(*ids.v))};
    for (size_t i = 0; i < n; i++) {
        json_object *job = json_object_array_get_idx(list, i);
        ids.v[ids.n++] = json_object_get_uint64(cli_get(job, "id"));
        ids.v[ids.n++] = json_object_get_uint64(cli_get(job, "array"));
    }
    ids_sort(&ids);
    return ids;
}

bool jobquery_missing(const struct jobquery *q, const struct cli *cli, json_object *list)
{
    char buf[CLI_ID_SIZE];
    bool any = false;
    struct ids shown = ids_shown(list);
    for (size_t i = 0; i < q->nids; i++) {
        if (ids_have(&shown, q->ids[i]))
            continue;
        cli_error(cli, "there is no job %s", cli_id(cli, q->ids[i], buf));
        any = true;
    }
    ids_fini(&shown);
    return any;
}
