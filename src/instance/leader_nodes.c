/* SPDX-License-Identifier: BSD-3-Clause */
/* leader_nodes: the leader's tables when ranks come and go in order. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"

#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/journal.h"
#include "src/instance/node.h"
#include "src/instance/record.h"

/* s, from the polite to the final signal for tasks on a node that the parent takes back. */
#define CLEAR_GRACE 2.0

static void count_cores(struct leader *ld)
{
    ld->universe = 0;
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++)
        ld->universe += (unsigned)hwloc_bitmap_weight(pool_nth(ld->pool, i).cores);
    ld->queues->accounts->ncores = ld->universe;
}

void leader_grow(struct leader *ld, json_object **nodes, unsigned size)
{
    struct error err;
    unsigned from = ld->config.size;
    struct rset *all = node_resources(nodes, size);
    ld->nodes = xrealloc(ld->nodes, size * sizeof(*ld->nodes));
    ld->config.size = size;
    ld->config.nodes = nodes;
    for (unsigned i = from; i < size; i++) {
        ld->nodes[i] = (struct leader_node){.lost = true, .lease = lease_create()};
        if (pool_add_node(ld->pool, rset_find(all, i), &err) < 0)
            log_error("%s", err.text);
    }
    rset_destroy(all);
    for (unsigned i = from; i < size; i++)
        report_await(ld, i);
    count_cores(ld);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->state == JOB_SCHED && job->reason && job_check(job, ld->pool))
            queues_enqueue(ld, job);
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        elements_queue(ld, jobtable_array(ld->jobs, i));
    leader_wake(ld);
}

void leader_shrink(struct leader *ld, unsigned rank)
{
    struct error err;
    struct leader_node *node = &ld->nodes[rank];
    specs_forget_rank(ld->specs, rank);
    gate_forget(ld, rank);
    stream_rank_lost(ld, rank);
    json_object_put(take(node->starts));
    free(take(node->drained));
    node->lost = true;
    node->away = false;
    node->seen = node->acked = 0;
    if (pool_remove_node(ld->pool, rank, &err) < 0)
        log_error("%s", err.text);
    journal_gone(ld->config.journal, time_now(), rank);
    count_cores(ld);
    leader_wake(ld);
}

/* NODE of the pool with RANK, or false. */
static bool find_node(const struct leader *ld, unsigned rank, struct pool_node *node)
{
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        *node = pool_nth(ld->pool, i);
        if (node->rank == rank)
            return true;
    }
    return false;
}

static bool is_unused(const struct pool_node *node)
{
    return hwloc_bitmap_isequal(node->free_cores, node->cores) &&
           hwloc_bitmap_isequal(node->free_gpus, node->gpus);
}

bool leader_forget(struct leader *ld, unsigned rank)
{
    struct pool_node node;
    if (!find_node(ld, rank, &node))
        return true;
    if (!ld->nodes[rank].lost || ld->nodes[rank].away || !is_unused(&node))
        return false;
    change_gone(ld, rank);
    leader_shrink(ld, rank);
    return true;
}

enum leader_use leader_use_of(const struct leader *ld, unsigned rank)
{
    struct pool_node node;
    if (rank >= ld->config.size || !find_node(ld, rank, &node))
        return LEADER_GONE;
    if (ld->nodes[rank].lost)
        return LEADER_LOST;
    if (!is_unused(&node))
        return LEADER_BUSY;
    /* ends that are not committed, and output that somebody reads */
    if (ld->nodes[rank].starts || ld->nodes[rank].acked < ld->nodes[rank].seen ||
        stream_reads_from(ld, rank))
        return LEADER_BUSY;
    return LEADER_IDLE;
}

bool leader_has_queue(const struct leader *ld)
{
    return sched_queued(ld->sched) > 0;
}

bool leader_is_ending(const struct leader *ld)
{
    return ld->shutdown || ld->finish;
}

const char *leader_drained(const struct leader *ld, unsigned rank)
{
    return rank < ld->config.size ? ld->nodes[rank].drained : NULL;
}

void leader_drain(struct leader *ld, unsigned rank, bool drained, const char *reason)
{
    cleanup_bitmap hwloc_bitmap_t one = hwloc_bitmap_alloc();
    hwloc_bitmap_set(one, rank);
    const struct leader_node *node = &ld->nodes[rank];
    report_drain(ld, rank, drained, reason,
                 node->drained ? node->drained_at : time_now());
    orders_drain(ld, one, drained, reason); /* and so on down the tree */
    leader_wake(ld);
}

void leader_clear(struct leader *ld, unsigned rank, const char *why)
{
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        if (job_node_open(job, rank) < 0)
            continue;
        manager_node_lost(ld, job, why);
        launch_end(ld, job, MIN(ld->end_grace, CLEAR_GRACE), NULL);
    }
    leader_wake(ld);
}

int leader_snapshot(struct leader *ld, unsigned char **data, size_t *len,
                    struct error *err)
{
    leader_settle(ld);
    specs_unstream(ld->specs, false);
    return store_copy_out(ld->store, data, len, err);
}

void leader_connect(struct leader *ld, const struct leader_config *config)
{
    ld->config.publish = config->publish;
    ld->config.published = config->published;
    ld->config.safe = config->safe;
    ld->config.describe = config->describe;
    /* what nobody had to be told is in the store from now on, and so it comes to others */
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        job->told = job->sub->count == 1 || job->logged;
        if (job->pl)
            record_run(ld->store, job);
    }
    for (unsigned i = 0; i < ld->config.size; i++) {
        change_node(ld, i);
        change_exec(ld, i);
    }
    leader_wake(ld);
}
