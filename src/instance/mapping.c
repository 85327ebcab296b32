/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/mapping.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"
#include "src/job/rset_parts.h"

bool mapping_one_per_node(const struct jobspec *spec)
{
    json_object *o = jobspec_option(spec, "per-resource");
    const char *type = jsonutil_string(jsonutil_get(o, "type"));
    return type && strcmp(type, "node") == 0;
}

/* Tasks of each node: as many as its slots take, or a total spread evenly over the nodes. */
static unsigned spread_tasks(const struct job *job, unsigned *ntasks)
{
    const struct job_shape *shape = job_shape_of(job);
    unsigned n = (unsigned)job->pl->rset->nnodes, total = 0;
    bool one_per_node = mapping_one_per_node(job->sub->spec);
    for (unsigned i = 0; i < n; i++) {
        ntasks[i] = one_per_node    ? 1
                    : shape->ntasks ? shape->ntasks / n + (i < shape->ntasks % n)
                                    : job->pl->nslots[i] * shape->tasks_per_slot;
        total += ntasks[i];
    }
    return total;
}

/* Option taskmap: {"scheme":"block"|"cyclic"|"manual","value":S}. */
static struct taskmap *map_tasks(const struct job *job, const unsigned *ntasks,
                                 unsigned n, struct error *err)
{
    json_object *o = jobspec_option(job->sub->spec, "taskmap");
    const char *scheme = jsonutil_string(jsonutil_get(o, "scheme"));
    const char *value = jsonutil_string(jsonutil_get(o, "value"));
    if (!scheme || strcmp(scheme, "block") == 0)
        return taskmap_block(ntasks, n);
    if (strcmp(scheme, "cyclic") == 0) {
        unsigned stride = value ? (unsigned)strtoul(value, NULL, 10) : 1;
        return taskmap_cyclic(ntasks, n, stride ? stride : 1);
    }
    if (strcmp(scheme, "manual") != 0)
        return error_null(
            err, EINVAL, "task map scheme '%s': must be block, cyclic or manual", scheme);
    struct taskmap *map = taskmap_decode(value ? value : "", err);
    if (map && (taskmap_ntasks(map) != job->ntasks || taskmap_nnodes(map) != n)) {
        error_set(err, EINVAL,
                  "task map '%s': is for %u tasks on %u nodes, the job has %u on %u",
                  value, taskmap_ntasks(map), taskmap_nnodes(map), job->ntasks, n);
        taskmap_destroy(map);
        return NULL;
    }
    return map;
}

/* The ranks of one program after the other, of each where its slots are. */
static struct taskmap *map_parts(const struct job *job, unsigned n, struct error *err)
{
    const struct job_shape *shape = job_shape_of(job);
    cleanup_free unsigned *ntasks = xcalloc(n, sizeof(*ntasks));
    struct taskmap *all = taskmap_block(ntasks, n);
    for (unsigned i = 0; i < shape->nparts; i++) {
        rset_parts_slots(job->pl->rset, i, ntasks);
        for (unsigned k = 0; k < n; k++)
            ntasks[k] *= shape->parts[i].tasks_per_slot;
        struct taskmap *part = map_tasks(job, ntasks, n, err), *before = all;
        all = part ? taskmap_join(before, part) : NULL;
        taskmap_destroy(before);
        taskmap_destroy(part);
        if (!all)
            return NULL;
    }
    return all;
}

int mapping_make(struct job *job, struct error *err)
{
    if (job->site) { /* one before it ran there, which asked for the same */
        job->map = job->site->map;
        job->ntasks = job->site->ntasks;
        return 0;
    }
    unsigned n = (unsigned)job->pl->rset->nnodes;
    cleanup_free unsigned *ntasks = xcalloc(n, sizeof(*ntasks));
    if (job_shape_of(job)->nparts > 0) {
        job->ntasks = job_shape_of(job)->ntasks;
        job->map = map_parts(job, n, err);
        return job->map ? 0 : -1;
    }
    job->ntasks = spread_tasks(job, ntasks);
    job->map = map_tasks(job, ntasks, n, err);
    return job->map ? 0 : -1;
}
