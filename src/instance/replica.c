/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/replica_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/archives.h"
#include "src/instance/element.h"
#include "src/instance/forms.h"
#include "src/instance/journal.h"
#include "src/instance/node.h"
#include "src/instance/record.h"
#include "src/job/jsonutil.h"

#define FLUSH_S 0.1

static void on_drop(const struct text *t, void *arg)
{
    (void)t, (void)arg; /* the leader tells executors, not this copy */
}

static struct ahead_jobs *ahead_create(void)
{
    struct ahead_jobs *ahead = xcalloc(1, sizeof(*ahead));
    TAILQ_INIT(ahead);
    return ahead;
}

struct replica *replica_create(json_object **nodes, unsigned size, json_object *info,
                               struct store *store)
{
    struct replica *rp = xcalloc(1, sizeof(*rp));
    rp->exit_code = -1;
    rp->all = node_resources(nodes, size);
    rp->pool = pool_create(rp->all);
    rp->jobs = jobtable_create();
    rp->specs = specs_create(on_drop, rp);
    rp->forms = forms_create();
    rp->keys = keys_create();
    rp->queues = queues_create(info);
    rp->queues->accounts->ncores = rset_ncores(rp->all);
    rp->info = info;
    rp->store = store;
    rp->execs = xcalloc(size, sizeof(*rp->execs));
    for (unsigned i = 0; i < size; i++)
        rp->execs[i].ahead = ahead_create();
    rp->drained = xcalloc(size, sizeof(*rp->drained));
    rp->size = size;
    return rp;
}

void replica_grow(struct replica *rp, json_object **nodes, unsigned size)
{
    struct error err;
    rset_destroy(rp->all);
    rp->all = node_resources(nodes, size);
    rp->execs = xrealloc(rp->execs, size * sizeof(*rp->execs));
    rp->drained = xrealloc(rp->drained, size * sizeof(*rp->drained));
    for (unsigned i = rp->size; i < size; i++) {
        rp->execs[i] = (struct replica_exec){.ahead = ahead_create()};
        rp->drained[i] = NULL;
        if (pool_add_node(rp->pool, rset_find(rp->all, i), &err) < 0)
            log_error("%s", err.text);
    }
    rp->size = size;
    specs_unstream(rp->specs, true);
}

void replica_shrink(struct replica *rp, unsigned rank)
{
    struct error err;
    if (pool_remove_node(rp->pool, rank, &err) < 0)
        log_error("%s", err.text);
    journal_gone(rp->journal, time_now(), rank);
}

void replica_set_archives(struct replica *rp, struct archives *archives)
{
    rp->archives = archives;
}

void replica_set_journal(struct replica *rp, struct journal *journal)
{
    rp->journal = journal;
}

struct store **replica_store_of(struct replica *rp)
{
    return &rp->store;
}

void replica_forget_array(struct replica *rp, struct submission *sub)
{
    specs_put(rp->specs, sub->jobspec_text);
    specs_put(rp->specs, sub->env_text);
    jobtable_remove_array(rp->jobs, sub);
}

void replica_forget(struct replica *rp, struct job *job)
{
    replica_unlease(rp, job);
    jobtable_remove(rp->jobs, job);
    if (!job->sub->array) {
        specs_put(rp->specs, job->sub->jobspec_text);
        specs_put(rp->specs, job->sub->env_text);
    }
    job_free(job);
}

void replica_destroy(struct replica *rp)
{
    if (!rp)
        return;
    while (rp->jobs && jobtable_first(rp->jobs))
        replica_forget(rp, jobtable_first(rp->jobs));
    while (rp->jobs && jobtable_narrays(rp->jobs) > 0)
        replica_forget_array(rp, jobtable_array(rp->jobs, 0));
    jobtable_destroy(rp->jobs);
    specs_destroy(rp->specs);
    forms_destroy(rp->forms);
    keys_destroy(rp->keys);
    queues_destroy(rp->queues);
    pool_destroy(rp->pool);
    rset_destroy(rp->all);
    store_close(rp->store);
    for (unsigned i = 0; i < rp->size; i++) {
        free(rp->drained[i]);
        free(rp->execs[i].ahead);
    }
    free(rp->execs);
    free(rp->drained);
    free(rp->shutdown);
    joblog_clear(&rp->joblog);
    free(rp);
}

/* --- leases ---------------------------------------------------------------------------------- */

void replica_unlease(struct replica *rp, struct job *job)
{
    if (job->ahead < 0)
        return;
    TAILQ_REMOVE(rp->execs[job->ahead].ahead, job, ahead_entry);
    job->ahead = -1;
    rp->nahead--;
}

struct job *replica_lease_job(struct replica *rp, json_object *ids, size_t i)
{
    int64_t id;
    return jsonutil_int(json_object_array_get_idx(ids, i), 1, INT64_MAX, &id)
               ? element_find(rp->jobs, (jobid_t)id)
               : NULL;
}

void replica_lease(struct replica *rp, unsigned rank, json_object *ids)
{
    for (size_t i = 0; i < replica_count(ids); i++) {
        struct job *job = replica_lease_job(rp, ids, i);
        /* one that began, and was queued again, may be in the store's list still */
        if (!job || job->state != JOB_SCHED || job->ahead >= 0 || job->run > 0)
            continue;
        job->ahead = (int)rank;
        rp->nahead++;
        TAILQ_INSERT_TAIL(rp->execs[rank].ahead, job, ahead_entry);
    }
}

/* --- the lines of the stream -------------------------------------------------------------- */

int64_t replica_number(json_object *o, const char *key, int64_t missing)
{
    int64_t v;
    return jsonutil_int(jsonutil_get(o, key), INT64_MIN, INT64_MAX, &v) ? v : missing;
}

double replica_seconds(json_object *o, const char *key)
{
    double v;
    return jsonutil_number(jsonutil_get(o, key), &v) ? v : 0;
}

size_t replica_count(json_object *ids)
{
    return json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
}

static const struct replica_kind *find_kind(const struct replica_kind *kinds,
                                            const char *kind)
{
    while (kinds->kind && strcmp(kinds->kind, kind) != 0)
        kinds++;
    return kinds->kind ? kinds : NULL;
}

int replica_apply(struct replica *rp, const char *line, size_t len, struct error *err)
{
    struct error why;
    int piece = rp->archives ? archives_apply_put(rp->archives, line, len, &why) : 0;
    if (piece < 0)
        log_warning("archive: %s", why.text);
    if (piece != 0)
        return 0;
    cleanup_json json_object *o = jsonutil_decode(line, len, err);
    const char *kind = jsonutil_string(jsonutil_get(o, "c"));
    const struct replica_kind *k = kind ? find_kind(replica_job_kinds, kind) : NULL;
    if (kind && !k)
        k = find_kind(replica_instance_kinds, kind);
    if (!k)
        return error_set(err, EINVAL, "change '%.100s': unknown", line);
    return k->apply(rp, o, err) < 0 ? error_prefix(err, "change '%.100s'", line) : 0;
}

void replica_epoch(struct replica *rp, unsigned generation, uint64_t epoch)
{
    record_state(rp->store, generation, epoch);
    /* each epoch by itself would cost more; what is lost with this process, others have */
    if (time_mono() - rp->flushed > FLUSH_S)
        replica_flush(rp);
}

void replica_flush(struct replica *rp)
{
    struct error err;
    rp->flushed = time_mono();
    record_runs(rp->store, &rp->untold_runs);
    if (store_flush(rp->store, &err) < 0)
        log_error("%s", err.text);
    else if (rp->jobs)
        joblog_flushed(&rp->joblog, rp->jobs);
}
