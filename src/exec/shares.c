/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/shares.h"

#include <errno.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/exec/job.h"
#include "src/job/jsonutil.h"

struct share {
    hwloc_bitmap_t cores, gpus;
    unsigned first, n; /* local tasks */
};

struct shares {
    unsigned n;
    struct share at[]; /* one for each program */
};

void shares_destroy(struct shares *s)
{
    for (unsigned i = 0; s && i < s->n; i++) {
        hwloc_bitmap_free(s->at[i].cores);
        hwloc_bitmap_free(s->at[i].gpus);
    }
    free(s);
}

static hwloc_bitmap_t decode_set(json_object *part, size_t i, hwloc_const_bitmap_t all,
                                 struct error *err)
{
    json_object *o = json_object_is_type(part, json_type_array)
                         ? json_object_array_get_idx(part, i)
                         : NULL;
    const char *text = jsonutil_string(o);
    hwloc_bitmap_t set = text ? idset_decode(text, err) : NULL;
    if (set && hwloc_bitmap_isincluded(set, all))
        return set;
    hwloc_bitmap_free(set);
    error_set(err, EINVAL, "start: \"parts\": %s is not of what the job has",
              jsonutil_show(part).text);
    return NULL;
}

/* Task ranks go from program to program, so the local tasks of each are in one piece. */
static void count_tasks(struct shares *s, const struct job *job)
{
    const struct spec *spec = job->spec;
    unsigned at = 0;
    uint64_t end = 0;
    for (unsigned i = 0; i < s->n; i++) {
        end += spec->apps[i].ntasks;
        s->at[i].first = at;
        while (at < job->nlocal && job->tasks[at].rank < end)
            at++;
        s->at[i].n = at - s->at[i].first;
    }
}

struct shares *shares_create(const struct job *job, json_object *parts, struct error *err)
{
    size_t n =
        json_object_is_type(parts, json_type_array) ? json_object_array_length(parts) : 0;
    if (n != job->spec->napps)
        return error_null(err, EINVAL, "start: \"parts\": there are %zu, of %u programs",
                          n, job->spec->napps);
    struct shares *s = xcalloc(1, sizeof(*s) + n * sizeof(s->at[0]));
    s->n = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        json_object *part = json_object_array_get_idx(parts, i);
        if (!(s->at[i].cores = decode_set(part, 1, job->cores, err)) ||
            !(s->at[i].gpus = decode_set(part, 2, job->gpus, err))) {
            shares_destroy(s);
            return NULL;
        }
    }
    count_tasks(s, job);
    return s;
}

struct task_share shares_of(const struct task *task)
{
    const struct job *job = task->job;
    const struct shares *s = job->shares;
    for (unsigned i = 0; s && i < s->n; i++)
        if (task->index - s->at[i].first < s->at[i].n)
            return (struct task_share){s->at[i].cores, s->at[i].gpus,
                                       task->index - s->at[i].first, s->at[i].n};
    return (struct task_share){job->cores, job->gpus, task->index, job->nlocal};
}
