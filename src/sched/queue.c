/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/queue.h"

#include <stdbool.h>
#include <stddef.h>

static bool before(const struct sched_job *a, const struct sched_job *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/* splitmix64: the next of a sequence that looks random; the same in every run. */
static unsigned next_weight(struct queue *q)
{
    uint64_t z = (q->seed += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (unsigned)(z >> 32);
}

/* The pointer that points to JOB: in its parent or the root. */
static struct sched_job **link_to(struct queue *q, struct sched_job *job)
{
    if (!job->parent)
        return &q->root;
    return job->parent->left == job ? &job->parent->left : &job->parent->right;
}

/* Turn JOB and its parent around, so that JOB is above. */
static void rotate_up(struct queue *q, struct sched_job *job)
{
    struct sched_job *up = job->parent, *moved;
    *link_to(q, up) = job;
    job->parent = up->parent;
    up->parent = job;
    if (up->left == job) {
        moved = up->left = job->right;
        job->right = up;
    } else {
        moved = up->right = job->left;
        job->left = up;
    }
    if (moved)
        moved->parent = up;
}

void queue_insert(struct queue *q, struct sched_job *job)
{
    struct sched_job **link = &q->root, *parent = NULL;
    if (q->last && !before(job, q->last)) { /* most often they come in order */
        parent = q->last;
        link = &parent->right;
    }
    while (*link) {
        parent = *link;
        link = before(job, parent) ? &parent->left : &parent->right;
    }
    job->left = job->right = NULL;
    job->parent = parent;
    job->weight = next_weight(q);
    *link = job;
    if (!q->first || before(job, q->first))
        q->first = job;
    if (!q->last || !before(job, q->last))
        q->last = job;
    while (job->parent && job->parent->weight < job->weight)
        rotate_up(q, job);
}

static struct sched_job *previous(struct sched_job *job)
{
    if (job->left) {
        for (job = job->left; job->right; job = job->right)
            ;
        return job;
    }
    while (job->parent && job->parent->left == job)
        job = job->parent;
    return job->parent;
}

struct sched_job *queue_next(struct sched_job *job)
{
    if (job->right) {
        for (job = job->right; job->left; job = job->left)
            ;
        return job;
    }
    while (job->parent && job->parent->right == job)
        job = job->parent;
    return job->parent;
}

void queue_remove(struct queue *q, struct sched_job *job)
{
    if (q->first == job)
        q->first = queue_next(job);
    if (q->last == job)
        q->last = previous(job);
    while (job->left && job->right)
        rotate_up(q, job->left->weight > job->right->weight ? job->left : job->right);
    struct sched_job *child = job->left ? job->left : job->right;
    *link_to(q, job) = child;
    if (child)
        child->parent = job->parent;
    job->parent = job->left = job->right = NULL;
}
