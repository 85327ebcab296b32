/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of job.h between a job and its PMI servers. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/detect.h"
#include "src/exec/job.h"
#include "src/job/jsonutil.h"

_Static_assert((int)LAUNCH_PMI_NONE == PMI_NONE && (int)LAUNCH_PMIX == PMI_PMIX &&
                   (int)LAUNCH_PMI_WIRE == PMI_WIRE,
               "the option is a mask of enum pmi_kind");

static unsigned detect_job(struct job *job)
{
    struct spec *spec = job->spec;
    struct error err;
    unsigned kinds = 0;
    for (unsigned i = 0; i < spec->napps; i++) {
        struct app *app = &spec->apps[i];
        const char *path =
            app->path ? app->path : app_find(app, app->argv[0], app->cwd, &err);
        if (!path) /* starting it fails soon, and says why */
            continue;
        char **argv = job_words(job, app);
        kinds |= detect_kinds(job->x->detect, path, argv, job->ntasks,
                              envset_get(app->env, "PATH"), app->cwd);
        free(argv - 1);
    }
    return kinds;
}

/* The arrays that pmi wants, for the time of one call. */
struct lists {
    const char **hosts;
    unsigned *node_ranks, *task_node, *app_sizes;
    const char **app_cmds;
    char **cpusets;
    unsigned ncpusets;
};

static void cleanup_lists(struct lists *l)
{
    for (unsigned i = 0; l->cpusets && i < l->ncpusets; i++)
        free(l->cpusets[i]);
    free(l->hosts);
    free(l->node_ranks);
    free(l->task_node);
    free(l->app_sizes);
    free(l->app_cmds);
    free(l->cpusets);
}

static int fill_nodes(struct job *job, struct lists *l, struct error *err)
{
    json_object *hosts = jsonutil_get(job->start, "hosts");
    json_object *ranks = jsonutil_get(job->start, "ranks");
    size_t nhosts =
        json_object_is_type(hosts, json_type_array) ? json_object_array_length(hosts) : 0;
    l->hosts = xcalloc(job->nnodes, sizeof(*l->hosts));
    l->node_ranks = xcalloc(job->nnodes, sizeof(*l->node_ranks));
    for (unsigned i = 0; i < job->nnodes; i++) {
        int64_t rank = job->x->rank;
        json_object *r = ranks ? json_object_array_get_idx(ranks, i) : NULL;
        if (r && !jsonutil_int(r, 0, UINT32_MAX, &rank))
            return error_set(err, EINVAL, "start: \"ranks\"[%u] is not a rank", i);
        l->node_ranks[i] = (unsigned)rank;
        l->hosts[i] =
            i < nhosts ? jsonutil_string(json_object_array_get_idx(hosts, i)) : NULL;
        if (!l->hosts[i]) {
            if (job->nnodes > 1)
                return error_set(err, EINVAL, "start: \"hosts\"[%u] is not a name", i);
            l->hosts[i] = job->x->node->host;
        }
    }
    l->task_node = xcalloc(job->ntasks, sizeof(*l->task_node));
    for (unsigned i = 0; job->map && i < job->ntasks; i++)
        l->task_node[i] = (unsigned)MAX(taskmap_node(job->map, i), 0);
    return 0;
}

static void fill_tasks(struct job *job, struct lists *l)
{
    l->ncpusets = job->ntasks;
    l->cpusets = xcalloc(job->ntasks, sizeof(*l->cpusets));
    for (unsigned i = 0; i < job->nlocal; i++) {
        cleanup_bitmap hwloc_bitmap_t pus = task_mask(&job->tasks[i]);
        if (pus)
            hwloc_bitmap_list_asprintf(&l->cpusets[job->tasks[i].rank], pus);
    }
    unsigned napps = job->spec->napps, left = job->ntasks;
    l->app_sizes = xcalloc(napps, sizeof(*l->app_sizes));
    l->app_cmds = xcalloc(napps, sizeof(*l->app_cmds));
    for (unsigned i = 0; i < napps; i++) {
        const struct app *app = &job->spec->apps[i];
        unsigned n = i + 1 == napps || app->ntasks > left ? left : app->ntasks;
        l->app_sizes[i] = n;
        l->app_cmds[i] = app->argv[0];
        left -= n;
    }
}

static int create(struct job *job, struct pmi *pmi, struct error *err)
{
    __attribute__((cleanup(cleanup_lists))) struct lists l = {0};
    const struct node *node = job->x->node;
    json_object *parent = jsonutil_get(job->start, "parent");
    int64_t parent_id = 0, parent_rank = 0;
    jsonutil_int(jsonutil_get(parent, "id"), 0, INT64_MAX, &parent_id);
    jsonutil_int(jsonutil_get(parent, "rank"), 0, UINT32_MAX, &parent_rank);
    if (fill_nodes(job, &l, err) < 0)
        return -1;
    fill_tasks(job, &l);
    cleanup_free char *nspace =
        xasprintf("hbatch.%s.%llu", node->instance, (unsigned long long)job->id);
    cleanup_free char *map = job->map ? taskmap_encode_pmi(job->map)
                                      : xasprintf("(vector,(0,1,%u))", job->ntasks);
    struct pmi_job_spec spec = {
        .id = job->id,
        .nspace = nspace,
        .size = job->ntasks,
        .nnodes = job->nnodes,
        .hosts = l.hosts,
        .node_ranks = l.node_ranks,
        .task_node = l.task_node,
        .node = job->node,
        .taskmap_pmi = map,
        .universe_size = MAX(node->universe, job->ntasks),
        .tmpdir = tmpdir_path(job->tmpdir),
        .napps = job->spec->napps,
        .app_sizes = job->spec->napps > 1 ? l.app_sizes : NULL,
        .app_cmds = l.app_cmds,
        .cpusets = (const char *const *)l.cpusets,
        .parent_id = (uint64_t)parent_id,
        .parent_nspace = jsonutil_string(jsonutil_get(parent, "nspace")),
        .parent_rank = (unsigned)parent_rank,
        .parent_port =
            parent ? envset_get(job->spec->apps[0].env, "OMPI_PARENT_PORT") : NULL,
        .preput = jsonutil_get(job->start, "preput"),
        .kinds = job->pmi_kinds,
    };
    job->pmi = pmi_job_create(pmi, &spec, err);
    return job->pmi ? 0 : -1;
}

/* An instance loads MPI when it has several ranks, or joins one that has, or for a program that spawned it. */
static int wanted_by_instance(const struct job *job)
{
    if (job->ntasks == 1 && !jobspec_attr(job->spec->js, "system.grant") &&
        !jsonutil_get(job->start, "parent"))
        return PMI_NONE;
    return strcmp(MPI_FLAVOUR, "mpich") == 0 ? PMI_WIRE : PMI_PMIX;
}

int job_start_pmi(struct job *job, struct error *err)
{
    int wanted = job->spec->options.pmi;
    if (job->spec->options.instance)
        wanted = wanted_by_instance(job);
    job->pmi_kinds = wanted == LAUNCH_PMI_AUTO ? detect_job(job) : (unsigned)wanted;
    if (wanted == LAUNCH_PMI_AUTO && jsonutil_get(job->start, "parent"))
        job->pmi_kinds |= PMI_PMIX | PMI_WIRE; /* spawned: by an MPI program */
    if (job->pmi_kinds == PMI_NONE)
        return 0;
    struct pmi *pmi = exec_pmi(job->x, err);
    return pmi ? create(job, pmi, err) : -1;
}

/* "K=V" into a JSON object. */
static void add_variable(void *arg, char *kv)
{
    json_object *env = arg;
    size_t n = strcspn(kv, "=");
    cleanup_free char *name = xstrndup(kv, n);
    json_object_object_add(env, name, json_object_new_string(kv[n] ? kv + n + 1 : ""));
    free(kv);
}

int job_late_pmi(struct job *job, json_object *env, struct error *err)
{
    int fd = -1;
    if (!job->spec->options.instance || job->ntasks != 1 || job->nlocal != 1)
        return error_set(err, EINVAL, "it is not an instance of one node");
    if (strcmp(MPI_FLAVOUR, "mpich") == 0)
        return error_set(err, ENOTSUP,
                         "with MPICH an instance of one node cannot have more; ask for "
                         "two or more nodes at its start");
    if (!job->pmi) {
        struct pmi *pmi = exec_pmi(job->x, err);
        job->pmi_kinds = PMI_PMIX;
        if (!pmi || create(job, pmi, err) < 0)
            return -1;
        pmi_task_started(job->pmi, job->tasks[0].rank, job->tasks[0].pid);
    }
    return pmi_task_prepare(job->pmi, job->tasks[0].rank, add_variable, env, &fd, err);
}

/* --- what pmi asks of the executor ----------------------------------------------------------- */

static void on_send(void *arg, int rank, json_object *msg)
{
    struct exec *x = arg;
    exec_pmi_send(x, rank, msg);
    json_object_put(msg);
}

static void on_abort(void *arg, uint64_t id, unsigned task, int status, const char *text)
{
    struct job *job = job_find(arg, id);
    if (!job)
        return;
    size_t len = text ? strlen(text) : 0;
    while (len && text[len - 1] == '\n')
        len--;
    if (len) {
        job_output(job, task, 2, text, len);
        job_output(job, task, 2, "\n", 1);
    }
    job->status = MAX(job->status, (status & 0xff) << 8);
    if (!job->ending)
        job_exception(job, "abort", 0, "task %u called MPI_Abort with code %d%s%.*s",
                      task, status, len ? ": " : "", (int)len, len ? text : "");
}

static void on_signal(void *arg, uint64_t id, int signum)
{
    struct exec *x = arg;
    struct job *job = job_find(x, id);
    if (job && job->nnodes == 1) {
        job_signal(job, signum);
        return;
    }
    cleanup_json json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("jobsignal"));
    json_object_object_add(msg, "id", json_object_new_uint64(id));
    json_object_object_add(msg, "signal", json_object_new_int(signum));
    exec_pmi_send(x, PMI_LEADER, msg);
}

static void on_log(void *arg, uint64_t id, unsigned task, int stream, const char *text,
                   size_t len)
{
    struct job *job = job_find(arg, id);
    for (unsigned i = 0; job && i < job->nlocal; i++)
        if (job->tasks[i].rank == task) {
            output_write(job, &job->tasks[i], stream == 2, text, len);
            return;
        }
    if (job)
        job_output(job, task, stream == 2 ? 2 : 1, text, len);
}

const struct pmi_ops job_pmi_ops = {
    .send = on_send, .abort = on_abort, .signal = on_signal, .log = on_log};
