/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/kinds.h"

#include <assert.h>
#include <math.h>
#include "src/common/util.h"
#include "src/sched/queue.h"

static struct sched_job *job_of(struct tree_node *n)
{
    return tree_entry(n, struct sched_job, in_kind);
}

static bool before(struct tree_node *a, struct tree_node *b)
{
    return queue_before(job_of(a), job_of(b));
}

static double length(const struct sched_job *job)
{
    return job->duration > 0 ? job->duration : INFINITY;
}

static double shortest(struct tree_node *n)
{
    return n ? job_of(n)->shortest : INFINITY;
}

static void summarize(struct tree_node *n)
{
    struct sched_job *job = job_of(n);
    job->shortest = fmin(length(job), fmin(shortest(n->left), shortest(n->right)));
}

/* --- the table ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15U;
    return h ^ (h >> 29);
}

static uint64_t hash_of(const struct pool_request *r)
{
    const struct job_shape *s = &r->shape;
    uint64_t h = mix(s->nnodes_min, s->nnodes_max);
    h = mix(mix(h, s->nslots), s->cores_per_slot);
    h = mix(mix(h, s->gpus_per_slot), s->exclusive + 2 * s->contiguous);
    h = mix(mix(h, s->mem_per_slot), s->mem_per_node);
    h = mix(mix(h, (uintptr_t)s->parts), (uintptr_t)r->place);
    return mix(h, (uintptr_t)r->constraint);
}

static bool same(const struct pool_request *a, const struct pool_request *b)
{
    const struct job_shape *s = &a->shape, *t = &b->shape;
    return s->nnodes_min == t->nnodes_min && s->nnodes_max == t->nnodes_max &&
           s->nslots == t->nslots && s->cores_per_slot == t->cores_per_slot &&
           s->gpus_per_slot == t->gpus_per_slot && s->exclusive == t->exclusive &&
           s->mem_per_slot == t->mem_per_slot && s->mem_per_node == t->mem_per_node &&
           s->parts == t->parts && s->contiguous == t->contiguous &&
           a->constraint == b->constraint && a->place == b->place;
}

static struct sched_kind **link_to(const struct kinds *ks, uint64_t hash)
{
    return &ks->table[hash & (ks->size - 1)];
}

static void grow(struct kinds *ks)
{
    free(ks->table);
    ks->size = MAX(2 * ks->size, (size_t)64);
    ks->table = xcalloc(ks->size, sizeof(struct sched_kind *));
    for (size_t i = 0; i < ks->n; i++) {
        struct sched_kind *k = ks->list[i], **link = link_to(ks, k->hash);
        k->chain = *link;
        *link = k;
    }
}

static struct sched_kind *get(struct kinds *ks, const struct pool_request *req)
{
    uint64_t hash = hash_of(req);
    for (struct sched_kind *k = *link_to(ks, hash); k; k = k->chain)
        if (k->hash == hash && same(&k->req, req))
            return k;
    if (ks->n == ks->size)
        grow(ks);
    if (ks->n == ks->room) {
        ks->room = MAX(2 * ks->room, (size_t)64);
        ks->list = xrealloc(ks->list, ks->room * sizeof(struct sched_kind *));
    }
    struct sched_kind *k = xcalloc(1, sizeof(*k)), **link = link_to(ks, hash);
    *k = (struct sched_kind){.req = *req, .hash = hash, .chain = *link, .slot = ks->n};
    k->jobs = (struct tree){.before = before, .update = summarize};
    *link = k;
    ks->list[ks->n++] = k;
    return k;
}

static void drop(struct kinds *ks, struct sched_kind *k)
{
    struct sched_kind **link = link_to(ks, k->hash);
    while (*link != k)
        link = &(*link)->chain;
    *link = k->chain;
    ks->list[k->slot] = ks->list[--ks->n];
    ks->list[k->slot]->slot = k->slot;
    k->gone = true;
    if (ks->held) {
        k->chain = ks->freed;
        ks->freed = k;
    } else
        free(k);
}

void kinds_init(struct kinds *ks)
{
    *ks = (struct kinds){0};
    grow(ks);
}

void kinds_clear(struct kinds *ks)
{
    for (size_t i = 0; i < ks->n; i++)
        free(ks->list[i]);
    free(ks->list);
    free(ks->table);
    *ks = (struct kinds){0};
}

void kinds_insert(struct kinds *ks, struct sched_job *job)
{
    job->kind = get(ks, &job->req);
    tree_insert(&job->kind->jobs, &job->in_kind);
}

void kinds_remove(struct kinds *ks, struct sched_job *job)
{
    struct sched_kind *k = take(job->kind);
    tree_remove(&k->jobs, &job->in_kind);
    if (!k->jobs.root)
        drop(ks, k);
}

void kinds_hold(struct kinds *ks)
{
    assert(!ks->held);
    ks->held = true;
}

void kinds_release(struct kinds *ks)
{
    ks->held = false;
    for (struct sched_kind *k; (k = ks->freed);) {
        ks->freed = k->chain;
        free(k);
    }
}

/* --- the next one --------------------------------------------------------------------------- */

struct mark {
    uint64_t priority, id;
};

static bool is_before(const struct sched_job *job, const struct mark *m)
{
    return job->priority != m->priority ? job->priority > m->priority : job->id < m->id;
}

/* Below N, which may be NULL. */
static struct sched_job *search(struct tree_node *n, const struct mark *m, double limit)
{
    if (!n || shortest(n) > limit)
        return NULL;
    struct sched_job *job = job_of(n);
    if (is_before(job, m)) /* and so is all to its left */
        return search(n->right, m, limit);
    struct sched_job *found = search(n->left, m, limit);
    if (!found && length(job) <= limit)
        found = job;
    return found ? found : search(n->right, m, limit);
}

struct sched_job *kind_next(const struct sched_kind *k, uint64_t priority, uint64_t id,
                            double limit)
{
    const struct mark m = {priority, id};
    struct sched_job *job = search(k->jobs.root, &m, limit);
    return job && job->priority > 0 ? job : NULL;
}
