/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include "compat/slurm/forms.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/job/state.h"

/* --- reading ------------------------------------------------------------------------------- */

/* What user.slurm tells of the array that begins with HEAD. */
static const struct shead *head_of(struct slurm *s, struct sjobs *jobs, uint64_t head)
{
    struct error ignored;
    for (size_t i = 0; i < jobs->nheads; i++)
        if (jobs->heads[i].head == head)
            return &jobs->heads[i];
    json_object *params = slurm_params("id", head), *keys = json_object_new_array();
    json_object_array_add(keys, json_object_new_string("jobspec"));
    json_object_object_add(params, "keys", keys);
    cleanup_json json_object *info = slurm_ask(s, "job.info", params, &ignored);
    json_object *o = json_object_object_get(info, "jobspec");
    o = json_object_object_get(
        json_object_object_get(json_object_object_get(o, "attributes"), "user"), "slurm");
    uint64_t array = json_object_get_uint64(json_object_object_get(o, "array"));
    jobs->heads = xrealloc(jobs->heads, (jobs->nheads + 1) * sizeof(*jobs->heads));
    jobs->heads[jobs->nheads] =
        (struct shead){.head = head,
                       .array = array ? array : head,
                       .limited = json_object_object_get(o, "limit") != NULL};
    return &jobs->heads[jobs->nheads++];
}

/* Those of ANSWER that begin with TASKS (NULL: all) and are of ARRAY (0: any) are added. */
static size_t add_list(struct slurm *s, struct sjobs *jobs, json_object *answer,
                       hwloc_const_bitmap_t tasks, uint64_t array)
{
    json_object *list = json_object_object_get(answer, "jobs");
    size_t n = list ? json_object_array_length(list) : 0, added = 0;
    jobs->lists = xrealloc(jobs->lists, (jobs->nlists + 1) * sizeof(*jobs->lists));
    jobs->lists[jobs->nlists++] = answer;
    jobs->v = xrealloc(jobs->v, (jobs->n + n + 1) * sizeof(*jobs->v));
    for (size_t i = n; i-- > 0;) {
        json_object *o = json_object_array_get_idx(list, i);
        struct sjob j = {.o = o,
                         .id = json_object_get_uint64(json_object_object_get(o, "id")),
                         .head =
                             json_object_get_uint64(json_object_object_get(o, "array")),
                         .task = (int64_t)slurm_number(o, "cc", -1)};
        if (tasks && (j.task < 0 || !hwloc_bitmap_isset(tasks, (unsigned)j.task)))
            continue;
        if (array && !j.head)
            continue;
        j.array = j.head ? head_of(s, jobs, j.head)->array : 0;
        if (array && j.array != array)
            continue;
        jobs->v[jobs->n++] = j;
        added++;
    }
    return added;
}

/* The answer to job.list with PARAMS, taken over, in which all jobs are: it comes in pages. */
static json_object *list_all(struct slurm *s, json_object *params)
{
    json_object *all = slurm_call(s, "job.list", json_object_get(params));
    json_object *jobs = json_object_object_get(all, "jobs");
    bool more = json_object_get_boolean(json_object_object_get(all, "more"));
    size_t n;
    while (more && (n = json_object_array_length(jobs)) > 0) {
        json_object *last = json_object_array_get_idx(jobs, n - 1);
        json_object_object_add(params, "before",
                               json_object_get(json_object_object_get(last, "id")));
        cleanup_json json_object *page =
            slurm_call(s, "job.list", json_object_get(params));
        json_object *list = json_object_object_get(page, "jobs");
        size_t here = list ? json_object_array_length(list) : 0;
        for (size_t i = 0; i < here; i++)
            json_object_array_add(jobs,
                                  json_object_get(json_object_array_get_idx(list, i)));
        more = here > 0 && json_object_get_boolean(json_object_object_get(page, "more"));
    }
    json_object_put(params);
    return all;
}

void jobs_fetch(struct slurm *s, struct sjobs *jobs, const struct jobs_query *q)
{
    json_object *params = slurm_params("max", 0);
    if (q->states)
        json_object_object_add(params, "states", json_object_new_int(q->states));
    if (q->results)
        json_object_object_add(params, "results", json_object_new_int(q->results));
    if (q->since > 0)
        json_object_object_add(params, "since", json_object_new_double(q->since));
    if (q->name)
        json_object_object_add(params, "name", json_object_new_string(q->name));
    if (q->queue)
        json_object_object_add(params, "queue", json_object_new_string(q->queue));
    add_list(s, jobs, list_all(s, params), NULL, 0);
}

/* The other arrays of the row that begins with NUMBER, if ANSWER is of one with a limit. */
static size_t add_row(struct slurm *s, struct sjobs *jobs, json_object *answer,
                      hwloc_const_bitmap_t tasks, uint64_t number)
{
    json_object *list = json_object_object_get(answer, "jobs");
    json_object *o = list && json_object_array_length(list) > 0
                         ? json_object_array_get_idx(list, 0)
                         : NULL;
    uint64_t head = o ? json_object_get_uint64(json_object_object_get(o, "array")) : 0;
    if (!head || head != number || !head_of(s, jobs, head)->limited)
        return 0;
    json_object *params = slurm_params("max", 0);
    json_object_object_add(params, "states",
                           json_object_new_int(JOB_ACTIVE | JOB_INACTIVE));
    json_object_object_add(params, "name",
                           json_object_new_string(slurm_text(o, "name", "")));
    return add_list(s, jobs, list_all(s, params), tasks, number);
}

int jobs_fetch_id(struct slurm *s, struct sjobs *jobs, const char *text,
                  struct error *err)
{
    struct form_id id;
    if (form_id(text, &id, err) < 0)
        return -1;
    cleanup_bitmap hwloc_bitmap_t tasks = id.tasks ? idset_decode(id.tasks, err) : NULL;
    json_object *params = slurm_params("max", 0), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id.id));
    json_object_object_add(params, "ids", ids);
    json_object *answer = slurm_ask(s, "job.list", params, err);
    bool bad = id.tasks && !tasks;
    uint64_t number = id.id;
    form_id_fini(&id);
    if (!answer || bad) {
        json_object_put(answer);
        return -1;
    }
    size_t added =
        add_list(s, jobs, answer, tasks, 0) + add_row(s, jobs, answer, tasks, number);
    if (added > 0)
        return 0;
    return error_set(err, ENOENT, "Invalid job id specified");
}

static int compare(const void *a, const void *b)
{
    const struct sjob *x = a, *y = b;
    uint64_t hx = x->array ? x->array : x->id, hy = y->array ? y->array : y->id;
    if (hx != hy)
        return hx < hy ? -1 : 1;
    return x->task < y->task ? -1 : x->task > y->task;
}

static int compare_same(const void *a, const void *b)
{
    const struct sjob *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

void jobs_sort(struct sjobs *jobs)
{
    if (jobs->n < 2)
        return;
    /* one that was named twice is there once */
    qsort(jobs->v, jobs->n, sizeof(*jobs->v), compare_same);
    size_t k = 1;
    for (size_t i = 1; i < jobs->n; i++)
        if (jobs->v[i].id != jobs->v[k - 1].id)
            jobs->v[k++] = jobs->v[i];
    jobs->n = k;
    qsort(jobs->v, jobs->n, sizeof(*jobs->v), compare);
}

static bool folds(const struct sjob *j)
{
    return j->array && job_sstate(j) == S_PENDING;
}

void jobs_fold(struct sjobs *jobs)
{
    size_t k = 0;
    for (size_t i = 0; i < jobs->n;) {
        struct sjob *first = &jobs->v[i];
        cleanup_bitmap hwloc_bitmap_t tasks = hwloc_bitmap_alloc();
        size_t end = i + 1, others = 0;
        if (!first->array) {
            jobs->v[k++] = *first;
            i = end;
            continue;
        }
        while (end < jobs->n && jobs->v[end].array == first->array)
            end++;
        struct sjob folded = {0};
        for (size_t m = i; m < end; m++) {
            if (folds(&jobs->v[m])) {
                if (!folded.o)
                    folded = jobs->v[m];
                hwloc_bitmap_set(tasks, (unsigned)jobs->v[m].task);
                others++;
            }
        }
        /* pending ones come first, as they begin last */
        struct sjob *running = xcalloc(end - i, sizeof(*running));
        size_t nrunning = 0;
        for (size_t m = i; m < end; m++)
            if (!folds(&jobs->v[m]))
                running[nrunning++] = jobs->v[m];
        if (others > 1)
            folded.tasks = idset_encode(tasks, 0);
        if (others > 0)
            jobs->v[k++] = folded;
        if (nrunning > 0)
            memcpy(jobs->v + k, running, nrunning * sizeof(*running));
        k += nrunning;
        free(running);
        i = end;
    }
    jobs->n = k;
}

void jobs_fini(struct sjobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        free(jobs->v[i].tasks);
    for (size_t i = 0; i < jobs->nlists; i++)
        json_object_put(jobs->lists[i]);
    free(jobs->lists);
    free(jobs->heads);
    free(jobs->v);
    *jobs = (struct sjobs){0};
}

/* --- states -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *compact;
} states[S_STATES] = {
    [S_PENDING] = {"PENDING", "PD"},
    [S_RUNNING] = {"RUNNING", "R"},
    [S_COMPLETING] = {"COMPLETING", "CG"},
    [S_COMPLETED] = {"COMPLETED", "CD"},
    [S_CANCELLED] = {"CANCELLED", "CA"},
    [S_FAILED] = {"FAILED", "F"},
    [S_TIMEOUT] = {"TIMEOUT", "TO"},
    [S_NODE_FAIL] = {"NODE_FAIL", "NF"},
    [S_OUT_OF_MEMORY] = {"OUT_OF_MEMORY", "OOM"},
};

/* Failures by the type of the exception that ended the job. */
static const struct {
    const char *type;
    enum sstate state;
} failures[] = {
    {"node-failure", S_NODE_FAIL}, {"dependency", S_CANCELLED}, {"oom", S_OUT_OF_MEMORY},
    {"memory", S_OUT_OF_MEMORY},   {"timeout", S_TIMEOUT},      {"cancel", S_CANCELLED},
};

enum sstate job_sstate(const struct sjob *j)
{
    int state = job_state_decode(slurm_text(j->o, "state", ""));
    if (state & JOB_RUN)
        return S_RUNNING;
    if (state & JOB_CLEANUP)
        return S_COMPLETING;
    if (!(state & JOB_INACTIVE))
        return S_PENDING;
    switch (job_result_decode(slurm_text(j->o, "result", ""))) {
    case JOB_COMPLETED:
        return S_COMPLETED;
    case JOB_CANCELED:
        return S_CANCELLED;
    case JOB_TIMEOUT:
        return S_TIMEOUT;
    default:;
    }
    json_object *e = json_object_object_get(j->o, "exception");
    for (size_t i = 0; e && i < ARRAY_SIZE(failures); i++)
        if (strcmp(failures[i].type, slurm_text(e, "type", "")) == 0 &&
            slurm_number(e, "severity", 0) == 0)
            return failures[i].state;
    return S_FAILED;
}

const char *sstate_name(enum sstate state, bool compact)
{
    return compact ? states[state].compact : states[state].name;
}

int sstate_decode(const char *name, size_t len)
{
    for (int i = 0; i < S_STATES; i++)
        if ((strlen(states[i].name) == len &&
             strncasecmp(states[i].name, name, len) == 0) ||
            (strlen(states[i].compact) == len &&
             strncasecmp(states[i].compact, name, len) == 0))
            return i;
    return -1;
}

unsigned sstate_mask(const struct slurm *s, const char *names)
{
    static const char *const never[] = {
        "SUSPENDED",    "S",  "PREEMPTED", "PR", "CONFIGURING",  "CF", "BOOT_FAIL", "BF",
        "DEADLINE",     "DL", "REQUEUED",  "RQ", "RESIZING",     "RS", "REVOKED",   "RV",
        "SPECIAL_EXIT", "SE", "STOPPED",   "ST", "REQUEUE_HOLD", "RH", "SIGNALING", "SI"};
    unsigned mask = 0;
    for (const char *p = names; *p; p += *p == ',') {
        size_t n = strcspn(p, ","), i = 0;
        int state = sstate_decode(p, n);
        if (n == 3 && strncasecmp(p, "all", 3) == 0)
            mask = ~0U;
        while (i < ARRAY_SIZE(never) &&
               (strlen(never[i]) != n || strncasecmp(never[i], p, n) != 0))
            i++;
        if (state >= 0)
            mask |= 1U << state;
        else if (mask != ~0U && i == ARRAY_SIZE(never))
            slurm_die(s, "Invalid job state specified: %.*s", (int)n, p);
        p += n;
    }
    return mask | 1U << 31; /* a state that no job has */
}

const char *job_reason(const struct sjob *j)
{
    const char *reason = slurm_text(j->o, "reason", "");
    json_object *e = json_object_object_get(j->o, "exception");
    switch (job_sstate(j)) {
    case S_PENDING:
        break;
    case S_NODE_FAIL:
        return "NodeDown";
    case S_TIMEOUT:
        return "TimeLimit";
    case S_FAILED:
        return slurm_number(j->o, "status", -1) > 0 ? "NonZeroExitCode"
                                                    : "JobLaunchFailure";
    case S_CANCELLED:
        return e && strcmp(slurm_text(e, "type", ""), "dependency") == 0
                   ? "DependencyNeverSatisfied"
                   : "None";
    default:
        return "None";
    }
    if (job_state_decode(slurm_text(j->o, "state", "")) & JOB_DEPEND)
        return strstr(reason, "begin") ? "BeginTime" : "Dependency";
    if (slurm_number(j->o, "urgency", 16) == 0)
        return "JobHeldUser";
    if (strncmp(reason, "priority", 8) == 0)
        return "Priority";
    return strstr(reason, "time limit") ? "TimeLimit" : "Resources";
}

bool job_is_on(const struct sjob *j, const struct hostlist *nodes)
{
    struct error ignored;
    bool is_there = false;
    struct hostlist *has = hostlist_decode(slurm_text(j->o, "nodelist", ""), &ignored);
    for (size_t i = 0; has && i < hostlist_count(has); i++)
        is_there = is_there || hostlist_find(nodes, hostlist_nth(has, i)) >= 0;
    hostlist_destroy(has);
    return is_there;
}

void job_exit(const struct sjob *j, int *code, int *signum)
{
    int status = (int)slurm_number(j->o, "status", -1);
    enum sstate state = job_sstate(j);
    *code = *signum = 0;
    if (status < 0)
        *code = state == S_FAILED || state == S_NODE_FAIL;
    else if (WIFSIGNALED(status))
        *signum = WTERMSIG(status);
    else
        *code = WEXITSTATUS(status);
    if (state == S_TIMEOUT || state == S_CANCELLED)
        *code = 0;
    if (state == S_TIMEOUT)
        *signum = 0;
}
