/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmixd_impl.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <pmix.h>
#include <string.h>
#include <unistd.h>

struct pmixd_job *pmixd_job_find(struct pmixd *d, const char *nspace)
{
    struct pmixd_job *job = d->jobs;
    while (job && strcmp(job->nspace, nspace) != 0)
        job = job->next;
    return job;
}

struct local_task *pmixd_task_find(struct pmixd_job *job, unsigned rank)
{
    unsigned low = 0, high = job->ntasks;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (job->tasks[mid].rank == rank)
            return &job->tasks[mid];
        if (job->tasks[mid].rank < rank)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static int compare_unsigned(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

unsigned pmixd_nodes(struct pmixd *d, const pmix_proc_t *procs, size_t nprocs,
                     unsigned **ranks)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    bool known = true;
    for (size_t i = 0; known && i < nprocs; i++) {
        struct pmixd_job *job = pmixd_job_find(d, procs[i].nspace);
        known = job && (procs[i].rank == PMIX_RANK_WILDCARD || procs[i].rank < job->size);
        if (known && procs[i].rank == PMIX_RANK_WILDCARD)
            for (unsigned k = 0; k < job->nnodes; k++)
                hwloc_bitmap_set(set, job->node_ranks[k]);
        else if (known)
            hwloc_bitmap_set(set, job->node_ranks[job->task_node[procs[i].rank]]);
    }
    unsigned n = known ? (unsigned)hwloc_bitmap_weight(set) : 0;
    *ranks = xcalloc(n ? n : 1, sizeof(**ranks));
    for (int i = 0, r = hwloc_bitmap_first(set); i < (int)n;
         i++, r = hwloc_bitmap_next(set, r))
        (*ranks)[i] = (unsigned)r;
    hwloc_bitmap_free(set);
    qsort(*ranks, n, sizeof(**ranks), compare_unsigned);
    return n;
}

/* --- what is registered */

/* The job's tasks in the order of their ranks, sorted by node: task I of node N is
 * order[start[N] + I]. */
struct order {
    unsigned *start; /* [nnodes + 1] */
    unsigned *task;  /* [size] */
};

static void order_make(struct order *o, const struct pmixd_job *job)
{
    o->start = xcalloc(job->nnodes + 1, sizeof(unsigned));
    o->task = xcalloc(job->size, sizeof(unsigned));
    cleanup_free unsigned *next = xcalloc(job->nnodes, sizeof(unsigned));
    for (unsigned t = 0; t < job->size; t++)
        o->start[job->task_node[t] + 1]++;
    for (unsigned n = 0; n < job->nnodes; n++)
        o->start[n + 1] += o->start[n];
    for (unsigned n = 0; n < job->nnodes; n++)
        next[n] = o->start[n];
    for (unsigned t = 0; t < job->size; t++)
        o->task[next[job->task_node[t]]++] = t;
}

static void order_free(struct order *o)
{
    free(o->start);
    free(o->task);
}

/* "0,1,5": ranks of node N */
static char *node_ranks_text(const struct order *o, unsigned n)
{
    struct strbuf sb = {0};
    for (unsigned i = o->start[n]; i < o->start[n + 1]; i++)
        strbuf_addf(&sb, "%s%u", i > o->start[n] ? "," : "", o->task[i]);
    return strbuf_take(&sb);
}

static void add_regex(struct infos *l, const char *key, const char *text,
                      pmix_status_t (*generate)(const char *input, char **regex))
{
    char *regex = NULL;
    if (generate(text, &regex) == PMIX_SUCCESS) {
        infos_add(l, key, regex, PMIX_REGEX);
        free(regex);
    }
}

static void add_maps(struct infos *l, const struct pmixd_job *job, const struct order *o)
{
    struct strbuf nodes = {0}, procs = {0};
    for (unsigned n = 0; n < job->nnodes; n++) {
        cleanup_free char *ranks = node_ranks_text(o, n);
        strbuf_addf(&nodes, "%s%s", n ? "," : "", job->hosts[n]);
        strbuf_addf(&procs, "%s%s", n ? ";" : "", ranks);
    }
    cleanup_free char *nodes_text = strbuf_take(&nodes);
    cleanup_free char *procs_text = strbuf_take(&procs);
    add_regex(l, PMIX_NODE_MAP, nodes_text, PMIx_generate_regex);
    add_regex(l, PMIX_PROC_MAP, procs_text, PMIx_generate_ppn);
    infos_add(l, PMIX_NODE_LIST, nodes_text, PMIX_STRING);
}

static void add_apps(struct infos *l, const struct pmixd_job *job)
{
    pmix_rank_t first = 0;
    for (unsigned a = 0; a < job->napps; a++) {
        struct infos app = {0};
        infos_u32(&app, PMIX_APPNUM, a);
        infos_u32(&app, PMIX_APP_SIZE, job->app_sizes[a]);
        infos_add(&app, PMIX_APPLDR, &first, PMIX_PROC_RANK);
        if (job->app_cmds && job->app_cmds[a])
            infos_add(&app, PMIX_APP_ARGV, job->app_cmds[a], PMIX_STRING);
        infos_array(l, PMIX_APP_INFO_ARRAY, &app);
        first += job->app_sizes[a];
    }
}

static void add_nodes(struct infos *l, const struct pmixd_job *job, const struct order *o)
{
    for (unsigned n = 0; n < job->nnodes; n++) {
        cleanup_free char *peers = node_ranks_text(o, n);
        struct infos node = {0};
        infos_add(&node, PMIX_HOSTNAME, job->hosts[n], PMIX_STRING);
        infos_u32(&node, PMIX_NODEID, n);
        infos_u32(&node, PMIX_LOCAL_SIZE, o->start[n + 1] - o->start[n]);
        infos_u32(&node, PMIX_NODE_SIZE, o->start[n + 1] - o->start[n]);
        infos_add(&node, PMIX_LOCAL_PEERS, peers, PMIX_STRING);
        if (o->start[n] < o->start[n + 1]) {
            pmix_rank_t leader = o->task[o->start[n]];
            infos_add(&node, PMIX_LOCALLDR, &leader, PMIX_PROC_RANK);
        }
        infos_array(l, PMIX_NODE_INFO_ARRAY, &node);
    }
}

static void add_procs(struct infos *l, const struct pmixd_job *job, const struct order *o)
{
    cleanup_free uint16_t *local = xcalloc(job->size, sizeof(*local));
    for (unsigned n = 0; n < job->nnodes; n++)
        for (unsigned i = o->start[n]; i < o->start[n + 1]; i++)
            local[o->task[i]] = (uint16_t)(i - o->start[n]);
    for (unsigned t = 0, app = 0, in_app = 0; t < job->size; t++, in_app++) {
        while (in_app == job->app_sizes[app]) {
            app++;
            in_app = 0;
        }
        pmix_rank_t rank = t, leader = t - in_app, app_rank = in_app;
        bool spawned = job->parent_nspace != NULL;
        struct infos proc = {0};
        infos_add(&proc, PMIX_RANK, &rank, PMIX_PROC_RANK); /* must come first */
        infos_add(&proc, PMIX_GLOBAL_RANK, &rank, PMIX_PROC_RANK);
        infos_add(&proc, PMIX_APP_RANK, &app_rank, PMIX_PROC_RANK);
        infos_add(&proc, PMIX_APPLDR, &leader, PMIX_PROC_RANK);
        infos_u32(&proc, PMIX_APPNUM, app);
        infos_add(&proc, PMIX_LOCAL_RANK, &local[t], PMIX_UINT16);
        infos_add(&proc, PMIX_NODE_RANK, &local[t], PMIX_UINT16);
        infos_u32(&proc, PMIX_NODEID, job->task_node[t]);
        infos_add(&proc, PMIX_HOSTNAME, job->hosts[job->task_node[t]], PMIX_STRING);
        infos_u32(&proc, PMIX_REINCARNATION, 0);
        infos_add(&proc, PMIX_SPAWNED, &spawned, PMIX_BOOL);
        if (job->cpusets && job->cpusets[t]) {
            cleanup_free char *cpuset = xasprintf("hwloc:%s", job->cpusets[t]);
            infos_add(&proc, PMIX_CPUSET, cpuset, PMIX_STRING);
        }
        infos_array(l, PMIX_PROC_INFO_ARRAY, &proc);
    }
}

int pmixd_job_register(struct pmixd_job *job, struct error *err)
{
    struct pmixd *d = job->d;
    struct order o;
    order_make(&o, job);
    struct infos l = {0};
    cleanup_free char *id = xasprintf("%" PRIu64, job->id);
    bool spawned = job->parent_nspace != NULL, clean = true;
    pmix_rank_t zero = 0;
    infos_add(&l, PMIX_JOBID, id, PMIX_STRING);
    infos_u32(&l, PMIX_UNIV_SIZE, MAX(job->universe, job->size));
    infos_u32(&l, PMIX_JOB_SIZE, job->size);
    infos_u32(&l, PMIX_MAX_PROCS, job->size);
    infos_u32(&l, PMIX_NUM_SLOTS, job->size);
    infos_u32(&l, PMIX_JOB_NUM_APPS, job->napps);
    infos_u32(&l, PMIX_NUM_NODES, job->nnodes);
    infos_u32(&l, PMIX_SESSION_ID, 0);
    infos_add(&l, PMIX_NPROC_OFFSET, &zero, PMIX_PROC_RANK);
    infos_add(&l, PMIX_SPAWNED, &spawned, PMIX_BOOL);
    if (spawned) {
        pmix_proc_t parent;
        PMIX_LOAD_PROCID(&parent, job->parent_nspace, job->parent_rank);
        infos_add(&l, PMIX_PARENT_ID, &parent, PMIX_PROC);
    }
    add_maps(&l, job, &o);
    if (job->local) {
        cleanup_free char *peers = node_ranks_text(&o, job->node);
        pmix_rank_t first = job->tasks[0].rank;
        infos_u32(&l, PMIX_LOCAL_SIZE, job->ntasks);
        infos_u32(&l, PMIX_NODE_SIZE, job->ntasks);
        infos_u32(&l, PMIX_NODEID, job->node);
        infos_add(&l, PMIX_LOCAL_PEERS, peers, PMIX_STRING);
        infos_add(&l, PMIX_LOCALLDR, &first, PMIX_PROC_RANK);
        infos_add(&l, PMIX_TMPDIR, job->tmpdir, PMIX_STRING);
        infos_add(&l, PMIX_NSDIR, job->tmpdir, PMIX_STRING);
        infos_add(&l, PMIX_TDIR_RMCLEAN, &clean, PMIX_BOOL);
        pmixd_topo_job(d, &l);
    }
    add_apps(&l, job);
    add_nodes(&l, job, &o);
    add_procs(&l, job, &o);
    order_free(&o);
    pmix_status_t rc = PMIx_server_register_nspace(job->nspace, (int)job->ntasks, l.v,
                                                   l.n, NULL, NULL); /* waits */
    infos_free(&l);
    if (rc != PMIX_SUCCESS && rc != PMIX_OPERATION_SUCCEEDED)
        return error_set(err, EIO, "the PMIx server refuses the namespace '%s': %s",
                         job->nspace, PMIx_Error_string(rc));
    for (unsigned i = 0; i < job->ntasks; i++) {
        pmix_proc_t proc;
        PMIX_LOAD_PROCID(&proc, job->nspace, job->tasks[i].rank);
        PMIx_server_register_client(&proc, geteuid(), getegid(), NULL, pmixd_ignore,
                                    NULL);
    }
    job->next = d->jobs;
    d->jobs = job;
    return 0;
}

static char **copy_strings(const char *const *v, unsigned n)
{
    char **copy = v ? xcalloc(n ? n : 1, sizeof(*copy)) : NULL;
    for (unsigned i = 0; v && i < n; i++)
        copy[i] = v[i] ? xstrdup(v[i]) : NULL;
    return copy;
}

static void free_strings(char **v, unsigned n)
{
    for (unsigned i = 0; v && i < n; i++)
        free(v[i]);
    free(v);
}

static unsigned *copy_unsigned(const unsigned *v, unsigned n)
{
    unsigned *copy = xcalloc(n ? n : 1, sizeof(*copy));
    memcpy(copy, v, n * sizeof(*v));
    return copy;
}

static int check_spec(const struct pmi_job_spec *spec, struct error *err)
{
    if (strlen(spec->nspace) > PMIX_MAX_NSLEN)
        return error_set(err, ENAMETOOLONG, "the namespace '%s' is longer than PMIx's %d",
                         spec->nspace, PMIX_MAX_NSLEN);
    if (spec->size == 0 || spec->nnodes == 0 || spec->node >= spec->nnodes ||
        spec->napps == 0)
        return error_set(err, EINVAL,
                         "job %s: %u tasks of %u applications on node %u of %u",
                         spec->nspace, spec->size, spec->napps, spec->node, spec->nnodes);
    unsigned sum = 0;
    for (unsigned a = 0; a < spec->napps; a++)
        sum += spec->app_sizes ? spec->app_sizes[a] : spec->size;
    if (sum != spec->size)
        return error_set(err, EINVAL, "job %s: its %u applications have %u tasks, not %u",
                         spec->nspace, spec->napps, sum, spec->size);
    for (unsigned t = 0; t < spec->size; t++)
        if (spec->task_node[t] >= spec->nnodes)
            return error_set(err, EINVAL, "job %s: task %u is on node %u of %u",
                             spec->nspace, t, spec->task_node[t], spec->nnodes);
    return 0;
}

void pmixd_job_discard(struct pmixd_job *job)
{
    free(job->nspace);
    free_strings(job->hosts, job->nnodes);
    free(job->node_ranks);
    free(job->task_node);
    free(job->app_sizes);
    free_strings(job->app_cmds, job->napps);
    free_strings(job->cpusets, job->size);
    free(job->tmpdir);
    free(job->parent_nspace);
    free(job->parent_port);
    free(job->tasks);
    hwloc_bitmap_free(job->gone);
    hwloc_bitmap_free(job->tell);
    hwloc_bitmap_free(job->askers);
    free(job);
}

struct pmixd_job *pmixd_job_create(struct pmixd *d, const struct pmi_job_spec *spec,
                                   struct error *err)
{
    if (check_spec(spec, err) < 0 || pmixd_start(d, err) < 0)
        return NULL;
    struct pmixd_job *job = pmixd_job_find(d, spec->nspace);
    if (job && job->local)
        return error_null(err, EEXIST, "the namespace '%s' exists already", spec->nspace);
    if (job)
        pmixd_job_free(job); /* known from afar: now it has tasks here */
    job = xcalloc(1, sizeof(*job));
    job->d = d;
    job->nspace = xstrdup(spec->nspace);
    job->id = spec->id;
    job->serial = ++d->serial;
    job->local = true;
    job->size = spec->size;
    job->nnodes = spec->nnodes;
    job->node = spec->node;
    job->universe = spec->universe_size;
    job->napps = spec->napps;
    job->hosts = copy_strings(spec->hosts, spec->nnodes);
    job->node_ranks = copy_unsigned(spec->node_ranks, spec->nnodes);
    job->task_node = copy_unsigned(spec->task_node, spec->size);
    job->app_sizes =
        copy_unsigned(spec->app_sizes ? spec->app_sizes : &spec->size, spec->napps);
    job->app_cmds = copy_strings(spec->app_cmds, spec->napps);
    job->cpusets = copy_strings(spec->cpusets, spec->size);
    job->tmpdir = xstrdup(spec->tmpdir ? spec->tmpdir : d->config->rundir);
    job->parent_id = spec->parent_id;
    job->parent_nspace = spec->parent_nspace ? xstrdup(spec->parent_nspace) : NULL;
    job->parent_port = spec->parent_port ? xstrdup(spec->parent_port) : NULL;
    job->parent_rank = spec->parent_rank;
    job->gone = hwloc_bitmap_alloc();
    job->tell = hwloc_bitmap_alloc();
    job->askers = hwloc_bitmap_alloc();
    job->tasks = xcalloc(spec->size, sizeof(*job->tasks));
    for (unsigned t = 0; t < spec->size; t++)
        if (spec->task_node[t] == spec->node)
            job->tasks[job->ntasks++].rank = t;
    if (job->ntasks == 0) {
        error_set(err, EINVAL, "job %s: no task is on this node", spec->nspace);
        pmixd_job_discard(job);
        return NULL;
    }
    double before = time_mono();
    if (pmixd_job_register(job, err) < 0) {
        pmixd_job_discard(job);
        return NULL;
    }
    pmixd_trace(d, "%s registered in %.2f ms", job->nspace, 1e3 * (time_mono() - before));
    return job;
}

void pmixd_job_free(struct pmixd_job *job)
{
    struct pmixd_job **p = &job->d->jobs;
    while (*p != job)
        p = &(*p)->next;
    *p = job->next;
    PMIx_server_deregister_nspace(job->nspace, pmixd_ignore, NULL);
    pmixd_job_discard(job);
}

/* Forget foreign jobs that no job of this node can have to do with any more: those last used
 * before the oldest of the jobs here came. */
static void drop_foreign(struct pmixd *d)
{
    uint64_t oldest = UINT64_MAX;
    for (struct pmixd_job *job = d->jobs; job; job = job->next)
        if (job->local && job->serial < oldest)
            oldest = job->serial;
    for (struct pmixd_job *job = d->jobs, *next; job; job = next) {
        next = job->next;
        if (!job->local && job->serial < oldest)
            pmixd_job_free(job);
    }
}

void pmixd_job_destroy(struct pmixd_job *job)
{
    if (!job)
        return;
    struct pmixd *d = job->d;
    cleanup_free char *prefix = xasprintf("pmix/%s/", job->nspace);
    pmixd_gone_flush(job, true);
    pmixd_fence_gone(d, job, true);
    pmixd_modex_gone(d, job->nspace, -1);
    exchange_abort(d->x, prefix, ECONNABORTED);
    nameserv_job_ended(d->ns, job->nspace);
    if (job->parent_port) /* it may have ended before it connected */
        nameserv_close(d->ns, job->parent_port);
    spawner_job_ended(d->spawner, job->nspace);
    pmixd_job_free(job);
    drop_foreign(d);
}

/* --- tasks */

int pmixd_task_prepare(struct pmixd_job *job, unsigned rank,
                       void (*envadd)(void *arg, char *kv), void *arg, struct error *err)
{
    pmix_proc_t proc;
    char **env = NULL;
    if (!pmixd_task_find(job, rank))
        return error_set(err, EINVAL, "job %s: task %u is not on this node", job->nspace,
                         rank);
    PMIX_LOAD_PROCID(&proc, job->nspace, rank);
    pmix_status_t rc = PMIx_server_setup_fork(&proc, &env);
    if (rc != PMIX_SUCCESS)
        return error_set(err, EIO, "job %s: PMIx has no environment for task %u: %s",
                         job->nspace, rank, PMIx_Error_string(rc));
    for (size_t i = 0; env && env[i]; i++) {
        if (strncmp(env[i], "PMIX_SERVER_URI", 15) == 0)
            pmixd_ack_start(job->d, env[i]);
        envadd(arg, xstrdup(env[i]));
        free(env[i]);
    }
    free(env);
    pmixd_env(job->d, job, envadd, arg);
    return 0;
}

void pmixd_task_started(struct pmixd_job *job, unsigned rank, pid_t pid)
{
    struct local_task *task = pmixd_task_find(job, rank);
    if (task)
        task->pid = pid;
}

void pmixd_task_exited(struct pmixd_job *job, unsigned rank, bool *unclean)
{
    struct local_task *task = pmixd_task_find(job, rank);
    *unclean = task && task->state == TASK_CONNECTED;
    if (!task || task->state == TASK_ENDED)
        return;
    task->state = TASK_ENDED;
    task->pid = 0;
    nameserv_task_ended(job->d->ns, job->nspace, rank);
    pmixd_modex_gone(job->d, job->nspace, (int)rank);
    if (*unclean)
        pmixd_gone(job, rank);
}
