/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/job_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/hostlist.h"
#include "src/common/util.h"
#include "src/exec/lane.h"
#include "src/exec/memcg.h"
#include "src/exec/reader.h"
#include "src/exec/shares.h"
#include "src/job/jsonutil.h"

struct job *job_create(struct exec *x, uint64_t id, int64_t run, json_object *start)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->x = x;
    job->id = id;
    job->run = run;
    job->start = json_object_get(start);
    job->outputs.fd[0] = job->outputs.fd[1] = -1;
    jobid_encode(id, JOBID_F58, job->f58, sizeof(job->f58));
    return job;
}

void job_free(struct job *job)
{
    lane_forget(job);
    job_stop_timers(job);
    input_destroy(job);
    outputs_close(job);
    pmi_job_destroy(job->pmi);
    for (unsigned i = 0; i < job->nlocal; i++)
        for (int k = 0; k < 2; k++) {
            io_close(job->x->io, &job->tasks[i].out[k].w);
            free(job->tasks[i].out[k].part);
        }
    shares_destroy(job->shares);
    hwloc_bitmap_free(job->cores);
    hwloc_bitmap_free(job->gpus);
    memcg_remove(job->memcg);
    taskmap_destroy(job->map);
    free(job->tasks);
    tmpdir_put(job->x->tmpdirs, job->tmpdir);
    free(job->nodelist);
    spec_put(job->spec);
    json_object_put(job->start);
    free(job);
}

void job_free_ended(struct exec *x)
{
    while (x->ended) {
        struct job *job = x->ended;
        x->ended = job->next;
        job_free(job);
    }
}

void job_free_all(struct exec *x)
{
    job_free_ended(x);
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        job_free(job);
    idmap_fini(&x->jobs);
}

struct job *job_find(const struct exec *x, uint64_t id)
{
    return idmap_get(&x->jobs, id);
}

/* --- templates --------------------------------------------------------------------------- */

static const char *nodelist(struct job *job)
{
    json_object *hosts = jsonutil_get(job->start, "hosts");
    if (job->nodelist || !json_object_is_type(hosts, json_type_array))
        return job->nodelist;
    struct hostlist *hl = hostlist_create();
    for (size_t i = 0; i < json_object_array_length(hosts); i++)
        hostlist_append_name(hl,
                             json_object_get_string(json_object_array_get_idx(hosts, i)));
    job->nodelist = hostlist_encode(hl);
    hostlist_destroy(hl);
    return job->nodelist;
}

void job_template_vars(struct job *job, const struct task *task,
                       struct template_vars *vars)
{
    *vars = (struct template_vars){
        .id = job->id,
        .ascii_ids = job->spec->env->ascii_ids,
        .name = jobspec_name(job->spec->js),
        .nodelist = nodelist(job),
        .cc = job->cc,
        .tmpdir = job->tmpdir ? tmpdir_path(job->tmpdir) : NULL,
        .host = job->x->node->host,
        .cores = jsonutil_string(jsonutil_get(job->start, "cores")),
        .gpus = jsonutil_string(jsonutil_get(job->start, "gpus")),
        .size = job->ntasks,
        .nnodes = job->nnodes,
        .node = job->node,
        .node_rank = job->x->rank,
        .ncores = (unsigned)MAX(hwloc_bitmap_weight(job->cores), 0),
        .has_task = task != NULL,
        .task = task ? task->rank : 0,
        .local = task ? task->index : 0,
    };
}

char *job_render(struct job *job, const struct task *task, const char *text)
{
    if (!strchr(text, '{'))
        return xstrdup(text);
    struct template_vars vars;
    job_template_vars(job, task, &vars);
    return template_render(text, &vars);
}

char **job_words(const struct job *job, const struct app *app)
{
    char **room = xcalloc(app->argc + job->nrow + 2u, sizeof(*room));
    const char *word = job->row;
    memcpy(room + 1, app->argv, app->argc * sizeof(*room));
    for (unsigned i = 0; i < job->nrow; i++, word += strlen(word) + 1)
        room[1 + app->argc + i] = (char *)(uintptr_t)word;
    return room + 1;
}

/* --- output ------------------------------------------------------------------------------ */

void job_count_reader(struct job *job, int n)
{
    job->nreaders += (unsigned)n;
    for (unsigned i = 0; n > 0 && i < job->nlocal; i++)
        task_watch_streams(&job->tasks[i]);
}

void job_output_lost(struct job *job, const char *where, int error)
{
    if (job->lost)
        return;
    job->lost = true;
    job_exception(job, "output", 0, "output of the job could not be written (%s): %s",
                  where, strerror(error));
}

void job_output(struct job *job, unsigned rank, unsigned stream, const char *data,
                size_t len)
{
    while (len > 0 && !job->lost) {
        size_t n = MIN(len, (size_t)SPOOL_RECORD_MAX);
        uint64_t pos =
            spool_append(job->x->spool, &job->spool, job->id, rank, stream, data, n);
        if (!pos) {
            job_output_lost(job, "spool", errno);
            return;
        }
        if (job->nreaders > 0)
            reader_record(job->x, job, pos);
        data += n;
        len -= n;
    }
}
