/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_share: job.share: what a plain job has of a node, for an instance that one of its tasks starts there.  A job that was
 * submitted as an instance is told the same by its executor (src/exec/sub.h). */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/job/share.h"
#include "src/job/subend.h"

static bool is_at(const struct leader *ld, unsigned rank, const char *machine)
{
    const char *name = jsonutil_string(jsonutil_get(ld->config.nodes[rank], "machine"));
    return !machine || (name && strcmp(name, machine) == 0);
}

/* The node of the job that the request came from: that of RANK if it is on MACHINE; else the first that is: who was
 * started from afar may have the URI of another rank. */
static const struct rset_node *find_node(const struct leader *ld, const struct job *job,
                                         unsigned rank, const char *machine)
{
    const struct rset *r = job_held(job);
    const struct rset_node *node = rset_find(r, rank);
    if (node && is_at(ld, rank, machine))
        return node;
    for (size_t i = 0; i < r->nnodes; i++)
        if (is_at(ld, r->nodes[i].rank, machine))
            return &r->nodes[i];
    return NULL;
}

/* Its tasks have no margin beside their grace, in which an instance could take down what is in it. */
static json_object *half_grace(const struct job *job)
{
    double grace = SUBEND_GRACE;
    jsonutil_number(jobspec_option(job->sub->spec, "kill-timeout"), &grace);
    return grace >= 0 ? json_object_new_double(grace / 2) : NULL;
}

static json_object *describe(const struct leader *ld, const struct job *job,
                             const struct rset_node *node)
{
    char name[JOBID_BUFSIZE];
    int64_t id = (int64_t)job->sj.id;
    json_object *o = json_object_new_object(), *its = ld->config.nodes[node->rank];
    json_object_object_add(o, "id", json_object_new_int64(id));
    json_object_object_add(o, "name",
                           json_object_new_string(jobid_encode(
                               job->sj.id, JOBID_F58_PLAIN, name, sizeof(name))));
    json_object_object_add(o, "level",
                           json_object_new_int64((int64_t)ld->config.level + 1));
    json_object_object_add(o, "node", json_object_new_int64(node->rank));
    json_object_object_add(o, "host", json_object_get(jsonutil_get(its, "host")));
    json_object_object_add(o, "virtual", json_object_get(jsonutil_get(its, "virtual")));
    json_object_object_add(o, "bind", json_object_get(jsonutil_get(its, "bind")));
    share_add(o, its, node->cores, node->gpus);
    if (node->memory)
        json_object_object_add(o, "memory", json_object_new_int64((int64_t)node->memory));
    json_object_object_add(o, "expiration", json_object_new_double(job->expiration));
    json_object_object_add(o, "grace", half_grace(job));
    return o;
}

static int rpc_share(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    int64_t rank = -1;
    char id[JOBID_BUFSIZE];
    const struct job *job = active_job(ld, params, err);
    if (!job)
        return -1;
    jobid_encode(job->sj.id, JOBID_F58_PLAIN, id, sizeof(id));
    if (job->state != JOB_RUN || !job->pl)
        return error_set(err, EAGAIN, "job %s does not run", id);
    if (!jsonutil_int(jsonutil_get(params, "rank"), 0, INT_MAX, &rank))
        return error_set(err, EINVAL, "job.share: \"rank\" must be that of a node");
    const char *machine = jsonutil_string(jsonutil_get(params, "machine"));
    const struct rset_node *node = find_node(ld, job, (unsigned)rank, machine);
    if (!node)
        return error_set(err, ENOENT, "job %s is not on host %s", id,
                         machine ? machine : "?");
    reply_result(ld, rq, describe(ld, job, node));
    return 0;
}

const struct rpc rpc_share_table[] = {{"job.share", rpc_share}, {NULL, NULL}};
