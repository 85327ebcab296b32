/* SPDX-License-Identifier: BSD-3-Clause */
/* Message {"pmi":"signal","nspace":S,"ranks":[N,...],"signal":N}: signal these tasks of the node. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <signal.h>
#include <string.h>

/* The signal that the directives ask for, or 0. */
static int wanted_signal(const struct call *c)
{
    static const struct {
        const char *key;
        int signum;
    } table[] = {
        {PMIX_JOB_CTRL_KILL, SIGKILL},
        {PMIX_JOB_CTRL_TERMINATE, SIGTERM},
        {PMIX_JOB_CTRL_PAUSE, SIGSTOP},
        {PMIX_JOB_CTRL_RESUME, SIGCONT},
    };
    double signum = info_number(c->dirs, c->ndirs, PMIX_JOB_CTRL_SIGNAL, 0);
    if (signum >= 1 && signum <= SIGRTMAX)
        return (int)signum;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (info_true(c->dirs, c->ndirs, table[i].key))
            return table[i].signum;
    return 0;
}

static void signal_local(struct pmixd_job *job, unsigned rank, int signum)
{
    struct local_task *task = pmixd_task_find(job, rank);
    if (task && task->pid > 0)
        kill(task->pid, signum);
}

static bool signal_one(struct pmixd *d, const pmix_proc_t *proc, int signum)
{
    struct pmixd_job *job = pmixd_job_find(d, proc->nspace);
    if (!job)
        return false;
    if (proc->rank == PMIX_RANK_WILDCARD) {
        d->config->ops->signal(d->config->arg, job->id, signum);
        return true;
    }
    if (proc->rank >= job->size)
        return false;
    unsigned to = job->node_ranks[job->task_node[proc->rank]];
    if (to == d->config->rank) {
        signal_local(job, proc->rank, signum);
        return true;
    }
    json_object *msg = json_object_new_object(), *ranks = json_object_new_array();
    json_object_array_add(ranks, json_object_new_int64(proc->rank));
    json_object_object_add(msg, "pmi", json_object_new_string("signal"));
    json_object_object_add(msg, "nspace", json_object_new_string(job->nspace));
    json_object_object_add(msg, "ranks", ranks);
    json_object_object_add(msg, "signal", json_object_new_int(signum));
    pmixd_send(d, to, msg);
    return true;
}

static void on_control(struct pmixd *d, struct call *c)
{
    int signum = wanted_signal(c);
    pmix_status_t status = signum ? PMIX_SUCCESS : PMIX_ERR_NOT_SUPPORTED;
    if (signum && c->nprocs == 0) { /* the caller's own job */
        pmix_proc_t own = c->proc;
        own.rank = PMIX_RANK_WILDCARD;
        signal_one(d, &own, signum);
    }
    for (size_t i = 0; signum && i < c->nprocs; i++)
        if (!signal_one(d, &c->procs[i], signum))
            status = PMIX_ERR_NOT_FOUND;
    c->cb.info(status, NULL, 0, c->cbdata, NULL, NULL);
    call_free(c);
}

pmix_status_t up_control(const pmix_proc_t *requestor, const pmix_proc_t targets[],
                         size_t ntargets, const pmix_info_t directives[], size_t ndirs,
                         pmix_info_cbfunc_t cb, void *cbdata)
{
    struct call *c = call_new(on_control);
    c->proc = *requestor;
    call_procs(c, targets, targets ? ntargets : 0);
    call_dirs(c, directives, ndirs);
    c->cb.info = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}

void pmixd_signal_deliver(struct pmixd *d, json_object *msg)
{
    const char *nspace = json_object_get_string(json_object_object_get(msg, "nspace"));
    struct pmixd_job *job = nspace ? pmixd_job_find(d, nspace) : NULL;
    json_object *ranks = json_object_object_get(msg, "ranks");
    int signum = json_object_get_int(json_object_object_get(msg, "signal"));
    if (!job || signum < 1 || signum > SIGRTMAX ||
        !json_object_is_type(ranks, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(ranks); i++) {
        int64_t r = json_object_get_int64(json_object_array_get_idx(ranks, i));
        if (r >= 0 && r < (int64_t)job->size)
            signal_local(job, (unsigned)r, signum);
    }
}
