/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "pmi/pmixd_impl.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

#include <pmix.h>
#include <string.h>
#include <syslog.h>

/* One query: its answers go to OUT; false: not this key, or no such job. */
struct question {
    struct pmixd *d;
    /* of the qualifier PMIX_NSPACE, or the caller's; NULL where there is none: PMIx 4.2 names
     * the server itself as the caller */
    struct pmixd_job *job;
    struct infos *out;
    const char *key;
};

struct key { /* a key that queries know */
    const char *key;
    bool (*answer)(struct question *q);
};

static bool answer_keys(struct question *q);

static bool answer_namespaces(struct question *q)
{
    cleanup_strbuf struct strbuf sb = {0};
    for (struct pmixd_job *job = q->d->jobs; job; job = job->next)
        strbuf_addf(&sb, "%s%s", sb.len ? "," : "", job->nspace);
    infos_add(q->out, q->key, sb.s ? sb.s : "", PMIX_STRING);
    return true;
}

static bool answer_namespace_info(struct question *q)
{
    struct infos all = {0};
    for (struct pmixd_job *job = q->d->jobs; job; job = job->next) {
        if (q->job && q->job != job)
            continue;
        struct infos one = {0};
        infos_add(&one, PMIX_NSPACE, job->nspace, PMIX_STRING);
        infos_u32(&one, PMIX_JOB_SIZE, job->size);
        infos_u32(&one, PMIX_NUM_NODES, job->nnodes);
        if (job->app_cmds && job->app_cmds[0])
            infos_add(&one, PMIX_CMD_LINE, job->app_cmds[0], PMIX_STRING);
        infos_array(&all, PMIX_JOB_INFO_ARRAY, &one);
    }
    infos_array(q->out, q->key, &all);
    return true;
}

static bool answer_job_status(struct question *q)
{
    pmix_status_t status = PMIX_SUCCESS; /* what the server knows is running */
    if (!q->job)
        return false;
    infos_add(q->out, q->key, &status, PMIX_STATUS);
    return true;
}

static pmix_proc_state_t state_of(const struct local_task *task)
{
    switch (task->state) {
    case TASK_NEW:
        return task->pid > 0 ? PMIX_PROC_STATE_RUNNING : PMIX_PROC_STATE_LAUNCH_UNDERWAY;
    case TASK_CONNECTED:
        return PMIX_PROC_STATE_CONNECTED;
    case TASK_FINALIZED:
        return PMIX_PROC_STATE_RUNNING;
    case TASK_ENDED:
        return PMIX_PROC_STATE_TERMINATED;
    }
    return PMIX_PROC_STATE_UNDEF;
}

static bool proc_table(struct question *q, bool local_only)
{
    struct pmixd_job *job = q->job;
    if (!job)
        return false;
    size_t n = local_only ? job->ntasks : job->size;
    pmix_proc_info_t *v;
    PMIX_PROC_INFO_CREATE(v, n ? n : 1);
    for (size_t i = 0; i < n; i++) {
        unsigned rank = local_only ? job->tasks[i].rank : (unsigned)i;
        struct local_task *task = pmixd_task_find(job, rank);
        PMIX_LOAD_PROCID(&v[i].proc, job->nspace, rank);
        v[i].hostname = strdup(job->hosts[job->task_node[rank]]);
        if (job->app_cmds && job->app_cmds[0])
            v[i].executable_name = strdup(job->app_cmds[0]);
        v[i].pid = task ? task->pid : 0;
        v[i].state = task ? state_of(task) : PMIX_PROC_STATE_UNDEF;
    }
    pmix_data_array_t array = {.type = PMIX_PROC_INFO, .size = n, .array = v};
    infos_add(q->out, q->key, &array, PMIX_DATA_ARRAY); /* copies */
    PMIX_PROC_INFO_FREE(v, n ? n : 1);
    return true;
}

static bool answer_proc_table(struct question *q)
{
    return proc_table(q, false);
}

static bool answer_local_proc_table(struct question *q)
{
    return proc_table(q, true);
}

static bool answer_spawn_support(struct question *q)
{
    infos_add(q->out, q->key, PMIX_WDIR "," PMIX_HOST "," PMIX_SPAWN_TIMEOUT,
              PMIX_STRING);
    return true;
}

static bool answer_nothing(struct question *q)
{
    infos_add(q->out, q->key, "", PMIX_STRING);
    return true;
}

static bool answer_job_number(struct question *q)
{
    static const char *const keys[] = {PMIX_JOB_SIZE, PMIX_UNIV_SIZE, PMIX_NUM_NODES,
                                       PMIX_LOCAL_SIZE};
    const struct pmixd_job *job = q->job;
    if (!job)
        return false;
    const unsigned numbers[] = {job->size, job->universe, job->nnodes, job->ntasks};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(q->key, keys[i]) == 0)
            infos_u32(q->out, q->key, numbers[i]);
    return true;
}

static bool answer_rm(struct question *q)
{
    bool name = strcmp(q->key, PMIX_RM_NAME) == 0;
    infos_add(q->out, q->key, name ? PACKAGE_NAME : PACKAGE_VERSION, PMIX_STRING);
    return true;
}

static const struct key keys[] = {
    {PMIX_QUERY_SUPPORTED_KEYS, answer_keys},
    {PMIX_QUERY_NAMESPACES, answer_namespaces},
    {PMIX_QUERY_NAMESPACE_INFO, answer_namespace_info},
    {PMIX_QUERY_JOB_STATUS, answer_job_status},
    {PMIX_QUERY_PROC_TABLE, answer_proc_table},
    {PMIX_QUERY_LOCAL_PROC_TABLE, answer_local_proc_table},
    {PMIX_QUERY_SPAWN_SUPPORT, answer_spawn_support},
    {PMIX_QUERY_DEBUG_SUPPORT, answer_nothing},
    {PMIX_JOB_SIZE, answer_job_number},
    {PMIX_UNIV_SIZE, answer_job_number},
    {PMIX_NUM_NODES, answer_job_number},
    {PMIX_LOCAL_SIZE, answer_job_number},
    {PMIX_RM_NAME, answer_rm},
    {PMIX_RM_VERSION, answer_rm},
};

static bool answer_keys(struct question *q)
{
    cleanup_strbuf struct strbuf sb = {0};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        strbuf_addf(&sb, "%s%s", i ? "," : "", keys[i].key);
    infos_add(q->out, q->key, sb.s, PMIX_STRING);
    return true;
}

/* Does query KEY refer to a job other than the caller's unless it names one? */
static bool about_all(const char *key)
{
    return strcmp(key, PMIX_QUERY_NAMESPACE_INFO) == 0;
}

struct queries { /* what a query call brings */
    size_t n;
    struct {
        char *key;
        char *nspace;
    } * v;
};

static void on_query(struct pmixd *d, struct call *c)
{
    struct queries *queries = c->ours;
    struct infos *out = xcalloc(1, sizeof(*out));
    size_t answered = 0;
    for (size_t i = 0; i < queries->n; i++) {
        const char *key = queries->v[i].key, *nspace = queries->v[i].nspace;
        struct question q = {d, NULL, out, key};
        if (nspace || !about_all(key))
            q.job = pmixd_job_find(d, nspace ? nspace : c->proc.nspace);
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            if (strcmp(keys[k].key, key) == 0 && !(nspace && !q.job))
                answered += keys[k].answer(&q);
        free(queries->v[i].key);
        free(queries->v[i].nspace);
    }
    pmix_status_t status = PMIX_ERR_NOT_FOUND;
    if (answered > 0)
        status = answered == queries->n ? PMIX_SUCCESS : PMIX_ERR_PARTIAL_SUCCESS;
    free(queries->v);
    free(queries);
    c->cb.info(status, out->v, out->n, c->cbdata, pmixd_infos_release, out);
    call_free(c);
}

pmix_status_t up_query(pmix_proc_t *proc, pmix_query_t *v, size_t n,
                       pmix_info_cbfunc_t cb, void *cbdata)
{
    struct queries *queries = xcalloc(1, sizeof(*queries));
    for (size_t i = 0; i < n; i++) {
        const pmix_info_t *nspace = info_find(v[i].qualifiers, v[i].nqual, PMIX_NSPACE);
        const char *name = nspace && nspace->value.type == PMIX_STRING
                               ? nspace->value.data.string
                               : NULL;
        for (size_t k = 0; v[i].keys && v[i].keys[k]; k++) {
            queries->v = xrealloc(queries->v, (queries->n + 1) * sizeof(*queries->v));
            queries->v[queries->n].key = xstrdup(v[i].keys[k]);
            queries->v[queries->n++].nspace = name ? xstrdup(name) : NULL;
        }
    }
    struct call *c = call_new(on_query);
    c->proc = *proc;
    c->ours = queries;
    c->cb.info = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}

/* --- log */

static void on_log(struct pmixd *d, struct call *c)
{
    struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
    size_t done = 0;
    for (size_t i = 0; job && i < c->ninfo; i++) {
        const char *key = c->info[i].key;
        const char *text =
            c->info[i].value.type == PMIX_STRING ? c->info[i].value.data.string : NULL;
        int stream = strcmp(key, PMIX_LOG_STDOUT) == 0   ? 1
                     : strcmp(key, PMIX_LOG_STDERR) == 0 ? 2
                                                         : 0;
        if (!text)
            continue;
        if (stream) {
            d->config->ops->log(d->config->arg, job->id, c->proc.rank, stream, text,
                                strlen(text));
            done++;
        } else if (strcmp(key, PMIX_LOG_SYSLOG) == 0 ||
                   strcmp(key, PMIX_LOG_LOCAL_SYSLOG) == 0) {
            int priority =
                (int)info_number(c->dirs, c->ndirs, PMIX_LOG_SYSLOG_PRI, LOG_ERR);
            syslog(LOG_USER | (priority & LOG_PRIMASK), "%s.%u: %s", c->proc.nspace,
                   c->proc.rank, text);
            done++;
        }
    }
    call_done(c, done == c->ninfo ? PMIX_SUCCESS
                 : done > 0       ? PMIX_ERR_PARTIAL_SUCCESS
                                  : PMIX_ERR_NOT_SUPPORTED);
}

void up_log(const pmix_proc_t *client, const pmix_info_t data[], size_t ndata,
            const pmix_info_t directives[], size_t ndirs, pmix_op_cbfunc_t cb,
            void *cbdata)
{
    struct call *c = call_new(on_log);
    c->proc = *client;
    call_info(c, data, ndata);
    call_dirs(c, directives, ndirs);
    c->cb.done = cb;
    c->cbdata = cbdata;
    call_push(c);
}
